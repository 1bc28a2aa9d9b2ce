"""What is asked: the first page of every list, as people of all kinds see it. A subject is a name and the addresses it draws from."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import quote

from bench.company import words
from bench.company.kept import today
from bench.company.people import username
from bench.company.size import ADMINISTRATOR, BUSY, PUBLISHERS

#: Readers of all kinds by their ids: publishers, viewers, and whoever is in 300 groups.
READERS = (BUSY, *range(10, PUBLISHERS, 400), *range(PUBLISHERS + 10, 80_000, 8_000))
GOAL_MS = 50.0


@dataclass(frozen=True)
class Known:
    """What addresses need to name: guids of the item with the long access list, of the most used one, and of some people."""

    listed: str
    popular: str
    people: Sequence[str]


@dataclass(frozen=True)
class Subject:
    """``address`` makes another path each time; ``readers`` take turns. Without a ``goal_ms`` it is told and not judged."""

    what: str
    address: Callable[[random.Random, Known], str]
    readers: Sequence[int] = READERS
    goal_ms: float | None = GOAL_MS
    grows: bool = False


OPERATOR, OWNER = (ADMINISTRATOR,), (BUSY,)


def _always(path: str) -> Callable[[random.Random, Known], str]:
    return lambda chance, known: path


def _word(path: str, *choices: Sequence[str]) -> Callable[[random.Random, Known], str]:
    return lambda chance, known: path + "+".join(quote(chance.choice(each)) for each in choices)


def _month(chance: random.Random, known: Known) -> str:
    begin = today() - timedelta(days=chance.randint(31, 89))
    return f"from={begin:%Y-%m-%dT%H:%M:%SZ}&to={begin + timedelta(days=30):%Y-%m-%dT%H:%M:%SZ}"


SUBJECTS = (
    Subject("home", _always("/"), grows=True),
    Subject("content gallery", _always("/_/content"), grows=True),
    Subject("content gallery of an administrator", _always("/_/content"), OPERATOR, grows=True),
    Subject("… by kind", _word("/_/content?kind=", words.KINDS), grows=True),
    Subject("… by owner", lambda chance, _: f"/_/content?owner={username(chance.randint(2, 200))}"),
    Subject("… by department", _word("/_/content?department=", words.DEPARTMENTS), grows=True),
    Subject("… by tag", lambda chance, _: f"/_/content?tag={quote(f'{words.TOPICS[chance.randint(1, 15) % len(words.TOPICS)]} {chance.randint(1, 15)}')}"),
    Subject("… searched, two words", _word("/_/content?q=", words.SUBJECTS, words.THINGS), grows=True),
    Subject("search over all", _word("/_/search?q=", words.SUBJECTS), grows=True),
    Subject("command palette, typed", _word("/_/palette?q=", words.SUBJECTS)),
    Subject("data shelf", _always("/_/data"), grows=True),
    Subject("activity", _always("/_/activity"), grows=True),
    Subject("an item's access page, 300 names", lambda _, known: f"/_/content/{known.listed}/access", OWNER),
    Subject("an item's usage page, 50,000 requests", lambda _, known: f"/_/content/{known.popular}/usage", OWNER),
    Subject("people", _always("/_/people")),
    Subject("… searched", _word("/_/people?q=", words.LAST)),
    Subject("a person", lambda chance, known: f"/_/people/{chance.choice(known.people)}"),
    Subject("administration: overview", _always("/_/admin"), OPERATOR),
    Subject("administration: users", _always("/_/admin/users"), OPERATOR),
    Subject("… by the beginning of a name", _word("/_/admin/users?prefix=", words.FIRST), OPERATOR),
    Subject("administration: groups", _always("/_/admin/groups"), OPERATOR),
    Subject("… by the beginning of a name", _word("/_/admin/groups?prefix=", words.DEPARTMENTS), OPERATOR),
    Subject("administration: use of content", _always("/_/admin/content"), OPERATOR),
    Subject("administration: audit trail", _always("/_/admin/audit"), OPERATOR, grows=True),
    Subject("… of one person", lambda chance, _: f"/_/admin/audit?who={username(chance.randint(2, PUBLISHERS))}", OPERATOR),
    Subject("… of one item", lambda chance, _: f"/_/admin/audit?about=content/{chance.randint(1, 1000)}", OPERATOR),
    Subject("… of one kind of event, in one month", lambda chance, _: f"/_/admin/audit?event=identity:group&since={today() - timedelta(days=60 + chance.randint(0, 200)):%Y-%m-%d}", OPERATOR),
    Subject("/v1/content?name=", lambda chance, _: f"/__api__/v1/content?name=item-{chance.randint(1, 1000)}"),
    Subject("/v1/search/content", _word("/__api__/v1/search/content?page_size=50&q=", words.SUBJECTS), grows=True),
    Subject("/v1/content/{guid}/permissions, 300 lines", lambda _, known: f"/__api__/v1/content/{known.listed}/permissions", OWNER),
    Subject("/v1/users, first 100", _always("/__api__/v1/users?page_size=100")),
    Subject("/v1/users?prefix=", _word("/__api__/v1/users?page_size=100&prefix=", words.LAST)),
    Subject("/v1/groups, first 100", _always("/__api__/v1/groups?page_size=100")),
    Subject("/v1/instrumentation/content/visits, 100 of all", _always("/__api__/v1/instrumentation/content/visits?limit=100"), OPERATOR, grows=True),
    Subject("… of a month", lambda chance, known: f"/__api__/v1/instrumentation/content/visits?limit=100&{_month(chance, known)}", OPERATOR, grows=True),
    Subject("… of what a publisher owns", _always("/__api__/v1/instrumentation/content/visits?limit=100"), tuple(r for r in READERS if r <= PUBLISHERS)),
    Subject("/v1/instrumentation/shiny/usage, 100 of all", _always("/__api__/v1/instrumentation/shiny/usage?limit=100"), OPERATOR),
    Subject("/v1/audit_logs, newest 100", _always("/__api__/v1/audit_logs?limit=100&ascOrder=false"), OPERATOR),
    Subject("/v1/packages, 100 of all", _always("/__api__/v1/packages?page_size=100"), OPERATOR, grows=True),
    Subject("/v1/packages?name=", _word("/__api__/v1/packages?page_size=100&name=", words.PACKAGES), OPERATOR),
)  # fmt: skip
