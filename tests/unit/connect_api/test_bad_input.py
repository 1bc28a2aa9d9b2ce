"""What no endpoint may take, tried on every row of the protocol: a new row is covered by itself (connect-wire-api §1.7)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from httpx import Response
from tests.factories.furnished import Furnished, body_of, furnished_on

from pilothouse.connect_api.nouns import NOUNS
from pilothouse.connect_api.rows import Row, all_rows

jsonschema = pytest.importorskip(
    "jsonschema_rs", reason="NOT EXERCISED: schemas of the protocol. Install schemathesis."
)
JSON = "application/json"
NOBODY = "00000000-0000-4000-8000-000000000000"
SERVED = [row for row in all_rows() if not row.refused]
OURS = [row for row in SERVED if not row.at_root]
UNSAFE = [row for row in SERVED if row.method != "GET"]
#: Rows that ask nobody who they are.
FOR_ANYBODY = frozenset(
    row.name
    for row in SERVED
    if row.path.startswith(("/oauth/v1/", "/.well-known/", "/tokens", "/__login__", "/v1/experimental/bootstrap"))
)
#: What a path may name that is not there, by the parameter; kinds of content that nobody knows have the usual limits.
UNKNOWN = {"key": "nothing1", "language": "cobol"}


@pytest.fixture(scope="module")
def furnished(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Any) -> Iterator[Furnished]:
    """One for all: nothing here changes anything."""
    with furnished_on(tmp_path_factory.mktemp("bad"), sqlite_template) as made:
        yield made


def send(furnished: Furnished, row: Row, who: str = "administrator", *, client: Any = None, **sent: Any) -> Response:
    """``path`` fills places otherwise than with what is there; the rest goes to the client."""
    filled = sent.pop("filled", {})
    path = re.sub(r"\{([^}]*)\}", lambda found: filled.get(found[1]) or furnished.value(row.path, found[1]), row.path)
    asker = client or furnished.clients[who]
    return asker.request(row.method, path if row.at_root else f"/__api__{path}", follow_redirects=False, **sent)


def good(furnished: Furnished, row: Row) -> dict[str, Any]:
    """What the row takes."""
    return {} if row.takes is None else body_of(furnished, row)


def check(rows: list[Row], tried: Callable[[Row], Iterator[tuple[str, Response, bool]]]) -> None:
    """``tried`` says what it tried, the answer, and whether that is right; besides, none is a mistake or of another shape."""
    wrong = [
        f"{row.name}: {what}: {answer.status_code} {answer.text[:160]}"
        for row in rows
        for what, answer, is_right in tried(row)
        if not is_right or answer.status_code >= 500 or not is_shaped(row, answer)
    ]
    assert not wrong, "\n".join(wrong)


def is_shaped(row: Row, answer: Response) -> bool:
    """Whether a refusal is an error object of the wire. Below the root others rule: OAuth's errors, pages, problems."""
    return row.at_root or answer.status_code < 400 or set(answer.json()) == {"code", "error", "payload"}


def places(row: Row) -> list[str]:
    return re.findall(r"\{([^}]*)\}", row.path)


def is_guid(name: str) -> bool:
    return name.endswith("guid")


def test_what_is_not_there_is_not_found(furnished: Furnished) -> None:
    def tried(row: Row) -> Iterator[tuple[str, Response, bool]]:
        for name in places(row):
            if name == "app_mode":
                continue
            unknown = NOBODY if is_guid(name) else UNKNOWN.get(name, "987654321")
            answer = send(furnished, row, filled={name: unknown}, **good(furnished, row))
            yield name, answer, answer.status_code == 404 and answer.json()["code"] == 4

    check(OURS, tried)


def test_a_malformed_id_is_named_with_code_3(furnished: Furnished) -> None:
    numbers = {"bundle_id", "grant_id", "tag_id", "key_id"}

    def tried(row: Row) -> Iterator[tuple[str, Response, bool]]:
        for name in places(row):
            if (
                not is_guid(name)
                and name not in numbers
                and not row.path.startswith(("/v1/tags/", "/applications/{id}"))
            ):
                continue
            for malformed in ("no-guid-1", f"{NOBODY}0", "-1", "9" * 40, "0x10"):
                answer = send(furnished, row, filled={name: malformed}, **good(furnished, row))
                is_right = (
                    answer.status_code in (400, 404)
                    and answer.json()["code"] == 3
                    and malformed in answer.json()["error"]
                )
                yield f"{name}={malformed}", answer, is_right

    check(OURS, tried)


def test_an_expired_key_opens_nothing_not_even_what_is_open_to_all(furnished: Furnished) -> None:
    client = furnished.expired_client()

    def tried(row: Row) -> Iterator[tuple[str, Response, bool]]:
        answer = send(furnished, row, client=client, **good(furnished, row))
        yield "expired", answer, answer.status_code == 401

    rows = [row for row in SERVED if row.is_routed and "bootstrap" not in row.path]
    check(rows, tried)


def test_who_is_not_signed_in_changes_nothing(furnished: Furnished) -> None:
    def tried(row: Row) -> Iterator[tuple[str, Response, bool]]:
        answer = send(furnished, row, "anonymous", **good(furnished, row))
        yield "anonymous", answer, answer.status_code in (401, 400 if row.takes and row.takes.kind != JSON else 401)

    check([row for row in UNSAFE if row.name not in FOR_ANYBODY and not row.at_root], tried)


