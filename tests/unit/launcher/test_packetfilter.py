"""The rules as text; that they hold is tested against the kernel in ``tests/e2e/test_packet_filter.py``."""

from __future__ import annotations

from pilothouse.launcher.backends.local.packetfilter import Place, opening, ruleset

LIVE = Place("127.64.0.7:20007", 200_007)
ENDED = Place("127.64.0.8:20008", 200_008, is_open=False)


def lines(script: str) -> list[str]:
    return [line.strip() for line in script.splitlines()]


def test_a_table_replaces_the_earlier_one_in_one_step() -> None:
    assert lines(ruleset("t", [], [0]))[:3] == ["table inet t", "delete table inet t", "table inet t {"]


def test_a_table_without_jobs_has_empty_sets() -> None:
    assert "set owners { typeof ip saddr . meta skuid; }" in lines(ruleset("t", [], [0]))


def test_an_ended_job_keeps_its_address_closed_and_owns_nothing() -> None:
    script = lines(ruleset("t", [ENDED, LIVE], [0]))
    assert "set owners { typeof ip saddr . meta skuid; elements = { 127.64.0.7 . 200007 }; }" in script
    assert "set ports { typeof tcp sport . meta skuid; elements = { 20007 . 200007 }; }" in script
    assert "set ours { type ipv4_addr; elements = { 127.64.0.7, 127.64.0.8 }; }" in script
    assert "set closed { type ipv4_addr; elements = { 127.64.0.8 }; }" in script


def test_the_same_jobs_make_the_same_script_in_any_order() -> None:
    assert ruleset("t", [LIVE, ENDED], [5, 0]) == ruleset("t", [ENDED, LIVE], [0, 5])


def test_the_server_and_its_gateway_may_connect() -> None:
    assert "meta skuid { 0, 990 } accept" in lines(ruleset("t", [LIVE], [990, 0]))


def test_opening_adds_the_job_to_each_set_of_live_ones() -> None:
    assert opening("t", LIVE).splitlines() == [
        "add element inet t owners { 127.64.0.7 . 200007 }",
        "add element inet t ports { 20007 . 200007 }",
        "add element inet t ours { 127.64.0.7 }",
    ]
