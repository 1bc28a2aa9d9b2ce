"""what is counted is counted in an index. What is featured is found without the rest."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
ALIVE = "deleted_at IS NULL"


def upgrade() -> None:
    op.create_index("ix_content_featured", "content", ["stage_id", "last_deployed_at", "id"],
                    sqlite_where=sa.text(f"featured IS 1 AND {ALIVE}"),
                    postgresql_where=sa.text(f"featured IS true AND {ALIVE}"))  # fmt: skip
    op.drop_index("ix_content_listed", "content")
    listed = ["stage_id", "last_deployed_at", "id", "access_type", "owner_id", "category", "deleted_at"]
    op.create_index("ix_content_listed", "content", listed, **_if(ALIVE))
    op.create_index("ix_user_counted", "user", ["active_at", "deleted_at"], **_if(ALIVE))
    op.create_index("ix_bundle_counted", "bundle", ["digest", "size_bytes", "deleted_at"], **_if(ALIVE))
    op.drop_index("ix_usage_event_kind", "usage_event")
    added_up = ["stage_id", "kind", "started_at", "subject_kind", "subject_id", "principal_id", "pseudonym"]
    op.create_index("ix_usage_event_kind", "usage_event", added_up, **_if("kind <> 'hit'"))


def _if(condition: str) -> dict[str, Any]:
    return {"sqlite_where": sa.text(condition), "postgresql_where": sa.text(condition)}
