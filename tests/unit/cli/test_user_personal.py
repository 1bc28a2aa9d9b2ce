"""`pilothouse user export` and `pilothouse user erase` on a real home."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import Result
from tests.factories.identity import add_user
from typer.testing import CliRunner

from pilothouse.app.house import House, build
from pilothouse.app.local import verify_audit
from pilothouse.app.serving import prepare_home
from pilothouse.base.access import Role
from pilothouse.cli.commands import program
from pilothouse.cli.reach import Refused
from pilothouse.db.schema import prepare
from pilothouse.settings import load

NAME = "wanda+plant@veridia.example"


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    loaded = load(tmp_path / "home", variables={})
    prepare_home(loaded)
    house = build(loaded)
    prepare(house.database)
    add_user(house.database, "jonas.brandt", Role.ADMINISTRATOR)
    add_user(house.database, NAME, first_name="Wanda")
    yield house
    house.database.close()


def run(house: House, *arguments: str, typed: str = "") -> Result:
    done = CliRunner().invoke(program, ["user", *arguments, "--home", str(house.loaded.home)], input=typed)
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done


def test_a_person_is_handed_out_asked_about_and_erased_and_the_trail_stays_valid(house: House, tmp_path: Path) -> None:
    file = tmp_path / "wanda.json"
    assert run(house, "export", NAME, "--out", str(file)).exit_code == 0
    account = json.loads(file.read_text())["account"]
    assert account["first_name"] == "Wanda" and file.stat().st_mode & 0o077 == 0
    assert verify_audit(house.loaded)["intact"]
    assert run(house, "erase", NAME, typed="n\n").exit_code == 1
    assert "Wanda" in run(house, "export", NAME).stdout
    erased = run(house, "erase", NAME, "--yes", "--json")
    assert json.loads(erased.stdout) == {"guid": account["guid"], "erased": True, "content_moved": 0}
    assert verify_audit(house.loaded)["intact"]
    assert json.loads(run(house, "erase", account["guid"], "--yes", "--json").stdout)["erased"] is False
    assert "Wanda" not in run(house, "export", account["guid"]).stdout
    with pytest.raises(Refused, match="found by GUID only"):
        run(house, "erase", NAME, "--yes")
