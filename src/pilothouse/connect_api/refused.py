"""Rows of the protocol that we don't serve on purpose: they say why (``rows.py``)."""

from __future__ import annotations

from collections.abc import Callable

from fastapi import APIRouter

from pilothouse.asgi.context import SignedIn
from pilothouse.base.errors import NotFound
from pilothouse.connect_api.rows import Row, all_rows

router = APIRouter()


class NotServed(NotFound):
    """This server does not serve this part of the protocol."""

    code = "connect-api/not-served"


def _refusal(row: Row) -> Callable[[SignedIn], None]:
    def refuse(caller: SignedIn) -> None:
        raise NotServed(f"This server does not serve {row.method} {row.path}: it {row.refused}.")

    return refuse


for _row in all_rows():
    if _row.refused:
        router.add_api_route(_row.path, _refusal(_row), methods=[_row.method], include_in_schema=False)
