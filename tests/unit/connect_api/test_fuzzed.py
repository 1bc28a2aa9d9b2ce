"""Whatever is asked, by whom ever: no mistake of the server, no HTML, and every answer as the document says."""

from __future__ import annotations

import string
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Flaky
from tests.factories.furnished import Furnished, furnished_on

from pilothouse.connect_api.rows import shape

schemathesis = pytest.importorskip(
    "schemathesis", reason="NOT EXERCISED: fuzzing of the protocol. Install schemathesis."
)
checks = pytest.importorskip("schemathesis.specs.openapi.checks")
FailureGroup = schemathesis.core.failures.FailureGroup
CHECKS = [checks.status_code_conformance, checks.content_type_conformance, checks.response_schema_conformance]
#: Reading is quick, and most of what is made up leads nowhere.
EXAMPLES, EXAMPLES_READ = 8, 24
DOCUMENT = "/__docs__/api/openapi.json"
NOBODY = "00000000-0000-4000-8000-000000000000"
#: Rows that are slow on purpose: failed sign-ins wait.
LEFT_OUT = frozenset({"POST /__login__"})
#: Pages for people, which are HTML.
PAGES = frozenset({"GET /oauth/v1/authorize", "POST /oauth/v1/authorize"})
#: Rows that nothing random reads, and why: ``test_reached.py`` does.
NEVER_READ = frozenset({
    "GET /oauth/v1/authorize",  # needs a program that registered, and a login
    "GET /v1/content/{}/repository",  # never succeeds here
})  # fmt: skip
METHODS = ("get", "post", "put", "patch", "delete")


def bounds(examples: int) -> settings:
    """The same cases each time."""
    return settings(
        max_examples=examples, derandomize=True, deadline=None, database=None, phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip


@pytest.fixture
def furnished(tmp_path: Path, sqlite_template: Path) -> Iterator[Furnished]:
    with furnished_on(tmp_path, sqlite_template) as made:
        yield made


class Fuzzer:
    """Asks row by row, reading before changing and changing before deleting; keeps what it saw."""

    def __init__(self, furnished: Furnished) -> None:
        self.furnished = furnished
        document = dict(furnished.server.client().get(DOCUMENT).json())
        document["components"].pop("securitySchemes")  # or it makes up signatures beside our keys
        self.roots = {path for path, item in document["paths"].items() if "servers" in item}
        for path, item in document["paths"].items():
            item.pop("servers", None)
            for operation in item.values():
                operation.pop("security")
                files = operation.get("requestBody", {}).get("content", {})
                if "application/gzip" in files:  # it can make up bytes, and nothing that it does not know
                    files["application/octet-stream"] = files.pop("application/gzip")
                for parameter in operation["parameters"]:
                    if parameter["in"] == "path":  # fewer than one random id in a thousand would be one of ours
                        parameter["schema"] = {"enum": [furnished.value(path, parameter["name"]), NOBODY]}
        found = [result.ok() for result in schemathesis.openapi.from_dict(document).get_all_operations()]
        self.operations = sorted(found, key=lambda one: METHODS.index(one.method.lower()))
        self.statuses: dict[str, set[int]] = defaultdict(set)

    def wrong(self) -> dict[str, str]:
        """By row, what is wrong with it, with the request that showed it."""
        found = {}
        for operation in self.operations:
            row = f"{operation.method.upper()} {shape(operation.path)}"
            if row not in LEFT_OUT and (said := self._fuzzed(operation, row)):
                found[row] = said
        return found

    def _fuzzed(self, operation: Any, row: str) -> str:
        seen: list[str] = []  # what failed first: asked again, it may be gone

        @bounds(EXAMPLES_READ if operation.method.lower() == "get" else EXAMPLES)
        @given(case=operation.as_strategy(), who=st.sampled_from(sorted(self.furnished.clients)))
        def run(case: Any, who: str) -> None:
            try:
                self._check(case, row, who)
            except BaseException as error:
                seen.append(f"{who}: {type(error).__name__}: {error}"[:1500])
                raise

        try:
            run()
        except Flaky:  # where no answer was wrong, it was making up the question that failed once
            return seen[0] if seen else ""
        except (Exception, FailureGroup) as error:
            return seen[0] if seen else f"{type(error).__name__}: {error}"[:1500]
        return ""

    def _check(self, case: Any, row: str, who: str) -> None:
        answer = self._ask(case, self.furnished.clients[who])
        self.statuses[row].add(answer.status_code)
        is_later = answer.status_code == 503 and "retry-after" in answer.headers
        assert answer.status_code < 500 or is_later, (answer.text[:300], case.as_curl_command())
        if row not in PAGES and not case.path.startswith("/content/"):
            assert "html" not in answer.headers.get("content-type", ""), case.as_curl_command()
            case.validate_response(answer, checks=CHECKS)

    def _ask(self, case: Any, client: TestClient) -> Any:
        base = "http://localhost:3939" + ("" if case.path in self.roots else "/__api__")
        asked = case.as_transport_kwargs(base_url=base)
        fields = {name: value for name, value in dict(asked["headers"]).items() if name.lower() != "user-agent"}
        sent = {key: asked[key] for key in ("params", "json") if asked.get(key) is not None}
        if asked.get("data") is not None:
            sent["content" if isinstance(asked["data"], (bytes, str)) else "data"] = asked["data"]
        return client.request(asked["method"], asked["url"], headers=fields, follow_redirects=False, **sent)


def test_every_answer_is_as_described(furnished: Furnished) -> None:
    fuzzer = Fuzzer(furnished)
    wrong = fuzzer.wrong()
    assert not wrong, "\n\n".join(f"{row}: {found}" for row, found in wrong.items())
    read = [row for row in fuzzer.statuses if row.startswith("GET ") and row not in NEVER_READ]
    assert [row for row in read if not fuzzer.statuses[row] & {200, 204}] == [], "asked, and never answered"


@bounds(40)
@given(
    words=st.lists(
        st.text(string.ascii_letters + string.digits + "-._~é%", min_size=1, max_size=12), min_size=1, max_size=5
    ),
    method=st.sampled_from(["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"]),
)
def nothing_there(client: TestClient, words: list[str], method: str) -> None:
    answer = client.request(method, "/__api__/v1/zz" + "/".join(words))
    assert 400 <= answer.status_code < 500, (method, words)
    assert method == "HEAD" or answer.json()["code"], (method, words)


@pytest.mark.parametrize("who", ["administrator", "anonymous"])
def test_a_path_that_is_not_there_never_succeeds(furnished: Furnished, who: str) -> None:
    nothing_there(furnished.clients[who])
