"""Checks, packages on disk, test mails, time zones, the trail and what runs."""

from __future__ import annotations

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select
from tests.factories.control_plane import Asked
from tests.factories.tasks import running

from pilothouse.app.doctor import check_task
from pilothouse.base.access import Role
from pilothouse.content.models import Lock
from pilothouse.tasks.models import Task

API = "/__api__/v1"


@pytest.fixture
def boss(server: Asked) -> TestClient:
    return server.person("boss", Role.ADMINISTRATOR)[1]


def test_time_zones_say_how_far_they_are_from_utc(boss: TestClient) -> None:
    found = {zone["timezone"]: zone["offset"] for zone in boss.get(f"{API}/timezones").json()}
    assert (found["Asia/Kolkata"], found["UTC"], found["America/Phoenix"]) == ("+05:30", "+00:00", "-07:00")
    assert boss.get("/__api__/timezones").json() == boss.get(f"{API}/timezones").json()


def test_checks_run_in_the_background_and_keep_their_results(server: Asked, boss: TestClient) -> None:
    run = boss.post(f"{API}/system/checks", json={}).json()
    path = f"{API}/system/checks/{run['id']}"
    assert run["status"] == "pending" and boss.get(f"{path}/results").status_code == 503
    with running(server.database, {"system.check": check_task(server.plane.house.loaded)}):
        from tests.factories.tasks import finished

        finished(server.database, run["id"], within_s=60)
    assert boss.get(path).json()["status"] == "done"
    assert [each["id"] for each in boss.get(f"{API}/system/checks").json()] == [run["id"]]
    results = boss.get(f"{path}/results").json()
    assert {each["status"] for each in results} <= {"passed", "warning", "failed"} and "machine" in [
        each["name"] for each in results
    ]
    assert boss.get(f"{API}/system/checks/nothing").json()["code"] == 4


def test_a_test_mail_is_queued_for_administrators(server: Asked, boss: TestClient) -> None:
    task = boss.post(f"{API}/tasks/send-test-email", json={"to": "x@example.com"}).json()
    assert boss.get(f"{API}/tasks/{task['id']}").json()["finished"] is False
    for body in (
        {},
        {"to": "x"},
        {"to": 3},
        {"to": "x@example.com\nBcc: y@example.com"},
        {"to": "x@example.com, y@example.com"},
    ):
        assert boss.post(f"{API}/tasks/send-test-email", json=body).status_code == 400
    assert (
        server.person("amara")[1].post(f"{API}/tasks/send-test-email", json={"to": "x@example.com"}).status_code == 403
    )


def test_packages_on_disk_are_listed_and_cleared(
    server: Asked, boss: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    with server.database.write() as tx:
        for key, version in (("a" * 64, "3.12.4"), ("b" * 64, "3.11.9"), ("c" * 64, "3.10.1")):
            tx.add(
                Lock(requirements_digest=key, library_key=key, language="python", runtime_version=version, document={})
            )
    restorer = server.plane.house.engines.languages["python"].restorer
    monkeypatch.setattr(type(restorer), "find", lambda self, key: key if key[0] in "ab" else None)
    path = f"{API}/system/caches/runtime"
    listed = boss.get(path).json()["caches"]
    assert listed == [{"language": "Python", "version": v, "image_name": "Local"} for v in ("3.11.9", "3.12.4")]
    chosen = listed[0]
    assert boss.request("DELETE", path, json=chosen | {"dry_run": True}).json() == chosen | {"task_id": None}
    done = boss.request("DELETE", path, json=chosen | {"dry_run": False}).json()
    assert done["task_id"] and done | {"task_id": None} == chosen | {"task_id": None}
    with server.database.read() as tx:
        assert tx.scalar(select(Task.args).where(Task.key == done["task_id"])) == {
            "language": "python",
            "version": "3.11.9",
        }
    for missing in (chosen | {"version": "9"}, chosen | {"image_name": "x"}, {"language": "r"}, {}):
        answer = boss.request("DELETE", path, json=missing)
        assert (answer.status_code, answer.json()["code"]) == (404, 4)
    assert boss.request("DELETE", path, json=chosen | {"dry_run": "yes"}).status_code == 400
    assert server.person("amara")[1].get(path).status_code == 403


def test_the_trail_is_read_by_cursor_with_addresses_that_lead_back_here(server: Asked, boss: TestClient) -> None:
    for name in ("a", "b", "c"):
        boss.post(f"{API}/groups", json={"name": name})
    page = boss.get(f"{API}/audit_logs?limit=2&ascOrder=false").json()
    assert set(page) == {"paging", "results"}
    assert set(page["results"][0]) == {
        "id",
        "time",
        "user_id",
        "user_guid",
        "user_description",
        "action",
        "event_description",
    }
    assert (page["results"][0]["action"], page["results"][0]["user_description"]) == ("identity:group:created", "boss")
    base = server.plane.house.loaded.public_url
    assert page["paging"]["next"].startswith(f"{base}/__api__/v1/audit_logs?limit=2&ascOrder=false&next=")
    ids = [event["id"] for event in page["results"]]
    while page["paging"]["next"]:
        page = boss.get(page["paging"]["next"].removeprefix(base)).json()
        ids += [event["id"] for event in page["results"]]
    assert ids == sorted(ids, key=int, reverse=True) and len(set(ids)) == len(ids) >= 4
    for bad in ("limit=0", "limit=501", "next=x", "ascOrder=x"):
        assert boss.get(f"{API}/audit_logs?{bad}").status_code == 400
    assert server.person("amara")[1].get(f"{API}/audit_logs").json()["code"] == 22


def test_what_runs_is_told_to_administrators(server: Asked, boss: TestClient) -> None:
    assert boss.get("/__api__/metrics/procs").json() == {}
    assert server.person("amara")[1].get("/__api__/metrics/procs").status_code == 403
