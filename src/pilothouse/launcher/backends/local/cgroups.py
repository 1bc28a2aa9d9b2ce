"""Control groups of both versions: where ours go, what is written there, what can be read."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path

from pilothouse.launcher.contract import Resources, Usage

OURS = "pilothouse"
V1_CONTROLLERS = ("memory", "cpu", "pids", "cpuacct")


@dataclass(frozen=True)
class Hierarchies:
    """The folders below which job groups are made; ``None`` or absent = not usable here."""

    v2: Path | None = None
    v2_controllers: frozenset[str] = frozenset()
    v1: tuple[tuple[str, Path], ...] = ()
    v1_freezer: Path | None = None

    @property
    def limits(self) -> str:
        if {"memory", "pids", "cpu"} <= self.v2_controllers:
            return "v2"
        return "v1" if {"memory", "pids", "cpu"} <= {name for name, _ in self.v1} else "rlimits"

    @property
    def freezer(self) -> str:
        return "v2" if self.v2 else "v1" if self.v1_freezer else "sigstop"

    def groups(self, job_id: str, wanted: Resources) -> list[dict[str, object]]:
        """What the shim creates and writes for one job."""
        found: list[dict[str, object]] = []
        if self.limits == "v1":
            for controller, base in self.v1:
                found.append({"path": str(base / job_id), "write": _v1_files(controller, wanted)})
        if self.v2 is not None:
            writes = _v2_files(wanted) if self.limits == "v2" else []
            found.append({"path": str(self.v2 / job_id), "write": writes})
        elif self.v1_freezer is not None:
            found.append({"path": str(self.v1_freezer / job_id), "write": []})
        return found

    def freezer_group(self, job_id: str) -> Path | None:
        base = self.v2 or self.v1_freezer
        return base / job_id if base else None

    def usage(self, job_id: str) -> Usage | None:
        """What the job uses now, ``None`` where groups can't tell."""
        if self.limits == "v2" and self.v2:
            group = self.v2 / job_id
            stat = dict(line.split() for line in _read(group / "cpu.stat").splitlines())
            return Usage(
                int(stat.get("usage_usec", 0)) / 1e6, _number(group / "memory.current"), _number(group / "pids.current")
            )
        v1 = {name: base / job_id for name, base in self.v1}
        if self.limits != "v1":
            return None
        cpu = _number(v1["cpuacct"] / "cpuacct.usage") / 1e9 if "cpuacct" in v1 else 0.0
        return Usage(cpu, _number(v1["memory"] / "memory.usage_in_bytes"), _number(v1["pids"] / "pids.current"))

    def reclaim(self, job_id: str) -> None:
        """Move the job's memory to swap, as far as the kernel can; it may answer EAGAIN when that was not all."""
        if self.limits == "v2" and self.v2:
            group = self.v2 / job_id
            _write(group / "memory.swap.max", "max")
            _write(group / "memory.reclaim", str(_number(group / "memory.current")))
        elif self.limits == "v1":
            _write(dict(self.v1)["memory"] / job_id / "memory.force_empty", "0")

    def end_swapping(self, job_id: str) -> None:
        """A job that works again has its memory limit without swap beside it; what lies in swap comes back as it is needed."""
        if self.limits == "v2" and self.v2:
            _write(self.v2 / job_id / "memory.swap.max", "0")

    def remove(self, job_id: str) -> None:
        """Remove what a killed shim left behind, where it is empty."""
        for group in self.groups(job_id, Resources()):
            with contextlib.suppress(OSError):
                Path(str(group["path"])).rmdir()


