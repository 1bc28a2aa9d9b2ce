"""Pure: from a `JobSpec` to command lines, and what is refused."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Mapping
from enum import StrEnum
from pathlib import PurePosixPath

from pilothouse.launcher.contract import JobRefused, JobSpec, Mount


class Way(StrEnum):
    """How a job comes to its rights.

    ``USER``: the shim drops to the job's user, then bubblewrap makes a user namespace. ``SETPRIV``: bubblewrap runs as
    root and setpriv drops inside it, where that user can't read the mounts' sources or user namespaces are forbidden.
    ``ROOT``: bubblewrap runs as root and so does the job (no uid was asked for). ``BARE``: without bubblewrap.
    """

    USER = "user"
    SETPRIV = "setpriv"
    ROOT = "root"
    BARE = "bare"


NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
JOB_ID = re.compile(r"[a-z0-9]{1,24}")
FORBIDDEN_SOURCES = ("/", "/proc", "/sys", "/dev", "/run", "/boot")
FORBIDDEN_TARGETS = ("/", "/proc", "/dev", "/sys", "/usr", "/bin", "/lib", "/lib64", "/sbin", "/etc", "/tmp")

#: What every job may read of ``/etc``; absent ones are skipped.
ETC = (
    "passwd", "group", "nsswitch.conf", "hosts", "resolv.conf", "localtime", "timezone", "ld.so.cache", "ld.so.conf",
    "ld.so.conf.d", "ssl", "ca-certificates", "pki", "alternatives", "fonts", "mime.types", "os-release", "magic",
)  # fmt: skip


def check(spec: JobSpec) -> None:
    """Raise `JobRefused` for a spec that can't or must not be run."""
    if not JOB_ID.fullmatch(spec.id):
        raise JobRefused(f"The job id “{spec.id}” may hold up to 24 lower-case letters and digits.")
    if not spec.argv or not spec.argv[0].startswith("/"):
        raise JobRefused("The command must begin with an absolute path.")
    for name, value in spec.env.items():
        if not NAME.fullmatch(name):
            raise JobRefused(
                f"“{name}” can't be the name of a variable: letters, digits and _ only, not beginning with a digit."
            )
        if "\0" in value:
            raise JobRefused(f"The variable {name} holds a NUL character.")
    if any("\0" in word for word in spec.argv):
        raise JobRefused("The command holds a NUL character.")
    if spec.uid == 0:
        raise JobRefused("Jobs never run as root.")
    for mount in spec.mounts:
        _check_mount(mount)


def _check_mount(mount: Mount) -> None:
    for path in (mount.source, mount.target):
        if not path.startswith("/") or ".." in PurePosixPath(path).parts or "\0" in path:
            raise JobRefused(f"The mount {mount.source} at {mount.target} must use absolute paths without “..”.")
    if _normal(mount.source) in FORBIDDEN_SOURCES:
        raise JobRefused(f"A job must not see {mount.source} of the host.")
    if _normal(mount.target) in FORBIDDEN_TARGETS or _normal(mount.target).startswith(("/proc/", "/dev/", "/sys/")):
        raise JobRefused(f"A mount at {mount.target} would hide a part of the system.")


def _normal(path: str) -> str:
    return str(PurePosixPath(path))


def fill(words: Iterable[str], address: str | None) -> list[str]:
    """``{host}`` and ``{port}`` become the address; nothing changes without one."""
    if address is None:
        return list(words)
    host, _, port = address.rpartition(":")
    return [w.replace("{host}", host).replace("{port}", port) for w in words]


def bwrap_argv(
    bwrap: str, spec: JobSpec, *, way: Way, tmp_size: int, readable: Iterable[str], links: Mapping[str, str]
) -> list[str]:
    """The sandbox of ``spec``: own pid, ipc, uts and mount namespaces, the system read-only, nothing else of the host.

    ``way`` says who bubblewrap runs as. ``links`` are the host's top-level symbolic links
    (``/bin`` → ``usr/bin``). The words ``{info}`` and ``{secret}`` are file descriptors that the shim puts in.
    """
    words = [
        bwrap,
        "--unshare-pid",
        "--unshare-ipc",
        "--unshare-uts",
        "--unshare-cgroup-try",
        "--die-with-parent",
        "--new-session",
    ]
    words += ["--unshare-user", "--disable-userns"] if way is Way.USER else []
    words += [] if spec.network else ["--unshare-net"]
    words += ["--clearenv", "--json-status-fd", "{info}", *([] if way is Way.SETPRIV else ["--args", "{secret}"])]
    words += ["--ro-bind", "/usr", "/usr"]
    for path, target in links.items():
        words += ["--symlink", target, path] if target else ["--ro-bind", path, path]
    for name in ETC:
        words += ["--ro-bind-try", f"/etc/{name}", f"/etc/{name}"]
    words += ["--proc", "/proc", "--dev", "/dev"]
    for folder in ("/tmp", "/dev/shm", "/var/tmp"):
        words += ["--perms", "1777", "--size", str(tmp_size), "--tmpfs", folder]
    made: set[str] = {"/", "/usr", "/etc", "/proc", "/dev", "/tmp", "/var", "/var/tmp"}
    for path in readable:
        words += [*_parents(path, made), "--ro-bind-try", path, path]
    for mount in sorted(spec.mounts, key=lambda m: m.target):
        words += [
            *_parents(mount.target, made),
            "--bind" if mount.writable else "--ro-bind",
            mount.source,
            mount.target,
        ]
    words += ["--remount-ro", "/", "--chdir", spec.cwd, "--"]
    return words + (drop_argv(spec.uid or 0, spec.gid or spec.uid or 0) if way is Way.SETPRIV else [])


def _parents(path: str, made: set[str]) -> list[str]:
    """Make the folders above a mount point readable for everybody: bubblewrap's own would be 0700."""
    words: list[str] = []
    for parent in reversed(PurePosixPath(path).parents):
        if str(parent) not in made:
            made.add(str(parent))
            words += ["--perms", "0755", "--dir", str(parent)]
    made.add(path)
    return words


#: Runs in the job after its rights are dropped: reads the variables from the file descriptor $0, closes it, becomes the command.
EXEC = '. /dev/fd/$0 || exit 126; eval "exec $0<&-"; unset OLDPWD; exec "$@"'


def drop_argv(uid: int, gid: int) -> list[str]:
    """What stands between a root bubblewrap and the command, where the job's user can't read the sources of its mounts itself.

    setpriv drops everything; only then a shell reads the variables (a user's ``LD_PRELOAD`` must never reach setpriv).
    """
    identity = ["--reuid", str(uid), "--regid", str(gid), "--clear-groups", "--no-new-privs"]
    rights = ["--inh-caps=-all", "--ambient-caps=-all", "--bounding-set=-all"]
    return ["/usr/bin/setpriv", *identity, *rights, "/bin/sh", "-c", EXEC, "{secret}"]


def secret_script(env: Mapping[str, str]) -> bytes:
    """The variables as a shell script for `EXEC`."""
    return "".join(f"export {name}={shlex.quote(value)}\n" for name, value in env.items()).encode()


def secret_arguments(env: Mapping[str, str]) -> bytes:
    """The variables as NUL-separated bubblewrap arguments, read by it from a file descriptor."""
    return b"".join(word.encode() + b"\0" for name, value in env.items() for word in ("--setenv", name, value))
