"""Identifiers and randomness. Rooms never call ``uuid`` or ``secrets`` themselves."""

from __future__ import annotations

import base64
import hmac
import re
import secrets
import uuid

GUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


def new_guid() -> str:
    """A random UUID (RFC 9562, version 4) in lower case with hyphens: the only form that URLs accept."""
    return str(uuid.uuid4())


def is_guid(text: str) -> bool:
    return GUID.fullmatch(text) is not None


def new_token(size_bytes: int = 32) -> str:
    """``size_bytes`` of randomness as URL-safe text without padding: for keys, login secrets and one-time codes."""
    return base64.urlsafe_b64encode(secrets.token_bytes(size_bytes)).rstrip(b"=").decode()


def derived_token(secret: bytes, name: str) -> str:
    """256 bits as URL-safe text that only who holds ``secret`` can make, always the same ones for a ``name``."""
    return base64.urlsafe_b64encode(hmac.digest(secret, name.encode(), "sha256")).rstrip(b"=").decode()


def new_key(length: int = 16) -> str:
    """A short random name of ``length`` lower-case letters and digits: for jobs and other things that people read aloud."""
    return "".join(secrets.choice("abcdefghijkmnpqrstuvwxyz23456789") for _ in range(length))
