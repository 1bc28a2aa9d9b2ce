"""logins are entered on other host names."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from pilothouse.db import UtcDateTime

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    op.add_column("stage", sa.Column("content_host", sa.String(255), nullable=True))
    with op.batch_alter_table("login") as table:
        table.add_column(sa.Column("parent_id", sa.String(24), nullable=True))
        table.add_column(sa.Column("host", sa.String(255), nullable=True))
        table.create_foreign_key("fk_login_parent_id", "login", ["parent_id"], ["id"], ondelete="CASCADE")
        table.create_index("ix_login_parent_id", ["parent_id"])
    op.create_table(
        "login_code",
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("login_id", sa.String(24), nullable=False),
        sa.Column("host", sa.String(255), nullable=False),
        sa.Column("challenge", sa.String(64), nullable=False),
        sa.Column("expires_at", UtcDateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["login_id"], ["login.id"], name="fk_login_code_login_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("digest", name="pk_login_code"),
    )
    op.create_index("ix_login_code_login_id", "login_code", ["login_id"])
