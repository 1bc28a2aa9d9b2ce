"""The content list: 50 of 100,000 items with the access filter, a random reader each time (no people and lists are cached)."""

from __future__ import annotations

import random
import tempfile
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

from sqlalchemy import insert

from bench.rows import Row, percentile
from pilothouse.base import clock
from pilothouse.base.ids import new_guid
from pilothouse.content.models import Access, Content
from pilothouse.content.service import list_content
from pilothouse.db import Database, Watch
from pilothouse.db.schema import migrate
from pilothouse.identity.models import Group, Membership, User
from pilothouse.identity.service import principal_of_user
from pilothouse.settings import Settings
from pilothouse.stages import Stages, sync
from pilothouse.testing.postgres import PostgresMissing, PostgresServer

ITEMS, PEOPLE, GROUPS, LINES, ASKED = 100_000, 1_000, 100, 300_000, 300


def rows() -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as folder:
        yield measured(Database(f"sqlite:///{Path(folder) / 'list.sqlite'}"), "SQLite")
    try:
        server = PostgresServer()
    except PostgresMissing as missing:
        yield Row("content list on PostgreSQL", f"not measured: {missing}")
        return
    try:
        server.start()
        yield measured(Database(server.url()), "PostgreSQL")
    finally:
        server.remove()


def measured(database: Database, name: str) -> Row:
    migrate(database)
    fill(database)
    stage = Stages(database, Watch(database)).all()[0]
    chance, took = random.Random(7), []
    for _ in range(ASKED):
        with database.read() as tx:
            user = tx.get(User, chance.randint(1, PEOPLE))
            assert user is not None
            principal = principal_of_user(tx, user)
        began = time.perf_counter()
        with database.read() as tx:
            found = list_content(tx, principal, stage, limit=50)
        took.append((time.perf_counter() - began) * 1000)
        assert found
    p50, p99 = percentile(took, 0.5), percentile(took, 0.99)
    database.close()
    return Row(
        f"content list, 50 of 100,000, access filter, {name}",
        f"p50 {p50:.1f}, p99 {p99:.1f} ms",
        "p99 30 ms",
        p99 <= 30,
    )


def fill(database: Database) -> None:
    chance, now = random.Random(1), clock.now()
    with database.write() as tx:
        sync(tx, Settings().stages)
    with database.write() as tx:
        tx.execute(
            insert(User),
            [{"id": n, "guid": new_guid(), "username": f"user{n}", "role": "publisher"} for n in range(1, PEOPLE + 1)],
        )
        tx.execute(insert(Group), [{"id": n, "guid": new_guid(), "name": f"group{n}"} for n in range(1, GROUPS + 1)])
        half = GROUPS // 2
        joined = [
            {"group_id": chance.randint(1, half) + half * k, "user_id": n} for n in range(1, PEOPLE + 1) for k in (0, 1)
        ]
        tx.execute(insert(Membership), joined)
        for start in range(1, ITEMS + 1, 10_000):
            tx.execute(insert(Content), [
                {"id": n, "guid": new_guid(), "lineage_id": "l", "stage_id": 1, "owner_id": chance.randint(1, PEOPLE), "name": f"content-{n}",
                 "title": f"Content {n}", "last_deployed_at": now - timedelta(seconds=chance.randrange(10**8))} for n in range(start, start + 10_000)
            ])  # fmt: skip
        pairs = {(chance.randint(1, ITEMS), chance.randint(1, PEOPLE)) for _ in range(LINES * 2 // 3)}
        tx.execute(insert(Access), [{"content_id": c, "user_id": u, "share": "viewer"} for c, u in pairs])
        shared = {(chance.randint(1, ITEMS), chance.randint(1, GROUPS)) for _ in range(LINES // 3)}
        tx.execute(insert(Access), [{"content_id": c, "group_id": g, "share": "viewer"} for c, g in shared])
    if not database.is_sqlite:
        from sqlalchemy import text

        with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("ANALYZE"))