def find() -> Hierarchies:
    """Probe by trying: make and remove a group, look for the files that are written later."""
    own = {name: path for line in _read(Path("/proc/self/cgroup")).splitlines() for name, path in _entry(line)}
    v2_mount, v1_mounts = _mounts()
    v2, controllers = _try_v2(v2_mount, own.get("", "/")) if v2_mount else (None, frozenset[str]())
    bases = {c: _try_base(v1_mounts[c], own.get(c, "/"), _probe_file(c)) for c in V1_CONTROLLERS if c in v1_mounts}
    v1 = [(controller, base) for controller, base in bases.items() if base is not None]
    freezer = (
        _try_base(v1_mounts["freezer"], own.get("freezer", "/"), "freezer.state") if "freezer" in v1_mounts else None
    )
    return Hierarchies(v2, controllers, tuple(v1), freezer)


def _entry(line: str) -> list[tuple[str, str]]:
    _, names, path = line.split(":", 2)
    return [(name, path) for name in names.split(",")]


def _mounts() -> tuple[Path | None, dict[str, Path]]:
    v2, v1 = None, {}
    for line in _read(Path("/proc/self/mounts")).splitlines():
        _, where, kind, options, *_ = line.split()
        if kind == "cgroup2":
            v2 = Path(where)
        elif kind == "cgroup":
            v1.update({name: Path(where) for name in options.split(",") if name in (*V1_CONTROLLERS, "freezer")})
    return v2, v1


def _probe_file(controller: str) -> str:
    return {
        "memory": "memory.limit_in_bytes",
        "cpu": "cpu.cfs_quota_us",
        "pids": "pids.max",
        "cpuacct": "cpuacct.usage",
    }[controller]


def _try_base(mount: Path, own: str, needed: str) -> Path | None:
    for parent in dict.fromkeys((mount / own.lstrip("/"), mount)):
        base, trial = parent / OURS, parent / OURS / "trial"
        try:
            base.mkdir(exist_ok=True)
            trial.mkdir(exist_ok=True)
            works = (trial / needed).exists()
            trial.rmdir()
        except OSError:
            continue
        if works:
            return base
    return None


def _try_v2(mount: Path, own: str) -> tuple[Path | None, frozenset[str]]:
    base = _try_base(mount, own, "cgroup.freeze")
    if base is None:
        return None, frozenset()
    for parent in (base.parent, base):
        for name in ("memory", "pids", "cpu"):
            with contextlib.suppress(OSError):
                (parent / "cgroup.subtree_control").write_text(f"+{name}")
    return base, frozenset(_read(base / "cgroup.subtree_control").split())


def _v1_files(controller: str, wanted: Resources) -> list[tuple[str, str]]:
    if controller == "memory" and wanted.memory_limit:
        limit = str(wanted.memory_limit)
        return (
            [("memory.limit_in_bytes", limit), ("memory.memsw.limit_in_bytes", limit)]
            if _has_memsw()
            else [("memory.limit_in_bytes", limit)]
        )
    if controller == "cpu" and wanted.cpu_limit:
        return [("cpu.cfs_period_us", "100000"), ("cpu.cfs_quota_us", str(max(1000, int(wanted.cpu_limit * 100_000))))]
    if controller == "pids" and wanted.processes_limit:
        return [("pids.max", str(wanted.processes_limit))]
    return []


def _has_memsw() -> bool:
    mount = _mounts()[1].get("memory")
    return mount is not None and (mount / "memory.memsw.limit_in_bytes").exists()


def _v2_files(wanted: Resources) -> list[tuple[str, str]]:
    files = []
    if wanted.memory_limit:
        files += [("memory.max", str(wanted.memory_limit)), ("memory.swap.max", "0"), ("memory.oom.group", "0")]
    if wanted.cpu_limit:
        files.append(("cpu.max", f"{max(1000, int(wanted.cpu_limit * 100_000))} 100000"))
    if wanted.processes_limit:
        files.append(("pids.max", str(wanted.processes_limit)))
    return files


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""


def _write(path: Path, text: str) -> None:
    with contextlib.suppress(OSError):
        path.write_text(text)


def _number(path: Path) -> int:
    text = _read(path).strip()
    return int(text) if text.isdigit() else 0
