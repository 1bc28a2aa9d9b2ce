"""Two hundred wrong passwords at once against the real server: the administrator still signs in, and guessing stays slow."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from tests.factories.installation import Installation, new_installation, remove

NAME, PASSWORD = "jonas.brandt", "harbour-light-7"
OFFICE = "198.51.100.7"
CROWD = 200
#: Free attempts with one name from anywhere, and the few that waited for their turn.
CHECKED_AT_MOST = 100 + 10


@pytest.fixture
def ph() -> Iterator[Installation]:
    made = new_installation('[gateway]\ntrusted_proxies = ["127.0.0.1"]\n')
    try:
        made.start()
        made.cli(
            "user", "add", NAME, "--role", "administrator", "--password", PASSWORD, "--home", str(made.home)
        )  # fmt: skip
        yield made
    finally:
        remove(made)


BROWSERS = httpx.Client(timeout=120, limits=httpx.Limits(max_connections=CROWD + 10, max_keepalive_connections=0))


def sign_in(ph: Installation, password: str, address: str) -> httpx.Response:
    """As a browser behind a proxy whose word about addresses counts."""
    return BROWSERS.post(
        f"{ph.url}/__login__",
        data={"username": NAME, "password": password},
        headers={"X-Forwarded-For": address, "Cookie": ""},
    )


def flood(ph: Installation, addresses: int) -> list[int]:
    """All at once, from as many addresses; the statuses of the answers."""
    with ThreadPoolExecutor(CROWD) as crowd:
        answers = crowd.map(lambda n: sign_in(ph, f"guess-{n}", f"203.0.113.{n % addresses + 1}"), range(CROWD))
        return [answer.status_code for answer in answers]


def seconds_until_in(ph: Installation, address: str) -> float:
    begin = time.monotonic()
    while sign_in(ph, PASSWORD, address).status_code != 303:
        assert time.monotonic() - begin < 60, "locked out"
        time.sleep(0.5)
    return time.monotonic() - begin


def checked(ph: Installation) -> int:
    """How many wrong passwords were compared with the right one."""
    lines = ph.cli("audit", "export", "--event", "identity:login:failed", "--home", str(ph.home)).stdout.splitlines()
    assert all(json.loads(line)["actor_id"] is None for line in lines)
    return len(lines)


def test_a_crowd_of_guessers_neither_locks_the_administrator_out_nor_gets_far(ph: Installation) -> None:
    assert sign_in(ph, PASSWORD, OFFICE).status_code == 303
    with ThreadPoolExecutor(1) as aside:
        crowd = aside.submit(flood, ph, 50)
        time.sleep(1)
        slowest = max(seconds_of_a_page(ph) for _ in range(5))
        assert sign_in(ph, PASSWORD, OFFICE).status_code == 303, "while they guess"
        assert set(crowd.result()) == {401}
    assert slowest < 10
    assert sign_in(ph, PASSWORD, OFFICE).status_code == 303
    assert seconds_until_in(ph, "192.0.2.55") < 20, "from a place that nobody knows"
    assert checked(ph) <= CHECKED_AT_MOST


def test_a_crowd_at_the_same_address_costs_the_administrator_seconds(ph: Installation) -> None:
    assert set(flood(ph, 1)) == {401}
    assert seconds_until_in(ph, "203.0.113.1") < 20
    program = BROWSERS.post(f"{ph.url}/__api__/__login__", json={"username": NAME, "password": PASSWORD})
    assert program.status_code == 200 and program.json()["username"] == NAME
    assert checked(ph) <= 10 + 5


def seconds_of_a_page(ph: Installation) -> float:
    begin = time.monotonic()
    assert BROWSERS.get(f"{ph.url}/__login__", headers={"Cookie": ""}).status_code == 200
    return time.monotonic() - begin
