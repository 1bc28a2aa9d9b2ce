"""bundles know their node version."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    with op.batch_alter_table("bundle") as table:
        table.add_column(sa.Column("node_version", sa.String(length=20), nullable=True))
