"""Users, groups in groups, who is in which, and their sign-ins: rows for tables, the same each time."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from bench.company import words
from bench.company.size import ADMINISTRATOR, BUSY, BUSY_GROUPS, DEPARTMENTS, DIVISIONS, PASSWORD, PUBLISHERS, Size
from bench.company.tables import Table, guids
from pilothouse.identity.models import ApiKey, Group, Login, Membership, Nesting, User
from pilothouse.identity.service.passwords import hash_password


def username(number: int) -> str:
    """Of the user with this id."""
    first, last = words.FIRST[number % len(words.FIRST)], words.LAST[number * 7 % len(words.LAST)]
    return f"{first}.{last}.{number}".lower()


def tables(size: Size, today: datetime) -> Iterator[Table]:
    teams = range(DIVISIONS + DEPARTMENTS + 1, size.groups + 1)
    yield Table(User, _USER, _users(size, today))
    yield Table(Group, ("id", "guid", "name", "owner_id"), _groups(size))
    yield Table(Nesting, ("id", "outer_id", "inner_id"), _nestings(size))
    yield Table(Membership, ("id", "group_id", "user_id"), _memberships(size, teams))
    yield Table(Login, _LOGIN, _logins(size, today))
    yield Table(ApiKey, ("id", "user_id", "name", "prefix", "digest"), _keys())


_USER = (
    "id", "guid", "username", "email", "first_name", "last_name", "role", "password_hash", "department", "site", "title",
    "active_at",
)  # fmt: skip
_LOGIN = ("id", "secret_digest", "user_id", "address", "user_agent", "created_at", "expires_at")


def _users(size: Size, today: datetime) -> Iterator[tuple[Any, ...]]:
    """All have the same password: hashing it takes as long for each, and is slow on purpose."""
    chance, guid, hashed = random.Random(1), guids(1), hash_password(PASSWORD)
    for number in range(1, size.users + 1):
        first, last = words.FIRST[number % len(words.FIRST)], words.LAST[number * 7 % len(words.LAST)]
        role = "administrator" if number == ADMINISTRATOR else "publisher" if number <= PUBLISHERS else "viewer"
        seen = today - timedelta(seconds=chance.randrange(400 * 86_400)) if chance.random() < 0.9 else None
        yield (
            number, next(guid), username(number), f"{username(number)}@company.example", first, last, role, hashed,
            chance.choice(words.DEPARTMENTS), chance.choice(words.SITES), chance.choice(words.TITLES), seen,
        )  # fmt: skip


def _groups(size: Size) -> Iterator[tuple[Any, ...]]:
    guid = guids(2)
    for number in range(1, size.groups + 1):
        level = "Division" if number <= DIVISIONS else "Department" if number <= DIVISIONS + DEPARTMENTS else "Team"
        word = words.DEPARTMENTS[number % len(words.DEPARTMENTS)]
        yield number, next(guid), f"{word} {level.lower()} {number}", ADMINISTRATOR


def _nestings(size: Size) -> Iterator[tuple[Any, ...]]:
    for number in range(DIVISIONS + 1, size.groups + 1):
        is_department = number <= DIVISIONS + DEPARTMENTS
        outer = number % DIVISIONS + 1 if is_department else DIVISIONS + 1 + number % DEPARTMENTS
        yield number, outer, number


def _memberships(size: Size, teams: range) -> Iterator[tuple[Any, ...]]:
    chance, number = random.Random(3), 0
    for user in range(1, size.users + 1):
        if user == BUSY:
            joined = set(chance.sample(teams, BUSY_GROUPS))
        else:
            joined = {chance.choice(teams) for _ in range(1 + (chance.random() < 0.3))}
            if chance.random() < 0.2:
                joined.add(chance.randint(DIVISIONS + 1, DIVISIONS + DEPARTMENTS))
        for group in sorted(joined):
            number += 1
            yield number, group, user


def _logins(size: Size, today: datetime) -> Iterator[tuple[Any, ...]]:
    chance = random.Random(4)
    for user in range(1, size.users + 1):
        made = today - timedelta(seconds=chance.randrange(60 * 86_400))
        address = f"10.{user >> 16}.{user >> 8 & 255}.{user & 255}"
        yield f"bench{user:011}", "0" * 64, user, address, words.AGENTS[user % 2], made, made + timedelta(days=30)


def _keys() -> Iterator[tuple[Any, ...]]:
    for user in range(1, PUBLISHERS + 1):
        yield user, user, "laptop", "bench", f"{user:064x}"
