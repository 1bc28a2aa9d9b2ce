"""Reading a long list in parts that stay right while rows are added: by the id of the row where a part ends, not by counting."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from sqlalchemy import Select

from pilothouse.db.engine import Tx

R = TypeVar("R")


@dataclass(frozen=True)
class Turn:
    """Which part of a list in the order of its rows' ids: the first rows, those after the row ``after``, the last ones before
    the row ``before``, or the last ones of all (``is_last``). At most ``limit``, a positive number.
    """

    limit: int
    ascending: bool = True
    after: int | None = None
    before: int | None = None
    is_last: bool = False


@dataclass(frozen=True)
class Part(Generic[R]):
    """What a turn gave, in the list's order, with the ids of its first and last row, and whether there is more on either side."""

    rows: list[R]
    first: int | None
    last: int | None
    has_earlier: bool
    has_later: bool


def part_of(tx: Tx, chosen: Select[R], key: Any, turn: Turn) -> Part[R]:
    """The part of ``chosen`` that ``turn`` asks for. ``key`` is the column of the rows' ids; any order ``chosen`` has is dropped."""
    is_backwards = turn.is_last or turn.before is not None
    border = turn.before if turn.before is not None else turn.after
    if border is not None and not turn.is_last:
        chosen = chosen.where(key > border if turn.ascending != is_backwards else key < border)
    order = key.asc() if turn.ascending != is_backwards else key.desc()
    found = list(tx.scalars(chosen.order_by(None).order_by(order).limit(turn.limit + 1)))
    has_more, rows = len(found) > turn.limit, found[: turn.limit]
    if is_backwards:
        rows.reverse()
    ids = [getattr(row, key.key) for row in rows]
    return Part(
        rows,
        first=ids[0] if ids else None,
        last=ids[-1] if ids else None,
        has_earlier=has_more if is_backwards else turn.after is not None,
        has_later=turn.before is not None if is_backwards else has_more,
    )
