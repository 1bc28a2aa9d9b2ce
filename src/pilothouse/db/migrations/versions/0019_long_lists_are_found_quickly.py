"""long lists are found quickly."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
WORDS = (
    "substr(lower((((((((((('|' || username) || '|') || first_name) || '|') || last_name) || '/')"
    " || coalesce(department, '')) || '/') || coalesce(site, '')) || '/') || coalesce(title, '')), 1, 600)"
)


def upgrade() -> None:
    op.create_index("ix_user_words", "user", [sa.text(WORDS)])
    op.create_index(
        "ix_user_department", "user", ["department", "locked", "deleted_at"], **_if("department IS NOT NULL")
    )
    op.create_index("ix_user_shown_name", "user", [sa.text("lower(coalesce(nullif(first_name, ''), username))"), "id"])
    listed = ["stage_id", "last_deployed_at", "id", "access_type", "owner_id", "category"]
    op.create_index("ix_content_listed", "content", listed, **_if("deleted_at IS NULL"))
    op.drop_index("ix_content_stage_deployed", "content")
    op.create_index("ix_content_stage_name", "content", ["stage_id", "name"])


def _if(condition: str) -> dict[str, Any]:
    return {"sqlite_where": sa.text(condition), "postgresql_where": sa.text(condition)}
