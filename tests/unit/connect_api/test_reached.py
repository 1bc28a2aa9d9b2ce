"""Every row that is described succeeds when it is asked well, and answers as described: with what is there, by somebody who may."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from httpx import Response
from tests.factories.furnished import PNG, Furnished, body_of, furnished_on
from tests.factories.identity import PASSWORD

from pilothouse.connect_api.rows import Row, all_rows

jsonschema = pytest.importorskip(
    "jsonschema_rs", reason="NOT EXERCISED: schemas of the protocol. Install schemathesis."
)
#: What others need goes last, as what holds others does.
HOLDERS = ("DELETE /v1/content/{}", "DELETE /v1/oauth/integrations/{}")
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
#: Rows that can't succeed in this house, and where they do.
ELSEWHERE = {
    "POST /v1/experimental/bootstrap": "needs a server without people: test_people.py",
    "POST /v1/oauth/integrations/credentials": "needs the token of a running app: test_credentials.py",
}
#: Lists that are empty here whoever asks.
EMPTY = frozenset({"GET /v1/users/remote", "GET /v1/groups/remote", "GET /v1/content/{}/jobs/{}/log"})


@pytest.fixture
def furnished(tmp_path: Path, sqlite_template: Path) -> Iterator[Furnished]:
    with furnished_on(tmp_path, sqlite_template) as made:
        yield made


def test_every_row_succeeds_and_answers_as_described(furnished: Furnished) -> None:
    document = furnished.server.client().get("/__docs__/api/openapi.json").json()
    rows = [row for row in all_rows() if not row.refused and not row.never and row.name not in ELSEWHERE]
    rows.sort(key=lambda row: (row.name in HOLDERS, METHODS.index(row.method), -row.path.count("/")))
    wrong = {row.name: found for row in rows if (found := problem(document, row, asked(furnished, row)))}
    assert not wrong, "\n".join(f"{name}: {found}" for name, found in wrong.items())


def test_what_never_succeeds_says_so_and_does_not(furnished: Furnished) -> None:
    rows = [row for row in all_rows() if row.never]
    assert rows
    for row in rows:
        answer = asked(furnished, row)
        assert answer.status_code in (404, 409) and answer.json()["error"], row.name


def asked(furnished: Furnished, row: Row) -> Response:
    """The answer to a request that should succeed."""
    if row.name in (special := specials(furnished)):
        return special[row.name]()
    path = re.sub(r"\{([^}]*)\}", lambda found: furnished.value(row.path, found[1]), row.path)
    sent = {} if row.takes is None else body_of(furnished, row)
    return furnished.bosses.request(row.method, path if row.at_root else f"/__api__{path}", **sent)


def specials(furnished: Furnished) -> Mapping[str, Callable[[], Response]]:
    """Rows that need something first, or somebody else than an administrator's key."""
    cli, path = furnished.cli, f"/__api__/applications/{furnished.content['guid']}/image"

    def image_again() -> Response:
        furnished.owners.post(path, content=PNG)
        return furnished.owners.delete(path)

    def password() -> Response:
        return cli.http.post("/__api__/__login__", json={"username": "owner", "password": PASSWORD})

    return {
        "POST /__login__": password,
        "GET /oauth/v1/authorize": cli.ask,
        "POST /oauth/v1/authorize": cli.decide,
        "POST /oauth/v1/token": lambda: cli.redeem(cli.code()),
        "POST /oauth/v1/device/authorize": lambda: cli.http.post(
            "/oauth/v1/device/authorize", data={"client_id": cli.client_id}
        ),
        "POST /oauth/v1/revoke": lambda: cli.http.post(
            "/oauth/v1/revoke", data={"token": "unknown", "client_id": cli.client_id}
        ),
        "DELETE /applications/{}/image": image_again,
        "GET /v1/oauth/sessions": lambda: furnished.owners.get("/__api__/v1/oauth/sessions"),
    }


def problem(document: Mapping[str, Any], row: Row, answer: Response) -> str:
    """How an answer differs from what the document says of it; empty if it does not."""
    made = operation(document, row)["responses"].get(str(answer.status_code))
    if made is None:
        return f"{answer.status_code} {answer.text[:200]}"
    if "content" not in made:
        return f"a body: {answer.text[:200]}" if answer.content else ""
    ((kind, media),) = made["content"].items()
    said = answer.headers["content-type"].partition(";")[0]
    if not re.fullmatch(kind.replace("*", ".*"), said):
        return f"{said} is not {kind}"
    if kind != "application/json":
        return "" if answer.content else "no body"
    schema = {**media["schema"], "components": document["components"]}
    errors = jsonschema.Draft202012Validator(schema, validate_formats=True).iter_errors(answer.json())
    found = [f"{'/'.join(map(str, error.instance_path))}: {error.message}" for error in errors]
    is_empty = row.method == "GET" and row.name not in EMPTY and shows_nothing(answer.json())
    return "; ".join(found)[:500] or ("an empty list: let Furnished have one" if is_empty else "")


def shows_nothing(answer: Any) -> bool:
    lists = [answer] if isinstance(answer, list) else []
    if isinstance(answer, dict):
        lists = [answer[name] for name in ("results", "applications", "caches", "entries") if name in answer]
    return any(not found for found in lists)


def operation(document: Mapping[str, Any], row: Row) -> dict[str, Any]:
    for path, item in document["paths"].items():
        if Row(row.method, path, "").name == row.name:
            return dict(item[row.method.lower()])
    raise KeyError(row.name)