def test_a_viewer_changes_nothing_of_others(furnished: Furnished) -> None:
    def tried(row: Row) -> Iterator[tuple[str, Response, bool]]:
        answer = send(furnished, row, "viewer", **good(furnished, row))
        yield "viewer", answer, answer.status_code in (403, 404) or bool(row.never and answer.status_code == 409)

    rows = [row for row in UNSAFE if row.name not in FOR_ANYBODY and not row.path.endswith("/credentials")]
    check(rows, tried)


def test_ten_megabytes_of_json_are_refused(furnished: Furnished) -> None:
    much = b'{"name": "' + b"a" * 10_000_000 + b'"}'

    def tried(row: Row) -> Iterator[tuple[str, Response, bool]]:
        answer = send(furnished, row, content=much)
        yield "10 MB", answer, 400 <= answer.status_code < 500

    check([row for row in SERVED if row.takes is not None and "gzip" not in row.takes.kind], tried)


def test_what_is_no_json_or_of_another_shape_is_refused(furnished: Furnished) -> None:
    def tried(row: Row) -> Iterator[tuple[str, Response, bool]]:
        for body in (b"{", b"\xff\xfe", b'"text"', b"7", b"[7]", b'{"name": "a\\u0000b"}', b"[" * 100_000):
            answer = send(furnished, row, content=body)
            yield repr(body[:20]), answer, 400 <= answer.status_code < 500

    check([row for row in SERVED if row.takes is not None and row.takes.kind == JSON], tried)


def test_values_of_a_wrong_type_are_refused(furnished: Furnished) -> None:
    def tried(row: Row) -> Iterator[tuple[str, Response, bool]]:
        assert row.takes is not None
        body, schema = good(furnished, row)["json"], row.takes.schema
        is_list = schema.get("type") == "array"
        one, fields = (body[0], schema["items"]) if is_list else (body, schema)
        for name, of in fields["properties"].items():
            allows = jsonschema.Draft202012Validator({**of, "components": {"schemas": NOUNS}})
            for value in (True, 7, 7.5, "nonsense", {"a": 1}, ["a"], [{"a": 1}]):
                if allows.is_valid(value) or (name in NUMBERS_AS_TEXT and isinstance(value, int) and value is not True):
                    continue
                sent = {**one, name: value}
                answer = send(furnished, row, json=[sent] if is_list else sent)
                yield f"{name}={value!r}", answer, 400 <= answer.status_code < 500
        for name in fields["required"]:
            sent = {key: value for key, value in one.items() if key != name}
            answer = send(furnished, row, json=[sent] if is_list else sent)
            yield f"without {name}", answer, 400 <= answer.status_code < 500

    check([row for row in SERVED if row.takes is not None and row.takes.kind == JSON], tried)


#: Ids that clients keep as text are taken as numbers, too.
NUMBERS_AS_TEXT = frozenset({"bundle_id", "tag_id", "parent_id"})


def test_numbers_beyond_their_limits_are_refused(furnished: Furnished) -> None:
    document = furnished.server.client().get("/__docs__/api/openapi.json").json()

    def tried(row: Row) -> Iterator[tuple[str, Response, bool]]:
        for parameter in operations(document)[row.name]["parameters"]:
            schema = parameter["schema"]
            if parameter["in"] != "query" or schema.get("type") not in ("integer", "number"):
                continue
            values = ("-1", "0", "9" * 30, "-" + "9" * 30, "1.5", "x", "")
            for value in ("-1", "x") if parameter["name"] == "wait" else values:  # it would wait
                answer = send(furnished, row, params={parameter["name"]: value})
                is_allowed = re.fullmatch("-?[0-9]+", value) and schema.get("minimum", -1) <= int(value) <= schema.get(
                    "maximum", 10**9
                )
                yield (
                    f"{parameter['name']}={value}",
                    answer,
                    answer.status_code == 200 if is_allowed else answer.status_code in (200, 400),
                )
                if not is_allowed and ("minimum" in schema or not value) and value != "1.5":
                    yield f"{parameter['name']}={value}", answer, answer.status_code == 400

    check(OURS, tried)


def test_a_time_that_ends_before_it_begins_is_refused(furnished: Furnished) -> None:
    document = furnished.server.client().get("/__docs__/api/openapi.json").json()
    rows = [row for row in OURS if {"from", "to"} <= {p["name"] for p in operations(document)[row.name]["parameters"]}]
    assert rows

    def tried(row: Row) -> Iterator[tuple[str, Response, bool]]:
        answer = send(furnished, row, params={"from": "2030-01-01T00:00:00Z", "to": "2020-01-01T00:00:00Z"})
        yield "from after to", answer, answer.status_code == 400 and "after" in answer.json()["error"]
        for moment in ("yesterday", "2026-13-01T00:00:00Z", "9" * 30):
            answer = send(furnished, row, params={"from": moment})
            yield moment, answer, answer.status_code == 400

    check(rows, tried)


def operations(document: dict[str, Any]) -> dict[str, Any]:
    return {
        Row(method.upper(), path, "").name: operation
        for path, item in document["paths"].items()
        for method, operation in item.items()
        if method != "servers"
    }
