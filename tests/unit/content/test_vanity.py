"""Paths of their own: what may be one, who may set it, where it leads, and that none hides another."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from pilothouse.audit.models import Event
from pilothouse.base.access import Principal, Role, Share
from pilothouse.base.errors import Denied
from pilothouse.base.ids import new_guid
from pilothouse.content import service
from pilothouse.content.contract import VanityInvalid, VanityTaken, VanityUnknown
from pilothouse.content.models import Access, Bundle, Content
from pilothouse.content.service import WorkerRules
from pilothouse.content.service.routes import ContentRoutes
from pilothouse.content.service.scaling import Activity, Chooser
from pilothouse.db import Database, Watch
from pilothouse.gateway.contract import Asked, Place
from pilothouse.identity.models import User
from pilothouse.settings import Settings
from pilothouse.stages import Stage, Stages

ANNA, BEN = (Principal(n, Role.PUBLISHER, f"user{n}") for n in (1, 2))
ADMINISTRATOR = Principal(3, Role.ADMINISTRATOR, "user3")
APP = {"version": 1, "metadata": {"appmode": "python-fastapi", "entrypoint": "app:app"}}


@dataclass
class Site:
    """Content 1 of Anna and content 2 of Ben in stage 1 (``/``), content 3 of Anna in stage 2 (``/prod/``, key ``production``)."""

    database: Database
    watch: Watch
    routes: ContentRoutes
    guids: tuple[str, str, str]

    def set(self, number: int, path: str, actor: Principal = ADMINISTRATOR, *, force: bool = False) -> str:
        with self.database.write() as tx:
            content = tx.get(Content, number)
            assert content is not None
            path = service.set_vanity(tx, actor, content, path=path, force=force).path
        self.watch.wake()
        return path

    def of(self, number: int) -> str | None:
        with self.database.read() as tx:
            content = tx.get(Content, number)
            assert content is not None
            return service.vanity_paths(tx, [content]).get(number)

    def find(self, path: str, *, stage: int = 1) -> Place | None:
        return self.routes.find(Asked(stage, "/" if stage == 1 else "/prod/", path))


@pytest.fixture
def site(database: Database, tmp_path: Path) -> Iterator[Site]:
    guids = (new_guid(), new_guid(), new_guid())
    with database.write() as tx:
        tx.add_all(User(id=n, guid=f"u{n}", username=f"user{n}") for n in (1, 2, 3))
        tx.add_all([Stage(id=1, key="dev", title="Dev", path="/", position=0), Stage(id=2, key="production", title="Production", path="/prod/", position=1)])  # fmt: skip
        tx.flush()
        for number, (owner, stage) in enumerate([(1, 1), (2, 1), (1, 2)], start=1):
            guid = guids[number - 1]
            tx.add(Content(id=number, guid=guid, lineage_id=guid, stage_id=stage, owner_id=owner, name=f"app-{number}"))
        tx.flush()
        tx.add(Bundle(id=1, content_id=1, digest="a" * 64, size_bytes=1, archive_md5="", archive_sha1="", manifest=APP))
    watch = Watch(database)
    routes = ContentRoutes(
        database, watch, folder=lambda content, bundle: tmp_path, rouse=lambda *ids: None,
        public_url=lambda stage: "http://localhost:3939",
        chooser=Chooser(WorkerRules(Settings(), Stages(database, watch)), lambda job: Activity()),
    )  # fmt: skip
    yield Site(database, watch, routes, guids)
    watch.close()


@pytest.mark.parametrize("given", ["sales/report", "/sales/report", "/sales/report/", "sales/report/"])
def test_a_path_leads_to_its_content_however_its_slashes_were_written(site: Site, given: str) -> None:
    assert site.find("/sales/report/") is None
    assert site.set(1, given) == "/sales/report/"
    place = site.find("/sales/report/api/v1?x")
    assert place is not None
    assert (place.subject.id, place.mount, place.rest, place.redirect) == (1, "/sales/report/", "api/v1?x", None)


def test_the_address_with_the_guid_goes_on(site: Site) -> None:
    site.set(1, "sales")
    place = site.find(f"/content/{site.guids[0]}/x")
    assert place is not None and (place.subject.id, place.mount) == (1, f"/content/{site.guids[0]}/")


def test_a_missing_slash_is_put_there_and_bundles_have_mounts_of_their_own(site: Site) -> None:
    site.set(1, "sales")
    short, bundle = site.find("/sales"), site.find("/sales/_bundle1/x")
    assert short is not None and short.redirect == "/sales/"
    assert bundle is not None and (bundle.mount, bundle.rest, bundle.bundle_id) == ("/sales/_bundle1/", "x", 1)
    assert site.find("/sales/_bundle9/x") is None


@pytest.mark.parametrize("path", ["/", "/sale/", "/sales2/", "/Sales/", "/x/sales/", "//sales/"])
def test_what_only_looks_like_it_is_nobodys(site: Site, path: str) -> None:
    site.set(1, "sales")
    assert site.find(path) is None


def test_a_stage_has_paths_of_its_own_below_its_prefix(site: Site) -> None:
    site.set(1, "sales")
    site.set(3, "sales")
    here, there = site.find("/sales/"), site.find("/sales/", stage=2)
    assert here is not None and there is not None
    assert [(p.subject.id, p.mount) for p in (here, there)] == [(1, "/sales/"), (3, "/prod/sales/")]


@pytest.mark.parametrize(
    "path",
    ["", "/", "..", "a/../b", "a//b", ".hidden", "a b", "a%2fb", "ä", "a;b", "-x", "a?b", "a#b", "a\\b", "a\nb", "x" * 254],
)  # fmt: skip
def test_what_can_not_be_a_path_is_refused_with_an_example(site: Site, path: str) -> None:
    with pytest.raises(VanityInvalid, match="for example sales/report"):
        site.set(1, path)
    assert site.of(1) is None


@pytest.mark.parametrize("path", ["content/x", "__api__", "API/v2", "static", "s", "prod/x", "production", "dev/app"])
def test_our_own_words_and_the_stages_are_refused(site: Site, path: str) -> None:
    with pytest.raises(VanityInvalid, match="Choose another"):
        site.set(1, path)


@pytest.mark.parametrize("path", ["sales", "sales/report", "sales/report/q1", "SALES", "Sales/Report"])
def test_no_path_hides_another(site: Site, path: str) -> None:
    site.set(1, "sales/report")
    said = "/sales/report/ leads to .* already" if path == "sales/report" else "clashes with /sales/report/"
    with pytest.raises(VanityTaken, match=said):
        site.set(2, path)
    assert site.set(2, "sales/reports") == "/sales/reports/"


def test_a_new_path_replaces_the_old_one_which_is_free_again(site: Site) -> None:
    site.set(1, "sales")
    site.set(1, "sales/report")
    assert site.of(1) == "/sales/report/"
    assert site.find("/sales/x") is None
    site.set(2, "other/sales")
    with site.database.write() as tx:
        content = tx.get(Content, 1)
        assert content is not None
        service.clear_vanity(tx, ANNA, content)
        service.clear_vanity(tx, ANNA, content)
        with pytest.raises(VanityUnknown):
            service.vanity_of(tx, ANNA, content)
    site.watch.wake()
    assert site.find("/sales/report/") is None


def test_force_takes_a_path_only_from_content_one_may_change(site: Site) -> None:
    site.set(1, "sales")
    with pytest.raises(Denied):
        site.set(2, "sales", BEN, force=True)
    assert site.of(1) == "/sales/"
    with pytest.raises(VanityTaken):
        site.set(2, "sales/below", force=True)
    with site.database.write() as tx:
        tx.add(Access(content_id=1, user_id=BEN.id, share=Share.EDITOR.value))
    site.set(2, "sales", BEN, force=True)
    assert (site.of(1), site.of(2)) == (None, "/sales/")
    place = site.find("/sales/")
    assert place is not None and place.subject.id == 2


def test_deleting_content_frees_its_path_and_all_of_it_is_audited(site: Site) -> None:
    site.set(1, "sales")
    with site.database.write() as tx:
        content = tx.get(Content, 1)
        assert content is not None
        service.delete_content(tx, ANNA, content)
    site.set(2, "sales")
    with site.database.read() as tx:
        told = [(e.name, e.subject_id, e.changes) for e in tx.query(Event).order_by(Event.id)]
    assert ("content:vanity:changed", 1, {"path": [None, "/sales/"]}) in told
    assert ("content:vanity:cleared", 1, {"path": ["/sales/", None]}) in told
