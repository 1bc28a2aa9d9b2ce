"""Freezing and thawing a job: by its control group where there is one, else by stopping every process of it."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from pilothouse.launcher.contract import SignalRefused

TIMEOUT_S = 5.0


def set_frozen(group: Path | None, init: int | None, pid: int, *, frozen: bool) -> None:
    """Freeze or thaw all processes of a job; on return it has happened, or somebody else asked for the opposite meanwhile.

    ``init`` is pid 1 of the job's pid namespace as seen from outside, ``pid`` the process the shim started. Raises
    `SignalRefused` if it does not happen within 5 s.
    """
    if group is not None and (group / "cgroup.freeze").exists():
        _ask(group / "cgroup.freeze", str(int(frozen)), group / "cgroup.events", f"frozen {int(frozen)}")
    elif group is not None and (group / "freezer.state").exists():
        state = "FROZEN" if frozen else "THAWED"
        _ask(group / "freezer.state", state, group / "freezer.state", state)
    else:
        _signal_all(init, pid, signal.SIGSTOP if frozen else signal.SIGCONT)


def _ask(control: Path, wish: str, answer: Path, word: str) -> None:
    """Write ``wish`` and wait until ``answer`` holds ``word``. Version 1 has ``FREEZING`` in between, in the same file."""
    control.write_text(wish)
    deadline = time.monotonic() + TIMEOUT_S
    while word not in answer.read_text():
        if control.read_text().strip() not in (wish, "FREEZING"):
            return
        if time.monotonic() > deadline:
            raise SignalRefused(
                "The job's processes did not freeze or thaw in time. They may wait for a disk or network share."
            )
        time.sleep(0.0005)


def _signal_all(init: int | None, pid: int, number: signal.Signals) -> None:
    """Process groups are not enough (children make sessions of their own): take all of the namespace, until the set is stable."""
    seen: set[int] = set()
    while True:
        found = members(init, pid) - seen
        if not found:
            return
        for member in found:
            try:
                os.kill(member, number)
            except ProcessLookupError:
                continue
        seen |= found


def members(init: int | None, pid: int) -> set[int]:
    """All processes of a job: those of ``init``'s pid namespace, or without one ``pid`` and its descendants."""
    if init is not None:
        namespace = _namespace(init)
        return {p for p in _pids() if namespace and _namespace(p) == namespace}
    found, todo = set(), [pid]
    while todo:
        current = todo.pop()
        found.add(current)
        for task in Path(f"/proc/{current}/task").glob("*"):
            try:
                todo += [int(child) for child in (task / "children").read_text().split() if int(child) not in found]
            except OSError:
                continue
    return found


def _pids() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def _namespace(pid: int) -> str:
    try:
        return os.readlink(f"/proc/{pid}/ns/pid")
    except OSError:
        return ""
