"""From headers to a principal: what wins, what is refused, what is remembered and for how long."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import select
from tests.factories.identity import add_key, add_user, sign_in

from pilothouse.base.access import ANONYMOUS, SYSTEM, Role
from pilothouse.db import Database, Watch
from pilothouse.identity import service
from pilothouse.identity.contract import InvalidKey
from pilothouse.identity.models import KeyUse, User
from pilothouse.identity.service import Resolver
from pilothouse.testing.clock import FrozenClock

COOKIE = "ph_login_test"


def resolver_of(database: Database) -> Resolver:
    return Resolver(database, Watch(database), cookie=COOKIE)


@pytest.fixture
def amara(database: Database) -> User:
    return add_user(database, role=Role.PUBLISHER)


def cookie(database: Database) -> str:
    found = sign_in(database)
    return f"other=1; {COOKIE}={found.cookie}; last=2"


FORMS = [
    ("authorization", "Key {}"),
    ("authorization", "key {}"),
    ("authorization", "Basic YTpi, Key {}"),
    ("authorization", "Bearer {}"),
    ("x-rsc-authorization", "Key {}"),
    ("x-rsc-authorization", "{}"),
]


@pytest.mark.parametrize(("header", "form"), FORMS)
def test_a_key_is_taken_in_every_form_that_clients_send(
    database: Database, amara: User, header: str, form: str
) -> None:
    found = resolver_of(database).resolve({header: form.format(add_key(database, amara))})
    assert (found.id, found.key is not None) == (amara.id, True)


@pytest.mark.parametrize(("header", "form"), FORMS)
def test_a_wrong_key_is_refused_in_every_form_even_beside_a_good_cookie(
    database: Database, amara: User, header: str, form: str
) -> None:
    headers = {header: form.format("ph_wrong"), "cookie": cookie(database)}
    with pytest.raises(InvalidKey, match="unknown, expired or revoked"):
        resolver_of(database).resolve(headers)


def test_an_empty_key_is_a_wrong_key(database: Database) -> None:
    for headers in ({"authorization": "Key"}, {"authorization": "Key "}, {"x-rsc-authorization": "Key"}):
        with pytest.raises(InvalidKey):
            resolver_of(database).resolve(headers)


@pytest.mark.parametrize(
    "headers",
    [
        {}, {"authorization": "Basic YTpi"}, {"authorization": "Bearer somebody-elses"}, {"authorization": ""}, {"authorization": "Bearer"},
        {"cookie": ""}, {"cookie": f"{COOKIE}=wrong.secret"}, {"cookie": COOKIE}, {"x-auth-token": "anonymous-access"},
    ],
    ids=str,
)  # fmt: skip
def test_without_credentials_of_ours_one_is_nobody(database: Database, headers: dict[str, str]) -> None:
    assert resolver_of(database).resolve(headers) is ANONYMOUS


def test_a_signed_token_is_refused_rather_than_overlooked(database: Database) -> None:
    with pytest.raises(InvalidKey, match="unknown or revoked"):
        resolver_of(database).resolve({"x-auth-token": "T0123"})


def test_of_two_logins_the_one_for_the_whole_host_counts(database: Database, amara: User) -> None:
    """An app on the same host can add one for a longer path, which browsers send first."""
    found = resolver_of(database)
    ours = f"{COOKIE}={sign_in(database).cookie}"
    assert found.resolve({"cookie": f"{COOKIE}=tossed.secret; {ours}"}).id == amara.id
    assert found.resolve({"cookie": f"{ours}; {COOKIE}=tossed.secret"}) == ANONYMOUS


def test_a_cookie_is_the_person_and_a_key_wins_over_it(database: Database, amara: User) -> None:
    other = add_user(database, "henrik.dahl")
    headers, found = {"cookie": cookie(database)}, resolver_of(database)
    assert found.resolve(headers).login
    assert found.resolve(headers | {"authorization": f"Key {add_key(database, other)}"}).id == other.id


def test_the_key_of_somebody_locked_is_refused_with_the_reason_each_time(database: Database, amara: User) -> None:
    key, found = add_key(database, amara), resolver_of(database)
    with database.write() as tx:
        service.lock_user(tx, SYSTEM, service.get_user(tx, amara.guid), locked=True)
    for _ in range(2):
        with pytest.raises(InvalidKey, match="locked account"):
            found.resolve({"authorization": f"Key {key}"})


class CountedDatabase:
    """Passes on to a database and counts how often it was read."""

    def __init__(self, database: Database) -> None:
        self._database, self.reads, self.write = database, 0, database.write

    def read(self) -> object:
        self.reads += 1
        return self._database.read()


def counted(database: Database) -> tuple[Resolver, CountedDatabase]:
    counting = CountedDatabase(database)
    return Resolver(counting, Watch(database), cookie=COOKIE), counting  # type: ignore[arg-type]


def test_what_was_found_is_remembered_for_a_minute(database: Database, amara: User, frozen_clock: FrozenClock) -> None:
    headers = {"authorization": f"Key {add_key(database, amara)}"}
    found, counting = counted(database)
    for _ in range(3):
        found.resolve(headers)
    assert counting.reads == 1
    frozen_clock.advance(seconds=61)
    found.resolve(headers)
    assert counting.reads == 2


def test_a_wrong_key_is_remembered_too(database: Database) -> None:
    found, counting = counted(database)
    for _ in range(3):
        with pytest.raises(InvalidKey):
            found.resolve({"authorization": "Key ph_wrong"})
    assert counting.reads == 1


def test_a_change_of_people_is_seen_at_once(database: Database, amara: User) -> None:
    watch = Watch(database)
    headers, found = {"cookie": cookie(database)}, Resolver(database, watch, cookie=COOKIE)
    login = found.resolve(headers).login
    assert login
    with database.write() as tx:
        service.end_login(tx, SYSTEM, service.get_login(tx, login))
    watch.wake()
    assert found.resolve(headers) is ANONYMOUS


def test_the_memory_is_bounded(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pilothouse.db.memory.LIMIT", 10)
    found = resolver_of(database)
    for n in range(50):
        with pytest.raises(InvalidKey):
            found.resolve({"authorization": f"Key ph_{n}"})
    assert len(found._memory) <= 11


def test_no_secret_is_kept_in_memory(database: Database, amara: User) -> None:
    key, found = add_key(database, amara), resolver_of(database)
    found.resolve({"authorization": f"Key {key}"})
    assert len(found._memory) == 1
    assert key not in str(vars(found)) + str(vars(found._memory))


def test_uses_are_written_apart_and_leave_caches_alone(
    database: Database, amara: User, frozen_clock: FrozenClock
) -> None:
    headers = {"authorization": f"Key {add_key(database, amara)}"}
    watch = Watch(database)
    found = Resolver(database, watch, cookie=COOKIE)
    key = found.resolve(headers).key
    epoch = watch.epoch("identity")
    found.flush_uses()
    frozen_clock.advance(minutes=2)
    found.resolve(headers)
    found.flush_uses()
    found.flush_uses()
    with database.read() as tx:
        (use,) = tx.scalars(select(KeyUse))
    assert (use.kind, use.ref, use.at) == ("key", str(key), frozen_clock())
    assert Watch(database).epoch("identity") == epoch


def test_two_replicas_that_note_the_same_use_do_not_disturb_each_other(database: Database, amara: User) -> None:
    headers = {"authorization": f"Key {add_key(database, amara)}"}
    replicas = [resolver_of(database) for _ in range(4)]
    for replica in replicas:
        replica.resolve(headers)
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda replica: replica.flush_uses(), replicas))


def test_many_threads_may_ask_while_uses_are_written(sqlite_database: Database) -> None:
    keys = [add_key(sqlite_database, add_user(sqlite_database, f"user{n}")) for n in range(20)]
    found = resolver_of(sqlite_database)

    def ask(n: int) -> int | None:
        if n % 10 == 0:
            found.flush_uses()
        return found.resolve({"authorization": f"Key {keys[n % 20]}"}).id

    with ThreadPoolExecutor(8) as threads:
        assert len(set(threads.map(ask, range(200)))) == 20
