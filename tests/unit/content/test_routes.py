"""Where a path leads, who may open it, and what is answered: from memory, and anew as soon as a row changed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from pilothouse.base import clock
from pilothouse.base.access import ANONYMOUS, OpenTo, Principal, ResourceRef, Role, Share
from pilothouse.base.ids import new_guid
from pilothouse.content.models import Access, Bundle, Content, Worker, WorkerState
from pilothouse.content.service import WorkerRules
from pilothouse.content.service.routes import ContentRoutes
from pilothouse.content.service.scaling import Activity, Chooser
from pilothouse.db import Database, Watch
from pilothouse.gateway.contract import Asked, Asleep, Broken, Busy, ControlPlane, Place, Start, StaticFile, Target
from pilothouse.gateway.contract import Worker as Address
from pilothouse.identity.models import Group, User
from pilothouse.launcher.models import Job
from pilothouse.settings import Settings
from pilothouse.stages import Stages
from pilothouse.stages.models import Stage
from pilothouse.tasks import enqueue
from pilothouse.testing.clock import FrozenClock

OWNER, EDITOR, NAMED, MEMBER, STRANGER, ADMIN = range(1, 7)
APP = {"version": 1, "metadata": {"appmode": "python-fastapi", "entrypoint": "app:app"}}
SITE = {"version": 1, "metadata": {"appmode": "static", "primary_html": "start.html"}}


@dataclass
class Site:
    """Routes over one content with an active bundle 1 and a draft 2, in stage 1 (``/``); stage 2 is ``/prod/``."""

    database: Database
    watch: Watch
    routes: ContentRoutes
    folder: Path
    guid: str
    roused: list[tuple[int, int, int | None]]
    used: dict[str, Activity]

    def find(self, path: str, *, stage: int = 1) -> Place | None:
        return self.routes.find(Asked(stage, "/" if stage == 1 else "/prod/", path))

    def place(self, rest: str = "") -> Place:
        found = self.find(f"/content/{self.guid}/{rest}")
        assert found is not None
        return found

    def target(self, rest: str = "") -> Target:
        place = self.place(rest)
        return self.routes.target(place, Asked(1, "/", f"/content/{self.guid}/{rest}"))

    def change(self, what: Callable[[Any], object]) -> None:
        with self.database.write() as tx:
            what(tx)
        self.watch.wake()

    def set(self, kind: type[Any], number: int, **values: Any) -> None:
        def apply(tx: Any) -> None:
            row = tx.get(kind, number)
            for name, value in values.items():
                setattr(row, name, value)

        self.change(apply)


def bundle(manifest: dict[str, Any]) -> Bundle:
    return Bundle(content_id=1, digest="a" * 64, size_bytes=1, archive_md5="", archive_sha1="", manifest=manifest)


@pytest.fixture
def site(database: Database, tmp_path: Path) -> Iterator[Site]:
    guid, roused, used = new_guid(), list[tuple[int, int, int | None]](), dict[str, Activity]()
    with database.write() as tx:
        tx.add_all(User(id=n, guid=f"u{n}", username=f"user{n}", email=f"user{n}@example.com") for n in range(1, 7))
        tx.add(Group(id=1, guid="g", name="chemists"))
        tx.add_all([Stage(id=1, key="dev", title="Dev", path="/", position=0), Stage(id=2, key="prod", title="Prod", path="/prod/", position=1)])  # fmt: skip
        tx.flush()
        tx.add(
            Content(
                id=1, guid=guid, lineage_id=guid, stage_id=1, owner_id=OWNER, name="app", title="Viscosity", bundle_id=1
            )
        )
        tx.flush()
        tx.add_all([
            bundle(APP), Access(content_id=1, user_id=EDITOR, share=Share.EDITOR.value),
            Access(content_id=1, user_id=NAMED, share=Share.VIEWER.value), Access(content_id=1, group_id=1, share=Share.VIEWER.value),
        ])  # fmt: skip
        tx.flush()
        tx.add(bundle(APP))
    folders = {1: tmp_path / "one", 2: tmp_path / "two", 3: tmp_path / "one"}
    for folder in folders.values():
        folder.mkdir(exist_ok=True)
        (folder / "app.py").touch()
    watch = Watch(database)
    routes = ContentRoutes(
        database, watch, folder=lambda content, bundle: folders[bundle.id], rouse=lambda *ids: roused.append(ids),
        public_url=lambda stage: "http://localhost:3939",
        chooser=Chooser(WorkerRules(Settings(), Stages(database, watch)), lambda job: used.get(job, Activity())),
    )  # fmt: skip
    yield Site(database, watch, routes, folders[1], guid, roused, used)
    watch.close()


def test_a_path_below_the_guid_is_the_contents(site: Site) -> None:
    place = site.place("a/b.json")
    assert (place.mount, place.rest, place.subject.id, place.redirect) == (
        f"/content/{site.guid}/",
        "a/b.json",
        1,
        None,
    )


@pytest.mark.parametrize(
    ("path", "leads_to"),
    [
        ("/content/{guid}", "/content/{guid}/"),
        ("/content/1/x", "/content/{guid}/x"),
        ("/content/{guid}/_rev1", "/content/{guid}/_rev1/"),
    ],
)
def test_other_spellings_are_sent_to_the_one_address(site: Site, path: str, leads_to: str) -> None:
    place = site.find(path.format(guid=site.guid))
    assert place is not None and place.redirect == leads_to.format(guid=site.guid)


@pytest.mark.parametrize(
    "path",
    ["/", "/content/", "/contents/{guid}/", "/content/{upper}/", "/content/{other}/", "/content/99/", "/content/{guid}/_rev99/x"],
)  # fmt: skip
def test_what_is_not_there_is_nobodys(site: Site, path: str) -> None:
    assert site.find(path.format(guid=site.guid, upper=site.guid.upper(), other=new_guid())) is None


def test_another_stage_knows_nothing_of_it(site: Site) -> None:
    assert site.find(f"/content/{site.guid}/", stage=2) is None


def test_a_bundle_of_its_own_has_a_mount_of_its_own(site: Site) -> None:
    place = site.place("_bundle2/data")
    assert (place.mount, place.rest, place.bundle_id) == (f"/content/{site.guid}/_bundle2/", "data", 2)


def test_another_contents_bundle_is_nobodys_here(site: Site) -> None:
    other = Content(id=2, guid=new_guid(), lineage_id="l", stage_id=1, owner_id=OWNER, name="other")
    site.change(lambda tx: tx.add(other))
    site.change(
        lambda tx: tx.add(Bundle(id=3, content_id=2, digest="c" * 64, size_bytes=1, archive_md5="", archive_sha1=""))
    )
    assert site.find(f"/content/{site.guid}/_bundle3/data") is None


PEOPLE = {
    "nobody": ANONYMOUS,
    "stranger": Principal(STRANGER, Role.PUBLISHER),
    "named": Principal(NAMED, Role.VIEWER),
    "member": Principal(MEMBER, Role.VIEWER, groups=frozenset({1})),
    "editor": Principal(EDITOR, Role.PUBLISHER),
    "owner": Principal(OWNER, Role.PUBLISHER),
    "administrator": Principal(ADMIN, Role.ADMINISTRATOR),
    "owner's key of another stage": Principal(OWNER, Role.PUBLISHER, key=1, stage_id=2),
}
READERS = {"editor", "owner", "administrator"}
ON_LIST = READERS | {"named", "member"}
VISIBLE = {
    OpenTo.ALL: ON_LIST | {"nobody", "stranger"},
    OpenTo.LOGGED_IN: ON_LIST | {"stranger"},
    OpenTo.ACL: ON_LIST,
}


@pytest.mark.parametrize("open_to", VISIBLE)
def test_who_may_open_the_active_bundle_and_who_a_draft(site: Site, open_to: OpenTo) -> None:
    site.set(Content, 1, access_type=open_to.value)
    active, draft, same = site.place(), site.place("_bundle2/"), site.place("_bundle1/")
    assert {name for name, who in PEOPLE.items() if site.routes.may_open(active, who)} == VISIBLE[open_to]
    assert {name for name, who in PEOPLE.items() if site.routes.may_open(same, who)} == VISIBLE[open_to]
    assert {name for name, who in PEOPLE.items() if site.routes.may_open(draft, who)} == READERS
    assert {name for name, who in PEOPLE.items() if site.routes.may_edit(active, who)} >= READERS


def test_a_change_of_the_list_counts_at_the_next_request(site: Site) -> None:
    place, stranger = site.place(), PEOPLE["stranger"]
    assert not site.routes.may_open(place, stranger)
    site.change(lambda tx: tx.add(Access(content_id=1, user_id=STRANGER, share=Share.VIEWER.value)))
    assert site.routes.may_open(place, stranger)
    site.change(lambda tx: tx.delete(tx.get(Access, 4)))
    assert not site.routes.may_open(place, stranger)


def test_names_follow_their_rows(site: Site) -> None:
    place = site.place()
    assert (site.routes.title(place), site.routes.whom_to_ask(place)[0]) == ("Viscosity", "user1")
    site.set(Content, 1, title="Density")
    site.set(User, OWNER, first_name="Amara", last_name="Okoye")
    name, address = site.routes.whom_to_ask(place)
    assert (site.routes.title(place), name) == ("Density", "Amara Okoye")
    assert address.endswith(f"/_/content/{site.guid}/ask")
    site.set(Content, 1, deleted_at=clock.now())
    assert site.find(f"/content/{site.guid}/") is None


def test_an_app_is_asleep_then_starting_then_there_then_frozen_then_gone(site: Site) -> None:
    assert site.target() == Asleep(False, 60)
    site.change(lambda tx: tx.add(Job(id=1, key="job1", tag="run", state="running")))
    site.change(lambda tx: tx.add(Worker(id=1, content_id=1, bundle_id=1, job_id=1)))
    starting = site.target()
    assert isinstance(starting, Asleep) and starting.starting
    site.set(Worker, 1, state=WorkerState.READY.value, address="127.64.0.1:20000", ready_at=clock.now())
    there = site.target()
    assert isinstance(there, Address) and (there.address, there.job_key, there.inner) == (
        "127.64.0.1:20000",
        "job1",
        "/",
    )
    assert isinstance(site.target("_bundle2/"), Asleep), "a draft has workers of its own"
    site.set(Worker, 1, state=WorkerState.FROZEN.value)
    assert site.target() == Asleep(False, 60)
    site.set(Worker, 1, state=WorkerState.ENDED.value)
    assert site.target() == Asleep(False, 60)
    site.routes.wake(site.place(), PEOPLE["named"])
    site.routes.wake(site.place("_bundle2/"), PEOPLE["editor"])
    assert site.roused == [(1, 1, NAMED), (1, 2, EDITOR)]


def test_who_waits_is_told_since_when_and_how_long_it_took_last_time(site: Site, frozen_clock: FrozenClock) -> None:
    queued_at = clock.now()
    took = timedelta(seconds=4)
    last = Job(id=1, key="job1", tag="run", queued_at=queued_at - timedelta(hours=1))
    site.change(lambda tx: tx.add(last))
    ended = Worker(content_id=1, bundle_id=2, job_id=1, state="ended", ready_at=last.queued_at + took)
    site.change(lambda tx: tx.add(ended))
    site.change(lambda tx: tx.add(Worker(id=2, content_id=1, bundle_id=1, created_at=queued_at)))
    assert site.target() == Asleep(True, 60, Start(queued_at, None, took))
    frozen_clock.advance(seconds=3)
    turn = clock.now()
    site.change(lambda tx: tx.add(Job(id=2, key="job2", tag="run", queued_at=turn)))
    site.set(Worker, 2, job_id=2)
    assert site.target() == Asleep(True, 60, Start(queued_at, turn, took))


def test_a_failed_start_is_told_until_it_may_be_tried_again(site: Site, frozen_clock: FrozenClock) -> None:
    failed = Worker(
        content_id=1, bundle_id=1, state=WorkerState.FAILED.value, reason="It has no app.", ended_at=clock.now()
    )
    site.change(lambda tx: tx.add(failed))
    told = site.target()
    assert isinstance(told, Broken) and (told.status, told.reason) == (502, "It has no app.")
    assert told.log_url.endswith(f"/content/{site.guid}/log")
    frozen_clock.advance(seconds=6)
    assert site.target() == Asleep(False, 60), "no row changed, but its time is over"


def test_what_was_never_deployed_or_is_locked_says_so(site: Site) -> None:
    site.set(Content, 1, locked=True)
    locked = site.target()
    assert isinstance(locked, Broken) and locked.status == 403
    site.set(Content, 1, locked=False, bundle_id=None)
    empty = site.target()
    assert isinstance(empty, Broken) and (empty.status, empty.reason) == (503, "Nothing was deployed here yet.")


@pytest.fixture
def files(site: Site, tmp_path: Path) -> Site:
    site.set(Bundle, 1, manifest=SITE)
    (site.folder / "start.html").write_text("<h1>Start</h1>")
    (site.folder / "sub").mkdir()
    (site.folder / "sub" / "index.html").write_text("<h1>Sub</h1>")
    (site.folder / "data.csv").write_text("a,b\n")
    (tmp_path / "secret.txt").write_text("outside")
    (site.folder / "way-out").symlink_to(tmp_path / "secret.txt")
    (site.folder / "way-in").symlink_to(site.folder / "data.csv")
    return site


@pytest.mark.parametrize(
    ("rest", "name", "content_type"),
    [
        ("", "start.html", "text/html; charset=utf-8"),
        ("sub/", "sub/index.html", "text/html; charset=utf-8"),
        ("data.csv", "data.csv", "text/csv"),
        ("way-in", "data.csv", "text/csv"),
    ],
)
def test_files_are_sent_from_the_bundles_folder(files: Site, rest: str, name: str, content_type: str) -> None:
    found = files.target(rest)
    assert isinstance(found, StaticFile)
    assert (found.path, found.content_type) == (str(files.folder / name), content_type)
    assert found.size_bytes == (files.folder / name).stat().st_size


@pytest.mark.parametrize(
    "rest", ["nothing.html", "../secret.txt", "sub/../../secret.txt", "way-out", "sub", "x" * 5000, "a\0b"]
)
def test_nothing_outside_and_no_folder_is_sent(files: Site, rest: str) -> None:
    place = Place(files.place().subject, 1, files.place().mount, rest)
    found = files.routes.target(place, Asked(1, "/", "/"))
    assert isinstance(found, Broken) and found.status == 404


def test_the_etag_changes_with_the_file_and_the_bundle(files: Site) -> None:
    def etag() -> str:
        found = files.target("data.csv")
        assert isinstance(found, StaticFile)
        return found.etag

    first = etag()
    (files.folder / "data.csv").write_text("a,b,c\n")
    second = etag()
    files.set(Bundle, 1, digest="b" * 64)
    assert len({first, second, etag()}) == 3


def test_the_back_off_of_a_start_is_not_that_of_a_worker_that_served(site: Site) -> None:
    now = clock.now()
    served = Worker(
        content_id=1, bundle_id=1, state=WorkerState.FAILED.value, ready_at=now - timedelta(minutes=1), ended_at=now
    )
    site.change(lambda tx: tx.add(served))
    assert site.target() == Asleep(False, 60)


def crowd(site: Site, *states: WorkerState) -> None:
    """One worker in each slot; its job is called after it."""
    for slot, state in enumerate(states):
        site.change(lambda tx, slot=slot: tx.add(Job(id=slot + 1, key=f"job{slot}", tag="run", state="running")))
        row = Worker(content_id=1, bundle_id=1, job_id=slot + 1, slot=slot, state=state.value, address=f"127.64.0.{slot + 1}:20000", ready_at=clock.now())  # fmt: skip
        site.change(lambda tx, row=row: tx.add(row))


def test_of_several_workers_the_idlest_is_chosen_and_a_visitor_keeps_theirs(site: Site) -> None:
    crowd(site, WorkerState.READY, WorkerState.READY, WorkerState.FROZEN, WorkerState.STARTING)
    site.used |= {"job0": Activity(open_sockets=3), "job1": Activity(open_sockets=1)}
    place, path = site.place(), f"/content/{site.guid}/"
    new = site.routes.target(place, Asked(1, "/", path, is_page_load=True))
    again = site.routes.target(place, Asked(1, "/", path, hint="job0"))
    gone = site.routes.target(place, Asked(1, "/", path, hint="job2"))
    assert [t.job_key for t in (new, again, gone) if isinstance(t, Address)] == ["job1", "job0", "job1"]


def test_a_visitor_waits_for_the_next_worker_while_all_are_full_and_is_told_when_there_will_be_none(site: Site) -> None:
    crowd(site, WorkerState.READY, WorkerState.READY)
    site.used |= {"job0": Activity(open_sockets=20), "job1": Activity(open_sockets=20)}
    asked = Asked(1, "/", f"/content/{site.guid}/", is_page_load=True)
    assert site.routes.target(site.place(), asked) == Asleep(True, 60)
    crowded = Asked(1, "/", f"/content/{site.guid}/data")
    assert isinstance(site.routes.target(site.place(), crowded), Address), "who is there already is served"
    site.set(Content, 1, max_processes=2)
    assert site.routes.target(site.place(), asked) == Busy()
    site.change(lambda tx: tx.add(Worker(content_id=1, bundle_id=1, slot=2, created_at=clock.now())))
    last = site.routes.target(site.place(), asked)
    assert isinstance(last, Asleep) and last.starting and last.start is not None, "the last one is starting"


def test_a_frozen_worker_is_woken_though_another_starts(site: Site) -> None:
    crowd(site, WorkerState.FROZEN, WorkerState.STARTING)
    assert site.target() == Asleep(False, 60)


def test_an_earlier_version_of_files_is_shown_to_viewers_as_it_is(site: Site) -> None:
    site.change(
        lambda tx: tx.add(
            Bundle(id=3, content_id=1, digest="c" * 64, size_bytes=1, archive_md5="", archive_sha1="", manifest=SITE)
        )
    )
    (site.folder / "data.txt").write_text("api_version: 1")
    place = site.place("_rev3/data.txt")
    assert site.routes.may_open(place, PEOPLE["named"])
    assert isinstance(site.target("_rev3/data.txt"), StaticFile)
    assert isinstance(missing := site.target("_rev3/none.txt"), Broken) and missing.status == 404


def test_no_viewer_starts_an_earlier_version_of_an_app(site: Site) -> None:
    found = site.target("_rev2/")
    assert isinstance(found, Broken) and found.status == 404


def test_a_version_is_waited_for_while_its_deploy_unpacks_it(site: Site) -> None:
    waits = Bundle(id=3, content_id=1, digest="c" * 64, size_bytes=1, archive_md5="", archive_sha1="")
    site.change(lambda tx: tx.add(waits))
    assert isinstance(none := site.target("_rev3/data.txt"), Broken) and none.status == 404
    site.change(lambda tx: enqueue(tx, "content.deploy", {"bundle_id": 3}, subject=ResourceRef("content", 1)))
    asleep = site.target("_rev3/data.txt")
    assert isinstance(asleep, Asleep) and asleep.starting
    (site.folder / "data.txt").write_text("api_version: 1")
    site.set(Bundle, 3, manifest=SITE)
    assert isinstance(site.target("_rev3/data.txt"), StaticFile)


def test_the_picture_of_content_is_the_control_planes_to_show(site: Site) -> None:
    assert site.target("__thumbnail__") == ControlPlane()
    assert isinstance(site.target("x/__thumbnail__"), Asleep)
