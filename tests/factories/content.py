"""Archives to deploy, and content that was deployed, as tests of the protocol need them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from fastapi.testclient import TestClient
from tests.factories.archives import targz
from tests.factories.control_plane import Asked
from tests.factories.tasks import until

from pilothouse.content.models import Bundle, Content, Lock

PAGE = "<!doctype html><title>Report</title><p>Batch 12 is fine."


def site(files: Mapping[str, str] | None = None, **metadata: Any) -> bytes:
    """The archive of a page and further files, to be sent as they are."""
    said = {"appmode": "static", "primary_html": "index.html", **metadata}
    document = json.dumps({"version": 1, "metadata": said, "files": None}).encode()
    members = {"index.html": PAGE} | dict(files or {})
    return targz(("manifest.json", document), *((name, text.encode()) for name, text in members.items()))


def make(client: TestClient, name: str = "", **fields: Any) -> dict[str, Any]:
    """New content without a bundle."""
    answer = client.post("/__api__/v1/content", json={"name": name, **fields})
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def upload(client: TestClient, guid: str, archive: bytes | None = None, **headers: str) -> dict[str, Any]:
    """A new bundle."""
    answer = client.post(f"/__api__/v1/content/{guid}/bundles", content=archive or site(), headers=headers)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def finished(client: TestClient, task_id: str) -> dict[str, Any]:
    """The task once it is finished; somebody must be working."""
    found: dict[str, Any] = {}

    def look() -> bool:
        found.update(client.get(f"/__api__/v1/tasks/{task_id}").json())
        return bool(found["finished"])

    until(look, 20)
    return found


def deploy(client: TestClient, guid: str, archive: bytes | None = None) -> str:
    """Upload and deploy; the bundle's id. Somebody must be working."""
    bundle = upload(client, guid, archive)["id"]
    task = client.post(f"/__api__/v1/content/{guid}/deploy", json={"bundle_id": bundle}).json()["task_id"]
    done = finished(client, task)
    assert done["code"] == 0, done
    return str(bundle)


def add_lock(server: Asked, guid: str, **packages: str) -> int:
    """Pretend that content has an active bundle with these packages; the bundle's id."""
    with server.database.write() as tx:
        row = tx.query(Content).filter_by(guid=guid).one()
        bundle = Bundle(
            content_id=row.id, digest="a" * 64, size_bytes=1, archive_md5="", archive_sha1="", py_version="3.11.9", library_key=f"lib-{guid}"
        )  # fmt: skip
        artifacts = [{"name": n, "version": v, "sha256": "b" * 64} for n, v in packages.items()]
        tx.add_all([bundle, Lock(requirements_digest=guid, library_key=f"lib-{guid}", runtime_version="3.11.9", document={"artifacts": artifacts})])  # fmt: skip
        tx.flush()
        row.bundle_id = bundle.id
        return bundle.id
