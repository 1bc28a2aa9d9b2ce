"""Signing in: throttled, the same answer for unknown names, revocable."""

from __future__ import annotations

from datetime import timedelta

import pytest
from argon2 import PasswordHasher, extract_parameters
from sqlalchemy import func, select
from tests.factories.identity import PASSWORD, add_user, hashed, principal, sign_in

from pilothouse.audit.models import Event
from pilothouse.base.access import ANONYMOUS, SYSTEM, Principal, ResourceRef, Role
from pilothouse.base.errors import Denied, NotAuthenticated
from pilothouse.db import Database
from pilothouse.identity import service
from pilothouse.identity.contract import AccountLocked, Rules, WrongPassword
from pilothouse.identity.models import Login, User
from pilothouse.identity.service import passwords
from pilothouse.identity.service.logins import LoginUnknown
from pilothouse.testing.clock import FrozenClock


@pytest.fixture(autouse=True)
def quick_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Real hashes are slow on purpose; they have their own tests."""
    monkeypatch.setattr(passwords, "matches", lambda password, hash_: bool(hash_) and password == PASSWORD)


def who(database: Database, cookie: str) -> Principal | None:
    with database.read() as tx:
        return service.principal_of_cookie(tx, cookie)


def fail(database: Database, times: int, **facts: str) -> None:
    for _ in range(times):
        with pytest.raises(WrongPassword):
            sign_in(database, password="wrong", **facts)


def test_the_cookie_is_the_person(database: Database) -> None:
    amara = add_user(database, role=Role.PUBLISHER)
    found = sign_in(database, "AMARA.okoye")
    me = who(database, found.cookie)
    assert me is not None
    assert (me.id, me.role, me.login, me.key) == (amara.id, Role.PUBLISHER, found.login.id, None)


def test_only_the_digest_of_the_secret_is_stored(sqlite_database: Database) -> None:
    add_user(sqlite_database)
    login_id, _, secret = sign_in(sqlite_database).cookie.partition(".")
    with sqlite_database.read() as tx:
        row = tx.get(Login, login_id)
    assert row is not None
    assert secret not in str(vars(row)) and len(secret) == 43 and len(row.secret_digest) == 64


@pytest.mark.parametrize(
    "cookie", ["", ".", "x", "x.y", "é.ü", "{id}", "{id}.", "{id}.wrong", ".{secret}", "{id}x.{secret}"]
)
def test_a_wrong_cookie_is_nobody(sqlite_database: Database, cookie: str) -> None:
    add_user(sqlite_database)
    login_id, _, secret = sign_in(sqlite_database).cookie.partition(".")
    assert who(sqlite_database, cookie.format(id=login_id, secret=secret)) is None


def test_a_login_ends_after_its_lifetime(sqlite_database: Database, frozen_clock: FrozenClock) -> None:
    add_user(sqlite_database)
    cookie = sign_in(sqlite_database).cookie
    frozen_clock.advance(hours=11, minutes=59)
    assert who(sqlite_database, cookie) is not None
    frozen_clock.advance(minutes=1)
    assert who(sqlite_database, cookie) is None


def test_unknown_names_and_wrong_passwords_get_the_same_answer(sqlite_database: Database) -> None:
    add_user(sqlite_database)
    answers = []
    for name in ("amara.okoye", "nobody"):
        with pytest.raises(WrongPassword) as caught:
            sign_in(sqlite_database, name, "wrong")
        answers.append((str(caught.value), caught.value.facts))
    assert answers[0] == answers[1]


def test_an_unknown_name_is_hashed_as_well(sqlite_database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str | None] = []
    monkeypatch.setattr(passwords, "matches", lambda password, hash_: asked.append(hash_))
    fail(sqlite_database, 1, username="nobody")
    assert asked == [None]


@pytest.mark.parametrize("name", ["\x00", "\ud800", "", "x" * 5000, "a\nb"])
def test_names_that_are_no_names_are_wrong_and_nothing_worse(database: Database, name: str) -> None:
    with pytest.raises(WrongPassword):
        sign_in(database, name)


def test_a_locked_person_learns_it_with_the_right_password_only(sqlite_database: Database) -> None:
    amara = add_user(sqlite_database)
    with sqlite_database.write() as tx:
        service.lock_user(tx, SYSTEM, service.get_user(tx, amara.guid), locked=True)
    fail(sqlite_database, 1)
    with pytest.raises(AccountLocked, match="Ask an administrator"):
        sign_in(sqlite_database)


def test_a_hash_of_other_settings_is_renewed_at_the_next_sign_in(sqlite_database: Database) -> None:
    """Else it would tell by its time that the account is there."""
    amara, old = add_user(sqlite_database), PasswordHasher(time_cost=3, memory_cost=1024, parallelism=4).hash(PASSWORD)
    with sqlite_database.write() as tx:
        service.get_user(tx, amara.guid).password_hash = old
    sign_in(sqlite_database)
    with sqlite_database.read() as tx:
        new = service.get_user(tx, amara.guid).password_hash
    assert new is not None and extract_parameters(new) == extract_parameters(hashed())
    assert PasswordHasher().verify(new, PASSWORD)
    sign_in(sqlite_database)
    with sqlite_database.read() as tx:
        assert service.get_user(tx, amara.guid).password_hash == new


def test_a_password_that_changes_while_it_is_checked_signs_nobody_in(
    sqlite_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    amara = add_user(sqlite_database)

    def change(password: str, hash_: str | None) -> bool:
        with sqlite_database.write() as tx:
            user = service.get_user(tx, amara.guid)
            service.reset_password(tx, SYSTEM, user, password="another-light-8", password_hash="new")
        return True

    monkeypatch.setattr(passwords, "matches", change)
    with pytest.raises(WrongPassword):
        sign_in(sqlite_database)


def test_no_transaction_is_open_while_a_password_is_checked(
    sqlite_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_user(sqlite_database)

    def matches(password: str, hash_: str | None) -> bool:
        with sqlite_database.write() as tx:  # on SQLite there is one writer at a time
            tx.get(User, 1)
        return True

    monkeypatch.setattr(passwords, "matches", matches)
    assert sign_in(sqlite_database).user.username == "amara.okoye"


def test_the_trail_tells_of_failures_without_saying_that_the_person_did_it(sqlite_database: Database) -> None:
    amara = add_user(sqlite_database)
    fail(sqlite_database, 1)
    sign_in(sqlite_database)
    with sqlite_database.read() as tx:
        failed, started = tx.scalars(select(Event).where(Event.name.startswith("identity:login:")).order_by(Event.id))
    assert (failed.actor_id, failed.actor_kind, failed.subject_id) == (None, "anonymous", amara.id)
    assert (started.actor_id, started.via.partition("/")[0]) == (amara.id, "login")


def test_people_see_and_end_their_own_logins(database: Database, frozen_clock: FrozenClock) -> None:
    amara = add_user(database)
    first, second = sign_in(database), (frozen_clock.advance(minutes=1), sign_in(database, user_agent="y" * 900))[1]
    me = principal(database, amara)
    with database.read() as tx:
        listed = service.logins(tx, me, amara)
    assert [entry.id for entry in listed] == [second.login.id, first.login.id]
    assert (listed[1].address, listed[1].user_agent, len(listed[0].user_agent)) == ("192.0.2.1", "curl/8", 400)
    for _ in range(2):
        with database.write() as tx:
            service.end_login(tx, me, tx.get_one(Login, first.login.id))
    assert who(database, first.cookie) is None and who(database, second.cookie) is not None
    with database.read() as tx:
        assert [entry.id for entry in service.logins(tx, me, amara)] == [second.login.id]
        assert tx.scalar(select(func.count()).where(Event.name == "identity:login:ended")) == 1
        with pytest.raises(LoginUnknown):
            service.get_login(tx, first.login.id)


def test_others_may_neither_see_nor_end_them(sqlite_database: Database) -> None:
    amara, henrik = add_user(sqlite_database), add_user(sqlite_database, "henrik.dahl", Role.PUBLISHER)
    found = sign_in(sqlite_database)
    job = Principal(amara.id, Role.VIEWER, key=1, bound_to=ResourceRef("content", 1))
    for actor, error in ((principal(sqlite_database, henrik), Denied), (job, Denied), (ANONYMOUS, NotAuthenticated)):
        with sqlite_database.write() as tx:
            with pytest.raises(error):
                service.logins(tx, actor, amara)
            with pytest.raises(error):
                service.end_login(tx, actor, tx.get_one(Login, found.login.id))


def test_the_cookie_name_tells_installations_on_one_host_apart() -> None:
    assert service.cookie_name("k3x9", https=False) == "ph_login_k3x9"
    assert service.cookie_name("k3x9", https=True) == "__Host-ph_login_k3x9"


def test_a_login_lives_as_long_as_the_setting_says(sqlite_database: Database, frozen_clock: FrozenClock) -> None:
    add_user(sqlite_database)
    rules = Rules(login_lifetime=timedelta(minutes=5))
    leave = service.attempt(sqlite_database, username="amara.okoye", address="", rules=rules)
    found = service.sign_in(sqlite_database, leave, password=PASSWORD, user_agent="", rules=rules)
    assert found.login.expires_at == frozen_clock() + timedelta(minutes=5)
    assert hashed() not in repr(found.cookie)
