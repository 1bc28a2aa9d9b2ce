"""The vocabulary that schemas are written with."""

from __future__ import annotations

from typing import Any

Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
WHOLE: Schema = {"type": "integer"}
NUMBER: Schema = {"type": "number"}
TRUTH: Schema = {"type": "boolean"}
NOTHING: Schema = {"type": "null"}
BYTES: Schema = {"type": "string", "format": "binary"}
GUID: Schema = {"type": "string", "format": "uuid"}
MOMENT: Schema = {"type": "string", "format": "date-time"}
ADDRESS: Schema = {"type": "string", "format": "uri"}
#: A number of ours that clients keep as text.
ID: Schema = {"type": "string", "pattern": "^[0-9]+$"}
COUNT: Schema = {"type": "integer", "minimum": 0}
ANYTHING: Schema = {}


def maybe(schema: Schema) -> Schema:
    return {"anyOf": [schema, NOTHING]}


def one_of(*words: str) -> Schema:
    return {"type": "string", "enum": list(words)}


def always(value: object) -> Schema:
    """This value and no other."""
    return {"const": value}


def array(of: Schema) -> Schema:
    return {"type": "array", "items": of}


def table(of: Schema) -> Schema:
    """An object whose keys are data."""
    return {"type": "object", "additionalProperties": of}


def noun(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def keys(*, optional: dict[str, Schema] | None = None, **fields: Schema) -> Schema:
    """What we answer: an object with exactly these keys, and maybe the ``optional`` ones."""
    return {**open_keys(optional=optional, **fields), "additionalProperties": False}


def open_keys(*, optional: dict[str, Schema] | None = None, **fields: Schema) -> Schema:
    """What we take: further keys change nothing."""
    return {"type": "object", "properties": {**fields, **(optional or {})}, "required": list(fields)}


def such_as(schema: Schema, example: object) -> Schema:
    """With an example, which people find in the command of the page."""
    return {**schema, "examples": [example]}


def offset_page(of: Schema) -> Schema:
    """Exactly these keys: clients fail over one more."""
    return keys(results=array(of), current_page={"type": "integer", "minimum": 1}, total=COUNT)


def cursor_page(of: Schema) -> Schema:
    cursor = maybe(TEXT)
    paging = keys(
        cursors=keys(previous=cursor, next=cursor), first=ADDRESS, previous=maybe(ADDRESS), next=maybe(ADDRESS), last=ADDRESS
    )  # fmt: skip
    return keys(paging=paging, results=array(of))
