"""An OpenAPI document as an engineer would write it on a board: schemas in short, a command for each endpoint."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from markupsafe import Markup, escape

from pilothouse.web.views import Endpoint, Parameter

Schema = Mapping[str, Any]
JSON, FORM = "application/json", "application/x-www-form-urlencoded"
KINDS = {"string": "text", "uuid": "GUID", "date-time": "moment", "uri": "address", "boolean": "true or false"}
#: What a file is called in a command.
FILES = {"application/gzip": "bundle.tar.gz", "image/*": "picture.png"}


def chapters(document: Mapping[str, Any]) -> list[tuple[str, list[Endpoint]]]:
    """By chapter, in the document's order."""
    found: dict[str, list[Endpoint]] = {tag["name"]: [] for tag in document["tags"]}
    for path, item in document["paths"].items():
        server = item.get("servers", document["servers"])[0]["url"]
        for method, operation in item.items():
            if method != "servers":
                address = Address(method.upper(), path, server)
                found[operation["tags"][0]].append(_endpoint(address, operation, document["components"]["schemas"]))
    return [(name, endpoints) for name, endpoints in found.items() if endpoints]


def nouns(document: Mapping[str, Any]) -> list[tuple[str, Markup, Markup]]:
    """Name, schema, and what there is to say of its numbers."""
    schemas: Mapping[str, Schema] = document["components"]["schemas"]
    return [(name, schema_text(schema), _coded(_said(schema))) for name, schema in sorted(schemas.items())]


class Address(NamedTuple):
    """What an endpoint is asked by."""

    method: str
    path: str
    server: str


def _endpoint(address: Address, operation: Mapping[str, Any], known: Mapping[str, Schema]) -> Endpoint:
    status, answer = next(((s, a) for s, a in operation["responses"].items() if s[0] in "23"), ("", {}))
    body = operation.get("requestBody", {})
    return Endpoint(
        id=operation["operationId"],
        method=address.method,
        path=_with_places(address.path),
        title=operation["summary"],
        words=_coded(operation.get("description", "")),
        needs=_needs(operation["security"]),
        parameters=[_parameter(found) for found in operation["parameters"]],
        takes=_content(body, known),
        gives=_content(answer, known),
        status=status,
        command=command(address.method, f"{address.server}{address.path}", operation),
    )


def _with_places(path: str) -> Markup:
    """The path, with what is to be filled in marked; long ones break behind a slash."""
    text = str(escape(path)).replace("/", "/<wbr>")
    return Markup(re.sub(r"(\{[^}]*\})", r"<em>\1</em>", text))  # noqa: S704 - escaped before


def _coded(words: str) -> Markup:
    return Markup(re.sub(r"`([^`]*)`", r"<code>\1</code>", str(escape(words))))  # noqa: S704 - escaped before


def _needs(security: list[Mapping[str, Any]]) -> str:
    if any("bootstrap" in one for one in security):
        return "The bootstrap token"
    if not security:
        return "Open to everybody"
    return "A key; without one, what is open to everybody" if {} in security else "A key"


def _parameter(found: Mapping[str, Any]) -> Parameter:
    schema = found["schema"]
    facts = [_kind(schema)]
    if "minimum" in schema and "maximum" in schema:
        facts.append(f"{schema['minimum']:,} to {schema['maximum']:,}".replace(",", "\N{THIN SPACE}"))
    if schema.get("default") not in (None, "", []):
        facts.append(f"else {json.dumps(schema['default'])}")
    return Parameter(found["name"], found["in"], ", ".join(facts), found["description"], found["required"])


def _kind(schema: Schema) -> str:
    if "const" in schema or "enum" in schema:
        return ", ".join(str(value) for value in schema.get("enum", [schema.get("const")]))
    kind = str(schema.get("format") or schema.get("type") or "text")
    return KINDS.get(kind, kind)


def _content(part: Mapping[str, Any], known: Mapping[str, Schema]) -> Markup:
    """The body. A noun that it is, or holds many of, is told here as well: nobody has to leave for it."""
    for kind, found in part.get("content", {}).items():
        if kind not in (JSON, FORM):
            return escape(kind)
        schema = found["schema"]
        name = str(schema.get("items", schema).get("$ref", "")).rpartition("/")[2]
        inner = known.get(name, {})
        text = schema_text(schema)
        return text + "\n\n" + schema_text(inner) if inner.get("type") == "object" else text
    return Markup()


