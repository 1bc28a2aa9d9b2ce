"""Text that people write to each other: plain, of bounded length, without control characters."""

from __future__ import annotations

from pilothouse.base.errors import Invalid


class ProseInvalid(Invalid):
    """Write something, but not too much of it."""

    code = "content/prose-invalid"


def prose(words: str, *, limit: int, needed: bool = False) -> str:
    """``words`` without blanks around them and with plain line ends. Raises `ProseInvalid`."""
    plain = words.replace("\r\n", "\n").replace("\r", "\n").strip()
    if needed and not plain:
        raise ProseInvalid("Write a sentence first.")
    if len(plain) > limit:
        raise ProseInvalid(f"That is longer than {limit} characters. Shorten it.")
    if any(not (c.isprintable() or c in "\n\t") for c in plain):
        raise ProseInvalid("It holds characters that can't be shown. Type it anew.")
    return plain
