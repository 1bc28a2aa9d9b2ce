"""usage is found by stage and kind."""

from __future__ import annotations

from alembic import op
from sqlalchemy import text

revision = "0015"
down_revision = "0014"
NO_HIT = text("kind <> 'hit'")


def upgrade() -> None:
    op.create_index("ix_usage_event_stage", "usage_event", ["stage_id", "started_at"])
    op.create_index(
        "ix_usage_event_kind",
        "usage_event",
        ["stage_id", "kind", "started_at"],
        sqlite_where=NO_HIT,
        postgresql_where=NO_HIT,
    )
    op.create_index(
        "ix_usage_event_subject_kind",
        "usage_event",
        ["subject_kind", "subject_id", "kind", "started_at"],
        sqlite_where=NO_HIT,
        postgresql_where=NO_HIT,
    )
