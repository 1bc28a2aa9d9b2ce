"""What `pilothouse runtime` does to an installation: real installs from a mirror on loopback, and the rows beside them."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from tests.factories import pythons

from pilothouse.app.house import House, build
from pilothouse.app.runtimes import RuntimeInUse, add_runtime, list_runtimes, remove_runtime
from pilothouse.app.serving import prepare_home
from pilothouse.audit.models import Event
from pilothouse.base.ids import new_guid
from pilothouse.content.models import Bundle, Content, Worker
from pilothouse.db import Database
from pilothouse.db.schema import prepare
from pilothouse.identity.models import User
from pilothouse.runtimes.managed import RuntimeNotManaged
from pilothouse.settings import load
from pilothouse.stages import sync
from pilothouse.tasks.models import Task

pytestmark = pytest.mark.skipif(
    not pythons.SYSTEM_PYTHON.exists(), reason="no Python in /usr/bin to make an archive of"
)
SETTINGS = """
[runtimes]
python = ["/absent/python3"]
python_matching = "any"
python_downloads = "{downloads}"

[[stages]]
key = "dev"
python_matching = "nearest"

[[stages]]
key = "prod"
"""


@pytest.fixture(scope="module")
def mirror(tmp_path_factory: pytest.TempPathFactory) -> Iterator[pythons.Mirror]:
    with pythons.mirror(tmp_path_factory.mktemp("mirror")) as served:
        yield served


@pytest.fixture
def house(mirror: pythons.Mirror) -> Iterator[House]:
    """An installation whose only Pythons are those that are added, in a folder that jobs of other users could enter."""
    home = Path(tempfile.mkdtemp(prefix="ph", dir="/tmp"))
    home.chmod(0o711)
    (home / "pilothouse.toml").write_text(SETTINGS.format(downloads=mirror.downloads))
    loaded = load(home, variables={})
    prepare_home(loaded)
    prepare(Database(loaded.db_url))
    made = build(loaded)
    with made.database.write() as tx:
        sync(tx, loaded.settings.stages)
        tx.add(User(id=1, guid=new_guid(), username="amara"))
    yield made
    made.database.close()
    shutil.rmtree(home)


def quiet(line: str) -> None:
    pass


def events(house: House) -> list[tuple[str, Any]]:
    with house.database.read() as tx:
        rows = tx.scalars(select(Event).where(Event.name.like("runtimes:%")).order_by(Event.id)).all()
        return [(row.name, row.changes) for row in rows]


def content_on(house: House, version: str, *, is_active: bool) -> tuple[str, int]:
    """A content with one bundle of this version; returns its guid and the bundle's id."""
    with house.database.write() as tx:
        content = Content(guid=new_guid(), lineage_id=new_guid(), stage_id=1, owner_id=1, name=f"on-{version}")
        tx.add(content)
        tx.flush()
        bundle = Bundle(
            content_id=content.id, digest="0" * 64, size_bytes=1, archive_md5="", archive_sha1="", manifest={},
            py_version=version,
        )  # fmt: skip
        tx.add(bundle)
        tx.flush()
        content.bundle_id = bundle.id if is_active else None
        return content.guid, bundle.id


def test_what_is_added_and_removed_stands_in_the_audit_trail_once(house: House, mirror: pythons.Mirror) -> None:
    assert all(found["language"] != "python" for found in list_runtimes(house))
    assert add_runtime(house, mirror.version, quiet)["added"] is True
    assert add_runtime(house, mirror.version, quiet)["added"] is False
    (found,) = (found for found in list_runtimes(house) if found["language"] == "python")
    assert (found["version"], found["added"], found["used_by"]) == (mirror.version, True, 0)
    remove_runtime(house, mirror.version)
    with pytest.raises(RuntimeNotManaged):
        remove_runtime(house, mirror.version)
    assert events(house) == [
        ("runtimes:runtime:added", {"language": [None, "python"], "version": [None, mirror.version]}),
        ("runtimes:runtime:removed", {"language": ["python", None], "version": [mirror.version, None]}),
    ]


def test_a_python_is_kept_while_content_is_on_it(house: House, mirror: pythons.Mirror) -> None:
    add_runtime(house, mirror.version, quiet)
    guid, _ = content_on(house, mirror.version, is_active=True)
    with pytest.raises(RuntimeInUse, match=guid):
        remove_runtime(house, mirror.version)
    assert house.runtimes()[0].version == mirror.version, "nothing changed"
    assert [name for name, _ in events(house)] == ["runtimes:runtime:added"]


@pytest.mark.parametrize("by", ["an old worker", "a deploy"])
def test_it_is_kept_while_anything_still_uses_it(house: House, mirror: pythons.Mirror, by: str) -> None:
    add_runtime(house, mirror.version, quiet)
    guid, bundle_id = content_on(house, mirror.version, is_active=False)
    with house.database.write() as tx:
        if by == "a deploy":
            tx.add(
                Task(key="t1", kind="content.deploy", queue="builds", args={"bundle_id": bundle_id}, state="running")
            )
        else:
            tx.add(Worker(content_id=1, bundle_id=bundle_id, state="draining"))
    with pytest.raises(RuntimeInUse, match=guid):
        remove_runtime(house, mirror.version)


def test_bundles_of_the_past_and_other_versions_do_not_hold_it(house: House, mirror: pythons.Mirror) -> None:
    add_runtime(house, mirror.version, quiet)
    content_on(house, mirror.version, is_active=False)
    content_on(house, "3.1.4", is_active=True)
    remove_runtime(house, mirror.version)
    assert not any(found.kind == "python" for found in house.runtimes())


def test_it_comes_back_when_the_trail_cannot_be_written(
    house: House, mirror: pythons.Mirror, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_runtime(house, mirror.version, quiet)

    def full(*args: object, **facts: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr("pilothouse.app.runtimes.record", full)
    with pytest.raises(OSError, match="disk full"):
        remove_runtime(house, mirror.version)
    assert house.runtimes()[0].version == mirror.version


def test_a_stage_may_match_by_a_rule_of_its_own(house: House) -> None:
    by_key = {stage.key: house.engines.matching(stage.id) for stage in house.stages.all()}
    assert by_key == {"dev": "nearest", "prod": "any"}
    assert house.engines.matching(99) == "any"
