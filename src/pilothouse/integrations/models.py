"""Integrations, the content that may use them, and the tokens that others gave us."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import ForeignKey, Index, LargeBinary, String, UniqueConstraint, func
from sqlalchemy.orm import Mapped, mapped_column, relationship

from pilothouse.db import Id, Row, stamped

KEPT: Any = {"sqlite_autoincrement": True}


class Integration(Row):
    """One service that content may act at. ``config`` holds the words that may be shown; ``sealed`` the others, as JSON."""

    __tablename__ = "integration"
    id: Mapped[Id]
    guid: Mapped[str] = mapped_column(String(36), unique=True)
    name: Mapped[str] = mapped_column(String(255))
    description: Mapped[str] = mapped_column(String(1024), default="")
    template: Mapped[str] = mapped_column(String(40))
    auth_type: Mapped[str] = mapped_column(String(20))
    config: Mapped[dict[str, Any]]
    sealed: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[datetime] = stamped()
    updated_at: Mapped[datetime] = stamped()
    __table_args__ = (Index("uq_integration_name_lower", func.lower(name), unique=True), KEPT)


class Association(Row):
    """One content may use one integration. Content lives in a room above: a number without a foreign key."""

    __tablename__ = "integration_association"
    topic: ClassVar[str] = "content"
    topic_key: ClassVar[str] = "content_id"
    id: Mapped[Id]
    content_id: Mapped[int]
    integration_id: Mapped[int] = mapped_column(ForeignKey("integration.id", ondelete="CASCADE"), index=True)
    created_at: Mapped[datetime] = stamped()
    integration: Mapped[Integration] = relationship()
    __table_args__ = (UniqueConstraint("content_id", "integration_id"), KEPT)


class Delegation(Row):
    """Somebody let us act as them at a service: its tokens, sealed as JSON. The protocol calls it an OAuth session.

    ``renewing_until``: somebody fetches new tokens now; a refresh token must not be used twice.
    """

    __tablename__ = "delegation"
    id: Mapped[Id]
    guid: Mapped[str] = mapped_column(String(36), unique=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id"), index=True)
    integration_id: Mapped[int] = mapped_column(ForeignKey("integration.id", ondelete="CASCADE"), index=True)
    sealed: Mapped[bytes] = mapped_column(LargeBinary)
    has_refresh_token: Mapped[bool]
    expires_at: Mapped[datetime | None]
    renewing_until: Mapped[datetime | None]
    created_at: Mapped[datetime] = stamped()
    updated_at: Mapped[datetime] = stamped()
    __table_args__ = (UniqueConstraint("user_id", "integration_id"), KEPT)
