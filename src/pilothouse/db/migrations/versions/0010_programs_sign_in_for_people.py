"""programs sign in for people."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from pilothouse.db import UtcDateTime

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    _tokens()
    _clients()
    _authorizations()
    _devices()
    op.create_table(
        "used_assertion",
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("until", UtcDateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("digest", name="pk_used_assertion"),
    )
    op.create_index("ix_used_assertion_until", "used_assertion", ["until"])
    with op.batch_alter_table("api_key") as table:
        table.add_column(sa.Column("authorization_id", BIG, nullable=True))
        table.create_foreign_key("fk_api_key_authorization_id", "oauth_authorization", ["authorization_id"], ["id"])
    op.create_index("ix_api_key_authorization_id", "api_key", ["authorization_id"])


def _tokens() -> None:
    op.create_table(
        "signing_token",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("name", sa.String(length=33), nullable=False),
        sa.Column("public_key", sa.Text(), nullable=False),
        sa.Column("user_id", BIG, nullable=True),
        sa.Column("network", sa.String(length=64), nullable=False),
        sa.Column("user_agent", sa.String(length=400), nullable=False),
        sa.Column("created_at", UtcDateTime(timezone=True), nullable=False),
        sa.Column("expires_at", UtcDateTime(timezone=True), nullable=False),
        sa.Column("claimed_at", UtcDateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", UtcDateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["user.id"], name="fk_signing_token_user_id"),
        sa.PrimaryKeyConstraint("id", name="pk_signing_token"),
        sa.UniqueConstraint("name", name="uq_signing_token_name"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_signing_token_user_id", "signing_token", ["user_id"])


def _clients() -> None:
    op.create_table(
        "oauth_client",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("key", sa.String(length=32), nullable=False),
        sa.Column("title", sa.String(length=100), nullable=False),
        sa.Column("redirect_uris", sa.JSON(), nullable=False),
        sa.Column("network", sa.String(length=64), nullable=False),
        sa.Column("created_at", UtcDateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_oauth_client"),
        sa.UniqueConstraint("key", name="uq_oauth_client_key"),
        sqlite_autoincrement=True,
    )


def _authorizations() -> None:
    op.create_table(
        "oauth_authorization",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("user_id", BIG, nullable=False),
        sa.Column("client_id", BIG, nullable=False),
        sa.Column("stage_id", BIG, nullable=False),
        sa.Column("network", sa.String(length=64), nullable=False),
        sa.Column("created_at", UtcDateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", UtcDateTime(timezone=True), nullable=True),
        sa.Column("code_digest", sa.String(length=64), nullable=True),
        sa.Column("code_challenge", sa.String(length=43), nullable=True),
        sa.Column("code_until", UtcDateTime(timezone=True), nullable=True),
        sa.Column("code_used_at", UtcDateTime(timezone=True), nullable=True),
        sa.Column("redirect_uri", sa.String(length=2000), nullable=True),
        sa.Column("refresh_family", sa.String(length=64), nullable=True),
        sa.Column("refresh_digest", sa.String(length=64), nullable=True),
        sa.Column("refresh_until", UtcDateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["user.id"], name="fk_oauth_authorization_user_id"),
        sa.ForeignKeyConstraint(["client_id"], ["oauth_client.id"], name="fk_oauth_authorization_client_id"),
        sa.PrimaryKeyConstraint("id", name="pk_oauth_authorization"),
        sa.UniqueConstraint("code_digest", name="uq_oauth_authorization_code_digest"),
        sa.UniqueConstraint("refresh_family", name="uq_oauth_authorization_refresh_family"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_oauth_authorization_user_id", "oauth_authorization", ["user_id"])
    op.create_index("ix_oauth_authorization_client_id", "oauth_authorization", ["client_id"])


def _devices() -> None:
    op.create_table(
        "oauth_device",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("device_digest", sa.String(length=64), nullable=False),
        sa.Column("user_code", sa.String(length=8), nullable=False),
        sa.Column("client_id", BIG, nullable=False),
        sa.Column("stage_id", BIG, nullable=False),
        sa.Column("network", sa.String(length=64), nullable=False),
        sa.Column("created_at", UtcDateTime(timezone=True), nullable=False),
        sa.Column("expires_at", UtcDateTime(timezone=True), nullable=False),
        sa.Column("interval_s", BIG, nullable=False),
        sa.Column("polled_at", UtcDateTime(timezone=True), nullable=True),
        sa.Column("authorization_id", BIG, nullable=True),
        sa.Column("denied_at", UtcDateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["client_id"], ["oauth_client.id"], name="fk_oauth_device_client_id"),
        sa.ForeignKeyConstraint(
            ["authorization_id"], ["oauth_authorization.id"], name="fk_oauth_device_authorization_id"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_oauth_device"),
        sa.UniqueConstraint("device_digest", name="uq_oauth_device_device_digest"),
        sa.UniqueConstraint("user_code", name="uq_oauth_device_user_code"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_oauth_device_client_id", "oauth_device", ["client_id"])
    op.create_index("ix_oauth_device_authorization_id", "oauth_device", ["authorization_id"])
