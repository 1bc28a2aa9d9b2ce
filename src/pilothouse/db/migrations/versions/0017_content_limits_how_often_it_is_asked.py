"""content limits how often it is asked."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    with op.batch_alter_table("content") as table:
        table.add_column(sa.Column("requests_per_minute", sa.Integer(), nullable=True))
