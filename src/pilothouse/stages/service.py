"""Keeping stage rows in step with the settings, and finding the stage of a URL."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from sqlalchemy import select

from pilothouse.base import clock
from pilothouse.db import Database, Tx, Watch
from pilothouse.settings import StageOption
from pilothouse.stages.contract import RESERVED, StageRef, StagesInvalid
from pilothouse.stages.models import PATH_LIMIT, TITLE_LIMIT, Stage

SEGMENT = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")
HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?", re.ASCII)


def sync(tx: Tx, options: Sequence[StageOption]) -> None:
    """Make the rows follow ``options``; a stage that is gone is retired, and comes back with its content if named again.

    Raises what `stage_paths` raises.
    """
    paths = stage_paths(options)
    rows = {row.key: row for row in tx.scalars(select(Stage))}
    for position, (option, path) in enumerate(zip(options, paths, strict=True)):
        row = rows.pop(option.key, None)
        if row is None:
            row = Stage(key=option.key)
            tx.add(row)
        row.title, row.path, row.usage = option.title or option.key, path, option.usage
        row.host, row.content_host = _name(option.host), _name(option.content_host)
        row.position, row.retired_at = position, None
    for row in rows.values():
        row.retired_at = row.retired_at or clock.now()


def stage_paths(options: Sequence[StageOption]) -> tuple[str, ...]:
    """The URL prefix of each stage, beginning and ending in ``/``.

    Raises `StagesInvalid` for paths that are reserved, clash or hide another stage's pages.
    """
    paths = tuple(_path(option, position) for position, option in enumerate(options))
    _check(options, paths)
    return paths


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
            self._all = tuple(
                StageRef(r.id, r.key, r.title, r.path, r.host, r.position, r.usage, r.content_host) for r in rows
            )
            self._epoch = epoch
        return self._all

    def by_id(self, stage_id: int) -> StageRef | None:
        return next((s for s in self.all() if s.id == stage_id), None)

    def by_key(self, key: str) -> StageRef | None:
        return next((s for s in self.all() if s.key == key), None)

    def resolve(self, host: str, path: str) -> tuple[StageRef, str]:
        """The stage of a URL and the path after its prefix (with a leading slash).

        It is one of those that have this name, else one of those without a name, else any; of these the one with the longest
        prefix that fits, else the first.
        """
        name, stages = host.rsplit(":", 1)[0].lower(), self.all()
        named = [s for s in stages if name in (s.host, s.content_host)]
        chosen = named or [s for s in stages if s.host is None] or stages
        return next(_fitting(chosen, path), (chosen[0], path))

    def every(self, path: str) -> list[tuple[StageRef, str]]:
        """All stages that a URL may belong to, each with the path after its prefix: where the name does not tell the stage."""
        return list(_fitting(self.all(), path))


def _fitting(stages: Iterable[StageRef], path: str) -> Iterator[tuple[StageRef, str]]:
    """The longest prefix first."""
    for stage in sorted(stages, key=lambda s: len(s.path), reverse=True):
        if path.startswith(stage.path):
            yield stage, path[len(stage.path) - 1 :]
        elif path == stage.path[:-1]:
            yield stage, "/"


def _path(option: StageOption, position: int) -> str:
    path = option.path if option.path is not None else "/" if position == 0 or option.host else f"/{option.key}/"
    return f"/{path.strip('/')}/" if path.strip("/") else "/"


def _name(given: str | None) -> str | None:
    return given.lower() if given else None


def _check(options: Sequence[StageOption], paths: Sequence[str]) -> None:
    seen: dict[tuple[str | None, str], str] = {}
    for option, path in zip(options, paths, strict=True):
        _check_words(option, path, {other.key for other in options if other is not option})
        for name in {_name(option.host), _name(option.content_host or option.host)}:
            if (other := seen.setdefault((name, path), option.key)) != option.key:
                where = f"{path} of {name}" if name else path
                raise StagesInvalid(
                    f"The stages {other} and {option.key} both live at {where}. Give one of them another path or names of its own."
                )
    for (host, path), key in seen.items():
        for (outer_host, outer), outer_key in seen.items():
            rest = path.removeprefix(outer)
            if host == outer_host and rest != path and rest and rest.split("/")[0] in RESERVED:
                raise StagesInvalid(
                    f"The stage {key} can't live at {path}: it would hide “{rest.split('/')[0]}” of the stage {outer_key}. "
                    "Choose another path."
                )


def _check_words(option: StageOption, path: str, other_keys: set[str]) -> None:
    """Raise `StagesInvalid` for a path, host or title that can't be used, whatever the other stages' paths are."""
    segments = path.strip("/").split("/")
    if path != "/" and (len(path) > PATH_LIMIT or not all(SEGMENT.fullmatch(segment) for segment in segments)):
        raise StagesInvalid(
            f"The stage {option.key} can't live at {path[:PATH_LIMIT]}: a path is made of letters, digits, “.”, “_” and “-”, "
            f"and is at most {PATH_LIMIT} characters long. Choose another path."
        )
    if segments[0] in RESERVED:
        raise StagesInvalid(
            f"The stage {option.key} can't live at {path}: “{segments[0]}” is a word of our own. Choose another path."
        )
    if path.strip("/") in other_keys:
        raise StagesInvalid(
            f"The stage {option.key} can't live at {path}: that is where people look for the stage {path.strip('/')}. "
            "Choose another path."
        )
    for name in (option.host, option.content_host):
        if name is not None and not HOST.fullmatch(name):
            raise StagesInvalid(
                f"The stage {option.key} has the host {name[:200]}. Give a bare name without scheme, port or path, "
                "as apps.example.com."
            )
    if len(option.title) > TITLE_LIMIT:
        raise StagesInvalid(f"The title of the stage {option.key} is longer than {TITLE_LIMIT} characters. Shorten it.")
