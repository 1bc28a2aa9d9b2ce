"""The schema: the migrations make what the models say, once, on both databases, whoever runs them and when."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import threading
import warnings
from contextlib import suppress
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Index, inspect, text
from sqlalchemy.exc import IntegrityError

from pilothouse.base.ids import new_guid
from pilothouse.db import Database, schema
from pilothouse.identity.models import Membership, User
from pilothouse.testing.database import all_tables
from pilothouse.testing.postgres import PostgresServer

NEWEST = schema.revisions()[-1]
NEXT = f"{int(NEWEST) + 1:04}"


@pytest.fixture(autouse=True, scope="module")
def templates(request: pytest.FixtureRequest, sqlite_template: Path) -> None:
    """Databases are copied from templates, which must be made before a test changes what migrations there are."""
    with suppress(pytest.skip.Exception):
        request.getfixturevalue("postgres_server")


def differences(database: Database) -> list[object]:
    with database.engine.connect() as connection, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # SQLite can't tell about indexes on expressions; the next test asks for them
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        return [d for d in compare_metadata(context, all_tables()) if "alembic_version" not in str(d)]


def index_texts(database: Database) -> dict[str, str]:
    query = {
        True: "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL",
        False: "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'",
    }[database.is_sqlite]
    with database.read() as tx:
        return {name: found.replace('"', "") for name, found in tx.execute(text(query))}


def is_special(index: Index) -> bool:
    return (
        any(not hasattr(e, "table") for e in index.expressions) or index.dialect_kwargs.get("sqlite_where") is not None
    )


def test_the_migrations_make_what_the_models_say(database: Database) -> None:
    assert differences(database) == []


def test_indexes_on_expressions_and_on_some_rows_are_there(database: Database) -> None:
    made = index_texts(database)
    special = [i for table in all_tables().tables.values() for i in table.indexes if is_special(i)]
    assert len(special) >= 6
    for index in special:
        assert index.name in made
        assert ("WHERE" in made[index.name]) == ("sqlite_where" in str(dict(index.dialect_kwargs)))
        assert ("UNIQUE" in made[index.name]) == index.unique


def test_numbers_of_rows_that_must_not_come_again_are_counted_on(sqlite_database: Database) -> None:
    """SQLite gives the number of a deleted last row to the next one, unless a table says otherwise."""
    with sqlite_database.read() as tx:
        made = dict(tx.execute(text("SELECT name, sql FROM sqlite_master WHERE type = 'table'")).all())
    wanted = {name for name, table in all_tables().tables.items() if table.dialect_options["sqlite"]["autoincrement"]}
    assert len(wanted) >= 10
    assert {name for name in wanted if "AUTOINCREMENT" not in made[name]} == set()


def test_usernames_are_unique_without_regard_to_case(database: Database) -> None:
    with database.write() as tx:
        tx.add(User(guid=new_guid(), username="Amara"))
    with pytest.raises(IntegrityError), database.write() as tx:
        tx.add(User(guid=new_guid(), username="aMARA"))


def test_migrating_twice_does_nothing_the_second_time(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/new/x.sqlite")
    assert schema.migrate(database) == schema.revisions()
    assert schema.migrate(database) == []
    assert schema.prepare(database) is False
    schema.check(database)
    database.close()


def test_an_empty_database_is_made_ready(postgres_server: PostgresServer, tmp_path: Path) -> None:
    postgres_server.execute("CREATE DATABASE empty_one")
    for url in (f"sqlite:///{tmp_path}/home/db/x.sqlite", postgres_server.url("empty_one")):
        database = Database(url)
        assert schema.prepare(database) is True
        schema.check(database)
        database.close()
    postgres_server.execute("DROP DATABASE empty_one")


def test_the_sqlite_file_and_its_folder_belong_to_their_owner_only(tmp_path: Path) -> None:
    file = tmp_path / "home" / "db" / "x.sqlite"
    database = Database(f"sqlite:///{file}")
    schema.prepare(database)
    with database.write() as tx:
        tx.add(User(guid=new_guid(), username="amara"))
    modes = {f.name: stat.S_IMODE(f.stat().st_mode) for f in (file.parent, *file.parent.iterdir())}
    assert modes == {"db": 0o700, "x.sqlite": 0o600, "x.sqlite-wal": 0o600, "x.sqlite-shm": 0o600}
    database.close()


def test_a_newer_schema_is_refused_and_left_alone(database: Database) -> None:
    stamp(database, "9999")
    for ask in (schema.check, schema.prepare, schema.migrate):
        with pytest.raises(schema.SchemaNewer, match="9999"):
            ask(database)
    assert schema.current(database) == "9999"


def test_an_older_schema_on_postgres_waits_for_the_administrator(
    postgres_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = [*schema.revisions(), NEXT]
    monkeypatch.setattr(schema, "revisions", lambda: known)
    for ask in (schema.check, schema.prepare):
        with pytest.raises(schema.SchemaOlder, match="pilothouse migrate"):
            ask(postgres_database)


ONE_MORE = f"""
import sqlalchemy as sa
from alembic import op
revision, down_revision = "{NEXT}", "{NEWEST}"


