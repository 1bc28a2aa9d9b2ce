"""Whom an installation belongs to when root starts it: a user without rights, to whom its home is handed over (SECURITY 13).

Only root can change what root reads and runs from a home: the home itself, ``run``, ``logs``, ``jobs`` and the settings stay its own.
"""

from __future__ import annotations

import json
import os
import pwd
import stat
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import uv
from sqlalchemy import make_url

from pilothouse.base.errors import Denied, PilothouseError
from pilothouse.settings import Loaded, SettingsInvalid

MARK = "owner.json"
#: What belongs to the owner with everything in it.
INSIDE = ("keys", "db", "blobs", "libraries", "cache", "runtimes")
READ, WRITE, PASS = 4, 2, 1
REMEDY = "Open it (chmod o+rx), or install to /opt and keep the home in /srv."


class OwnerCannotRead(Denied):
    """The user whom this home belongs to can't read this program. Use the `pilothouse` that the server was installed with."""

    code = "app/owner-cannot-read"


class NotPrepared(PilothouseError):
    """The home could not be prepared. The lines above say why."""

    code = "app/not-prepared"


@dataclass(frozen=True)
class Owner:
    """A user and its group, by number. ``shared`` is the group that it has with the gateway, and its only other one."""

    uid: int
    gid: int
    shared: int


def owner_of(home: Path) -> Owner | None:
    """Whom this home was handed over to, whole; ``None``: it belongs to whoever starts the server."""
    try:
        with (home / MARK).open("rb") as file:
            said = json.load(file)
            is_roots = os.fstat(file.fileno()).st_uid == 0
            return Owner(int(said["uid"]), int(said["gid"]), int(said["shared"])) if is_roots else None
    except FileNotFoundError:
        return None


def has_users(home: Path) -> bool:
    """Whether each content has a user of its own: we are root, or the runner is."""
    return os.geteuid() == 0 or owner_of(home) is not None


def is_ours(home: Path) -> bool:
    """Whether we are the user without rights, so that the runner must start our jobs."""
    owner = owner_of(home)
    return owner is not None and os.geteuid() == owner.uid != 0


def server_user(loaded: Loaded) -> tuple[Owner | None, str]:
    """Whom the control plane is to run as; ``None`` if as we do, and why, where that is root. Raises `SettingsInvalid`."""
    if os.geteuid() != 0:
        return None, ""
    wanted, launcher = loaded.settings.server.user, loaded.settings.launcher
    uid, gid = _account(wanted) if wanted else (launcher.server_uid, launcher.server_uid)
    owner = Owner(uid, gid, launcher.gateway_uid)
    if owner.uid == 0:
        return None, f"server.user is {wanted}."
    if owner.uid >= launcher.gateway_uid:
        return (
            None,
            f"server.user is among the users of content. Name an account below {launcher.gateway_uid}, or none.",
        )
    if launcher.backend != "local":
        return None, f"launcher.backend is {launcher.backend}, which has no runner."
    return (None, why) if (why := _obstacle(loaded, owner)) else (owner, "")


def why_root(loaded: Loaded) -> str:
    """Why we run as root, with the remedy; empty if we do not."""
    if os.geteuid() != 0:
        return ""
    return server_user(loaded)[1] or "it was started before it could do without. Stop it and start it again."


def _account(name: str) -> tuple[int, int]:
    try:
        found = pwd.getpwnam(name)
    except KeyError:
        raise SettingsInvalid(f"server.user names {name}, and this machine has no such account.") from None
    return found.pw_uid, found.pw_gid


