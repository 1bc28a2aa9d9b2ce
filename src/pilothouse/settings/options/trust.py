"""Which other servers may vouch for a program."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from pilothouse.settings.options.types import Duration, Section


class TrustedIssuer(Section):
    """Programs that need no key, because an OpenID Connect issuer vouches for them: a workflow of one repository, say. See the how-to
    “Publish from CI”."""

    key: str = Field(pattern=r"^[a-z][a-z0-9-]{0,31}$")
    """Short name; keys and the audit trail show it."""
    issuer: str
    """The issuer's address, exactly as its tokens name it in `iss`."""
    audience: str = ""
    """What must stand in `aud` of a token. Default: the address of the stage that is asked."""
    claims: dict[str, str] = Field(min_length=1)
    """Claims that a token must have, such as `{ repository = "acme/models", ref = "refs/heads/main" }`. `*` stands for anything but `/` and
    `:`, `**` for anything at all."""
    username: str = Field(min_length=1)
    """The person or service account that the program acts as. It must exist and not be locked."""
    role: Literal["viewer", "publisher"] = "publisher"
    """The most that the program may be, whatever the user is."""
    stages: list[str] = []
    """The stages it may sign in to. Default: all."""
    lifetime: Duration = Field(timedelta(hours=1), ge=timedelta(minutes=1), le=timedelta(hours=24))
    """The key that it gets is good for this long."""
    jwks_uri: str = ""
    """Where the issuer's public keys are. Default: what `ISSUER/.well-known/openid-configuration` says."""

    @field_validator("issuer", "jwks_uri")
    @classmethod
    def _is_an_address(cls, value: str) -> str:
        parts = urlsplit(value)
        if value and (
            parts.scheme not in ("https", "http") or not parts.hostname or "@" in parts.netloc or parts.query
        ):
            raise ValueError("it must be an address such as https://token.actions.githubusercontent.com")
        return value
