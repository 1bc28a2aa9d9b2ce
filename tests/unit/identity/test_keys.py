"""API keys, keys of jobs, and the first key of all."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import OctKey
from sqlalchemy import func, select
from tests.factories.identity import add_key, add_user, principal

from pilothouse.audit.models import Event
from pilothouse.base.access import ANONYMOUS, SYSTEM, Principal, ResourceRef, Role
from pilothouse.base.errors import Denied, NotAuthenticated
from pilothouse.db import Database, Tx
from pilothouse.identity import service
from pilothouse.identity.contract import AlreadyBootstrapped, Bound, InvalidKey, KeyUnknown, Rules
from pilothouse.identity.models import ApiKey, User
from pilothouse.identity.service.keys import KeyNameInvalid
from pilothouse.testing.clock import FrozenClock

APP = ResourceRef("content", 12)
SECRET = b"s" * 32
CLAIMS = {"iss": "rsconnect-python", "aud": "rsconnect", "scope": "bootstrap"}


def who(database: Database, plain: str) -> Principal:
    with database.read() as tx:
        return service.principal_of_key(tx, plain)


def test_a_key_acts_as_its_owner(database: Database) -> None:
    amara = add_user(database, role=Role.PUBLISHER)
    plain = add_key(database, amara)
    me = who(database, plain)
    assert plain.startswith("ph_") and len(plain) == 3 + 43
    assert (me.id, me.role, me.login, me.bound_to) == (amara.id, Role.PUBLISHER, None, None)
    with database.read() as tx:
        row = tx.get_one(ApiKey, me.key)
    assert (row.digest, row.prefix) == (hashlib.sha256(plain.encode()).hexdigest(), plain[:8])
    assert plain not in str(vars(row))


@pytest.mark.parametrize("plain", ["", "ph_", "ph_x", "bogus", "ä", "x" * 10_000])
def test_a_key_that_nobody_made_is_refused(database: Database, plain: str) -> None:
    with pytest.raises(InvalidKey):
        who(database, plain)


def test_an_expired_key_is_refused_and_not_listed(sqlite_database: Database, frozen_clock: FrozenClock) -> None:
    amara = add_user(sqlite_database)
    plain = add_key(sqlite_database, amara, rules=Rules(key_lifetime=timedelta(days=30)))
    frozen_clock.advance(days=29)
    assert who(sqlite_database, plain)
    frozen_clock.advance(days=1)
    with pytest.raises(InvalidKey, match="expired"):
        who(sqlite_database, plain)
    with sqlite_database.read() as tx:
        assert service.keys(tx, SYSTEM, amara) == []


def test_a_revoked_key_is_refused_at_once_and_unknown(database: Database) -> None:
    amara = add_user(database)
    plain = add_key(database, amara)
    me = principal(database, amara)
    key = who(database, plain).key
    assert key is not None
    for _ in range(2):
        with database.write() as tx:
            service.revoke_key(tx, me, tx.get_one(ApiKey, key))
    with pytest.raises(InvalidKey):
        who(database, plain)
    with database.read() as tx:
        assert service.keys(tx, me, amara) == []
        assert tx.scalar(select(func.count()).where(Event.name == "identity:key:revoked")) == 1
        with pytest.raises(KeyUnknown):
            service.get_key(tx, amara, key)


def test_the_key_of_another_person_is_unknown(sqlite_database: Database) -> None:
    amara, henrik = add_user(sqlite_database), add_user(sqlite_database, "henrik.dahl")
    key = who(sqlite_database, add_key(sqlite_database, amara)).key
    assert key is not None
    with sqlite_database.read() as tx, pytest.raises(KeyUnknown):
        service.get_key(tx, henrik, key)


Verb = Callable[[Tx, Principal, User], object]
VERBS: dict[str, Verb] = {
    "create": lambda tx, actor, user: service.create_key(tx, actor, user, name="mine now"),
    "list": service.keys,
    "revoke": lambda tx, actor, user: service.revoke_key(tx, actor, tx.scalars(select(ApiKey)).one()),
}


@pytest.mark.parametrize("verb", VERBS.values(), ids=list(VERBS))
def test_keys_of_others_are_nobodys_business(sqlite_database: Database, verb: Verb) -> None:
    amara, henrik = add_user(sqlite_database), add_user(sqlite_database, "henrik.dahl", Role.PUBLISHER)
    add_key(sqlite_database, amara)
    job = Principal(amara.id, Role.VIEWER, key=1, bound_to=APP)
    for actor, error in ((principal(sqlite_database, henrik), Denied), (job, Denied), (ANONYMOUS, NotAuthenticated)):
        with pytest.raises(error), sqlite_database.write() as tx:
            verb(tx, actor, amara)


@pytest.mark.parametrize("name", ["", " ", "a\nb", "a\x00", "\ud800", "x" * 256])
def test_a_key_needs_a_name(database: Database, name: str) -> None:
    with pytest.raises(KeyNameInvalid):
        add_key(database, add_user(database), name=name)


@pytest.mark.parametrize(
    ("own", "cap", "expected"),
    [
        (Role.ADMINISTRATOR, Role.PUBLISHER, Role.PUBLISHER),
        (Role.VIEWER, Role.PUBLISHER, Role.VIEWER),
        (Role.ADMINISTRATOR, None, Role.ADMINISTRATOR),
    ],
)
def test_a_cap_lowers_and_never_raises(sqlite_database: Database, own: Role, cap: Role | None, expected: Role) -> None:
    user = add_user(sqlite_database, role=own)
    assert who(sqlite_database, add_key(sqlite_database, user, role_cap=cap)).role is expected


def test_a_key_follows_the_role_of_its_owner(database: Database) -> None:
    user = add_user(database, role=Role.PUBLISHER)
    plain = add_key(database, user)
    with database.write() as tx:
        service.set_role(tx, SYSTEM, service.get_user(tx, user.guid), role=Role.VIEWER)
    assert who(database, plain).role is Role.VIEWER


def test_who_acts_with_a_capped_key_makes_no_better_one(sqlite_database: Database) -> None:
    admin = add_user(sqlite_database, role=Role.ADMINISTRATOR)
    capped = who(sqlite_database, add_key(sqlite_database, admin, role_cap=Role.VIEWER))
    with sqlite_database.write() as tx:
        made = service.create_key(tx, capped, admin, name="better?", role_cap=Role.PUBLISHER)
    assert who(sqlite_database, made.plain).role is Role.VIEWER


def test_the_key_of_a_job_knows_its_content_and_stage_and_dies_with_it(database: Database) -> None:
    owner = add_user(database, role=Role.ADMINISTRATOR)
    plain = add_key(database, owner, role_cap=Role.PUBLISHER, bound=Bound(APP, job_id=7, stage_id=2))
    other = add_key(database, owner, bound=Bound(APP, job_id=8, stage_id=2))
    job = who(database, plain)
    assert (job.role, job.bound_to, job.stage_id) == (Role.PUBLISHER, APP, 2)
    with database.read() as tx:
        assert service.keys(tx, SYSTEM, owner) == []
    with database.write() as tx:
        service.revoke_job_keys(tx, 7)
    with pytest.raises(InvalidKey):
        who(database, plain)
    assert who(database, other)


def test_a_new_key_is_not_printed_by_accident(sqlite_database: Database) -> None:
    amara = add_user(sqlite_database)
    with sqlite_database.write() as tx:
        made = service.create_key(tx, SYSTEM, amara, name="laptop")
    assert made.plain not in repr(made)


def token(secret: bytes = SECRET, algorithm: str = "HS256", **claims: Any) -> str:
    chosen = {k: v for k, v in (CLAIMS | claims).items() if v is not None}
    return jwt.encode({"alg": algorithm}, chosen, OctKey.import_key(secret), algorithms=[algorithm])


def test_whoever_holds_the_secret_makes_the_first_administrator_once(
    database: Database, frozen_clock: FrozenClock
) -> None:
    good = token(exp=int(frozen_clock().timestamp()) + 900)
    with database.write() as tx:
        made = service.bootstrap(tx, token=good, secret=SECRET)
    first = who(database, made.plain)
    assert (first.username, first.role) == ("admin", Role.ADMINISTRATOR)
    with pytest.raises(AlreadyBootstrapped, match="Users exist already"), database.write() as tx:
        service.bootstrap(tx, token=good, secret=SECRET)
    with database.read() as tx:
        names = set(tx.scalars(select(Event.name)))
    assert {"identity:user:created", "identity:user:bootstrapped", "identity:key:created"} == names


BAD: dict[str, Callable[[int], str]] = {
    "another secret": lambda now: token(b"t" * 32, exp=now + 900),
    "expired": lambda now: token(exp=now - 1),
    "without end": lambda now: token(),
    "an end that is no time": lambda now: token(exp="never"),
    "another issuer": lambda now: token(exp=now + 900, iss="somebody"),
    "another audience": lambda now: token(exp=now + 900, aud="somebody"),
    "another scope": lambda now: token(exp=now + 900, scope="read"),
    "no scope": lambda now: token(exp=now + 900, scope=None),
    "another algorithm": lambda now: token(algorithm="HS512", exp=now + 900),
    "no algorithm": lambda now: "eyJhbGciOiJub25lIn0." + token(exp=now + 900).split(".")[1] + ".",
    "nothing": lambda now: "",
    "no token": lambda now: "a.b.c",
    "no ASCII": lambda now: "é.ü.ö",
}


@pytest.mark.parametrize("bad", BAD.values(), ids=list(BAD))
def test_any_other_token_makes_nothing(
    sqlite_database: Database, frozen_clock: FrozenClock, bad: Callable[[int], str]
) -> None:
    with pytest.raises(InvalidKey, match="bootstrap token"), sqlite_database.write() as tx:
        service.bootstrap(tx, token=bad(int(frozen_clock().timestamp())), secret=SECRET)
    with sqlite_database.read() as tx:
        assert tx.scalar(select(func.count(User.id))) == 0
