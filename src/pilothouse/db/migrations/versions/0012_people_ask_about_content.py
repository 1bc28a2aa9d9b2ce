"""people ask about content: for access, questions, and whether to rely on it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from pilothouse.db import UtcDateTime

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
revision = "0012"
down_revision = "0011"


def moment(name: str, *, needed: bool = False) -> sa.Column[object]:
    return sa.Column(name, UtcDateTime(timezone=True), nullable=not needed)


def upgrade() -> None:
    op.create_table(
        "access_request",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("content_id", BIG, nullable=False),
        sa.Column("user_id", BIG, nullable=False),
        sa.Column("words", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("share", sa.String(length=12), nullable=True),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.Column("answered_by_id", BIG, nullable=True),
        moment("created_at", needed=True),
        moment("answered_at"),
        moment("seen_at"),
        sa.ForeignKeyConstraint(
            ["content_id"], ["content.id"], name="fk_access_request_content_id", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["user_id"], ["user.id"], name="fk_access_request_user_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_access_request"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_access_request_user_id", "access_request", ["user_id"])
    op.create_index(
        "uq_access_request_open",
        "access_request",
        ["content_id", "user_id"],
        unique=True,
        sqlite_where=sa.text("state = 'open'"),
        postgresql_where=sa.text("state = 'open'"),
    )
    op.create_table(
        "thread",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("content_id", BIG, nullable=False),
        sa.Column("user_id", BIG, nullable=False),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        moment("promised_at"),
        moment("fixed_at"),
        moment("created_at", needed=True),
        moment("changed_at", needed=True),
        moment("told_at"),
        moment("seen_at"),
        sa.ForeignKeyConstraint(["content_id"], ["content.id"], name="fk_thread_content_id", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["user_id"], ["user.id"], name="fk_thread_user_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_thread"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_thread_content_id", "thread", ["content_id"])
    op.create_index("ix_thread_user_id", "thread", ["user_id"])
    op.create_table(
        "thread_message",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("thread_id", BIG, nullable=False),
        sa.Column("author_id", BIG, nullable=False),
        sa.Column("words", sa.Text(), nullable=False),
        moment("created_at", needed=True),
        sa.ForeignKeyConstraint(["thread_id"], ["thread.id"], name="fk_thread_message_thread_id", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["author_id"], ["user.id"], name="fk_thread_message_author_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_thread_message"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_thread_message_thread_id", "thread_message", ["thread_id"])
    op.create_index("ix_thread_message_author_id", "thread_message", ["author_id"])
    op.create_table(
        "steward",
        sa.Column("user_id", BIG, nullable=False),
        sa.Column("named_by_id", BIG, nullable=True),
        moment("created_at", needed=True),
        sa.ForeignKeyConstraint(["user_id"], ["user.id"], name="fk_steward_user_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("user_id", name="pk_steward"),
    )
    op.create_table(
        "endorsement",
        sa.Column("content_id", BIG, nullable=False),
        sa.Column("user_id", BIG, nullable=False),
        sa.Column("words", sa.Text(), nullable=False),
        moment("created_at", needed=True),
        sa.ForeignKeyConstraint(["content_id"], ["content.id"], name="fk_endorsement_content_id", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["user_id"], ["user.id"], name="fk_endorsement_user_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("content_id", name="pk_endorsement"),
    )
    op.create_index("ix_endorsement_user_id", "endorsement", ["user_id"])
