"""Who may connect to the address of a local job, and who may answer there: one nftables table for each jobs folder (SECURITY 15).

Only the opening of a connection is judged, and connections are not tracked: tracking would cost each packet of the machine
time, and its table would fill up under load. A table holds addresses of our own jobs only, so that several installations
on one machine leave each other alone. Addresses of ended jobs stay closed for five minutes: the gateway is refused at once
there, and nobody else can take the place.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pilothouse.launcher.backends.local.addresses import private

TIMEOUT_S = 10.0
#: The address of an ended job stays closed for so long (SECURITY 15).
CLOSED_S = 300.0
#: The table is written again after so long: a firewall that is reloaded may have flushed it.
AGAIN_S = 15.0

#: A connection begins with SYN and is taken with SYN + ACK. Which socket sends a packet, and so whose it is, can be unknown to
#: the kernel (a listener that answers with SYN cookies): such an answer must not pass.
CHAIN = """
    type filter hook output priority filter; policy accept;
    ip saddr @ours tcp flags & (syn | ack) == (syn | ack) ip saddr . meta skuid @owners accept
    ip saddr @ours tcp flags & (syn | ack) == (syn | ack) drop
    ip saddr @ours ip saddr . meta skuid != @owners drop
    tcp flags & (syn | ack) == (syn | ack) tcp sport . meta skuid @ports drop
    ip daddr != @ours accept
    tcp flags & (syn | ack) != syn accept
    ip daddr @closed reject with tcp reset
    meta skuid {clients} accept
    ip daddr . meta skuid @owners accept
    meta l4proto tcp reject with tcp reset
    drop
"""


class FilterFailed(OSError):
    """The packet filter can't be changed. The message is nftables' own."""


@dataclass(frozen=True)
class Place:
    """A job's ``ip:port`` and the user it runs as; ``is_open`` until it has ended."""

    address: str
    uid: int
    is_open: bool = True

    @property
    def host(self) -> str:
        return self.address.rpartition(":")[0]

    @property
    def port(self) -> str:
        return self.address.rpartition(":")[2]


def ruleset(table: str, places: Iterable[Place], clients: Iterable[int]) -> str:
    """The whole table as a script that replaces an earlier one in one step.

    ``clients`` are the users who may connect to every job: the gateway's and the server's. A job answers at its own address
    only, also when it listens on all of them: else others could reach it at 127.0.0.1, past this filter.
    """
    places = sorted(places, key=lambda place: place.address)
    live = [place for place in places if place.is_open]
    sets = (
        ("owners", "typeof ip saddr . meta skuid", [f"{p.host} . {p.uid}" for p in live]),
        ("ports", "typeof tcp sport . meta skuid", [f"{p.port} . {p.uid}" for p in live]),
        ("ours", "type ipv4_addr", [p.host for p in places]),
        ("closed", "type ipv4_addr", [p.host for p in places if not p.is_open]),
    )
    chain = CHAIN.replace("{clients}", "{ " + ", ".join(map(str, sorted(set(clients)))) + " }")
    body = "".join(f"  set {name} {{ {kind}; {_elements(members)}}}\n" for name, kind, members in sets)
    return (
        f"table inet {table}\ndelete table inet {table}\ntable inet {table} {{\n{body}  chain out {{{chain}  }}\n}}\n"
    )


def opening(table: str, place: Place) -> str:
    """The script that adds one job to a table which is there already."""
    members = (
        ("owners", f"{place.host} . {place.uid}"),
        ("ports", f"{place.port} . {place.uid}"),
        ("ours", place.host),
    )
    return "".join(f"add element inet {table} {name} {{ {member} }}\n" for name, member in members)


def _elements(members: list[str]) -> str:
    return f"elements = {{ {', '.join(dict.fromkeys(members))} }}; " if members else ""


class PacketFilter:
    """The table of one jobs folder. Several processes may share it: each change is made under a lock, from files.

    ``places`` reads all listening jobs, without those that ended more than `CLOSED_S` ago.
    """

    def __init__(self, nft: str, jobs: Path, places: Callable[[], list[Place]], clients: Iterable[int] = ()) -> None:
        self._nft, self._jobs, self._places = nft, jobs, places
        self._clients = {0, os.geteuid(), *clients}
        self.table = f"pilothouse_{hashlib.sha256(str(jobs.resolve()).encode()).hexdigest()[:12]}"
        self._applied, self._apply_at = "", 0.0

    def admit(self, place: Place) -> None:
        """Let the job at ``place`` be reached, before it starts. Raises `FilterFailed`."""
        with self._lock():
            if not self._applied:
                self._fit()
                return
            try:
                _run(self._nft, opening(self.table, place))
            except FilterFailed:
                self._applied = ""
                self._fit()

    def fit(self) -> None:
        """Make the table fit the jobs there are, also when somebody flushed all rules. Raises `FilterFailed`."""
        with self._lock():
            self._fit()

    def remove(self) -> None:
        """Take the table away unless a job needs it. Raises `FilterFailed`."""
        with self._lock():
            if not any(place.is_open for place in self._places()):
                _run(self._nft, f"table inet {self.table}\ndelete table inet {self.table}\n")
                self._applied = ""

    def _fit(self) -> None:
        script = ruleset(self.table, self._places(), self._clients)
        if script != self._applied or time.monotonic() >= self._apply_at:
            _run(self._nft, script)
            self._applied, self._apply_at = script, time.monotonic() + AGAIN_S

    @contextmanager
    def _lock(self) -> Iterator[None]:
        """A job that another process writes down while we read is added by that process after us."""
        with private(self._jobs / "packet-filter.lock") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield


def find() -> tuple[str | None, str]:
    """The path of nft if packets can be filtered here, tried out without changing anything; else ``None`` and why not."""
    if os.geteuid() != 0:
        return None, "the server does not run as root."
    nft = shutil.which("nft", path="/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin")
    if nft is None:
        return None, "nftables is not installed."
    sample = ruleset("pilothouse_trial", [Place("127.64.0.1:20000", 65_534), Place("127.64.0.2:20000", 0, False)], [0])
    try:
        _run(nft, sample, "--check")
    except FilterFailed as error:
        return None, f"nftables does not work here ({error})."
    return nft, ""


def _run(nft: str, script: str, *options: str) -> None:
    try:
        done = subprocess.run(
            [nft, *options, "--file", "-"],
            input=script.encode(), capture_output=True, timeout=TIMEOUT_S, check=False, cwd="/", env={},
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError) as error:
        raise FilterFailed(str(error)) from error
    if done.returncode != 0:
        words = done.stderr.decode(errors="replace").strip().splitlines()
        raise FilterFailed(words[0] if words else f"exit code {done.returncode}")
