"""Content with all that hangs on it: access lists, bundles, deployments, tags, paths, marks of trust."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from bench.company import words
from bench.company.size import (
    BUSY,
    LANGUAGES_LOCKED,
    LISTED,
    LISTED_LINES,
    PACKAGES_LOCKED,
    POPULAR,
    PUBLISHERS,
    Size,
)
from bench.company.tables import Table, guids
from pilothouse.content.models import (
    Access,
    Bundle,
    Content,
    ContentTag,
    Deployment,
    Endorsement,
    Favourite,
    Lock,
    Tag,
    Thumbnail,
    Vanity,
    Worker,
)
from pilothouse.tasks.models import Task

CATEGORIES, TOPICS, NARROWER = 4, 60, 180
TWO_YEARS_S = 730 * 86_400
TASKS_KEPT = timedelta(days=20)
MANIFEST = {"version": 1, "metadata": {"appmode": "python-shiny", "entrypoint": "app"}, "files": {}}


def tables(size: Size, today: datetime) -> Iterator[Table]:
    yield Table(Tag, ("id", "parent_id", "name"), _tags())
    yield Table(Lock, ("id", "requirements_digest", "library_key", "runtime_version", "document"), _locks())
    yield Table(Content, _CONTENT, _contents(size, today))
    yield Table(Bundle, _BUNDLE, _bundles(size))
    yield Table(Deployment, ("id", "content_id", "bundle_id", "actor_id", "activated_at"), _deployments(size, today))
    yield Table(Task, _TASK, _tasks(size, today))
    yield Table(Worker, ("id", "content_id", "bundle_id", "state", "reason"), _workers(size))
    yield Table(Access, ("id", "content_id", "user_id", "group_id", "share"), _access(size))
    yield Table(ContentTag, ("content_id", "tag_id"), _tagged(size))
    yield Table(
        Vanity, ("id", "content_id", "stage_id", "path"), ((n, n, 1, f"/team/item-{n}/") for n in _each(size, 30))
    )
    yield Table(
        Endorsement,
        ("content_id", "user_id", "words"),
        ((n, n % PUBLISHERS + 1, "Checked by us.") for n in _each(size, 50)),
    )
    yield Table(
        Favourite,
        ("user_id", "content_id"),
        ((user, n) for user in range(1, 101) for n in range(user % 50 + 1, 501, 50)),
    )
    yield Table(Thumbnail, ("content_id", "digest", "media_type", "image"), _thumbnails(size))


_CONTENT = (
    "id", "guid", "stage_id", "lineage_id", "owner_id", "name", "title", "description", "category", "access_type",
    "app_mode", "bundle_id", "py_version", "featured", "created_at", "last_deployed_at",
)  # fmt: skip
_BUNDLE = (
    "id", "content_id", "digest", "size_bytes", "archive_md5", "archive_sha1", "created_by_id", "manifest", "app_mode",
    "py_version", "library_key", "state",
)  # fmt: skip
_TASK = ("id", "key", "kind", "queue", "args", "state", "subject_kind", "subject_id", "error", "started_at", "ended_at")


def kind_of(number: int) -> str:
    return words.KINDS[number * 13 % len(words.KINDS)]


def owner_of(number: int) -> int:
    """A few people publish much, most publish little."""
    if number in (LISTED, POPULAR):
        return BUSY
    return BUSY + int((PUBLISHERS - BUSY) * (number * 7919 % 10_007 / 10_007) ** 2)


def deployed_at(number: int, today: datetime) -> datetime:
    return today - timedelta(seconds=number * 2_654_435_761 % TWO_YEARS_S)


def _each(size: Size, step: int) -> range:
    return range(step, size.items + 1, step)


def _is_deployed(number: int) -> bool:
    return number % 33 != 0


def _tags() -> Iterator[tuple[Any, ...]]:
    for n in range(1, CATEGORIES + 1):
        yield n, None, f"Category {n}"
    for n in range(1, TOPICS + 1):
        yield CATEGORIES + n, n % CATEGORIES + 1, f"{words.TOPICS[n % len(words.TOPICS)]} {n}"
    for n in range(1, NARROWER + 1):
        yield CATEGORIES + TOPICS + n, CATEGORIES + n % TOPICS + 1, f"{words.SUBJECTS[n % len(words.SUBJECTS)]} {n}"


def _locks() -> Iterator[tuple[Any, ...]]:
    chance = random.Random(5)
    for n in range(1, LANGUAGES_LOCKED + 1):
        artifacts = [
            {"name": f"{words.PACKAGES[k % len(words.PACKAGES)]}-{k}" if k >= len(words.PACKAGES) else words.PACKAGES[k],
             "version": f"{chance.randint(0, 3)}.{chance.randint(0, 40)}.{chance.randint(0, 9)}", "sha256": f"{n * 1000 + k:064x}"}
            for k in range(PACKAGES_LOCKED)
        ]  # fmt: skip
        yield n, f"{n:064x}", _library(n), "3.11.9", {"artifacts": artifacts}


def _library(number: int) -> str:
    return f"{number % LANGUAGES_LOCKED + 1:064x}"


def _contents(size: Size, today: datetime) -> Iterator[tuple[Any, ...]]:
    chance, guid = random.Random(6), guids(6)
    for n in range(1, size.items + 1):
        one, at = next(guid), deployed_at(n, today)
        subject, thing = chance.choice(words.SUBJECTS), chance.choice(words.THINGS)
        is_pin = n % 10 == 0
        open_to = "acl" if n in (LISTED, POPULAR) else chance.choices(("acl", "logged_in", "all"), (6, 3, 1))[0]
        yield (
            n, one, 1, one, owner_of(n), f"item-{n}", f"{subject} {thing} {n}",
            f"{subject} by site and week, for the {chance.choice(words.DEPARTMENTS).lower()} meeting.",
            "pin" if is_pin else "", open_to, "static" if is_pin else kind_of(n), n if _is_deployed(n) else None,
            f"3.{9 + n % 5}.1", n % 997 == 0, at - timedelta(days=n % 90), at,
        )  # fmt: skip


def _bundles(size: Size) -> Iterator[tuple[Any, ...]]:
    for n in range(1, size.items + 1):
        digest = hashlib.sha256(str(n).encode()).hexdigest()
        yield (
            n, n, digest, 20_000 + n, digest[:32], digest[:40], owner_of(n), MANIFEST, kind_of(n), "3.11.9", _library(n), "ready",
        )  # fmt: skip


def _deployments(size: Size, today: datetime) -> Iterator[tuple[Any, ...]]:
    """In the order in which they were: that is how their ids grow."""
    moments = sorted((deployed_at(n, today), n) for n in range(1, size.items + 1) if _is_deployed(n))
    for number, (at, n) in enumerate(moments, 1):
        yield number, n, n, owner_of(n), at


def _tasks(size: Size, today: datetime) -> Iterator[tuple[Any, ...]]:
    """Of the last month: older ones are cleared away."""
    moments = sorted((deployed_at(n, today), n) for n in range(1, size.items + 1))
    lately = [(at, n) for at, n in moments if at > today - TASKS_KEPT]
    for number, (at, n) in enumerate(lately, 1):
        state = "done" if _is_deployed(n) else "failed"
        error = "" if state == "done" else "The build failed."
        args: dict[str, Any] = {"content_id": n, "bundle_id": n, "activate": True}
        yield number, f"bench{number:011}", "content.deploy", "builds", args, state, "content", n, error, at, at


def _workers(size: Size) -> Iterator[tuple[Any, ...]]:
    """Only of such as are over: live ones would be looked after."""
    for n in _each(size, 5):
        yield n, n, n, "failed" if n % 200 == 0 else "ended", ""


def _access(size: Size) -> Iterator[tuple[Any, ...]]:
    chance, number = random.Random(7), 0
    for n in range(1, size.items + 1):
        groups, users = set[int](), set[int]()
        for _ in range(LISTED_LINES if n == LISTED else chance.randint(1, 4)):
            if chance.random() < 0.6:
                groups.add(chance.randint(1, size.groups))
            else:
                users.add(chance.randint(BUSY + 1, size.users))
        for user in sorted(users - {owner_of(n)}):
            number += 1
            yield number, n, user, None, "editor" if chance.random() < 0.1 else "viewer"
        for group in sorted(groups):
            number += 1
            yield number, n, None, group, "viewer"


def _tagged(size: Size) -> Iterator[tuple[Any, ...]]:
    """With a tag go those above it, but not the category."""
    for n in range(1, size.items + 1):
        narrow = n * 31 % NARROWER + 1
        yield n, CATEGORIES + TOPICS + narrow
        yield n, CATEGORIES + narrow % TOPICS + 1


def _thumbnails(size: Size) -> Iterator[tuple[Any, ...]]:
    for n in _each(size, 50):
        yield n, f"{n:064x}", "image/png", b"\x89PNG\r\n\x1a\n" + bytes(8_000)
