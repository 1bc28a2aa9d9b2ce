"""How much of a visitor the statistics of use may keep: each stage's ``usage`` says so, to the door and to the reader of the log."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from pilothouse.base import clock

NAMED, PSEUDONYMOUS, COUNTS = "named", "pseudonymous", "counts"
NUMBER = re.compile(r"[0-9]{1,18}")
PSEUDONYM = re.compile(r"p[0-9a-f]{24}")


@dataclass(frozen=True)
class Visitor:
    """Who used something, as far as a row may tell: an id, or a pseudonym, or neither.

    ``is_described``: whether the row may also keep what else tells people apart (the browser, the query).
    """

    principal_id: int | None = None
    pseudonym: str | None = None
    is_described: bool = False


class Visitors:
    """Decides for each stage. ``usage_of`` gives the word in the settings of a stage; ``key`` makes pseudonyms.

    A pseudonym is the same for one person, stage and calendar month (UTC), so that visitors can be counted and not named.
    Only who has the key can tell whose it is. Safe to call from several threads.
    """

    def __init__(self, usage_of: Callable[[int], str], key: bytes) -> None:
        self._usage_of, self._key = usage_of, key

    def told(self, stage_id: int, principal_id: int) -> str:
        """What the door hands to Envoy, and so to its access log; empty for nobody."""
        usage = self._usage_of(stage_id)
        if usage == NAMED:
            return str(principal_id)
        return self._pseudonym(stage_id, principal_id, clock.now()) if usage == PSEUDONYMOUS else ""

    def kept(self, stage_id: int | None, told: str, at: datetime) -> Visitor:
        """What a row may keep of a line in which the door told ``told``, maybe when the stage still had another word."""
        usage = COUNTS if stage_id is None else self._usage_of(stage_id)
        if stage_id is None or usage not in (NAMED, PSEUDONYMOUS):
            return Visitor()
        if PSEUDONYM.fullmatch(told):
            return Visitor(pseudonym=told)
        if usage == NAMED:
            return Visitor(principal_id=int(told) if NUMBER.fullmatch(told) else None, is_described=True)
        return Visitor(pseudonym=self._pseudonym(stage_id, int(told), at) if NUMBER.fullmatch(told) else None)

    def _pseudonym(self, stage_id: int, principal_id: int, at: datetime) -> str:
        text = f"{stage_id} {at:%Y-%m} {principal_id}"
        return "p" + hmac.new(self._key, text.encode(), hashlib.sha256).hexdigest()[:24]
