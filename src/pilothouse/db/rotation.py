"""Changing the key that secrets are sealed with, while servers run.

The key file holds ``{"current": id, "keys": {id: base64}, "retired": {id: moment}}``. A rotation (1) adds a key and makes
it the current one, in one rename; running servers read the file again at their next secret. It (2) seals every stored
value again, each under its row's lock. (3) An older key goes when no row names it and it was retired for longer than `SAFE`:
a transaction that sealed with it just before the rename may still be on its way into the database.
Killed between any two of these, running it again finishes the work.
"""

from __future__ import annotations

import base64
import fcntl
import json
import os
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from pilothouse.base import clock
from pilothouse.base.ids import new_key
from pilothouse.db.secrets import settle_folder, write_draft

SAFE = timedelta(hours=1)


@contextmanager
def rotating(path: Path) -> Iterator[None]:
    """One rotation at a time; a second one waits."""
    with path.with_name(f".{path.name}.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def add_key(path: Path) -> str:
    """Make a new key the current one; returns its id."""
    document = _read(path)
    old, kid = document["current"], new_key(8)
    document["keys"][kid] = base64.b64encode(os.urandom(32)).decode()
    document.setdefault("retired", {})[old] = clock.now().isoformat()
    document["current"] = kid
    _replace(path, document)
    return kid


def renew(path: Path) -> str:
    """The same for keys that sign what lives shortly: of the older ones only the last stays. Returns the new key's id."""
    kid = add_key(path)
    document = _read(path)
    before = list(document["keys"])[-2:]
    document["keys"] = {known: document["keys"][known] for known in before}
    document["retired"] = {known: document["retired"][known] for known in before if known in document["retired"]}
    _replace(path, document)
    return kid


def drop_keys(path: Path, *, in_use: Callable[[], Collection[str]]) -> tuple[list[str], list[str]]:
    """Remove keys that were retired long enough ago and that ``in_use`` does not name; returns those removed and those left."""
    document, now = _read(path), clock.now()
    retired: dict[str, str] = document.get("retired", {})
    long_ago = [kid for kid in document["keys"] if kid in retired and now - datetime.fromisoformat(retired[kid]) > SAFE]
    needed = {document["current"], *(in_use() if long_ago else ())}
    gone = [kid for kid in long_ago if kid not in needed]
    for kid in gone:
        del document["keys"][kid], retired[kid]
    if gone:
        _replace(path, document)
    return gone, [kid for kid in document["keys"] if kid != document["current"]]


def _read(path: Path) -> dict[str, Any]:
    return dict(json.loads(path.read_text()))


def _replace(path: Path, document: object) -> None:
    write_draft(path, document).replace(path)
    settle_folder(path.parent)
