"""Addresses of local jobs: each is used once."""

from __future__ import annotations

import ipaddress
import subprocess
import sys
import time
from pathlib import Path

from pilothouse.launcher.backends.local import addresses

TAKES = "import sys; from pathlib import Path; from pilothouse.launcher.backends.local.addresses import take\nwhile True: print(take(Path(sys.argv[1])), flush=True)"


def number(address: str) -> int:
    return int(ipaddress.ip_address(address.rpartition(":")[0])) - int(addresses.POOL.network_address)


def test_one_follows_the_other_within_the_pool(tmp_path: Path) -> None:
    (tmp_path / "next-address").write_text(str(addresses.POOL.num_addresses - 3))
    last, first, second = (addresses.take(tmp_path) for _ in range(3))
    assert (number(last), number(first), number(second)) == (addresses.POOL.num_addresses - 2, 1, 2)


def test_who_is_killed_meanwhile_sets_nothing_back(tmp_path: Path) -> None:
    """At whatever moment: an address that was used a moment ago is closed to everybody."""
    (tmp_path / "next-address").write_text("0")
    highest = 0
    for attempt in range(20):
        process = subprocess.Popen([sys.executable, "-c", TAKES, str(tmp_path)], stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        assert number(process.stdout.readline()) > highest
        time.sleep(0.0137 * (attempt % 5))
        process.kill()
        highest = max([highest, *(number(line.strip()) for line in process.communicate()[0].split())])
    assert number(addresses.take(tmp_path)) > highest
