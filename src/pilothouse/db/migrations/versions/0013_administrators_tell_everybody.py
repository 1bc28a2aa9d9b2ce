"""administrators tell everybody: announcements, and what the home page shows."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from pilothouse.db import UtcDateTime

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    op.create_table(
        "announcement",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("words", sa.Text(), nullable=False),
        sa.Column("until", UtcDateTime(timezone=True), nullable=True),
        sa.Column("created_by_id", BIG, nullable=True),
        sa.Column("created_at", UtcDateTime(timezone=True), nullable=False),
        sa.Column("ended_at", UtcDateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_announcement"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "landing_section",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("stage_id", BIG, nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("heading", sa.String(length=80), nullable=False),
        sa.Column("content_ids", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["stage_id"], ["stage.id"], name="fk_landing_section_stage_id"),
        sa.PrimaryKeyConstraint("id", name="pk_landing_section"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_landing_section_stage_id", "landing_section", ["stage_id"])
