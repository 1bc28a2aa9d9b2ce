"""Writes the next migration from what the models say: make migration m="content remembers its parent".

It compares with PostgreSQL, which can be asked for everything that SQLite forgets (indexes on expressions).
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from alembic import command
from alembic.operations import ops

from pilothouse.db import Database, schema
from pilothouse.testing.database import all_tables
from pilothouse.testing.postgres import PostgresServer


def main(effect: str) -> None:
    number = f"{len(schema.revisions()) + 1:04}"
    server = PostgresServer()
    try:
        server.start()
        _write(Database(server.url()), effect, number)
    finally:
        server.remove()
    for file in (schema.MIGRATIONS / "versions").glob(f"{number}_*.py"):
        file.write_text(_tidied(file.read_text()))
        subprocess.run([Path(sys.executable).parent / "ruff", "format", "-q", file], check=True)
        print(file)


def _tidied(text: str) -> str:
    """What Alembic writes, without its remarks and without what is understood."""
    lines = "\n".join(line for line in text.splitlines() if "Alembic" not in line)
    for spelled, meant in (
        (r", unique=False", ""),
        (r"op\.f\(('[^']+')\)", r"\1"),
        (r"(?<!= )sa\.BigInteger\(\)\.with_variant\(sa\.Integer\(\), 'sqlite'\)", "BIG"),
    ):
        lines = re.sub(spelled, meant, lines)
    return lines + "\n"


def _write(database: Database, effect: str, number: str) -> None:
    schema.migrate(database)
    with database.engine.begin() as connection:
        config = schema.config(connection)
        config.attributes["metadata"] = all_tables()
        command.revision(
            config, message=effect, autogenerate=True, rev_id=number, process_revision_directives=_plain_indexes
        )
    database.close()


def _plain_indexes(_context: Any, _revision: Any, directives: list[Any]) -> None:
    """Indexes need no batch: only changes of columns are made by copying the table on SQLite."""
    for upgrade in [u for script in directives for u in script.upgrade_ops_list]:
        plain: list[Any] = []
        for op in upgrade.ops:
            only_indexes = isinstance(op, ops.ModifyTableOps) and all(isinstance(o, ops.CreateIndexOp) for o in op.ops)
            plain += op.ops if only_indexes else [op]
        upgrade.ops = plain


if __name__ == "__main__":
    if len(sys.argv) != 2 or not sys.argv[1].strip():
        sys.exit('Say what the migration does: make migration m="content remembers its parent"')
    main(sys.argv[1].strip())
