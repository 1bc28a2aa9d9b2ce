"""Every row of the publishing protocol: what it is for, what it takes and gives, and why a few are refused. A new row is one
line in the file of its chapter; its nouns stand in ``nouns``.

What answers a row is looked up, never claimed (`docs/reference/protocol.md`): one that no route answers and that gives no reason
is not served yet. What a row says of its answer is true: a fuzzer holds it to that.
"""

from __future__ import annotations

from fastapi import FastAPI
from fastapi.routing import iter_route_contexts

from pilothouse.connect_api.rows import around, content, people, signing_in, unversioned
from pilothouse.connect_api.rows.row import Media, Row, shape

__all__ = ["CHAPTERS", "Media", "Row", "all_rows", "answered", "shape"]

#: By chapter, in the order of the page.
CHAPTERS: dict[str, tuple[Row, ...]] = {
    "Signing in": signing_in.ROWS,
    "Server, people, groups, keys": people.ROWS,
    "Content": content.ROWS,
    "Tasks, tags, usage, environments, integrations": around.ROWS,
    "Unversioned": unversioned.ROWS,
}


def all_rows() -> list[Row]:
    return [row for rows in CHAPTERS.values() for row in rows]


def answered(protocol: FastAPI, dashboard: FastAPI) -> set[tuple[str, bool, str]]:
    """The keys of all that the two applications have a route for."""
    return {
        (method, at_root, shape(route.path or ""))
        for app, at_root in ((protocol, False), (dashboard, True))
        for route in iter_route_contexts(app.routes)
        for method in route.methods or ()
    }
