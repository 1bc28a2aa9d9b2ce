"""Addresses to go on to after a sign-in."""

from __future__ import annotations

from urllib.parse import urlsplit


def local_path(url: str) -> str:
    """``url`` if it is a path of this server, else nothing: a sign-in never sends anybody elsewhere."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    is_path = url.startswith("/") and not parts.scheme and not parts.netloc and url[1:2] not in ("/", "\\")
    return url if is_path and url.isprintable() and "\\" not in url else ""
