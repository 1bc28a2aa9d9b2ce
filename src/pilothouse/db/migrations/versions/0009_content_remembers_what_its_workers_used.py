"""content remembers what its workers used."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from pilothouse.db import UtcDateTime

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.create_table(
        "worker_sample",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("content_id", BIG, nullable=False),
        sa.Column("slot", sa.Integer(), nullable=False),
        sa.Column("at", UtcDateTime(timezone=True), nullable=False),
        sa.Column("cores", sa.Float(), nullable=False),
        sa.Column("memory", BIG, nullable=False),
        sa.ForeignKeyConstraint(["content_id"], ["content.id"], name="fk_worker_sample_content_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_worker_sample"),
    )
    op.create_index("ix_worker_sample_at", "worker_sample", ["at"])
    op.create_index("ix_worker_sample_content", "worker_sample", ["content_id", "at"])
