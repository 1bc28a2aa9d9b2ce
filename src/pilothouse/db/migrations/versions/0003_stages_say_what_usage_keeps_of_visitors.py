"""stages say what usage keeps of visitors."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    with op.batch_alter_table("stage") as table:
        table.add_column(sa.Column("usage", sa.String(length=16), server_default="named", nullable=False))

    with op.batch_alter_table("usage_event") as table:
        table.add_column(sa.Column("pseudonym", sa.String(length=25), nullable=True))
