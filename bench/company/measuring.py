"""The measurements: every subject on both databases, the whole list at once, sign-ins by the thousand, growth."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.company.asking import Asker
from bench.company.kept import postgres, postgres_of, sqlite_of
from bench.company.people import username
from bench.company.serving import Server, served
from bench.company.size import ADMINISTRATOR, BUSY, LISTED, POPULAR, Size
from bench.company.subjects import READERS, SUBJECTS, Known, Subject
from bench.rows import Row, percentile
from pilothouse.testing.postgres import PostgresMissing, PostgresServer

ROUNDS, ASKED, WARM = 3, 60, 5
SQLITE, POSTGRES = "SQLite", "PostgreSQL"


@dataclass(frozen=True)
class Company:
    """A company that is served: its server, cookies of the readers by their ids, and what addresses name."""

    database: str
    size: Size
    server: Server
    asker: Asker
    cookies: dict[int, str]
    known: Known


@dataclass(frozen=True)
class Taken:
    """Milliseconds; of several rounds the one with the lowest 99th percentile."""

    p50: float
    p99: float

    def __str__(self) -> str:
        return f"{self.p50:.1f}, {self.p99:.1f}"


def page_rows(found: Sequence[Company]) -> Iterator[Row]:
    """For each database: p50 and p99 in milliseconds."""
    for subject in SUBJECTS:
        yield row_of(subject, {company.database: taken(company, subject) for company in found})


@contextmanager
def companies(size: Size) -> Iterator[list[Company]]:
    """The same company on each database that there is."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ph-bench-", dir="/tmp")))
        found = [
            stack.enter_context(
                company_on(SQLITE, size, folder / "s", sqlite_of(size, _made(folder / "s") / "db.sqlite"))
            )
        ]
        if server := _postgres(stack):
            url = stack.enter_context(postgres_of(server, size))
            found.append(stack.enter_context(company_on(POSTGRES, size, _made(folder / "p"), url)))
        yield found


@contextmanager
def company_on(database: str, size: Size, home: Path, url: str) -> Iterator[Company]:
    with served(home, url) as server:
        asker = server.asker()
        cookies = {n: _signed_in(asker, n) for n in dict.fromkeys((ADMINISTRATOR, BUSY, *READERS))}
        yield Company(database, size, server, asker, cookies, _known(asker, cookies))
        asker.close()


def taken(company: Company, subject: Subject, *, rounds: int = ROUNDS) -> Taken:
    """The same addresses and readers in each round, and for each database."""
    return min((_round(company, subject) for _ in range(rounds)), key=lambda one: one.p99)


def row_of(subject: Subject, found: dict[str, Taken]) -> Row:
    goal = subject.goal_ms
    return Row(
        subject.what,
        " · ".join(f"{database} {one}" for database, one in found.items()),
        f"p99 {goal:g} ms" if goal else "",
        all(one.p99 <= goal for one in found.values()) if goal else None,
    )


def _round(company: Company, subject: Subject) -> Taken:
    chance, times = random.Random(10), list[float]()
    for number in range(-WARM, ASKED):
        path = subject.address(chance, company.known)
        answer = company.asker.get(path, company.cookies[subject.readers[number % len(subject.readers)]])
        assert answer.status == 200, (path, answer.status, answer.body[:500])
        if number >= 0:
            times.append(answer.took_ms)
    return Taken(percentile(times, 0.5), percentile(times, 0.99))


def _signed_in(asker: Asker, number: int) -> str:
    answer = asker.sign_in(username(number), f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}")
    assert answer.status == 303, (answer.status, answer.body[:500])
    return answer.cookie


def _known(asker: Asker, cookies: dict[int, str]) -> Known:
    def guid(item: int) -> str:
        found: Any = asker.json(f"/__api__/v1/content?name=item-{item}", cookies[BUSY])
        return str(found[0]["guid"])

    people: Any = asker.json("/__api__/v1/users?page_size=50", cookies[ADMINISTRATOR])
    return Known(guid(LISTED), guid(POPULAR), [one["guid"] for one in people["results"]])


def _postgres(stack: ExitStack) -> PostgresServer | None:
    try:
        return stack.enter_context(postgres())
    except PostgresMissing as missing:
        print(f"not measured on PostgreSQL: {missing}")
        return None


def _made(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    return folder
