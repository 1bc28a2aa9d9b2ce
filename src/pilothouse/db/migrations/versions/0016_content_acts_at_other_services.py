"""content acts at other services."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from pilothouse.db import UtcDateTime

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    op.create_table(
        "integration",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("guid", sa.String(length=36), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("description", sa.String(length=1024), nullable=False),
        sa.Column("template", sa.String(length=40), nullable=False),
        sa.Column("auth_type", sa.String(length=20), nullable=False),
        sa.Column("config", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", UtcDateTime(timezone=True), nullable=False),
        sa.Column("updated_at", UtcDateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_integration"),
        sa.UniqueConstraint("guid", name="uq_integration_guid"),
        sqlite_autoincrement=True,
    )
    op.create_index("uq_integration_name_lower", "integration", [sa.literal_column("lower(name)")], unique=True)
    op.create_table(
        "integration_association",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("content_id", BIG, nullable=False),
        sa.Column("integration_id", BIG, nullable=False),
        sa.Column("created_at", UtcDateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["integration_id"], ["integration.id"], name="fk_integration_association_integration_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_integration_association"),
        sa.UniqueConstraint(
            "content_id", "integration_id", name="uq_integration_association_content_id_integration_id"
        ),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_integration_association_integration_id", "integration_association", ["integration_id"])
    op.create_table(
        "delegation",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("guid", sa.String(length=36), nullable=False),
        sa.Column("user_id", BIG, nullable=False),
        sa.Column("integration_id", BIG, nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("has_refresh_token", sa.Boolean(), nullable=False),
        sa.Column("expires_at", UtcDateTime(timezone=True), nullable=True),
        sa.Column("renewing_until", UtcDateTime(timezone=True), nullable=True),
        sa.Column("created_at", UtcDateTime(timezone=True), nullable=False),
        sa.Column("updated_at", UtcDateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["user.id"], name="fk_delegation_user_id"),
        sa.ForeignKeyConstraint(
            ["integration_id"], ["integration.id"], name="fk_delegation_integration_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_delegation"),
        sa.UniqueConstraint("guid", name="uq_delegation_guid"),
        sa.UniqueConstraint("user_id", "integration_id", name="uq_delegation_user_id_integration_id"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_delegation_user_id", "delegation", ["user_id"])
    op.create_index("ix_delegation_integration_id", "delegation", ["integration_id"])
