"""People, groups, browser logins and keys. Names of people live here and nowhere else, so that they can be erased."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import (
    Boolean,
    ForeignKey,
    Index,
    String,
    Text,
    UniqueConstraint,
    func,
    literal_column,
    text,
    true,
)
from sqlalchemy.orm import Mapped, mapped_column, relationship

from pilothouse.base.access import Role
from pilothouse.db import Id, Row, only_where, stamped

KEPT: Any = {"sqlite_autoincrement": True}
#: What a person is found by: names, each behind a bar, and then the place, each behind a slash.
#: Short enough for an index, which serves only queries in these very words; with the parentheses that PostgreSQL would set.
WORDS = (
    "substr(lower((((((((((('|' || username) || '|') || first_name) || '|') || last_name) || '/')"
    " || coalesce(department, '')) || '/') || coalesce(site, '')) || '/') || coalesce(title, '')), 1, 600)"
)


def shown_name(first_name: Any, username: Any) -> Any:
    """What people are sorted by where colleagues look for them; in the very words of an index."""
    return func.lower(func.coalesce(func.nullif(first_name, literal_column("''")), username))


class User(Row):
    """A person or a service account. ``username`` is unique without regard to case; a deleted user leaves a tombstone.

    An erased one is a tombstone that says nothing of who it was: its number and GUID are all that is left.
    """

    __tablename__ = "user"
    topic: ClassVar[str] = "identity"
    topic_key: ClassVar[str] = "id"
    id: Mapped[Id]
    guid: Mapped[str] = mapped_column(String(36), unique=True)
    username: Mapped[str] = mapped_column(String(255))
    email: Mapped[str] = mapped_column(String(320), default="")
    first_name: Mapped[str] = mapped_column(String(255), default="")
    last_name: Mapped[str] = mapped_column(String(255), default="")
    role: Mapped[str] = mapped_column(String(20), default=Role.VIEWER.value)
    is_service_account: Mapped[bool] = mapped_column(Boolean, default=False)
    confirmed: Mapped[bool] = mapped_column(Boolean, default=True)
    locked: Mapped[bool] = mapped_column(Boolean, default=False)
    provider: Mapped[str] = mapped_column(String(40), default="password")
    external_id: Mapped[str | None] = mapped_column(String(255))
    password_hash: Mapped[str | None] = mapped_column(String(255))
    must_set_password: Mapped[bool] = mapped_column(Boolean, default=False)
    department: Mapped[str | None] = mapped_column(String(255))
    site: Mapped[str | None] = mapped_column(String(255))
    title: Mapped[str | None] = mapped_column(String(255))
    locale: Mapped[str | None] = mapped_column(String(35))
    timezone: Mapped[str | None] = mapped_column(String(64))
    wants_mail: Mapped[bool] = mapped_column(Boolean, default=True, server_default=true())
    created_at: Mapped[datetime] = stamped()
    updated_at: Mapped[datetime] = stamped()
    active_at: Mapped[datetime | None]
    deleted_at: Mapped[datetime | None]

    @property
    def is_erased(self) -> bool:
        """Nobody can choose such a name: a user name holds no slash."""
        return self.username == f"erased/{self.id}"

    @property
    def display_name(self) -> str:
        return f"{self.first_name} {self.last_name}".strip() or self.username

    __table_args__ = (
        Index("uq_user_username_lower", func.lower(username), unique=True),
        Index("ix_user_words", text(WORDS)),
        # of what is not null, and so only for queries that say so: SQLite, which guesses, would take it for others too
        Index(
            "ix_user_department",
            "department",
            "locked",
            "deleted_at",
            **only_where("department IS NOT NULL"),
        ),
        Index(
            "ix_user_counted",  # how many there are, and how many were here lately
            "active_at",
            "locked",
            "is_service_account",
            "deleted_at",
            **only_where("deleted_at IS NULL"),
        ),
        Index("ix_user_shown_name", shown_name(first_name, username), "id"),
        KEPT,
    )


class Group(Row):
    """A named set of users, and of other groups (`Nesting`)."""

    __tablename__ = "group"
    topic: ClassVar[str] = "identity"
    id: Mapped[Id]
    guid: Mapped[str] = mapped_column(String(36), unique=True)
    name: Mapped[str] = mapped_column(String(255))
    owner_id: Mapped[int | None] = mapped_column(ForeignKey("user.id"))
    gid: Mapped[int | None]
    external_id: Mapped[str | None] = mapped_column(String(255))
    created_at: Mapped[datetime] = stamped()
    __table_args__ = (Index("uq_group_name_lower", func.lower(name), unique=True), KEPT)


class Membership(Row):
    """One user in one group; ``id`` keeps the order of joining."""

    __tablename__ = "membership"
    topic: ClassVar[str] = "identity"
    topic_key: ClassVar[str] = "user_id"
    id: Mapped[Id]
    group_id: Mapped[int] = mapped_column(ForeignKey("group.id", ondelete="CASCADE"))
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id", ondelete="CASCADE"), index=True)
    __table_args__ = (UniqueConstraint("group_id", "user_id"), KEPT)


class Nesting(Row):
    """All members of the group ``inner`` count as members of ``outer``, and of whatever that one is in."""

    __tablename__ = "group_nesting"
    topic: ClassVar[str] = "identity"
    id: Mapped[Id]
    outer_id: Mapped[int] = mapped_column(ForeignKey("group.id", ondelete="CASCADE"))
    inner_id: Mapped[int] = mapped_column(ForeignKey("group.id", ondelete="CASCADE"), index=True)
    __table_args__ = (UniqueConstraint("outer_id", "inner_id"), KEPT)


class Login(Row):
    """A browser sign-in. ``id`` is public (it names the login in lists and grants); the secret is stored as its SHA-256.

    One with a parent was entered from that on another host name (`LoginCode`): it counts at ``host`` only, and ends with it.
    """

    __tablename__ = "login"
    topic: ClassVar[str] = "identity"
    topic_key: ClassVar[str] = "user_id"
    id: Mapped[str] = mapped_column(String(24), primary_key=True)
    secret_digest: Mapped[str] = mapped_column(String(64))
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id"), index=True)
    parent_id: Mapped[str | None] = mapped_column(ForeignKey("login.id", ondelete="CASCADE"), index=True)
    host: Mapped[str | None] = mapped_column(String(255))
    provider: Mapped[str] = mapped_column(String(40), default="password")
    address: Mapped[str] = mapped_column(String(64), default="")
    user_agent: Mapped[str] = mapped_column(String(400), default="")
    created_at: Mapped[datetime] = stamped()
    expires_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    user: Mapped[User] = relationship()
    parent: Mapped[Login | None] = relationship(remote_side=id)
    __table_args__ = ()


class LoginCode(Row):
    """A one-time code with which a login is entered on another host name, stored as its SHA-256; used or expired, it goes.

    It counts at ``host`` only, for the browser that holds the secret whose SHA-256 is ``challenge``.
    """

    __tablename__ = "login_code"
    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    login_id: Mapped[str] = mapped_column(ForeignKey("login.id", ondelete="CASCADE"), index=True)
    host: Mapped[str] = mapped_column(String(255))
    challenge: Mapped[str] = mapped_column(String(64))
    expires_at: Mapped[datetime]
    __table_args__ = ()


class ApiKey(Row):
    """A 256-bit key, stored as its SHA-256. A key bound to a job (``bound_*``) acts with capped rights and dies with it."""

    __tablename__ = "api_key"
    topic: ClassVar[str] = "identity"
    topic_key: ClassVar[str] = "user_id"
    id: Mapped[Id]
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id"), index=True)
    name: Mapped[str] = mapped_column(String(255))
    prefix: Mapped[str] = mapped_column(String(12))
    digest: Mapped[str] = mapped_column(String(64), unique=True)
    role_cap: Mapped[str | None] = mapped_column(String(20))
    bound_kind: Mapped[str | None] = mapped_column(String(20))
    bound_id: Mapped[int | None]
    job_id: Mapped[int | None] = mapped_column(index=True)
    stage_id: Mapped[int | None]
    authorization_id: Mapped[int | None] = mapped_column(ForeignKey("oauth_authorization.id"), index=True)
    created_at: Mapped[datetime] = stamped()
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    user: Mapped[User] = relationship()


class OAuthClient(Row):
    """A program that registered itself (RFC 7591). It has no secret: whoever knows ``key`` may say that it is this program.

    ``title`` is what it calls itself. Nobody's: it leads to no person.
    """

    __tablename__ = "oauth_client"
    id: Mapped[Id]
    key: Mapped[str] = mapped_column(String(32), unique=True)
    title: Mapped[str] = mapped_column(String(100))
    redirect_uris: Mapped[list[Any]]
    network: Mapped[str] = mapped_column(String(64), default="")
    created_at: Mapped[datetime] = stamped()


class Authorization(Row):
    """A person lets one program act as them in one stage. Its access token is an `ApiKey`, whose digest changes with each refresh.

    ``code_…`` is the authorization code, good for one use. A refresh token is a family's name and a secret: of the name stands the
    digest in ``refresh_family``, of the newest whole token that in ``refresh_digest``, so that an older one shows.
    """

    __tablename__ = "oauth_authorization"
    id: Mapped[Id]
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id"), index=True)
    client_id: Mapped[int] = mapped_column(ForeignKey("oauth_client.id"), index=True)
    stage_id: Mapped[int]
    network: Mapped[str] = mapped_column(String(64), default="")
    created_at: Mapped[datetime] = stamped()
    revoked_at: Mapped[datetime | None]
    code_digest: Mapped[str | None] = mapped_column(String(64), unique=True)
    code_challenge: Mapped[str | None] = mapped_column(String(43))
    code_until: Mapped[datetime | None]
    code_used_at: Mapped[datetime | None]
    redirect_uri: Mapped[str | None] = mapped_column(String(2000))
    refresh_family: Mapped[str | None] = mapped_column(String(64), unique=True)
    refresh_digest: Mapped[str | None] = mapped_column(String(64))
    refresh_until: Mapped[datetime | None]
    client: Mapped[OAuthClient] = relationship()
    user: Mapped[User] = relationship()


class DeviceRequest(Row):
    """A program without a browser waits until somebody types its ``user_code`` (RFC 8628). Gone once it has its answer."""

    __tablename__ = "oauth_device"
    id: Mapped[Id]
    device_digest: Mapped[str] = mapped_column(String(64), unique=True)
    user_code: Mapped[str] = mapped_column(String(8), unique=True)
    client_id: Mapped[int] = mapped_column(ForeignKey("oauth_client.id"), index=True)
    stage_id: Mapped[int]
    network: Mapped[str] = mapped_column(String(64), default="")
    created_at: Mapped[datetime] = stamped()
    expires_at: Mapped[datetime]
    interval_s: Mapped[int] = mapped_column(default=5)
    polled_at: Mapped[datetime | None]
    authorization_id: Mapped[int | None] = mapped_column(ForeignKey("oauth_authorization.id"), index=True)
    denied_at: Mapped[datetime | None]
    client: Mapped[OAuthClient] = relationship()


class SigningToken(Row):
    """A program's public key, by the name that the program gave it. Nobody, until a person claims it; then its requests are theirs.

    ``network`` and ``user_agent`` are those of the program that announced it. One that nobody claims is gone at ``expires_at``.
    """

    __tablename__ = "signing_token"
    topic: ClassVar[str] = "identity"
    topic_key: ClassVar[str] = "whose"
    id: Mapped[Id]
    name: Mapped[str] = mapped_column(String(33), unique=True)
    public_key: Mapped[str] = mapped_column(Text)
    user_id: Mapped[int | None] = mapped_column(ForeignKey("user.id"), index=True)
    network: Mapped[str] = mapped_column(String(64), default="")
    user_agent: Mapped[str] = mapped_column(String(400), default="")
    created_at: Mapped[datetime] = stamped()
    expires_at: Mapped[datetime]
    claimed_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]

    @property
    def whose(self) -> int:
        """Nobody's is the number 0's, which is nobody's: strangers that announce tokens make no cache forget anybody."""
        return self.user_id or 0


class UsedAssertion(Row):
    """A token of another issuer that was exchanged, by a digest of what names it: it does not count again while it would still be good."""

    __tablename__ = "used_assertion"
    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    until: Mapped[datetime] = mapped_column(index=True)
    __table_args__ = ()


class KeyUse(Row):
    """When a key, a token or a login was last used, written at most once a minute: apart, so that it invalidates no cache."""

    __tablename__ = "key_use"
    kind: Mapped[str] = mapped_column(String(8), primary_key=True)
    ref: Mapped[str] = mapped_column(String(24), primary_key=True)
    at: Mapped[datetime]
    __table_args__ = ()


class Failure(Row):
    """Sign-ins that failed, or are still being tried, in the current window: what throttling counts, shared by all replicas.

    ``bucket`` is a name at an address, a name, or an address. ``turn_at`` is when the next one may be tried.
    """

    __tablename__ = "login_failure"
    bucket: Mapped[str] = mapped_column(String(80), primary_key=True)
    count: Mapped[int]
    until: Mapped[datetime]
    turn_at: Mapped[datetime | None]
    __table_args__ = ()
