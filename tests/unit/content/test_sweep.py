"""What nobody needs goes; what is active, runs or was deleted just now stays."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tests.factories.statements import statements

from pilothouse.base import clock
from pilothouse.base.ids import new_guid
from pilothouse.content.models import Bundle, Content, Worker, WorkerState
from pilothouse.content.tasks import Language
from pilothouse.content.tasks.sweep import sweep
from pilothouse.db import Database
from pilothouse.identity.models import User
from pilothouse.launcher.backends.memory import MemoryLauncher
from pilothouse.launcher.models import Job
from pilothouse.runtimes.contract import Runtime, Wanted
from pilothouse.runtimes.restorers.memory import MemoryRestorer
from pilothouse.stages.models import Stage
from pilothouse.storage import custody
from pilothouse.storage.contract import put
from pilothouse.storage.stores.memory import MemoryStore


@pytest.fixture
def engines(database: Database, tmp_path: Path) -> Any:
    def folder(content: Content, bundle: Bundle) -> Path:
        return tmp_path / str(bundle.id)

    languages = {"python": Language(MemoryRestorer())}
    parts = {"blobs": MemoryStore(), "launcher": MemoryLauncher(), "languages": languages}
    parts |= {"uid_of": lambda _: None, "custodian": custody.OWN}
    return SimpleNamespace(database=database, folder=folder, **parts)


@pytest.fixture
def content_id(database: Database) -> int:
    with database.write() as tx:
        tx.add_all(
            [User(id=1, guid=new_guid(), username="amara"), Stage(id=1, key="dev", title="Dev", path="/", position=0)]
        )
        tx.flush()
        content = Content(guid=new_guid(), lineage_id="l", stage_id=1, owner_id=1, name="app")
        tx.add(content)
        tx.flush()
        return content.id


def add(engines: Any, content_id: int, data: bytes) -> int:
    blob = put(engines.blobs, [data], limit=1000)
    with engines.database.write() as tx:
        bundle = Bundle(content_id=content_id, digest=blob.digest, size_bytes=1, archive_md5="", archive_sha1="")
        tx.add(bundle)
        tx.flush()
        engines.folder(None, bundle).mkdir()
        return int(bundle.id)


def clean(engines: Any, kept: int = 2) -> None:
    sweep(engines, bundles_kept=kept, jobs_kept=timedelta(days=1))


def alive(engines: Any) -> list[int]:
    with engines.database.read() as tx:
        return [b.id for b in tx.query(Bundle).filter(Bundle.deleted_at.is_(None)).order_by(Bundle.id)]


def test_the_newest_the_active_and_the_running_stay(engines: Any, content_id: int) -> None:
    numbers = [add(engines, content_id, bytes([n])) for n in range(6)]
    with engines.database.write() as tx:
        tx.get(Content, content_id).bundle_id = numbers[0]
        tx.add(Worker(content_id=content_id, bundle_id=numbers[1], state=WorkerState.DRAINING.value))
    clean(engines)
    assert alive(engines) == [numbers[0], numbers[1], numbers[4], numbers[5]]


def test_no_question_compares_every_row_with_every_other(engines: Any, content_id: int) -> None:
    """PostgreSQL keeps what a ``NOT IN`` names in memory only while it is small, and then compares row by row."""
    add(engines, content_id, b"bytes")
    with statements(engines.database) as sent:
        clean(engines, kept=0)
    assert len(sent) > 3
    assert [one.text for one in sent if "NOT IN" in one.text] == []


def test_bytes_and_folders_go_an_hour_later_and_shared_bytes_stay(
    engines: Any, content_id: int, frozen_clock: Any
) -> None:
    numbers = [add(engines, content_id, data) for data in (b"shared", b"old", b"shared", b"new")]
    clean(engines)
    assert alive(engines) == numbers[2:]
    assert len(list(engines.blobs.digests())) == 3, "just deleted: somebody may be adding the same bytes"
    frozen_clock.advance(hours=2)
    clean(engines)
    assert len(list(engines.blobs.digests())) == 2
    assert [engines.folder(None, SimpleNamespace(id=n)).exists() for n in numbers] == [False, False, True, True]


def test_deleted_content_leaves_nothing_but_its_rows(engines: Any, content_id: int, frozen_clock: Any) -> None:
    number = add(engines, content_id, b"bytes")
    with engines.database.write() as tx:
        tx.get(Content, content_id).deleted_at = clock.now()
    frozen_clock.advance(hours=2)
    clean(engines)
    clean(engines)
    assert list(engines.blobs.digests()) == []
    assert not engines.folder(None, SimpleNamespace(id=number)).exists()


def with_library(engines: Any, number: int, requirement: str) -> str:
    """Restore a library for the bundle; returns its key."""
    runtime = Runtime("python", "3.11.2", Path("/usr/bin/python3"), "build")
    lock = engines.languages["python"].restorer.resolve(Wanted(requirement), runtime, lambda line: None)
    key = engines.languages["python"].restorer.restore(lock, runtime, lambda line: None).key
    with engines.database.write() as tx:
        tx.get(Bundle, number).library_key = key
    return str(key)


def test_libraries_stay_as_long_as_a_bundle_names_them_or_something_mounts_them(
    engines: Any, content_id: int, frozen_clock: Any
) -> None:
    numbers = [add(engines, content_id, bytes([n])) for n in range(5)]
    whys = ("named", "shared with a kept one", "a worker drains", "a job has not ended", "nobody")
    wishes = ("a==1", "a==1", "b==1", "c==1", "d==1")
    keys = [with_library(engines, n, wish) for n, wish in zip(numbers, wishes, strict=True)]
    draining = WorkerState.DRAINING.value
    with engines.database.write() as tx:
        for number in numbers[1:]:
            tx.get(Bundle, number).deleted_at = clock.now()
        tx.add(Worker(content_id=content_id, bundle_id=numbers[2], state=draining))
        tx.add(Job(key="j1", tag="run", bundle_id=numbers[3], state="running"))
        tx.add(Job(key="j2", tag="run", bundle_id=numbers[4], state="finished", ended_at=clock.now()))
    frozen_clock.advance(days=30)
    clean(engines)
    there = [engines.languages["python"].restorer.find(key) is not None for key in keys]
    assert dict(zip(whys, there, strict=True)) == dict(zip(whys, (True, True, True, True, False), strict=True))


def test_languages_that_share_a_folder_are_tidied_once(engines: Any, content_id: int) -> None:
    class Counting(MemoryRestorer):
        rounds = 0

        def tidy(self, needed: Any) -> list[str]:
            Counting.rounds += 1
            return super().tidy(needed)

    engines.languages.clear()
    engines.languages |= {name: Language(Counting(Path("/one"))) for name in ("python", "nodejs")}
    engines.languages["other"] = Language(Counting(Path("/two")))
    sweep(engines, bundles_kept=1, jobs_kept=timedelta(days=1))
    assert Counting.rounds == 2


def test_libraries_of_deleted_content_go(engines: Any, content_id: int, frozen_clock: Any) -> None:
    key = with_library(engines, add(engines, content_id, b"x"), "a==1")
    with engines.database.write() as tx:
        tx.get(Content, content_id).deleted_at = clock.now()
    clean(engines)
    assert engines.languages["python"].restorer.find(key) is not None, (
        "deleted just now: the same lock may be deployed again"
    )
    frozen_clock.advance(days=30)
    clean(engines)
    assert engines.languages["python"].restorer.find(key) is None


def test_every_version_of_a_pin_stays(engines: Any, content_id: int) -> None:
    numbers = [add(engines, content_id, bytes([n])) for n in range(4)]
    with engines.database.write() as tx:
        tx.get(Content, content_id).category = "pin"
    clean(engines)
    assert alive(engines) == numbers
