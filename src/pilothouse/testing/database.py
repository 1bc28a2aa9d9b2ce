"""Fixtures: empty databases with the real schema, on SQLite and on PostgreSQL.

``database`` runs a test on both; ``sqlite_database`` and ``postgres_database`` on one. Each test gets a fresh one, copied
from a template that the migrations made once per test process. Without PostgreSQL those tests skip and say so; in CI
(``CI=true``) they fail instead.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest
from sqlalchemy import MetaData

import pilothouse
from pilothouse.base.ids import new_key
from pilothouse.db import Database, Row, schema
from pilothouse.testing.postgres import PostgresMissing, PostgresServer

TEMPLATE = "pilothouse_template"


def all_tables() -> MetaData:
    """Every table that any room declares."""
    for file in Path(*pilothouse.__path__).glob("*/models*"):  # one file, or a folder of them
        import_module(f"pilothouse.{file.parent.name}.models")
    return Row.metadata


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with the newest schema and no rows. Copy it, don't open it."""
    file = tmp_path_factory.mktemp("schema") / "template.sqlite"
    database = Database(f"sqlite:///{file}")
    schema.migrate(database)
    database.close()
    return file


@pytest.fixture
def sqlite_database(tmp_path: Path, sqlite_template: Path) -> Iterator[Database]:
    """A `Database` on a SQLite file of this test's own."""
    file = tmp_path / "db" / "pilothouse.sqlite"
    file.parent.mkdir(mode=0o700)
    shutil.copy(sqlite_template, file)
    database = Database(f"sqlite:///{file}")
    yield database
    database.close()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """A running server with a migrated template database; see `postgres_url`."""
    try:
        server = PostgresServer()
    except PostgresMissing as error:
        if os.environ.get("CI") == "true":
            pytest.fail(f"CI has to test on PostgreSQL. {error}")
        pytest.skip(f"NOT EXERCISED on PostgreSQL: {error}")
    try:
        server.start()
        server.execute(f"CREATE DATABASE {TEMPLATE}")
        template = Database(server.url(TEMPLATE))
        schema.migrate(template)
        template.close()
        yield server
    finally:
        server.remove()


@pytest.fixture
def postgres_url(postgres_server: PostgresServer) -> Iterator[str]:
    """The URL of a fresh PostgreSQL database with the newest schema, for a process that opens it itself."""
    name = f"test_{new_key()}"
    postgres_server.execute(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE}")
    yield postgres_server.url(name)
    postgres_server.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def postgres_database(postgres_url: str) -> Iterator[Database]:
    """A `Database` on a PostgreSQL database of this test's own."""
    database = Database(postgres_url)
    yield database
    database.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest) -> Database:
    """A `Database` with the newest schema and no rows; the test runs once on each kind."""
    name = "sqlite_database" if request.param == "sqlite" else "postgres_database"
    found: Database = request.getfixturevalue(name)
    return found


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """The URL of a fresh migrated database of each kind, for tests that start processes."""
    if request.param == "sqlite":
        found: Database = request.getfixturevalue("sqlite_database")
        return found.url.render_as_string(hide_password=False)
    url: str = request.getfixturevalue("postgres_url")
    return url
