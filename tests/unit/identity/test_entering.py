"""One-time codes: good once, on one host name, for one browser, for as long as the login that they come from."""

from __future__ import annotations

import hashlib

import pytest
from sqlalchemy import func, select
from tests.factories.identity import add_user, principal, sign_in

from pilothouse.audit.models import Event
from pilothouse.base.access import ANONYMOUS, Principal, Role
from pilothouse.base.errors import NotAuthenticated
from pilothouse.db import Database
from pilothouse.identity import service
from pilothouse.identity.models import Login, LoginCode, User
from pilothouse.identity.service import CODE_LIFE, CodeInvalid, SignedIn, passwords
from pilothouse.testing.clock import FrozenClock

HOST, SECRET = "content.example.com", "browser's secret"
CHALLENGE = hashlib.sha256(SECRET.encode()).hexdigest()


@pytest.fixture(autouse=True)
def quick_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "matches", lambda password, hash_: bool(hash_))


@pytest.fixture
def first(database: Database) -> SignedIn:
    add_user(database)
    return sign_in(database)


def who(database: Database, cookie: str, host: str) -> Principal | None:
    with database.read() as tx:
        return service.principal_of_cookie(tx, cookie, host=host)


def code(database: Database, found: SignedIn, *, host: str = HOST, challenge: str = CHALLENGE) -> str:
    me = who(database, found.cookie, "dash.example.com")
    assert me is not None
    with database.write() as tx:
        return service.issue_code(tx, me, host=host, challenge=challenge)


def enter(database: Database, text: str, *, host: str = HOST, secrets: tuple[str, ...] = (SECRET,)) -> SignedIn:
    return service.enter(
        database, code=text, host=host, secrets=list(secrets), address="10.0.0.7", user_agent="Firefox"
    )


def test_a_code_begins_a_login_of_the_same_person_on_that_host_name_only(database: Database, first: SignedIn) -> None:
    entered = enter(database, code(database, first))
    there, elsewhere = who(database, entered.cookie, HOST), who(database, entered.cookie, "dash.example.com")
    assert there is not None and there.id == first.user.id and there.login == entered.login.id != first.login.id
    assert elsewhere is None, "not wider than the name it was entered on"
    assert entered.login.expires_at == first.login.expires_at
    with database.read() as tx:
        assert tx.scalar(select(func.count()).where(Event.name == "identity:login:entered")) == 1
        assert tx.scalar(select(func.count()).select_from(LoginCode)) == 0


def test_a_code_is_good_once(database: Database, first: SignedIn) -> None:
    text = code(database, first)
    enter(database, text)
    with pytest.raises(CodeInvalid):
        enter(database, text)


@pytest.mark.parametrize("wrong", [{"host": "other.example.com"}, {"secrets": ()}, {"secrets": ("another browser's",)}])
def test_another_host_name_or_browser_gets_nothing_and_uses_the_code_up(
    database: Database, first: SignedIn, wrong: dict[str, object]
) -> None:
    text = code(database, first)
    with pytest.raises(CodeInvalid):
        enter(database, text, **wrong)  # type: ignore[arg-type]
    with pytest.raises(CodeInvalid):
        enter(database, text)


@pytest.mark.parametrize("text", ["", "x", "é", "a" * 5000])
def test_a_code_that_was_never_issued_is_refused(sqlite_database: Database, text: str) -> None:
    with pytest.raises(CodeInvalid):
        enter(sqlite_database, text)


def test_an_old_code_is_refused_and_swept_with_the_next_one(
    database: Database, first: SignedIn, frozen_clock: FrozenClock
) -> None:
    text, left = code(database, first), code(database, first)
    frozen_clock.advance(seconds=CODE_LIFE.total_seconds())
    with pytest.raises(CodeInvalid):
        enter(database, text)
    code(database, first)
    with database.read() as tx:
        assert tx.scalar(select(func.count()).select_from(LoginCode)) == 1
    assert left


def test_no_code_without_a_living_login_of_ones_own(database: Database, first: SignedIn) -> None:
    entered = enter(database, code(database, first))
    on_the_other_host = who(database, entered.cookie, HOST)
    assert on_the_other_host is not None
    robot = Principal(first.user.id, Role.PUBLISHER, "robot", key=3)
    for actor in (ANONYMOUS, robot, on_the_other_host):
        with pytest.raises(NotAuthenticated), database.write() as tx:
            service.issue_code(tx, actor, host=HOST, challenge=CHALLENGE)


def test_a_login_that_ended_meanwhile_lets_nobody_in(database: Database, first: SignedIn) -> None:
    text = code(database, first)
    actor = principal(database, first.user)
    with database.write() as tx:
        service.end_login(tx, actor, service.get_login(tx, first.login.id))
    with pytest.raises(CodeInvalid):
        enter(database, text)


@pytest.mark.parametrize("from_where", ["dashboard", "other host"])
def test_signing_out_anywhere_is_signing_out_everywhere(database: Database, first: SignedIn, from_where: str) -> None:
    entered = [enter(database, code(database, first)) for _ in range(2)]
    actor = principal(database, first.user)
    with database.write() as tx:
        login = first.login.id if from_where == "dashboard" else entered[0].login.id
        service.end_login(tx, actor, service.get_login(tx, login))
    assert who(database, first.cookie, "dash.example.com") is None
    assert [who(database, one.cookie, HOST) for one in entered] == [None, None]
    with database.read() as tx:
        assert tx.scalar(select(func.count()).where(Event.name == "identity:login:ended")) == 1, "it is one sign-in"


def test_a_new_password_and_a_lock_end_entered_logins_too(database: Database, first: SignedIn) -> None:
    entered = enter(database, code(database, first))
    actor = principal(database, first.user)
    with database.write() as tx:
        me = tx.get(User, first.user.id)
        assert me is not None
        service.reset_password(tx, actor, me, password="harbour-light-8", password_hash="x")
    assert who(database, entered.cookie, HOST) is None


def test_the_list_of_logins_shows_sign_ins_only(database: Database, first: SignedIn) -> None:
    enter(database, code(database, first))
    actor = principal(database, first.user)
    with database.read() as tx:
        found = service.logins(tx, actor, tx.get(User, first.user.id))  # type: ignore[arg-type]
        assert [login.id for login in found] == [first.login.id]
        assert tx.scalar(select(func.count()).select_from(Login)) == 2


def test_an_erased_person_leaves_no_entered_login(database: Database, first: SignedIn) -> None:
    enter(database, code(database, first))
    code(database, first)
    chief = principal(database, add_user(database, "chief", Role.ADMINISTRATOR))
    with database.write() as tx:
        service.erase_user(tx, chief, tx.get(User, first.user.id))  # type: ignore[arg-type]
    with database.read() as tx:
        assert tx.scalar(select(func.count()).select_from(Login)) == 0
        assert tx.scalar(select(func.count()).select_from(LoginCode)) == 0
