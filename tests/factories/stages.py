"""Stages as the settings name them, in an empty database."""

from __future__ import annotations

from typing import Any

from pilothouse.db import Database, Watch
from pilothouse.settings import StageOption
from pilothouse.stages import Stages, sync


def option(key: str, **fields: Any) -> StageOption:
    return StageOption(key=key, **fields)


def write_stages(database: Database, *options: StageOption) -> None:
    """Make the rows follow ``options``, as a start of the server does."""
    with database.write() as tx:
        sync(tx, options)


def some_stages(database: Database, *options: StageOption) -> Stages:
    """`Stages` over ``options``; over dev at ``/`` and prod at ``/prod/`` if none are given."""
    write_stages(database, *(options or (option("dev", title="Development"), option("prod", title="Production"))))
    return Stages(database, Watch(database))
