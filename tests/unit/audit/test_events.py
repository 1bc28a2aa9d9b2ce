"""What is recorded of a change, and who may read it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from pilothouse.audit.contract import AUDITED, EVENTS
from pilothouse.audit.models import Event
from pilothouse.audit.service import AuditFilter, events, record
from pilothouse.base.access import ANONYMOUS, SYSTEM, Principal, ResourceRef, Role
from pilothouse.base.errors import Denied, NotAuthenticated
from pilothouse.db import Database
from pilothouse.testing.clock import FrozenClock

ADMIN = Principal(1, Role.ADMINISTRATOR, login="abc")
PUBLISHER = Principal(2, Role.PUBLISHER)
THING = ResourceRef("user", 7)


def recorded(
    database: Database, actor: Principal = ADMIN, event: str = "identity:user:updated", **sides: object
) -> Event:
    with database.write() as tx:
        record(tx, actor, event, THING, **sides)  # type: ignore[arg-type]
    with database.read() as tx:
        return tx.scalars(select(Event).order_by(Event.id.desc())).first()  # type: ignore[return-value]


def test_only_fields_that_differ_are_kept(sqlite_database: Database) -> None:
    before, after = {"role": "viewer", "locked": False}, {"role": "publisher", "locked": False}
    assert recorded(sqlite_database, before=before, after=after).changes == {"role": ["viewer", "publisher"]}


def test_fields_of_something_new_or_gone_are_kept_even_when_empty(sqlite_database: Database) -> None:
    assert recorded(sqlite_database, after={"role": None}).changes == {"role": [None, None]}
    assert recorded(sqlite_database, before={"role": "viewer"}).changes == {"role": ["viewer", None]}


@pytest.mark.parametrize(
    "field", ["username", "email", "first_name", "last_name", "department", "site", "title", "password"]
)
def test_secret_fields_leave_no_values(sqlite_database: Database, field: str) -> None:
    event = recorded(sqlite_database, before={field: "old-value"}, after={field: "new-value"})
    assert event.changes == {field: "changed"}


def test_times_are_kept_as_text(sqlite_database: Database, frozen_clock: FrozenClock) -> None:
    event = recorded(sqlite_database, event="identity:key:created", after={"expires_at": frozen_clock()})
    assert event.changes == {"expires_at": [None, "2026-03-02T12:00:00+00:00"]}


@pytest.mark.parametrize("event", ["identity:user:eaten", "user", ""])
def test_an_unknown_event_is_a_mistake(sqlite_database: Database, event: str) -> None:
    with pytest.raises(KeyError), sqlite_database.write() as tx:
        record(tx, ADMIN, event, None)


@pytest.mark.parametrize("sides", [{"after": {"shoe": 1}}, {"before": {"shoe": 1}, "after": {"shoe": 1}}])
def test_a_field_without_verdict_is_a_mistake_even_when_it_did_not_change(
    sqlite_database: Database, sides: dict[str, dict[str, int]]
) -> None:
    with pytest.raises(KeyError, match="shoe"):
        recorded(sqlite_database, **sides)


@pytest.mark.parametrize(
    ("actor", "kind", "via"),
    [
        (SYSTEM, "system", ""),
        (ANONYMOUS, "anonymous", ""),
        (Principal(1, Role.VIEWER, login="abc"), "user", "login/abc"),
        (Principal(1, Role.VIEWER, key=5), "user", "key/5"),
        (Principal(1, Role.VIEWER, key=5, bound_to=ResourceRef("content", 3)), "job", "key/5"),
    ],
    ids=["system", "nobody", "browser", "key", "job"],
)
def test_an_event_says_who_did_it_and_by_which_way(
    sqlite_database: Database, actor: Principal, kind: str, via: str
) -> None:
    event = recorded(sqlite_database, actor)
    assert (event.actor_id, event.actor_kind, event.via) == (actor.id, kind, via)


def test_an_event_is_gone_with_the_change_it_tells_of(database: Database) -> None:
    with pytest.raises(RuntimeError), database.write() as tx:
        record(tx, ADMIN, "identity:user:updated", THING)
        raise RuntimeError("the change failed")
    with database.read() as tx:
        assert events(tx, ADMIN) == []


@pytest.mark.parametrize(("actor", "error"), [(PUBLISHER, Denied), (ANONYMOUS, NotAuthenticated)])
def test_reading_is_denied_to_all_but_administrators(
    sqlite_database: Database, actor: Principal, error: type[Exception]
) -> None:
    with sqlite_database.read() as tx, pytest.raises(error):
        events(tx, actor)


def test_everybody_may_read_what_is_about_them_and_nothing_else(database: Database) -> None:
    with database.write() as tx:
        record(tx, ADMIN, "identity:group:member-added", ResourceRef("group", 1), after={"user_id": 2})
        record(tx, ADMIN, "content:access:revoked", ResourceRef("content", 1), before={"user_id": 2, "share": "viewer"})
        record(
            tx,
            ADMIN,
            "content:content:updated",
            ResourceRef("content", 1),
            before={"owner_id": 2},
            after={"owner_id": 22},
        )
        record(
            tx, ADMIN, "identity:user:locked", ResourceRef("user", 22), before={"locked": False}, after={"locked": True}
        )
        record(tx, PUBLISHER, "content:content:created", ResourceRef("content", 2), after={"name": "plan"})
    with database.read() as tx:
        assert [event.id for event in events(tx, PUBLISHER, filters=AuditFilter(about=2))] == [5, 3, 2, 1]
        for about in (22, None):
            with pytest.raises(Denied):
                events(tx, PUBLISHER, filters=AuditFilter(about=about))


def test_a_job_of_an_administrator_may_not_read(sqlite_database: Database) -> None:
    bound = Principal(1, Role.ADMINISTRATOR, key=5, bound_to=ResourceRef("content", 3))
    with sqlite_database.read() as tx, pytest.raises(Denied):
        events(tx, bound)


def test_events_are_found_by_name_person_thing_and_time(database: Database, frozen_clock: FrozenClock) -> None:
    with database.write() as tx:
        record(tx, ADMIN, "identity:user:created", ResourceRef("user", 7))
    with database.write() as tx:
        frozen_clock.advance(hours=1)
        record(tx, PUBLISHER, "content:content:created", ResourceRef("content", 7))
    since, until = frozen_clock() - timedelta(minutes=1), frozen_clock() - timedelta(minutes=1)
    for filters, expected in (
        (AuditFilter(), [2, 1]),
        (AuditFilter(event="identity:"), [1]),
        (AuditFilter(event="%"), []),
        (AuditFilter(actor_id=2), [2]),
        (AuditFilter(subject=ResourceRef("user", 7)), [1]),
        (AuditFilter(about=7), [1]),
        (AuditFilter(about=2), [2]),
        (AuditFilter(since=since), [2]),
        (AuditFilter(until=until), [1]),
    ):
        with database.read() as tx:
            assert [event.id for event in events(tx, ADMIN, filters=filters)] == expected, filters
    with database.read() as tx:
        assert [event.id for event in events(tx, ADMIN, after=2)] == [1]
        assert [event.id for event in events(tx, ADMIN, limit=1)] == [2]


def test_every_event_is_named_room_thing_past_tense_and_has_verdicts() -> None:
    for name in EVENTS:
        _, noun, verb = name.split(":")
        assert {"key": "api_key"}.get(noun, noun) in AUDITED, name
        assert verb.endswith("ed") or verb in ("role-set", "password-reset"), name
