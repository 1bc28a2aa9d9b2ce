"""changes name whose rows they were."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "change",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("about", sa.String(length=40), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("key", BIG, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_change"),
    )
    op.create_index("ix_change_about_count", "change", ["about", "count"])
