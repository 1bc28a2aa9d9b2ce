"""Keeping stage rows in step with the settings, and finding the stage of a URL."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select

from pilothouse.base import clock
from pilothouse.db import Database, Tx, Watch
from pilothouse.settings import StageOption
from pilothouse.stages.contract import RESERVED, StageRef, StagesInvalid
from pilothouse.stages.models import Stage


def sync(tx: Tx, options: Sequence[StageOption]) -> None:
    """Make the rows follow ``options``; a stage that is gone is retired, and comes back with its content if named again.

    Raises `StagesInvalid` for reserved or clashing paths.
    """
    paths = stage_paths(options)
    _check(options, paths)
    rows = {row.key: row for row in tx.scalars(select(Stage))}
    for position, (option, path) in enumerate(zip(options, paths, strict=True)):
        row = rows.pop(option.key, None)
        if row is None:
            row = Stage(key=option.key)
            tx.add(row)
        row.title, row.path, row.host, row.position, row.retired_at = (
            option.title or option.key,
            path,
            option.host,
            position,
            None,
        )
    for row in rows.values():
        row.retired_at = row.retired_at or clock.now()


def stage_paths(options: Sequence[StageOption]) -> tuple[str, ...]:
    """The URL prefix of each stage, beginning and ending in ``/``."""
    return tuple(_path(option, position) for position, option in enumerate(options))


class Stages:
    """All stages, from memory. Safe to call from several threads."""

    def __init__(self, database: Database, watch: Watch) -> None:
        self._database, self._watch = database, watch
        self._epoch = -1
        self._all: tuple[StageRef, ...] = ()

    def all(self) -> tuple[StageRef, ...]:
        """In their order."""
        epoch = self._watch.epoch("stages")
        if epoch != self._epoch:
            with self._database.read() as tx:
                rows = tx.scalars(select(Stage).where(Stage.retired_at.is_(None)).order_by(Stage.position)).all()
            self._all = tuple(StageRef(r.id, r.key, r.title, r.path, r.host, r.position) for r in rows)
            self._epoch = epoch
        return self._all

    def by_id(self, stage_id: int) -> StageRef | None:
        return next((s for s in self.all() if s.id == stage_id), None)

    def by_key(self, key: str) -> StageRef | None:
        return next((s for s in self.all() if s.key == key), None)

    def resolve(self, host: str, path: str) -> tuple[StageRef, str]:
        """The stage of a URL and the path after its prefix (with a leading slash): by host, else the longest prefix, else the first."""
        name = host.rsplit(":", 1)[0].lower()
        stages = self.all()
        named = [s for s in stages if s.host == name]
        for stage in sorted(named or stages, key=lambda s: len(s.path), reverse=True):
            if path.startswith(stage.path):
                return stage, path[len(stage.path) - 1 :]
            if path == stage.path[:-1]:
                return stage, "/"
        return (named or list(stages))[0], path


def _path(option: StageOption, position: int) -> str:
    path = option.path if option.path is not None else "/" if position == 0 or option.host else f"/{option.key}/"
    return f"/{path.strip('/')}/" if path.strip("/") else "/"


def _check(options: Sequence[StageOption], paths: Sequence[str]) -> None:
    seen: set[tuple[str | None, str]] = set()
    for option, path in zip(options, paths, strict=True):
        first = path.strip("/").split("/")[0]
        if first in RESERVED:
            raise StagesInvalid(
                f"The stage {option.key} can't live at {path}: “{first}” is a word of our own. Choose another path."
            )
        if (option.host, path) in seen:
            raise StagesInvalid(f"Two stages have the path {path}. Give one of them another path or a host.")
        seen.add((option.host, path))
