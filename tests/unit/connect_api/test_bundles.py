"""Bundles, deploys, builds and their jobs on the wire (connect-wire-api §2.2, §3.3, §3.5)."""

from __future__ import annotations

import base64
import gzip
import hashlib

from tests.factories.content import deploy, finished, make, site, upload
from tests.factories.control_plane import Asked

from pilothouse.base.access import ResourceRef
from pilothouse.launcher.models import Job
from pilothouse.tasks import enqueue

BUNDLE = [
    "id",
    "content_guid",
    "created_time",
    "created_by",
    "created_by_name",
    "created_by_user",
    "cluster_name",
    "image_name",
    "environment_guid",
    "r_version",
    "r_environment_management",
    "py_version",
    "py_environment_management",
    "quarto_version",
    "active",
    "size",
    "metadata",
]
JOB = [
    "id",
    "pid",
    "ppid",
    "key",
    "remote_id",
    "app_id",
    "content_id",
    "content_guid",
    "variant_id",
    "bundle_id",
    "start_time",
    "end_time",
    "last_heartbeat_time",
    "queued_time",
    "queue_name",
    "tag",
    "exit_code",
    "status",
    "hostname",
    "cluster",
    "image",
    "run_as",
]


def checksum(data: bytes) -> str:
    return base64.b64encode(hashlib.md5(data).digest()).decode()


def test_bundles_are_kept_listed_and_given_back_byte_for_byte(server: Asked) -> None:
    user, client = server.person()
    guid = make(client)["guid"]
    archive = site()
    first, second = upload(client, guid, archive), upload(client, guid, archive)
    assert set(first) == set(BUNDLE)
    assert (first["content_guid"], first["size"], first["active"], first["created_by_name"]) == (
        guid,
        len(archive),
        False,
        user.username,
    )
    assert first["metadata"]["archive_md5"] == hashlib.md5(archive).hexdigest()
    assert int(second["id"]) > int(first["id"])
    path = f"/__api__/v1/content/{guid}/bundles"
    assert client.get(path).json() == [second, first]
    assert client.get(f"{path}/{first['id']}").json() == first
    sent = client.get(f"{path}/{first['id']}/download")
    assert (sent.content, sent.headers["content-type"]) == (archive, "application/gzip")
    gone = client.delete(f"{path}/{first['id']}")
    assert (gone.status_code, gone.content) == (204, b"")
    assert client.get(path).json() == [second]
    assert client.get(f"{path}/{first['id']}").status_code == 404


def test_a_form_brings_where_the_archive_comes_from(server: Asked) -> None:
    _, client = server.person()
    guid = make(client)["guid"]
    said = '{"source": "git", "source_repo": "https://git.example/a", "source_branch": "main", "source_commit": "a1b2-dirty"}'
    parts = {"archive": ("bundle.tar.gz", site(), "application/x-tar"), "metadata": (None, said, "application/json")}
    made = client.post(f"/__api__/v1/content/{guid}/bundles", files=parts).json()
    assert (made["metadata"]["source"], made["metadata"]["source_commit"]) == ("git", "a1b2-dirty")
    assert client.get(f"/__api__/v1/content/{guid}/bundles/{made['id']}/download").content == site()
    for broken in ({"other": ("x", b"y")}, {**parts, "metadata": (None, "{")}, {**parts, "metadata": (None, "[]")}):
        answer = client.post(f"/__api__/v1/content/{guid}/bundles", files=broken)
        assert (answer.status_code, answer.json()["code"]) == (400, 101)


def test_an_upload_that_was_changed_on_the_way_is_refused(server: Asked) -> None:
    _, client = server.person()
    guid, archive = make(client)["guid"], site()
    upload(client, guid, archive, **{"X-Content-Checksum": checksum(archive)})
    for told in (checksum(archive + b"x"), "nonsense"):
        answer = client.post(
            f"/__api__/v1/content/{guid}/bundles", content=archive, headers={"X-Content-Checksum": told}
        )
        assert (answer.status_code, answer.json()["code"]) == (400, 101)
    assert len(client.get(f"/__api__/v1/content/{guid}/bundles").json()) == 1
    assert client.post(f"/__api__/v1/content/{guid}/bundles", content=b"").status_code == 400


def test_the_active_bundle_stays(server: Asked) -> None:
    _, client = server.person()
    guid = make(client)["guid"]
    with server.working():
        number = deploy(client, guid)
    shown = client.get(f"/__api__/v1/content/{guid}").json()
    assert (shown["bundle_id"], shown["app_mode"]) == (number, "static")
    answer = client.delete(f"/__api__/v1/content/{guid}/bundles/{number}")
    assert (answer.status_code, answer.json()["code"]) == (409, 75)
    assert client.get(f"/__api__/v1/content/{guid}/bundles/{number}").json()["active"] is True


def test_a_build_activates_and_starts_nothing(server: Asked) -> None:
    _, client = server.person()
    guid = make(client)["guid"]
    bundle = upload(client, guid)["id"]
    with server.working():
        answer = client.post(f"/__api__/v1/content/{guid}/build", json={"bundle_id": bundle})
        done = finished(client, answer.json()["task_id"])
    assert (answer.status_code, done["code"]) == (202, 0)
    assert "nothing was started" in done["output"][-1]
    assert client.get(f"/__api__/v1/content/{guid}").json()["bundle_id"] is None