def schema_text(schema: Schema, depth: int = 0) -> Markup:
    """In short; names of nouns lead to them."""
    return Markup(_text(schema, depth))  # noqa: S704 - each part is escaped where it is written


def _text(schema: Schema, depth: int) -> str:
    if "$ref" in schema:
        name = escape(schema["$ref"].rpartition("/")[2])
        return f'<a href="#noun-{name}">{name}</a>'
    if "anyOf" in schema:
        return " | ".join(_text(one, depth) for one in schema["anyOf"])
    for word in ("enum", "const"):
        if word in schema:
            values = schema[word] if word == "enum" else [schema[word]]
            return " | ".join(str(escape(json.dumps(value))) for value in values)
    if schema.get("type") == "array":
        return f"[{_text(schema['items'], depth)}, …]"
    if schema.get("type") == "object":
        return _object(schema, depth)
    kind = str(schema.get("format") or schema.get("type") or "anything")
    return {"string": "text", "uuid": "GUID", "date-time": "moment", "uri": "address", "boolean": "true | false"}.get(
        kind, kind
    )


def _object(schema: Schema, depth: int) -> str:
    inner = "  " * (depth + 1)
    if "properties" not in schema:
        of = schema.get("additionalProperties", {})
        return f"{{\n{inner}…: {_text(of if isinstance(of, dict) else {}, depth + 1)}\n{'  ' * depth}}}"
    if not schema["properties"]:
        return "{}"
    needed = schema.get("required", [])
    lines = [
        f"{inner}{escape(name)}{'' if name in needed else '?'}: {_text(found, depth + 1)}"
        for name, found in schema["properties"].items()
    ]
    return "{\n" + "\n".join(lines) + "\n" + "  " * depth + "}"


def _said(schema: Schema) -> str:
    """The descriptions of its keys."""
    return "\n".join(
        str(found["description"]) for found in schema.get("properties", {}).values() if "description" in found
    )


def command(method: str, url: str, operation: Mapping[str, Any]) -> str:
    """A line for a shell that has the key in ``KEY`` and each id in a variable of its name."""
    words = ["curl", *(["-X", method] if method != "GET" else [])]
    security = operation["security"]
    if security and "key" in security[0]:
        words.append('-H "Authorization: Key $KEY"')
    elif security:
        words.append('-H "Authorization: Connect-Bootstrap $TOKEN"')
    words.append(f'"{re.sub(r"{([^}]*)}", lambda found: "$" + found[1].upper(), url)}"')
    return " ".join([*words, *_sent(operation), *_kept(operation)])


def _sent(operation: Mapping[str, Any]) -> Iterator[str]:
    for kind, found in operation.get("requestBody", {}).get("content", {}).items():
        schema = found["schema"]
        if kind == FORM:
            for name in schema["required"]:
                yield f'-d "{name}={_sample(schema["properties"][name], name)}"'
        elif kind == JSON:
            text = shlex.quote(json.dumps(_sample(schema, "body"), ensure_ascii=False))
            yield "-d " + re.sub(r"\$[A-Z_]+", lambda name: f"'\"{name[0]}\"'", text)
        else:
            yield f"--data-binary @{FILES.get(kind, 'file')}"


def _kept(operation: Mapping[str, Any]) -> Iterator[str]:
    for status, answer in operation["responses"].items():
        for kind in answer.get("content", {}) if status == "200" else ():
            if kind in FILES:
                yield f"-o {FILES[kind]}"


def _sample(schema: Schema, name: str) -> Any:
    """What could stand there."""
    if "examples" in schema:
        return schema["examples"][0]
    if "const" in schema or "enum" in schema:
        return schema["const"] if "const" in schema else schema["enum"][0]
    if "anyOf" in schema:
        return _sample(schema["anyOf"][0], name)
    if schema.get("type") == "object":
        return {key: _sample(schema["properties"][key], key) for key in schema.get("required", [])}
    if schema.get("type") == "array":
        return [_sample(schema["items"], name)]
    return {"boolean": True, "integer": 1}.get(str(schema.get("type")), f"${name.upper()}")
