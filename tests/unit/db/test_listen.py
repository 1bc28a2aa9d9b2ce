"""Replicas hear of each other's commits."""

from __future__ import annotations

import threading

from tests.factories.tasks import until

from pilothouse.db import Database, Listener, Watch, touch
from pilothouse.db.changes import CHANNEL
from pilothouse.testing.postgres import PostgresServer


def test_a_commit_elsewhere_calls_back(postgres_database: Database) -> None:
    heard = threading.Semaphore(0)
    listener = Listener(postgres_database, {CHANNEL: heard.release, "other": lambda: None})
    listener.start()
    assert heard.acquire(timeout=5), "once when it begins to listen"
    with postgres_database.write() as tx:
        touch(tx, "content")
    assert heard.acquire(timeout=5)
    listener.stop()


def test_a_cache_of_another_replica_is_fresh_at_once(postgres_database: Database) -> None:
    watch = Watch(postgres_database)
    listener = Listener(postgres_database, {CHANNEL: watch.wake})
    listener.start()
    assert watch.epoch("content") == 0
    with postgres_database.write() as tx:
        touch(tx, "content")
    until(lambda: watch.epoch("content") == 1, 0.5)
    listener.stop()


def test_a_lost_connection_is_made_again(postgres_database: Database, postgres_server: PostgresServer) -> None:
    calls = list[int]()
    listener = Listener(postgres_database, {"news": lambda: calls.append(1)})
    listener.start()
    until(lambda: calls)
    postgres_server.execute(
        f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{postgres_database.url.database}'"
    )
    until(lambda: len(calls) == 2, 5)
    listener.stop()


def test_on_sqlite_there_is_nothing_to_hear(sqlite_database: Database) -> None:
    listener = Listener(sqlite_database, {"news": lambda: None})
    listener.start()
    listener.stop()