def _obstacle(loaded: Loaded, owner: Owner) -> str:
    """What the owner could not reach, in a sentence with the remedy; empty if there is nothing."""
    for name in (*INSIDE, "apps", "run", "logs", "jobs"):
        if (loaded.home / name).is_symlink():
            return f"{loaded.home / name} is a symbolic link. Mount what it leads to in its place."
    for path, want in (*_needed(loaded), *_sockets(loaded)):
        if closed := _closed(path, owner, want):
            return f"{closed} is closed to other users. {REMEDY}"
    for path, _ in _needed(loaded):
        if loose := _changeable(path, owner):
            return f"{loose} can be changed by the server's user, and root runs what is in it. Give it to root."
    for path in _outside(loaded):
        there = next(place for place in (path, *path.absolute().parents) if place.exists())
        if _closed(there, owner, WRITE):
            return f"{path} can't be written by the server's user. Run: chown {owner.uid}:{owner.gid} {path}"
    file = loaded.file
    if file is not None and file.parent != loaded.home and _closed(file, owner, READ):
        return f"{file} can't be read by the server's user. Run: chgrp {owner.gid} {file}; chmod g+r {file}"
    return ""


def _needed(loaded: Loaded) -> Iterator[tuple[Path, int]]:
    """Our programs, and the folders of all modules that are loaded now; of the home, the way to it."""
    for program in (sys.executable, os.path.realpath(sys.executable), uv.find_uv_bin()):
        yield Path(program), READ | PASS
    loaded_from = {Path(file) for module in list(sys.modules.values()) if (file := getattr(module, "__file__", None))}
    yield from ((folder, READ | PASS) for folder in sorted({file.parent for file in loaded_from}))
    yield from ((above, PASS) for above in loaded.home.parents)


def _sockets(loaded: Loaded) -> Iterator[tuple[Path, int]]:
    """The folder of PostgreSQL's socket, where it is reached by one."""
    database = make_url(loaded.db_url)
    host = str(database.query.get("host") or database.host or "")
    if host.startswith("/"):
        yield Path(host), PASS


def _outside(loaded: Loaded) -> Iterator[Path]:
    """Files that the settings put somewhere else, and that the server writes."""
    audit, database = loaded.settings.audit, make_url(loaded.db_url)
    yield from (path for path in (audit.head_file, audit.event_file) if path is not None)
    if database.get_backend_name() == "sqlite" and loaded.home not in Path(database.database or "").parents:
        yield Path(database.database or "")


def _closed(path: Path, owner: Owner, want: int) -> Path | None:
    """The first on the way to ``path`` that the mode keeps the owner from, or ``None``."""
    for above in reversed(path.resolve().parents):
        if above.exists() and not _may(above, owner, PASS):
            return above
    return path if path.exists() and not _may(path, owner, want) else None


def _changeable(path: Path, owner: Owner) -> Path | None:
    """The first on the way to ``path`` in which the owner could put something else in its place, or ``None``."""
    for place in (path.resolve(), *path.resolve().parents):
        is_kept = place.stat().st_mode & stat.S_ISVTX and place.stat().st_uid != owner.uid  # as /tmp is
        if not is_kept and _may(place, owner, WRITE):
            return place
    return None


def _may(path: Path, owner: Owner, want: int) -> bool:
    found = path.stat()
    shift = 6 if found.st_uid == owner.uid else 3 if found.st_gid in (owner.gid, owner.shared) else 0
    return (found.st_mode >> shift) & want == want


def hand_over(loaded: Loaded, owner: Owner) -> None:
    """Let the home's inside belong to ``owner``, also one that was somebody else's. Repeated, or after a kill, it ends the same.

    No server may run on it. Nothing is followed, so that what others wrote into it leads nowhere.
    """
    home = loaded.home
    if owner_of(home) == owner:
        return
    (home / MARK).unlink(missing_ok=True)
    for name in INSIDE:
        _give_whole(home / name, owner)
    _give_apps(home / "apps", owner, first_uid=loaded.settings.launcher.uid_base + 1)
    for log in (home / "logs").glob("access.log.*"):
        os.chown(log, -1, owner.shared, follow_symlinks=False)
        log.chmod(0o640)
    if owner.uid != 0:
        draft = home / f".{MARK}"
        draft.write_text(json.dumps({"format": 1, **asdict(owner)}))
        draft.chmod(0o644)
        draft.replace(home / MARK)


