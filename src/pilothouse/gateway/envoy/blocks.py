"""Small pieces of Envoy's configuration language that the other files are written in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

Json = dict[str, Any]

TYPES = "type.googleapis.com/envoy.extensions."
AUTHZ = "envoy.filters.http.ext_authz"
GRANTED = "envoy.filters.http.jwt_authn"
#: The path that a client asked for by a grant, before the mount was cut off.
GRANTED_PATH = "%DYNAMIC_METADATA(ph:granted)%"
HEADERS = "envoy.filters.http.header_mutation"
FILE_SERVER = "envoy.filters.http.file_server"
MERGE = "filters.http.header_mutation.v3.HeaderMutationPerRoute"


def typed(kind: str, **fields: Any) -> Json:
    """An extension's settings. ``kind`` is its message below ``envoy.extensions``."""
    return {"@type": TYPES + kind, **fields}


def extension(name: str, kind: str, **fields: Any) -> Json:
    return {"name": name, "typed_config": typed(kind, **fields)}


def exactly(names: Iterable[str]) -> Json:
    return {"patterns": [{"exact": name} for name in names]}


def said(header: str, **match: str) -> Json:
    """Matches requests for which the door said ``header``, with a value like ``match`` (``exact=…``, ``prefix=…``)."""
    return {"filter": AUTHZ, "path": [{"key": header}], "value": {"string_match": match}}


def what_was_said(header: str) -> str:
    """The door's word as text, for headers; empty when it said nothing."""
    return f"%DYNAMIC_METADATA({AUTHZ}:{header})%"


def granted(**match: str) -> Json:
    """Matches requests that go on by a grant, with an original path like ``match``; by default all of them."""
    return {"filter": "ph", "path": [{"key": "granted"}], "value": {"string_match": match or {"prefix": "/"}}}


def what_was_granted(claim: str) -> str:
    """A claim of the grant as text. It counts only where the request is `granted`."""
    return f"%DYNAMIC_METADATA({GRANTED}:grant:{claim})%"


def put(name: str, value: str) -> Json:
    """Sets a header, whatever was there; an empty value leaves it out."""
    return {"header": {"key": name, "value": value}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}


def drop(names: Iterable[str] = (), prefixes: Iterable[str] = ()) -> list[Json]:
    """Mutations that remove headers by name and by prefix."""
    by_prefix = [{"remove_on_match": {"key_matcher": {"prefix": prefix}}} for prefix in prefixes]
    return [{"remove": name} for name in names] + by_prefix


def file_server(folders: Mapping[str, Any] | None = None) -> Json:
    """The file filter's settings: path prefix → folder's prefix."""
    mappings = [{"request_path_prefix": k, "file_path_prefix": v} for k, v in (folders or {}).items()]
    return typed(
        "filters.http.file_server.v3.FileServerConfig",
        manager_config={"thread_pool": {"thread_count": 2}},
        default_content_type="application/octet-stream",
        path_mappings=mappings,
    )


def without_door() -> Json:
    """Route setting: the control plane is not asked."""
    return {AUTHZ: typed("filters.http.ext_authz.v3.ExtAuthzPerRoute", disabled=True)}


def without_script(name: str) -> Json:
    """Route setting: one of our scripts does not run."""
    return {f"pilothouse.{name}": typed("filters.http.lua.v3.LuaPerRoute", disabled=True)}


def header_changes(*, request: list[Json] | None = None, response: list[Json] | None = None) -> Json:
    """Route setting: what changes in the headers to and from the target."""
    changes: Mapping[str, Any] = {"request_mutations": request or [], "response_mutations": response or []}
    return {HEADERS: typed(MERGE, mutations=changes)}
