"""content may have a path of its own."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from pilothouse.db import UtcDateTime

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.create_table(
        "vanity",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("content_id", BIG, nullable=False),
        sa.Column("stage_id", BIG, nullable=False),
        sa.Column("path", sa.String(length=255), nullable=False),
        sa.Column("created_at", UtcDateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["content_id"], ["content.id"], name="fk_vanity_content_id", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["stage_id"], ["stage.id"], name="fk_vanity_stage_id"),
        sa.PrimaryKeyConstraint("id", name="pk_vanity"),
        sa.UniqueConstraint("content_id", name="uq_vanity_content_id"),
        sa.UniqueConstraint("stage_id", "path", name="uq_vanity_stage_id_path"),
        sqlite_autoincrement=True,
    )
