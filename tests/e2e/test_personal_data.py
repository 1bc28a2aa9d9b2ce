"""A person asks for their data and to be forgotten, against the real server, on both databases; the trail stays valid."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from tests.factories.installation import Installation, new_installation, project, remove, until

PASSWORD = "harbour-light-7"
NAME = "wanda.wolf"


@pytest.fixture(params=["sqlite", "postgresql"])
def ph(request: pytest.FixtureRequest) -> Iterator[Installation]:
    url = request.getfixturevalue("postgres_url") if request.param == "postgresql" else None
    made = new_installation(db_url=url)
    try:
        if url:
            made.home.mkdir(parents=True)
            made.cli("migrate", "--home", str(made.home))
        made.start()
        made.make_administrator()
        for name in (NAME, "henrik.dahl"):
            made.cli("user", "add", name, "--role", "publisher", "--password", PASSWORD, "--first-name", name.title(),
                     "--home", str(made.home))  # fmt: skip
        yield made
    finally:
        remove(made)


def test_data_is_handed_out_and_erased_over_the_network(ph: Installation, tmp_path: Path) -> None:
    browser = httpx.Client(base_url=ph.url, timeout=60)
    assert browser.post("/__login__", data={"username": NAME, "password": PASSWORD}).status_code == 303
    guid = browser.get("/api/v1/users/me").json()["guid"]
    key = ph.cli("key", "create", "--user", NAME, "--name", "laptop", "--home", str(ph.home), "--json").stdout
    plain = json.loads(key)["key"]
    report = project(tmp_path / "report", {"index.html": "<p>Report</p>"})
    published = ph.deploy("html", report, "--title", "Quarterly report", key=plain).guid
    assert browser.get(f"/content/{published}/", follow_redirects=True).status_code == 200

    remote = ("--server", ph.url, "--api-key", ph.key)
    until(lambda: json.loads(ph.cli("user", "export", NAME, *remote).stdout)["usage"], timeout_s=60)
    found = browser.get(f"/api/v1/personal-data/{NAME}").json()
    assert found["account"]["username"] == NAME and [c["guid"] for c in found["content"]] == [published]
    assert found["tasks"] and found["bundles"] and found["deployments"] and len(found["logins"]) == 1
    assert plain not in json.dumps(found)
    assert ph.get("/api/v1/personal-data/henrik.dahl", key=plain).status_code == 403

    refused = ph.cli("user", "erase", NAME, "--yes", *remote, check=False)
    assert refused.returncode == 1 and "owns “Quarterly report”" in refused.stderr
    done = json.loads(ph.cli("user", "erase", NAME, "--content-to", "henrik.dahl", "--yes", "--json", *remote).stdout)
    assert done == {"guid": guid, "erased": True, "content_moved": 1}
    assert browser.get("/api/v1/users/me").status_code == 401
    assert ph.get("/api/v1/users/me", key=plain).status_code == 401
    assert browser.post("/__login__", data={"username": NAME, "password": PASSWORD}).status_code == 401
    owner = ph.api("GET", f"v1/content/{published}").json()["owner_guid"]
    assert owner == ph.api("GET", "v1/users", params={"prefix": "henrik"}).json()["results"][0]["guid"]
    left = ph.cli("user", "export", guid, *remote).stdout
    assert "wanda" not in left.lower()
    assert json.loads(ph.cli("audit", "verify", "--home", str(ph.home), "--json").stdout)["intact"]