def test_a_draft_activates_nothing_and_no_bundle_means_the_newest(server: Asked) -> None:
    _, client = server.person()
    guid = make(client)["guid"]
    upload(client, guid)
    newest = upload(client, guid)["id"]
    path = f"/__api__/v1/content/{guid}"
    with server.working():
        draft = finished(client, client.post(f"{path}/deploy", json={"activate": False}).json()["task_id"])
        assert (draft["code"], client.get(path).json()["bundle_id"]) == (0, None)
        finished(client, client.post(f"{path}/deploy", json={"bundle_id": None}).json()["task_id"])
    assert client.get(path).json()["bundle_id"] == newest


def test_a_deploy_is_a_job_as_soon_as_it_is_asked_for(server: Asked) -> None:
    _, client = server.person()
    made = make(client)
    guid = made["guid"]
    bundle = upload(client, guid)["id"]
    task = client.post(f"/__api__/v1/content/{guid}/deploy", json={}).json()["task_id"]
    path = f"/__api__/v1/content/{guid}/jobs"
    (job,) = client.get(path).json()
    assert set(job) == set(JOB)
    assert (job["key"], job["bundle_id"], job["app_id"], job["content_guid"], job["status"]) == (
        task,
        bundle,
        made["id"],
        guid,
        0,
    )
    with server.working():
        printed = finished(client, task)["output"]
    job = client.get(f"{path}/{task}").json()
    assert (job["status"], job["exit_code"]) == (2, 0)
    entries = client.get(f"{path}/{task}/log").json()["entries"]
    assert [entry["data"] for entry in entries] == printed
    assert set(entries[0]) == {"source", "timestamp", "data"}
    last = client.get(f"{path}/{task}/log?maxLogLines=1").json()["entries"]
    assert [entry["data"] for entry in last] == printed[-1:]


def test_a_deploy_that_waits_is_stopped_as_a_job(server: Asked) -> None:
    _, client = server.person()
    made = make(client)
    upload(client, made["guid"])
    task = client.post(f"/__api__/v1/content/{made['guid']}/deploy", json={}).json()["task_id"]
    answer = client.delete(f"/__api__/v1/content/{made['guid']}/jobs/{task}").json()
    assert set(answer) == {"guid", "app_id", "app_guid", "job_id", "job_key", "result"}
    assert (answer["app_id"], answer["job_key"], answer["result"]) == (made["id"], task, "Order to kill job registered")
    ended = client.get(f"/__api__/v1/tasks/{task}").json()
    assert (ended["finished"], ended["code"]) == (True, 1)
    path = f"/__api__/v1/content/{made['guid']}/jobs/{task}"
    assert client.delete(path).status_code == 200, "again is harmless"
    assert client.get(f"/__api__/v1/tasks/{task}").json() == ended


def test_a_worker_is_a_job(server: Asked) -> None:
    _, client = server.person()
    made = make(client)
    with server.database.write() as tx:
        tx.add(
            Job(
                key="abcd2345",
                tag="run_fastapi_app",
                subject_kind="content",
                subject_id=int(made["id"]),
                node="here",
                pid=12,
            )
        )
    (job,) = client.get(f"/__api__/v1/content/{made['guid']}/jobs").json()
    assert set(job) == set(JOB)
    assert (job["tag"], job["pid"], job["key"], job["exit_code"]) == ("run_fastapi_app", "12", "abcd2345", None)
    assert client.get(f"/__api__/v1/content/{made['guid']}/jobs/abcd2345/log").json() == {"entries": []}


def test_a_task_is_its_askers_own(server: Asked) -> None:
    user, client = server.person()
    _, other = server.person("jonas.weber")
    with server.database.write() as tx:
        key = enqueue(tx, "content.deploy", {"bundle_id": 1}, actor_id=user.id, subject=ResourceRef("content", 1)).key
    shown = client.get(f"/__api__/v1/tasks/{key}").json()
    assert shown == {"id": key, "output": [], "result": None, "finished": False, "code": 0, "error": "", "last": 0}
    hidden = other.get(f"/__api__/v1/tasks/{key}")
    assert (hidden.status_code, hidden.json()["code"]) == (404, 4)


def test_an_archive_that_is_none_fails_its_deploy_and_says_why(server: Asked) -> None:
    _, client = server.person()
    guid = make(client)["guid"]
    with server.working():
        for data in (
            b"not a tar",
            gzip.compress(b"nor this"),
            site(appmode="unheard-of"),
            site(primary_html="none.html"),
        ):
            upload(client, guid, data)
            done = finished(client, client.post(f"/__api__/v1/content/{guid}/deploy", json={}).json()["task_id"])
            assert done["code"] != 0 and done["error"]
    assert client.get(f"/__api__/v1/content/{guid}").json()["bundle_id"] is None


def test_whether_to_activate_is_true_or_false(server: Asked) -> None:
    _, client = server.person()
    guid = make(client)["guid"]
    upload(client, guid)
    path = f"/__api__/v1/content/{guid}/deploy"
    for said in ("false", 0, [], {}):
        refused = client.post(path, json={"activate": said})
        assert (refused.status_code, refused.json()["code"]) == (400, 101), said
    assert client.post(path, json={"activate": None}).status_code == 202
