"""What is recorded: all event names, and for each field of each noun a verdict. And what a sink of chain heads owes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from pathlib import Path
from typing import Any, ClassVar, Protocol

from pilothouse.db import Tx

#: In the home, beside the server's log: where heads are kept unless the settings name another file.
HEAD_FILE = Path("logs") / "audit-head.log"


class Verdict(Enum):
    """What becomes of a changed field: its values are kept, only the fact is kept, or nothing."""

    TRACK = "track"
    SECRET = "secret"
    IGNORE = "ignore"


_TRACK, _SECRET = Verdict.TRACK, Verdict.SECRET


def _fields(*names: str, **others: Verdict) -> dict[str, Verdict]:
    return dict.fromkeys(names, _TRACK) | others


#: Verdicts by noun and field. A field without one is a programming error. What says who somebody is, and prose, is never
#: tracked: the trail can't be erased, so people are ids in it (SECURITY 21). A failed sign-in keeps its address, the only
#: trace of a guesser; that of a login stands in its own row.
AUDITED: Mapping[str, Mapping[str, Verdict]] = {
    "user": _fields(
        "role", "locked", "provider", "must_set_password", "confirmed", "wants_mail",
        username=_SECRET, external_id=_SECRET, email=_SECRET, first_name=_SECRET, last_name=_SECRET, department=_SECRET, site=_SECRET, title=_SECRET,
        locale=_SECRET, timezone=_SECRET, password=_SECRET,
    ),
    "group": _fields("name", "owner_id", "user_id", "inner_id", external_id=_SECRET),
    "tag": _fields("name", "parent_id"),
    "image": _fields("title", "name", "matching", "cluster_name", "user_id", "group_id", description=_SECRET, document=_SECRET),
    "login": _fields("provider", "address", "user_id", "host"),
    "api_key": _fields("user_id", "role_cap", "bound_kind", "bound_id", "expires_at", name=_SECRET),
    "token": _fields("user_id"),
    "authorization": _fields("user_id", "client_id", "how"),
    "content": _fields(
        "name", "title", "category", "access_type", "owner_id", "locked", "app_mode", "bundle_id", "idle",
        "connection_timeout", "read_timeout", "init_timeout", "idle_timeout", "max_processes", "min_processes", "max_conns_per_process",
        "load_factor", "load_group", "cpu_request", "cpu_limit", "memory_request", "memory_limit", "amd_gpu_limit", "nvidia_gpu_limit",
        "requests_per_minute", "run_as", "run_as_current_user", "service_account_name", "default_image_name", "default_environment_guid",
        "default_r_environment_management", "default_py_environment_management", "activate", "featured",
        "thumbnail", department=_SECRET, tags=_SECRET, description=_SECRET, locked_message=_SECRET,
    ),
    "bundle": _fields("digest", "size_bytes", "content_id", source=_SECRET),
    "variable": _fields("name", value=_SECRET),
    "access": _fields("user_id", "group_id", "share"),
    "vanity": _fields("path"),
    "endorsement": _fields("user_id"),
    "steward": _fields("user_id"),
    "announcement": _fields("until", words=_SECRET),
    "landing": _fields(sections=_SECRET),
    "request": _fields("user_id", "state"),
    "thread": _fields("user_id", "kind", "state"),
    "integration": _fields("name", "template", "auth_type", config=_SECRET),
    "association": _fields("integrations"),
    "delegation": _fields("user_id", "integration_id"),
    "job": _fields("key", "tag"),
    "task": _fields("key", "kind"),
    "runtime": _fields("language", "version"),
    "secrets": _fields("sealed", "key_id", "dropped"),
    "grants": _fields("key_id"),
    "cache": _fields("language", "version"),
    "mail": _fields(),
}  # fmt: skip

#: Every event: a permission's words in the past tense.
EVENTS = frozenset({
    "identity:user:created", "identity:user:updated", "identity:user:role-set", "identity:user:locked", "identity:user:unlocked",
    "identity:user:password-reset", "identity:user:bootstrapped", "identity:user:exported", "identity:user:erased",
    "identity:group:created", "identity:group:deleted", "identity:group:nested", "identity:group:unnested", "identity:user:renamed",
    "content:tag:created", "content:tag:updated", "content:tag:deleted", "content:cache:cleared",
    "content:image:created", "content:image:updated", "content:image:deleted", "content:image:shared", "content:image:unshared",
    "identity:group:member-added", "identity:group:member-removed", "identity:key:created",
    "identity:key:revoked", "identity:key:exchanged",
    "identity:token:claimed", "identity:token:revoked", "identity:authorization:allowed", "identity:authorization:revoked",
    "identity:login:started", "identity:login:entered", "identity:login:ended", "identity:login:failed", "content:content:created",
    "content:content:updated", "content:content:deleted", "content:bundle:added", "content:bundle:deleted", "content:bundle:downloaded",
    "content:content:deployed", "content:content:activated", "content:variable:changed", "content:access:granted", "content:access:changed",
    "content:access:revoked", "content:vanity:changed", "content:vanity:cleared", "content:request:created",
    "content:request:answered", "content:thread:opened", "content:thread:replied", "content:thread:settled",
    "content:endorsement:granted", "content:endorsement:ended", "content:steward:named",
    "web:announcement:created", "web:announcement:ended", "web:landing:changed", "content:association:changed",
    "integrations:integration:created", "integrations:integration:updated", "integrations:integration:deleted",
    "integrations:delegation:started", "integrations:delegation:ended", "launcher:job:stopped", "tasks:task:retried",
    "tasks:task:cancelled", "runtimes:runtime:added", "runtimes:runtime:removed", "db:secrets:rotated", "gateway:grants:rotated",
    "notify:mail:tested",
})  # fmt: skip


@dataclass(frozen=True)
class Head:
    """The end of the chain at one moment: how many events are sealed, and the last seal."""

    number: int
    mac: str
    at: datetime


@dataclass(frozen=True)
class Sealed:
    """One event of the chain: its number there, when it happened, and what it says, ready for JSON."""

    number: int
    at: datetime
    facts: Mapping[str, Any]


class AuditSink(Protocol):
    """A second place for the chain, outside the database: for its heads, and where wished for the events as well.

    The class has a ``from_settings(home, options)`` that makes one from the section ``audit`` of the settings. ``is_local``:
    what it writes stays on the server's own disk, so that of several servers each tells its own.
    """

    is_local: ClassVar[bool]

    def append(self, head: Head, events: Sequence[Sealed]) -> None:
        """Keep ``events``, which are all since the last time, and then ``head``, which is the last one's; durably.

        Raises ``OSError`` if any of it fails: then all of it comes again, within a minute. So a place may hold something
        twice, but never lacks anything.
        """
        ...

    def heads(self) -> list[Head] | None:
        """What was kept, oldest first; ``None`` if that can't be read from here, only where it went."""
        ...


def as_line(facts: Mapping[str, Any]) -> str:
    """One line of JSON in ASCII, without control characters: nothing in it steers a terminal or ends a line of a log."""
    return json.dumps(facts, separators=(", ", ": ")).replace("\x7f", "\\u007f")


def head_line(head: Head) -> str:
    return as_line({"number": head.number, "mac": head.mac, "at": head.at.isoformat()})


def heads_in(lines: Iterable[str]) -> list[Head]:
    """The heads among ``lines``, whatever a collector wrote before them; other lines, and one cut off by a crash, are passed over."""
    found = []
    for line in lines:
        _, brace, rest = line.partition("{")
        try:
            entry, _ = json.JSONDecoder().raw_decode(brace + rest)
            found.append(Head(int(entry["number"]), str(entry["mac"]), datetime.fromisoformat(entry["at"])))
        except (ValueError, KeyError, TypeError):
            continue
    return found


@dataclass(frozen=True)
class People:
    """How this room learns names, which live in a room above: the app hands it in as ``app.state.people``.

    ``names`` of ids (those that are gone are missing), and ``find``: the id of a user name (``None`` = nobody has it).
    """

    names: Callable[[Tx, Sequence[int]], Mapping[int, str]]
    find: Callable[[Tx, str], int | None]
