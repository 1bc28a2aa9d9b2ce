"""What stands on top of every page until its reader puts it away. The app hands the words in; browsers remember what was put away."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from fastapi import Request

#: Numbers of notices that this browser put away, newest last.
PUT_AWAY = "ph_put_away"
REMEMBERED = 20
#: Number and words of each notice that holds now.
Source = Callable[[], Sequence[tuple[int, str]]]


@dataclass(frozen=True)
class Notice:
    number: int
    words: str


def notices(request: Request) -> tuple[Notice, ...]:
    """Those that the reader has not put away; the app's ``state.notices`` knows them."""
    source: Source | None = getattr(request.app.state, "notices", None)
    away = _put_away(request)
    return tuple(Notice(number, words) for number, words in source() if number not in away) if source else ()


def put_away_cookie(request: Request, number: int) -> str:
    """The cookie's value when one more is put away."""
    return ".".join(str(n) for n in [*(n for n in _put_away(request) if n != number), number][-REMEMBERED:])


def _put_away(request: Request) -> list[int]:
    words = request.cookies.get(PUT_AWAY, "").split(".")
    return [int(word) for word in words if word.isascii() and word.isdigit() and len(word) < 19]
