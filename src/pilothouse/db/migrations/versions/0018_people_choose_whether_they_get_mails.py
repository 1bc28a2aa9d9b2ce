"""people choose whether they get mails."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"


def upgrade() -> None:
    """Not in a batch: with such a default it would make the table anew, without its index on an expression."""
    op.add_column("user", sa.Column("wants_mail", sa.Boolean(), nullable=False, server_default=sa.true()))