def upgrade() -> None:
    with op.batch_alter_table("user") as user:
        user.add_column(sa.Column("nickname", sa.String(20), nullable=False, server_default=""))
        user.alter_column("site", new_column_name="place")
"""


@pytest.fixture
def next_release(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program with one migration more, that has to copy the table `user` on SQLite."""
    copy = tmp_path / "migrations"
    subprocess.run(["cp", "-r", str(schema.MIGRATIONS), str(copy)], check=True)
    (copy / "versions" / f"{NEXT}_users_have_nicknames.py").write_text(ONE_MORE)
    monkeypatch.setattr(schema, "MIGRATIONS", copy)


@pytest.fixture
def first_release(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program that knows the first migration only; returns the folder of all migrations."""
    every, copy = schema.MIGRATIONS, tmp_path / "first"
    subprocess.run(["cp", "-r", str(every), str(copy)], check=True)
    for later in (copy / "versions").glob("[0-9]*"):
        if not later.name.startswith("0001"):
            later.unlink()
    monkeypatch.setattr(schema, "MIGRATIONS", copy)
    return every


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_rows_of_the_first_release_are_kept(
    request: pytest.FixtureRequest, first_release: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    url = f"sqlite:///{tmp_path}/first.sqlite"
    if kind == "postgresql":
        server = request.getfixturevalue("postgres_server")
        server.execute("CREATE DATABASE first_release")
        url = server.url("first_release")
    database = Database(url)
    assert schema.migrate(database) == ["0001"]
    with database.write() as tx:
        tx.execute(
            text(
                "INSERT INTO stage (id, key, title, path, position, created_at) VALUES (1, 'dev', 'Dev', '/', 0, '2026-01-01')"
            )
        )
        tx.execute(
            text(
                "INSERT INTO usage_event (kind, stream, subject_kind, subject_id, principal_id, path, status, user_agent, started_at)"
                " VALUES ('visit', 's', 'content', 7, 3, '', 200, '', '2026-01-01')"
            )
        )
    monkeypatch.setattr(schema, "MIGRATIONS", first_release)
    assert schema.migrate(database) == schema.revisions()[1:]
    with database.read() as tx:
        assert tx.execute(text("SELECT key, usage FROM stage")).all() == [("dev", "named")]
        assert tx.execute(text("SELECT principal_id, pseudonym FROM usage_event")).all() == [(3, None)]
    database.close()
    if kind == "postgresql":
        server.execute("DROP DATABASE first_release")


def with_a_member(database: Database) -> None:
    with database.write() as tx:
        tx.add(user := User(guid=new_guid(), username="amara", site="Oslo"))
        tx.execute(text("INSERT INTO \"group\" (id, guid, name, created_at) VALUES (1, 'g', 'g', '2026-01-01')"))
        tx.flush()
        tx.add(Membership(group_id=1, user_id=user.id))


@pytest.mark.usefixtures("next_release")
def test_an_older_sqlite_file_is_copied_then_migrated_and_loses_no_row(sqlite_database: Database) -> None:
    with_a_member(sqlite_database)
    assert schema.prepare(sqlite_database) is True
    with sqlite_database.read() as tx:
        assert tx.execute(text('SELECT username, place, nickname FROM "user"')).all() == [("amara", "Oslo", "")]
        assert tx.scalar(text("SELECT count(*) FROM membership")) == 1, "dropping the old table deleted nothing"
    with pytest.raises(IntegrityError), sqlite_database.write() as tx:
        tx.execute(text("INSERT INTO membership (group_id, user_id) VALUES (55, 55)"))
    (copy,) = Path(str(sqlite_database.url.database)).parent.glob(f"*.before-{NEWEST}-*")
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    before = Database(f"sqlite:///{copy}")
    assert schema.current(before) == NEWEST
    with before.read() as tx:
        assert tx.scalar(text('SELECT site FROM "user"')) == "Oslo", (
            "the copy holds what was only in the write-ahead log"
        )
    before.close()


@pytest.mark.usefixtures("next_release")
def test_an_older_schema_is_migrated_on_demand(database: Database) -> None:
    with_a_member(database)
    assert schema.migrate(database) == [NEXT]
    with database.read() as tx:
        assert "place" in {c["name"] for c in inspect(tx.connection()).get_columns("user")}
        assert tx.scalar(text("SELECT count(*) FROM membership")) == 1


@pytest.mark.usefixtures("next_release")
def test_a_migration_that_fails_changes_nothing(database: Database) -> None:
    (file,) = (schema.MIGRATIONS / "versions").glob(f"{NEXT}*")
    file.write_text(ONE_MORE + '    op.execute("SELECT broken FROM nowhere")\n')
    with_a_member(database)
    with pytest.raises(Exception, match="nowhere"):
        schema.migrate(database)
    assert schema.current(database) == NEWEST
    with database.read() as tx:
        assert tx.scalar(text('SELECT site FROM "user"')) == "Oslo"


def test_migrating_leaves_no_setting_behind_on_the_connection(postgres_server: PostgresServer) -> None:
    postgres_server.execute("CREATE DATABASE settled")
    database = Database(postgres_server.url("settled"), pool_size=1)
    schema.migrate(database)
    with database.read() as tx:
        assert tx.scalar(text("SHOW lock_timeout")) == "15s"
        assert tx.scalar(text("SHOW statement_timeout")) == "0"
    database.close()
    postgres_server.execute("DROP DATABASE settled")


def test_a_second_migration_waits_for_the_first(postgres_server: PostgresServer) -> None:
    postgres_server.execute("CREATE DATABASE waiting")
    database = Database(postgres_server.url("waiting"))
    with database.write() as first:
        first.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": schema.MIGRATION_LOCK})
        second = threading.Thread(target=schema.migrate, args=(database,))
        second.start()
        second.join(0.5)
        assert second.is_alive()
        assert schema.current(database) is None
    second.join(20)
    schema.check(database)
    database.close()
    postgres_server.execute("DROP DATABASE waiting")


MIGRATE = """
import sys
from pilothouse.db import Database, schema
database = Database(sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
schema.migrate(database)
schema.check(database)
"""


def test_processes_that_migrate_at_once_do_not_disturb_each_other(
    postgres_server: PostgresServer, tmp_path: Path
) -> None:
    postgres_server.execute("CREATE DATABASE crowded")
    child = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    for url in (f"sqlite:///{tmp_path}/x.sqlite", postgres_server.url("crowded")):
        processes = [
            subprocess.Popen(
                [sys.executable, "-c", MIGRATE, url],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                env=child,
            )
            for _ in range(3)
        ]
        for process in processes:
            assert process.stdout is not None
            process.stdout.readline()
        for process in processes:
            assert process.stdin is not None
            process.stdin.write("\n")
            process.stdin.flush()
        assert [process.wait(60) for process in processes] == [0, 0, 0]
        database = Database(url)
        assert differences(database) == []
        database.close()
    postgres_server.execute("DROP DATABASE crowded")


def test_each_migration_says_its_effect_and_follows_the_one_before() -> None:
    files = sorted((schema.MIGRATIONS / "versions").glob("[0-9]*.py"))
    assert [f.name[:4] for f in files] == [f"{n:04}" for n in range(1, len(files) + 1)]
    for file in files:
        assert file.read_text().startswith(f'"""{file.stem[5:].replace("_", " ")}')


def stamp(database: Database, revision: str) -> None:
    with database.write() as tx:
        tx.execute(text("UPDATE alembic_version SET version_num = :r"), {"r": revision})
