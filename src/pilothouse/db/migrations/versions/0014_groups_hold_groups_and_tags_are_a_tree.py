"""groups hold groups and tags are a tree. Images can be chosen, too."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from pilothouse.base import clock
from pilothouse.db import UtcDateTime

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = UtcDateTime(timezone=True)
revision = "0014"
down_revision = "0013"
#: The category that takes the tags there are, which had no order among themselves.
FREE = "Topics"


def upgrade() -> None:
    op.create_table(
        "group_nesting",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("outer_id", BIG, nullable=False),
        sa.Column("inner_id", BIG, nullable=False),
        sa.ForeignKeyConstraint(["outer_id"], ["group.id"], name="fk_group_nesting_outer_id", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["inner_id"], ["group.id"], name="fk_group_nesting_inner_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_group_nesting"),
        sa.UniqueConstraint("outer_id", "inner_id", name="uq_group_nesting_outer_id_inner_id"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_group_nesting_inner_id", "group_nesting", ["inner_id"])
    _tags()
    _images()


def _tags() -> None:
    op.drop_index("uq_tag_name_lower", "tag")
    with op.batch_alter_table("tag", table_kwargs={"sqlite_autoincrement": True}) as table:
        table.add_column(sa.Column("parent_id", BIG, nullable=True))
        table.add_column(sa.Column("updated_at", MOMENT, nullable=True))
        table.create_foreign_key("fk_tag_parent_id", "tag", ["parent_id"], ["id"], ondelete="CASCADE")
    tag = sa.table("tag", *(sa.column(name) for name in ("id", "parent_id", "name")),
                   sa.column("created_at", MOMENT), sa.column("updated_at", MOMENT))  # fmt: skip
    op.execute(tag.update().values(updated_at=tag.c.created_at))
    bind = op.get_bind()
    if bind.execute(sa.select(tag.c.id).limit(1)).first() is not None:
        now = clock.now()
        taken = bind.execute(sa.select(tag.c.id).where(tag.c.name == FREE)).first()
        name = FREE if taken is None else f"All {FREE.lower()}"
        bind.execute(tag.insert().values(name=name, created_at=now, updated_at=now))
        category = bind.execute(sa.select(sa.func.max(tag.c.id))).scalar_one()
        bind.execute(tag.update().where(tag.c.id != category).values(parent_id=category))
    with op.batch_alter_table("tag", table_kwargs={"sqlite_autoincrement": True}) as table:
        table.alter_column("updated_at", existing_type=MOMENT, nullable=False)
    op.create_index("ix_tag_parent_id", "tag", ["parent_id"])
    op.create_index(
        "uq_tag_sibling",
        "tag",
        [sa.literal_column("coalesce(parent_id, 0)"), sa.literal_column("lower(name)")],
        unique=True,
    )


def _images() -> None:
    op.create_table(
        "image",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("guid", sa.String(length=36), nullable=False),
        sa.Column("title", sa.String(length=1024), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("cluster_name", sa.String(length=255), nullable=False),
        sa.Column("name", sa.String(length=1024), nullable=False),
        sa.Column("kind", sa.String(length=255), nullable=False),
        sa.Column("matching", sa.String(length=8), nullable=False),
        sa.Column("supervisor", sa.String(length=1024), nullable=True),
        sa.Column("document", sa.JSON(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("updated_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_image"),
        sa.UniqueConstraint("guid", name="uq_image_guid"),
        sqlite_autoincrement=True,
    )
    op.create_index("uq_image_name", "image", ["cluster_name", "name"], unique=True)
    op.create_table(
        "image_access",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("guid", sa.String(length=36), nullable=False),
        sa.Column("image_id", BIG, nullable=False),
        sa.Column("user_id", BIG, nullable=True),
        sa.Column("group_id", BIG, nullable=True),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["image_id"], ["image.id"], name="fk_image_access_image_id", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["user_id"], ["user.id"], name="fk_image_access_user_id", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["group_id"], ["group.id"], name="fk_image_access_group_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_image_access"),
        sa.UniqueConstraint("guid", name="uq_image_access_guid"),
        sa.UniqueConstraint("image_id", "user_id", name="uq_image_access_image_id_user_id"),
        sa.UniqueConstraint("image_id", "group_id", name="uq_image_access_image_id_group_id"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_image_access_user_id", "image_access", ["user_id"])
    op.create_index("ix_image_access_group_id", "image_access", ["group_id"])
