"""`pilothouse audit verify --heads` on a real home."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pilothouse.app.house import build
from pilothouse.app.local import HeadsMissing, verify_audit
from pilothouse.app.serving import prepare_home
from pilothouse.audit.service import record
from pilothouse.base.access import SYSTEM, ResourceRef
from pilothouse.cli.commands import program
from pilothouse.db.schema import prepare
from pilothouse.settings import Loaded, load


@pytest.fixture
def loaded(tmp_path: Path) -> Loaded:
    """An installation with two sealed events."""
    found = load(tmp_path / "home", variables={})
    prepare_home(found)
    house = build(found)
    prepare(house.database)
    for number in (1, 2):
        with house.database.write() as tx:
            record(tx, SYSTEM, "identity:group:created", ResourceRef("group", number), after={"name": "some"})
        house.sealer.run()
    house.database.close()
    return found


def test_the_file_that_was_kept_is_believed_and_the_own_one_is_not(loaded: Loaded, tmp_path: Path) -> None:
    own, kept = loaded.home / "logs" / "audit-head.log", tmp_path / "kept.log"
    shutil.copy(own, kept)
    own.write_text("")
    assert not verify_audit(loaded)["intact"]
    assert verify_audit(loaded, heads=kept)["intact"]
    assert own.read_text() == ""


def test_the_command_takes_the_file(loaded: Loaded, tmp_path: Path) -> None:
    own, kept = loaded.home / "logs" / "audit-head.log", tmp_path / "kept.log"
    shutil.copy(own, kept)
    arguments = ["audit", "verify", "--heads", str(kept), "--home", str(loaded.home), "--json"]
    good = CliRunner().invoke(program, arguments)
    assert (good.exit_code, json.loads(good.stdout)["sealed"]) == (0, 2)
    kept.write_text(kept.read_text().replace('"number": 2', '"number": 7'))
    bad = CliRunner().invoke(program, arguments)
    assert bad.exit_code == 1
    assert "from seal 3 on" in bad.stdout


def test_a_file_that_is_not_there_is_no_empty_one(loaded: Loaded, tmp_path: Path) -> None:
    with pytest.raises(HeadsMissing, match="kept elsewhere"):
        verify_audit(loaded, heads=tmp_path / "nowhere.log")
