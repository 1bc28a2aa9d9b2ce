"""Request bodies: JSON whatever the content type says, and ids that are what they claim to be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import orjson
from fastapi import Depends, Path, Query, Request

from pilothouse.base.errors import Invalid
from pilothouse.base.ids import is_guid
from pilothouse.connect_api.errors import BodyUnreadable, MalformedId

SIZE_LIMIT = 4 * 1024 * 1024
LARGEST_ID = 2**63 - 1
#: How JSON writes a NUL character, which no text of ours holds and one of the databases can't.
NUL = b"\\u0000"


#: Row numbers stay within what a column holds, also after they were multiplied by the size of a page.
PageNumber = Annotated[int, Query(ge=1, le=10**9)]
PageSize = Annotated[int, Query(ge=1, le=500)]


@dataclass(frozen=True)
class OffsetPage:
    """One page of a list; pages count from 1."""

    number: int
    size: int

    @property
    def offset(self) -> int:
        return (self.number - 1) * self.size


def _page(page_number: PageNumber = 1, page_size: PageSize = 500) -> OffsetPage:
    return OffsetPage(page_number, page_size)


Paging = Annotated[OffsetPage, Depends(_page)]


class BodyTooLarge(Invalid):
    """The body is larger than 4 MB. Send less at once."""

    code = "connect-api/body-too-large"


def without_nul(request: Request) -> None:
    """Refuse a query with a NUL character: no text of ours holds one, and one of the databases can't."""
    if "%00" in request.url.query:
        raise Invalid("The query holds a NUL character. Leave it out.")


async def _json(request: Request) -> Any:
    parts, size = [], 0
    async for part in request.stream():
        parts.append(part)
        if (size := size + len(part)) > SIZE_LIMIT:
            raise BodyTooLarge
    body = b"".join(parts)
    if NUL in body:
        raise BodyUnreadable("The body holds a NUL character. Leave it out.")
    try:
        return orjson.loads(body) if size else None
    except orjson.JSONDecodeError as error:
        raise BodyUnreadable(f"The body is not valid JSON ({error}). Correct it and send it again.") from None


async def _object(request: Request) -> dict[str, Any]:
    body = await _json(request)
    if body is None:
        return {}
    if not isinstance(body, dict):
        raise BodyUnreadable("The body must be a JSON object.")
    return body


async def _array(request: Request) -> list[Any]:
    body = await _json(request)
    if not isinstance(body, list):
        raise BodyUnreadable("The body must be a JSON array.")
    return body


def _guid(guid: Annotated[str, Path()]) -> str:
    if not is_guid(guid):
        raise MalformedId(f"“{guid}” is not a GUID.")
    return guid


def text_or_none(body: Mapping[str, Any], name: str) -> str | None:
    """The field as text; ``None`` if absent or null. Raises `BodyUnreadable` for any other type."""
    value = body.get(name)
    if value is not None and not isinstance(value, str):
        raise BodyUnreadable(f"“{name}” must be text.")
    return value


def flag(body: dict[str, Any], name: str) -> bool:
    """The field as true or false; absent or null is false. Raises `BodyUnreadable` for any other type."""
    value = body.get(name)
    if value is not None and not isinstance(value, bool):
        raise BodyUnreadable(f"“{name}” must be true or false.")
    return value is True


def integer(text: object, what: str) -> int:
    """A decimal id that arrives as text or number. Raises `MalformedId`."""
    if isinstance(text, int) and not isinstance(text, bool) and 0 <= text <= LARGEST_ID:
        return text
    if isinstance(text, str) and text.isascii() and text.isdigit() and len(text) < 20 and int(text) <= LARGEST_ID:
        return int(text)
    raise MalformedId(f"“{str(text)[:80]}” is not a valid {what}.")


JsonObject = Annotated[dict[str, Any], Depends(_object)]
JsonArray = Annotated[list[Any], Depends(_array)]
Guid = Annotated[str, Depends(_guid)]
