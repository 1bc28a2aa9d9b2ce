"""Text that people type into one line: names, titles, what is searched for."""

from __future__ import annotations

import unicodedata

_BREAKING = frozenset({"Cc", "Cs", "Zl", "Zp"})


def is_line(text: object, limit: int = 255) -> bool:
    """Whether ``text`` has at most ``limit`` characters and no line break, control character or half of a character.

    Anything else can't be stored on every database, or would break a log or a list.
    """
    if not isinstance(text, str) or len(text) > limit:
        return False
    return not any(unicodedata.category(c) in _BREAKING for c in text)
