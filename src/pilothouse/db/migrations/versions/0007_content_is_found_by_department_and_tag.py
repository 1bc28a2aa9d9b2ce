"""content is found by department and tag."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from pilothouse.db import UtcDateTime

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.create_table(
        "tag",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("created_at", UtcDateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_tag"),
        sqlite_autoincrement=True,
    )
    op.create_index("uq_tag_name_lower", "tag", [sa.literal_column("lower(name)")], unique=True)
    op.create_table(
        "content_tag",
        sa.Column("content_id", BIG, nullable=False),
        sa.Column("tag_id", BIG, nullable=False),
        sa.ForeignKeyConstraint(["content_id"], ["content.id"], name="fk_content_tag_content_id", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["tag_id"], ["tag.id"], name="fk_content_tag_tag_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("content_id", "tag_id", name="pk_content_tag"),
    )
    op.create_index("ix_content_tag_tag_id", "content_tag", ["tag_id"])
    op.create_table(
        "favourite",
        sa.Column("user_id", BIG, nullable=False),
        sa.Column("content_id", BIG, nullable=False),
        sa.Column("created_at", UtcDateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["content_id"], ["content.id"], name="fk_favourite_content_id", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["user_id"], ["user.id"], name="fk_favourite_user_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("user_id", "content_id", name="pk_favourite"),
    )
    op.create_index("ix_favourite_content_id", "favourite", ["content_id"])
    op.create_table(
        "thumbnail",
        sa.Column("content_id", BIG, nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("media_type", sa.String(length=40), nullable=False),
        sa.Column("image", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["content_id"], ["content.id"], name="fk_thumbnail_content_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("content_id", name="pk_thumbnail"),
    )
    with op.batch_alter_table("content") as table:
        table.add_column(sa.Column("department", sa.String(length=255), nullable=True))
        table.add_column(sa.Column("featured", sa.Boolean(), server_default=sa.text("false"), nullable=False))