def _give_whole(folder: Path, owner: Owner) -> None:
    for _, folders, files, here in os.fwalk(folder):
        for entry in (*folders, *files):
            os.chown(entry, owner.uid, owner.gid, dir_fd=here, follow_symlinks=False)
    _give(folder, owner)


def _give_apps(apps: Path, owner: Owner, *, first_uid: int) -> None:
    """What is in a bundle's folder belongs to the content's user, unless a server wrote it that had none."""
    for folder in (apps, *apps.glob("*"), *apps.glob("*/*")):
        if folder.is_dir() and not folder.is_symlink():
            _give(folder, owner)
    for bundle in apps.glob("*/*/*"):
        if bundle.is_dir() and not bundle.is_symlink() and bundle.stat().st_uid < first_uid:
            _give_whole(bundle, owner)


def take_back(loaded: Loaded) -> None:
    """Let a home that was handed over be root's again."""
    if owner_of(loaded.home) is not None:
        hand_over(loaded, Owner(0, 0, 0))


def let_read(file: Path, owner: Owner) -> None:
    """A settings file in the home stays root's; the owner's group may read it."""
    if not _may(file, owner, READ):
        os.chown(file, -1, owner.gid)
        file.chmod(file.stat().st_mode | 0o040)


def _give(folder: Path, owner: Owner) -> None:
    with suppress(FileNotFoundError):
        os.chown(folder, owner.uid, owner.gid, follow_symlinks=False)


def done_as(owner: Owner | None, work: Callable[[], Any]) -> Any:
    """What ``work`` answers, in JSON values, as a process of the owner: what it meets there gets none of our rights.

    Raises `NotPrepared` with the sentence of what it raised.
    """
    if owner is None:
        return work()
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        os._exit(_do(owner, work, writer))
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        said = pipe.read()
    _, status = os.waitpid(child, 0)
    answer = json.loads(said) if said else {}
    if status != 0 or "ok" not in answer:
        raise NotPrepared(answer.get("error"))
    return answer["ok"]


def _do(owner: Owner, work: Callable[[], Any], writer: int) -> int:
    """In the child; nothing may leave it but by the pipe."""
    try:
        os.setgroups([owner.shared])
        os.setresgid(owner.gid, owner.gid, owner.gid)
        os.setresuid(owner.uid, owner.uid, owner.uid)
        os.environ["HOME"] = "/"
        try:
            answer = {"ok": work()}
        except PilothouseError as error:
            answer = {"error": str(error)}
        with os.fdopen(writer, "w") as pipe:
            json.dump(answer, pipe)
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


@contextmanager
def acting_for(home: Path) -> Iterator[None]:
    """Root is the home's owner meanwhile, so that nothing in it becomes root's. Others, and homes of root's own, change nothing.

    Raises `OwnerCannotRead`.
    """
    owner = owner_of(home)
    if owner is None or os.geteuid() != 0:
        yield
        return
    groups, gid = os.getgroups(), os.getegid()
    os.setgroups([owner.shared])
    os.setresgid(owner.gid, owner.gid, gid)
    os.setresuid(owner.uid, owner.uid, 0)
    try:
        if not os.access(__file__, os.R_OK) or not os.access(sys.executable, os.X_OK):
            raise OwnerCannotRead(f"This home belongs to user {owner.uid}, who can't read {sys.executable} or our package. "
                                  "Use the `pilothouse` that the server was installed with.")  # fmt: skip
        yield
    finally:
        os.setresuid(0, 0, 0)
        os.setresgid(gid, gid, gid)
        os.setgroups(groups)


@contextmanager
def as_started() -> Iterator[None]:
    """Within `acting_for`, what root alone may do; for everybody else nothing changes."""
    acted = os.geteuid()
    with suppress(PermissionError):
        os.seteuid(0)
    try:
        yield
    finally:
        os.seteuid(acted)
