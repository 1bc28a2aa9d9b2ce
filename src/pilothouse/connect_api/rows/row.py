"""One line of the table."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from pilothouse.connect_api.nouns.words import BYTES, Schema, open_keys

JSON = "application/json"
#: How a sentence that begins with “it” goes on.
GIT = "belongs to content from Git, which is not here yet"
VARIANTS = "belongs to reports, their variants and schedules, which are not here yet"


@dataclass(frozen=True)
class Media:
    """A body and its media type."""

    schema: Schema
    kind: str = JSON


@dataclass(frozen=True)
class Row:
    """One method of one path. ``at_root``: below the stage's address, else below its ``/__api__``.

    ``gives`` is the body of the successful answer, ``takes`` the one that it is sent; none is no body. ``refused`` is the reason
    why it answers with an error and nothing else. ``is_routed`` is false for what is answered before any application is asked.
    ``never`` is why it can't succeed on a server of ours, though it is asked for like any other. ``asks`` are query parameters,
    where no route of the protocol says which there are.
    """

    method: str
    path: str
    title: str
    gives: Media | None = None
    takes: Media | None = None
    at_root: bool = False
    refused: str = ""
    is_routed: bool = True
    status: str = ""
    never: str = ""
    asks: Mapping[str, Schema] = field(default_factory=dict)

    @property
    def key(self) -> tuple[str, bool, str]:
        """What it is compared by: the names of parameters don't count."""
        return self.method, self.at_root, shape(self.path)

    @property
    def name(self) -> str:
        """Like ``GET /v1/users/{}``."""
        return f"{self.method} {shape(self.path)}"


def shape(path: str) -> str:
    """The path with ``{}`` for each parameter."""
    return re.sub(r"\{[^}]*\}", "{}", path)


def row(
    line: str, title: str, *, gives: Schema | Media | None = None, takes: Schema | Media | None = None, never: str = ""
) -> Row:
    """A row below ``/__api__``; bodies are JSON unless they say what else they are."""
    method, path = line.split()
    return Row(method, path, title, _media(gives), _media(takes), never=never)


def at_root(  # noqa: PLR0913 - what no route says is said here
    line: str, title: str, *, gives: Schema | Media | None = None, takes: Schema | Media | None = None, status: str = "",
    asks: Mapping[str, Schema] | None = None, is_routed: bool = True,
) -> Row:  # fmt: skip
    method, path = line.split()
    return Row(
        method, path, title, _media(gives), _media(takes), at_root=True, is_routed=is_routed, status=status, asks=asks or {}
    )  # fmt: skip


def refused(line: str, why: str) -> Row:
    """A row that answers 404 with this reason."""
    method, path = line.split()
    return Row(method, path, "", refused=why)


def file(kind: str) -> Media:
    return Media(BYTES, kind)


def text(kind: str = "text/plain") -> Media:
    return Media({"type": "string"}, kind)


def form(*, optional: dict[str, Schema] | None = None, **fields: Schema) -> Media:
    return Media(open_keys(optional=optional, **fields), "application/x-www-form-urlencoded")


def _media(found: Schema | Media | None) -> Media | None:
    return Media(found) if isinstance(found, dict) else found
