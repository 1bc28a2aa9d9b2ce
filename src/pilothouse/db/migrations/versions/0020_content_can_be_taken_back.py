"""content can be taken back."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from pilothouse.db import UtcDateTime

revision = "0020"
down_revision = "0019"

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "hand_over",
        sa.Column("content_id", BIG, nullable=False),
        sa.Column("from_owner_id", BIG, nullable=False),
        sa.Column("to_owner_id", BIG, nullable=False),
        sa.Column("by_id", BIG, nullable=True),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("created_at", UtcDateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["content_id"], ["content.id"], name="fk_hand_over_content_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("content_id", name="pk_hand_over"),
    )
