"""`pilothouse audit export` on a real home, and against a server over HTTP."""

from __future__ import annotations

import csv
import io
import json
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.factories.identity import add_user
from tests.factories.served import served
from typer.testing import CliRunner

from pilothouse.app.dashboard import dashboard
from pilothouse.app.house import House, build
from pilothouse.app.serving import prepare_home
from pilothouse.audit.service import record
from pilothouse.base.access import SYSTEM, Principal, ResourceRef, Role
from pilothouse.cli.audit import NotAMoment
from pilothouse.cli.commands import program
from pilothouse.cli.options import FileNotWritten
from pilothouse.cli.reach import Refused, ServerUnreachable
from pilothouse.db.schema import prepare
from pilothouse.settings import load
from pilothouse.stages import sync
from pilothouse.testing.clock import FrozenClock


@pytest.fixture
def house(tmp_path: Path, frozen_clock: FrozenClock) -> Iterator[House]:
    """An installation at noon of 2 March 2026, where a publisher made something the day before and an hour ago."""
    loaded = load(tmp_path / "home", variables={})
    prepare_home(loaded)
    house = build(loaded)
    prepare(house.database)
    frozen_clock.advance(days=-1)
    with house.database.write() as tx:
        sync(tx, loaded.settings.stages)
    amara = add_user(house.database, role=Role.PUBLISHER)
    for name in ("=evil\x1b[2J", "plan"):
        with house.database.write() as tx:
            record(
                tx, Principal(amara.id, Role.PUBLISHER), "content:content:created", ResourceRef("content", 1), after={"app_mode": name}
            )  # fmt: skip
        frozen_clock.advance(hours=23)
    yield house
    house.database.close()


def export(house: House, *options: str) -> str:
    done = CliRunner().invoke(program, ["audit", "export", "--home", str(house.loaded.home), *options])
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == 0, done.output
    return done.stdout


def names(text: str) -> list[str]:
    return [json.loads(line)["name"] for line in text.splitlines()]


def test_everything_is_written_newest_first(house: House) -> None:
    created = "content:content:created"
    assert names(export(house)) == [created, created, "identity:user:created"]


@pytest.mark.parametrize(
    ("options", "count"),
    [
        ("--event content:", 2),
        ("--actor AMARA.okoye", 2),
        ("--from 2026-03-02", 1),
        ("--to 2026-03-01", 2),
        ("--from 2026-03-01 --to 2026-03-02", 3),
        ("--from 2026-03-02T10:59", 1),
        ("--from 2026-03-02T11:01", 0),
        ("--from 2026-03-02T11:59+01:00", 1),
        ("--to 2026-02-28", 0),
        ("--event identity: --actor amara.okoye", 0),
    ],
)
def test_filters_narrow_it(house: House, options: str, count: int) -> None:
    assert len(names(export(house, *options.split()))) == count


def test_a_table_holds_nothing_that_a_spreadsheet_calculates_or_a_terminal_obeys(house: House) -> None:
    text = export(house, "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(text)))
    assert len(rows) == 3 and "\x1b" not in text
    assert all(not cell.startswith(("=", "+", "-", "@")) for row in rows for cell in row.values())


def test_a_file_is_its_owners_and_is_there_only_when_it_is_complete(house: House, tmp_path: Path) -> None:
    file = tmp_path / "trail.jsonl"
    assert export(house, "--out", str(file)) == ""
    assert stat.S_IMODE(file.stat().st_mode) == 0o600 and len(names(file.read_text())) == 3
    with pytest.raises(Refused, match="Nobody has the user name"):
        export(house, "--actor", "nobody", "--out", str(tmp_path / "none.jsonl"))
    with pytest.raises(FileNotWritten, match="Choose another one"):
        export(house, "--out", str(tmp_path / "no-such-folder" / "trail"))
    assert [p.name for p in tmp_path.iterdir() if p.is_file()] == ["trail.jsonl"]


@pytest.mark.parametrize("text", ["yesterday", "2026-13-01", "2026-03-02T99:00", ""])
def test_what_is_no_moment_is_refused_with_an_example(house: House, text: str) -> None:
    with pytest.raises(NotAMoment, match="2026-03-31"):
        export(house, "--from", text)


def test_the_same_comes_from_a_server(house: House, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Over a real socket; whoever may not read the trail gets the server's own sentence."""
    inner, caller = dashboard(house), SYSTEM

    async def app(scope: dict[str, object], receive: object, send: object) -> None:
        scope["state"] = {"principal": caller, "stage": house.stages.all()[0], "client": "", "xsrf": ""}
        await inner(scope, receive, send)  # type: ignore[arg-type]

    monkeypatch.setenv("CONNECT_API_KEY", "any")
    with served(app, log_config=None) as url:
        local = export(house)
        done = CliRunner().invoke(program, ["audit", "export", "--server", url])
        assert (done.exit_code, done.stdout) == (0, local)
        caller = Principal(1, Role.PUBLISHER)
        refused = CliRunner().invoke(program, ["audit", "export", "--server", url])
        assert isinstance(refused.exception, Refused) and "audit:event:read" in str(refused.exception)
    gone = CliRunner().invoke(program, ["audit", "export", "--server", url])
    assert isinstance(gone.exception, ServerUnreachable)
