"""sign ins take turns."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from pilothouse.db import UtcDateTime

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    with op.batch_alter_table("login_failure") as table:
        table.add_column(sa.Column("turn_at", UtcDateTime(timezone=True), nullable=True))
