"""Every verb on content refuses who may not: a stranger, a viewer on its list, nobody; and the key of a job where secrets are meant."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from pilothouse.base.access import ANONYMOUS, Principal, ResourceRef, Role, Share
from pilothouse.base.errors import Denied
from pilothouse.base.ids import new_guid
from pilothouse.content import service
from pilothouse.content.models import Access, AccessRequest, Bundle, Content, Tag, Thread, ThreadKind, Vanity
from pilothouse.db import Database, Tx
from pilothouse.db.secrets import Keys, Secrets
from pilothouse.identity.models import User
from pilothouse.launcher.models import Job
from pilothouse.stages import StageRef
from pilothouse.stages.models import Stage
from pilothouse.storage.contract import Blob
from pilothouse.tasks import enqueue

STAGE = StageRef(1, "dev", "Dev", "/", None, 0)
SECRETS = Secrets(lambda: Keys({"k": bytes(32)}, "k"))
OWNER, STRANGER, READER = (Principal(n, Role.PUBLISHER, f"user{n}") for n in (1, 2, 3))
VIEWER = Principal(4, Role.VIEWER, "user4")
JOB_KEY = Principal(1, Role.PUBLISHER, "user1", key=9, bound_to=ResourceRef("content", 1), stage_id=1)


@dataclass
class Rows:
    content: Content
    bundle: Bundle
    line: Access
    job: Job
    user: User


DAY = service.Span(timedelta(days=1), timedelta(hours=1))
Call = Callable[[Tx, Principal, Rows], Any]

#: Verb → a call that its owner may make; whom it refuses beyond strangers and nobody.
VERBS: dict[str, tuple[Call, tuple[Principal, ...]]] = {
    "create_content": (lambda tx, a, r: service.create_content(tx, a, STAGE, name="another"), (VIEWER,)),
    "update_content": (lambda tx, a, r: service.update_content(tx, a, r.content, changes={"title": "x"}), (READER,)),
    "delete_content": (lambda tx, a, r: service.delete_content(tx, a, r.content), (READER,)),
    "add_bundle": (lambda tx, a, r: service.add_bundle(tx, a, r.content, blob=Blob("d" * 64, 1, "", "")), (READER,)),
    "bundles": (lambda tx, a, r: service.bundles(tx, a, r.content), ()),
    "get_bundle": (lambda tx, a, r: service.get_bundle(tx, a, r.content, None), ()),
    "packages_of": (lambda tx, a, r: service.packages_of(tx, a, r.content, r.bundle), (READER,)),
    **{
        verb: (lambda tx, a, r, verb=verb: getattr(service, verb)(tx, a, r.content, span=DAY), (READER,))
        for verb in ("usage_of", "people_of", "visitors_of", "load_of")
    },
    "delete_bundle": (lambda tx, a, r: service.delete_bundle(tx, a, r.content, r.bundle), (READER,)),
    "deploy": (lambda tx, a, r: service.deploy(tx, a, r.content, bundle=r.bundle), (READER,)),
    "build": (lambda tx, a, r: service.build(tx, a, r.content, bundle=r.bundle), (READER,)),
    "builds": (lambda tx, a, r: service.builds(tx, a, r.content), (READER,)),
    "find_build": (lambda tx, a, r: service.find_build(tx, a, r.content, "taskkey"), (READER,)),
    "build_output": (lambda tx, a, r: service.build_output(tx, a, r.content, some_build(tx)), (READER,)),
    "stop_build": (lambda tx, a, r: service.stop_build(tx, a, r.content, some_build(tx)), (READER,)),
    "packages_used": (lambda tx, a, r: service.packages_used(tx, a, r.content), (READER,)),
    "activate": (lambda tx, a, r: service.activate(tx, a, r.content, bundle=r.bundle), (READER,)),
    "deployments": (lambda tx, a, r: service.deployments(tx, a, r.content), ()),
    "variable_names": (lambda tx, a, r: service.variable_names(tx, a, r.content), (READER,)),
    "set_variables": (
        lambda tx, a, r: service.set_variables(tx, a, r.content, values={"A": "1"}, secrets=SECRETS),
        (READER,),
    ),
    "access_list": (lambda tx, a, r: service.access_list(tx, a, r.content), ()),
    "grant": (
        lambda tx, a, r: service.grant(tx, a, r.content, principal=r.user, share=Share.VIEWER),
        (READER, JOB_KEY),
    ),
    "change_grant": (
        lambda tx, a, r: service.change_grant(tx, a, r.content, r.line, share=Share.EDITOR),
        (READER, JOB_KEY),
    ),
    "revoke_grant": (lambda tx, a, r: service.revoke_grant(tx, a, r.content, r.line), (READER, JOB_KEY)),
    "set_vanity": (lambda tx, a, r: service.set_vanity(tx, a, r.content, path="sales"), (READER,)),
    "clear_vanity": (lambda tx, a, r: service.clear_vanity(tx, a, r.content), (READER,)),
    "vanity_of": (lambda tx, a, r: service.vanity_of(tx, a, r.content), ()),
    "content_integrations": (lambda tx, a, r: service.content_integrations(tx, a, r.content), (READER,)),
    "set_integrations": (lambda tx, a, r: service.set_integrations(tx, a, r.content, guids=[]), (READER, JOB_KEY)),
    "set_tags": (lambda tx, a, r: service.set_tags(tx, a, r.content, names=["quality"]), (READER,)),
    **{
        verb: (lambda tx, a, r, verb=verb: getattr(service, verb)(tx, a, r.content, tag=a_tag(tx)), (READER,))
        for verb in ("add_tag", "remove_tag")
    },
    "set_thumbnail": (lambda tx, a, r: service.set_thumbnail(tx, a, r.content, image=None), (READER,)),
    "thumbnail": (lambda tx, a, r: service.thumbnail(tx, a, r.content), ()),
    "keep_at_hand": (lambda tx, a, r: service.keep_at_hand(tx, a, r.content, kept=True), ()),
    "requests_of": (lambda tx, a, r: service.requests_of(tx, a, r.content), (READER, JOB_KEY)),
    "answer_request": (
        lambda tx, a, r: service.answer_request(tx, a, r.content, asked_by_somebody(tx), share=Share.VIEWER),
        (READER, JOB_KEY),
    ),
    "open_thread": (
        lambda tx, a, r: service.open_thread(tx, a, r.content, kind=ThreadKind.QUESTION, words="Why?"),
        (JOB_KEY,),
    ),
    "threads_of": (lambda tx, a, r: service.threads_of(tx, a, r.content), ()),
    **{
        verb: (
            lambda tx, a, r, verb=verb, said=said: getattr(service, verb)(tx, a, r.content, a_thread(tx), **said),
            (READER,),
        )
        for verb, said in (("reply", {"words": "So."}), ("settle", {"solved": True}), ("note_read", {}))
    },
    "hand_over": (lambda tx, a, r: service.hand_over(tx, a, r.content, to=r.user), (READER, JOB_KEY)),
    "readers_of": (lambda tx, a, r: service.readers_of(tx, a, r.content), (READER,)),
    "jobs": (lambda tx, a, r: service.jobs(tx, a, r.content), (READER,)),
    "get_job": (lambda tx, a, r: service.get_job(tx, a, r.content, "jobkey"), (READER,)),
    "stop_job": (lambda tx, a, r: service.stop_job(tx, a, r.content, r.job), (READER,)),
}


def asked_by_somebody(tx: Tx) -> AccessRequest:
    asked = AccessRequest(content_id=1, user_id=5)
    tx.add(asked)
    tx.flush()
    return asked


def a_thread(tx: Tx) -> Thread:
    """Of somebody else than whoever is refused."""
    thread = Thread(content_id=1, user_id=5, kind="question")
    tx.add(thread)
    tx.flush()
    return thread


def a_tag(tx: Tx) -> Tag:
    category = Tag(name="Topic")
    tx.add(category)
    tx.flush()
    tag = Tag(name="Quality", parent_id=category.id)
    tx.add(tag)
    tx.flush()
    return tag


#: Verbs that answer with what the actor may see instead of refusing, and those for administrators only.
FILTERING = {
    "get_content",
    "content_of_id",
    "list_content",
    "content_ids",
    "content_of_ids",
    "count_content",
    "found_content",
    "page_of_content",
    "all_packages_used",
    "vanities",
    "choices",
    "share_of",
    "shares_of",
    "favourites_of",
    "activity",
    "get_thread",
    "published_counts",
    "requests_to_answer",
    "threads_to_answer",
    "threads_told",
    "usage_page",
    "content_of_group",
    "content_of_tag",
}
#: For whoever gave it away: see `test_handing.py`.
GIVERS = {"given_away", "take_back"}
#: Of the installation's tree instead of one content: see `tests/unit/connect_api/test_tags.py`.
TAGS = {"list_tags", "get_tag", "create_tag", "change_tag", "delete_tag"}
#: For everybody who is signed in, about what they may not open: see `test_requests.py`.
ASKING = {"content_to_ask_for", "ask_for_access", "open_request", "requests_made", "put_away_request"}
ADMINISTRATORS = {"running_jobs", "feature", "leave_content", "hand_over_all", "owned_by"}
#: For stewards: see `test_endorsing.py`.
STEWARDS = {"endorse", "may_endorse", "name_steward", "stewards", "withdraw"}
#: About a person instead of content: see `tests/unit/app/test_personal.py`.
PERSONAL = {"personal_content"}


def some_build(tx: Tx) -> service.Build:
    return service.Build(enqueue(tx, "content.deploy", {"bundle_id": 1}), 1, "")


def rows(database: Database) -> Rows:
    with database.write() as tx:
        tx.add_all(User(id=n, guid=new_guid(), username=f"user{n}", role="publisher") for n in range(1, 6))
        tx.add(Stage(id=1, key="dev", title="Dev", path="/", position=0))
        tx.flush()
        content = Content(id=1, guid=new_guid(), lineage_id="l", stage_id=1, owner_id=1, name="app")
        tx.add(content)
        tx.flush()
        bundle = Bundle(id=1, content_id=1, digest="d" * 64, size_bytes=1, archive_md5="", archive_sha1="")
        line = Access(id=1, content_id=1, user_id=3, share="viewer")
        job = Job(id=1, key="jobkey", tag="run", subject_kind="content", subject_id=1)
        user = tx.get(User, 5)
        assert user is not None
        tx.add_all([bundle, line, job, Vanity(content_id=1, stage_id=1, path="/before/")])
        return Rows(content, bundle, line, job, user)


def live(tx: Tx, kept: Rows) -> Rows:
    return Rows(*(tx.merge(row, load=True) for row in (kept.content, kept.bundle, kept.line, kept.job, kept.user)))


@pytest.mark.parametrize("verb", VERBS)
def test_a_verb_refuses_who_may_not_and_lets_its_owner(verb: str, sqlite_database: Database) -> None:
    kept = rows(sqlite_database)
    call, others = VERBS[verb]
    strangers = () if verb == "create_content" else (STRANGER,)
    for actor in (*strangers, *others, ANONYMOUS):
        with pytest.raises(Denied), sqlite_database.write() as tx:
            call(tx, actor, live(tx, kept))
    with sqlite_database.write() as tx:
        call(tx, OWNER, live(tx, kept))


def test_what_runs_is_for_administrators(sqlite_database: Database) -> None:
    with sqlite_database.read() as tx:
        for actor in (OWNER, VIEWER, ANONYMOUS):
            with pytest.raises(Denied):
                service.running_jobs(tx, actor)
        assert service.running_jobs(tx, Principal(1, Role.ADMINISTRATOR)) == []


def test_what_is_featured_is_for_administrators_to_say(sqlite_database: Database) -> None:
    kept = rows(sqlite_database)
    for actor in (OWNER, VIEWER, ANONYMOUS):
        with pytest.raises(Denied), sqlite_database.write() as tx:
            service.feature(tx, actor, live(tx, kept).content, featured=True)
    with sqlite_database.write() as tx:
        service.feature(tx, Principal(1, Role.ADMINISTRATOR), live(tx, kept).content, featured=True)


def test_what_one_may_not_see_does_not_exist(sqlite_database: Database) -> None:
    kept = rows(sqlite_database)
    with sqlite_database.read() as tx:
        assert [c.id for c in service.list_content(tx, READER, STAGE)] == [1]
        assert service.list_content(tx, STRANGER, STAGE) == []
        assert list(service.content_ids(tx, READER, STAGE)) == [1]
        assert list(service.content_ids(tx, STRANGER, STAGE)) == []
        assert service.content_of_ids(tx, STRANGER, STAGE, ids=[1]) == []
        assert [path.path for path, _ in service.vanities(tx, READER, STAGE)] == ["/before/"]
        assert service.vanities(tx, STRANGER, STAGE) == []
        assert service.get_content(tx, READER, STAGE, kept.content.guid).id == 1
        with pytest.raises(service.content.ContentUnknown):
            service.get_content(tx, STRANGER, STAGE, kept.content.guid)
        with pytest.raises(Denied):
            service.get_content(tx, ANONYMOUS, STAGE, kept.content.guid)


def test_every_verb_with_an_actor_stands_above() -> None:
    verbs = {
        name
        for name in service.__all__
        if inspect.isfunction(getattr(service, name))
        and "actor" in inspect.signature(getattr(service, name)).parameters
    }
    assert verbs - FILTERING - ADMINISTRATORS - PERSONAL - ASKING - STEWARDS - TAGS - GIVERS == set(VERBS)
