"""What the access log and the rows keep of a person, with the real gateway in front, on a stage for each word."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select
from tests.factories.installation import Installation, installed

from pilothouse.db import Database
from pilothouse.gateway.models import UsageEvent

WORDS = ("named", "pseudonymous", "counts")


@pytest.fixture(scope="module")
def ph() -> Iterator[Installation]:
    with installed("".join(f"[[stages]]\nkey = '{word}'\nusage = '{word}'\n" for word in WORDS)) as made:
        yield made


def visits(database: Database) -> list[UsageEvent]:
    """The rows of our page loads, when those of the last stage have arrived as well."""
    ours = (UsageEvent.status == 200, UsageEvent.path.endswith("/"), UsageEvent.kind == "hit")
    deadline, rows = time.monotonic() + 30, list[UsageEvent]()
    while {row.stage_id for row in rows} < {1, 2, 3} and time.monotonic() < deadline:
        time.sleep(0.2)
        with database.read() as tx:
            rows = list(tx.scalars(select(UsageEvent).where(*ours)))
    return rows


def test_each_stage_keeps_what_it_says(ph: Installation, tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("<p>hello</p>")
    for word, prefix in zip(WORDS, ("", "/pseudonymous", "/counts"), strict=True):
        command = ("deploy", "html", "--server", ph.url + prefix, "--api-key", ph.key, str(tmp_path))
        done = ph.rsconnect(*command, "--title", word)
        found = re.search(r"/content/([0-9a-f-]{36})/", done.stdout)
        assert found, done.stdout
        for _ in range(2):
            page = ph.get(f"{prefix}/content/{found[1]}/", headers={"User-Agent": "Tester"})
            assert page.status_code == 200
    database = Database(f"sqlite:///{ph.home}/db/pilothouse.sqlite")

    rows = visits(database)
    database.close()
    lines = [json.loads(line) for line in (ph.home / "logs" / "access.log").read_text().splitlines()]
    told = {word: {line["sub"] for line in lines if line["stage"] == str(n)} for n, word in enumerate(WORDS, 1)}
    (person,) = told["named"]
    (pseudonym,) = told["pseudonymous"]
    assert person.isdigit()
    assert re.fullmatch(r"p[0-9a-f]{24}", pseudonym)
    assert told["counts"] == {None}
    kept = {(row.stage_id, row.principal_id, row.pseudonym, row.user_agent) for row in rows}
    by_the_client = {row for row in kept if row[3].startswith("RSConnect")}
    assert {stage_id for stage_id, *_ in by_the_client} <= {1}
    assert kept - by_the_client == {(1, int(person), None, "Tester"), (2, None, pseudonym, ""), (3, None, None, "")}
    assert (ph.home / "keys" / "usage.json").stat().st_mode & 0o777 == 0o600
