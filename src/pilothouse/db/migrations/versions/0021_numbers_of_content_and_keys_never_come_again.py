"""numbers of content and keys never come again. Copying their tables had lost that on SQLite."""

from __future__ import annotations

from alembic import op

revision = "0021"
down_revision = "0020"


def upgrade() -> None:
    if op.get_bind().dialect.name != "sqlite":
        return
    for name in ("content", "api_key"):
        with op.batch_alter_table(name, recreate="always", table_kwargs={"sqlite_autoincrement": True}):
            pass
