"""What works on this machine, found out by trying and never by version."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path

from pilothouse.launcher.backends.local import cgroups, packetfilter
from pilothouse.launcher.backends.local.options import LocalOptions
from pilothouse.launcher.contract import Capabilities, MachineMemory

TRIAL_UID = 65_534


@dataclass(frozen=True)
class Findings:
    """The answers: where bubblewrap and nft are, whether a sandbox gets a user namespace, the control groups, and why not."""

    bwrap: str | None
    user_namespaces: bool
    groups: cgroups.Hierarchies
    is_root: bool
    why_no_bwrap: str = ""
    nft: str | None = None
    why_no_nft: str = ""

    def capabilities(self) -> Capabilities:
        facts, weak = self._isolation()
        limits, freezer = self.groups.limits, self.groups.freezer
        if limits == "rlimits":
            weak.append(
                "Limits are weak: no control groups can be written. Memory is limited for each process only, cpu not at all."
            )
        else:
            facts.append(f"Memory, cpu and process limits by control groups ({limits}).")
        facts.append(
            "Idle jobs are frozen by " + ("signals." if freezer == "sigstop" else f"control groups ({freezer}).")
        )
        if not has_swap():
            facts.append("There is no swap: frozen jobs keep their memory.")
        isolation = "bubblewrap" if self.bwrap else "none"
        return Capabilities(limits, freezer, isolation, facts=tuple(facts), weak=tuple(weak))

    def _isolation(self) -> tuple[list[str], list[str]]:
        """What keeps jobs apart from each other and from the machine, and what does not."""
        facts, weak = [], []
        if self.bwrap:
            facts.append("Jobs run in a sandbox: own processes, own mounts, a read-only system.")
        else:
            weak.append(
                f"Jobs see the files and processes of this machine: {self.why_no_bwrap} Install bubblewrap and allow user namespaces."
            )
        if not self.is_root:
            weak.append(
                "All jobs run as one user, the server's own: a job can impersonate visitors to another. Start the server as root."
            )
            return facts, weak
        facts.append("Each content runs under a user id of its own.")
        if self.nft:
            facts.append(
                "A packet filter lets nobody but the gateway connect to jobs, and only a job answer at its address."
            )
        else:
            weak.append(
                f"Jobs can reach each other: {self.why_no_nft} A job can impersonate visitors to another. "
                "Install nftables and set launcher.packet_filter."
            )
        return facts, weak


def probe(options: LocalOptions) -> Findings:
    """Try everything once; takes about a tenth of a second and changes nothing."""
    nft, why_no_nft = None, "the packet filter is switched off in the settings."
    if options.packet_filter != "off":
        nft, why_no_nft = packetfilter.find()
    return replace(_probe_sandbox(use_bwrap=options.sandbox != "off"), nft=nft, why_no_nft=why_no_nft)


def _probe_sandbox(*, use_bwrap: bool) -> Findings:
    is_root = os.geteuid() == 0
    groups = cgroups.find()
    if not use_bwrap:
        return Findings(None, False, groups, is_root, "the sandbox is switched off in the settings.")
    bwrap = shutil.which("bwrap", path="/usr/local/bin:/usr/bin:/bin")
    if bwrap is None:
        return Findings(None, False, groups, is_root, "bubblewrap is not installed.")
    failure = _try_bwrap(bwrap, as_user=True)
    if not failure:
        return Findings(bwrap, True, groups, is_root)
    if is_root and not _try_bwrap(bwrap, as_user=False):
        return Findings(bwrap, False, groups, is_root)
    return Findings(None, False, groups, is_root, f"bubblewrap failed ({failure}).")


def is_open(path: Path) -> bool:
    """Whether everybody may reach ``path``: all folders above it may be passed through by others."""
    try:
        return all(parent.stat().st_mode & 0o001 for parent in path.resolve().parents)
    except OSError:
        return False


def top_links() -> dict[str, str]:
    """``/bin`` and its like: the target of the symbolic link, or empty where it is a folder of its own."""
    found = {}
    for name in ("/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"):
        path = Path(name)
        if path.is_symlink():
            found[name] = os.readlink(name)
        elif path.is_dir():
            found[name] = ""
    return found


def has_swap() -> bool:
    try:
        return len(Path("/proc/swaps").read_text().splitlines()) > 1
    except OSError:
        return False


def _try_bwrap(bwrap: str, *, as_user: bool) -> str:
    spaces = ["--unshare-user", "--disable-userns"] if as_user else []
    command = [bwrap, "--unshare-pid", *spaces, "--die-with-parent", "--ro-bind", "/usr", "/usr"]
    for path, target in top_links().items():
        command += ["--symlink", target, path] if target else ["--ro-bind", path, path]
    command += ["--proc", "/proc", "--dev", "/dev"]
    command += ["--perms", "1777", "--size", "1048576", "--tmpfs", "/tmp", "/usr/bin/true"]
    identity = {"user": TRIAL_UID, "group": TRIAL_UID, "extra_groups": []} if as_user and os.geteuid() == 0 else {}
    try:
        done = subprocess.run(command, capture_output=True, timeout=10, check=False, cwd="/", env={}, **identity)  # type: ignore[call-overload]
    except (OSError, subprocess.SubprocessError) as error:
        return str(error)
    if done.returncode == 0:
        return ""
    words = done.stderr.decode(errors="replace").strip().splitlines()
    return words[-1] if words else f"exit code {done.returncode}"


def machine_memory() -> MachineMemory:
    """What the kernel says of this machine's memory."""
    lines = Path("/proc/meminfo").read_text().splitlines()
    kilobytes = {name: int(value.split()[0]) for name, _, value in (line.partition(":") for line in lines)}
    return MachineMemory(*(1024 * kilobytes[name] for name in ("MemTotal", "MemAvailable", "SwapFree")))
