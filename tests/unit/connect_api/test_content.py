"""Content on the wire (connect-wire-api §2.2, §3.4)."""

from __future__ import annotations

from tests.factories.control_plane import Asked


def test_what_post_answers_is_what_get_and_the_list_answer(server: Asked) -> None:
    _, client = server.person()
    made = client.post("/__api__/v1/content", json={"name": "daily-report", "title": "Daily report"}).json()
    assert (made["name"], made["title"], made["app_mode"]) == ("daily-report", "Daily report", "unknown")
    assert client.get(f"/__api__/v1/content/{made['guid']}").json() == made
    assert client.get("/__api__/v1/content").json() == [made]


def test_a_stage_lists_and_finds_only_its_own(server: Asked) -> None:
    _, client = server.person()
    made = client.post("/__api__/v1/content", json={"name": "daily-report"}).json()
    assert client.get("/prod/__api__/v1/content").json() == []
    answer = client.get(f"/prod/__api__/v1/content/{made['guid']}")
    assert (answer.status_code, answer.json()["code"]) == (404, 4)


def test_nobody_and_a_wrong_key_are_told_apart_from_nothing(server: Asked) -> None:
    assert server.client().get("/__api__/v1/content").json()["code"] == 30
    wrong = server.client(key="wrong").get("/__api__/server_settings")
    assert (wrong.status_code, wrong.json()["code"]) == (401, 30)
