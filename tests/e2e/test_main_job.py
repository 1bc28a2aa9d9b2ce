"""The main job: the unmodified client deploys to a live, authorised app, on both databases; and what can go wrong on the way."""

from __future__ import annotations

import hashlib
import io
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from tests.factories.installation import EXAMPLES, Installation, database_url, installed, project, until

APP = """
import os
from fastapi import FastAPI, Request
app = FastAPI()

@app.get("/")
def about(request: Request):
    return {"pid": os.getpid(), "boot": BOOT, "root": request.scope["root_path"], "headers": dict(request.headers), "colour": os.environ.get("COLOUR")}

BOOT = os.urandom(8).hex()
"""


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def ph(request: pytest.FixtureRequest) -> Iterator[Installation]:
    with installed("[content]\ninit_timeout = 8\n", database_url(request, "main_job")) as made:
        yield made


@pytest.fixture(scope="module")
def api_app(ph: Installation, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """A deployed FastAPI app and its folder."""
    folder = project(tmp_path_factory.mktemp("app"), {"app.py": APP, "requirements.txt": "fastapi\n"})
    done = ph.deploy("fastapi", folder, "--entrypoint", "app:app", "--title", "Main job", "-E", "COLOUR=teal")
    return done.guid, folder


def archive(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


def manifest(app_mode: str = "python-fastapi", entrypoint: str = "app:app") -> bytes:
    return (
        f'{{"version": 1, "metadata": {{"appmode": "{app_mode}", "entrypoint": "{entrypoint}"}}, '
        '"python": {"version": "3.11.0", "package_manager": {"name": "pip", "package_file": "requirements.txt"}}, "files": null}'
    ).encode()


def deploy_archive(ph: Installation, data: bytes) -> dict[str, object]:
    """Upload and deploy raw bytes; the finished task."""
    guid = ph.api("POST", "v1/content", json={}).json()["guid"]
    bundle = ph.api("POST", f"v1/content/{guid}/bundles", content=data)
    assert bundle.status_code == 200, bundle.text
    task = ph.api("POST", f"v1/content/{guid}/deploy", json={"bundle_id": bundle.json()["id"]}).json()["task_id"]
    return until(
        lambda: t if (t := ph.api("GET", f"v1/tasks/{task}", params={"wait": 5}).json())["finished"] else None, 90
    )


def test_the_client_finds_the_server_and_its_pythons(ph: Installation) -> None:
    ph.rsconnect("add", "--server", ph.url, "--name", "ph", "--api-key", ph.key)
    assert "Installed versions of Python" in ph.rsconnect("details", "-n", "ph").stdout


def test_a_deployed_app_answers_under_its_mount_with_identity_and_variables(
    ph: Installation, api_app: tuple[str, Path]
) -> None:
    answer = ph.get(
        f"/content/{api_app[0]}/",
        headers={"X-Forwarded-Prefix": "/evil", "RStudio-Connect-Credentials": "x", "Cookie": "a=b"},
    )
    assert answer.status_code == 200
    assert answer.headers["content-security-policy"] == "sandbox"
    told = answer.json()
    assert (told["root"], told["colour"]) == (f"/content/{api_app[0]}", "teal")
    assert told["headers"]["rstudio-connect-credentials"] == '{"user": "admin", "groups": []}'
    assert told["headers"]["x-forwarded-prefix"] == f"/content/{api_app[0]}"
    assert "authorization" not in told["headers"]
    assert told["headers"]["cookie"] == "a=b"


def test_programs_learn_what_runs_and_what_it_uses(ph: Installation, api_app: tuple[str, Path]) -> None:
    guid = api_app[0]
    assert ph.get(f"/content/{guid}/").status_code == 200

    def running() -> tuple[str, dict[str, object]] | None:
        procs = ph.api("GET", "metrics/procs").json()
        return next(((pid, p) for pid, p in procs.items() if p["appGuid"] == guid and p["cpuTotal"] > 0), None)

    pid, found = until(running)
    item = ph.api("GET", f"v1/content/{guid}").json()
    assert (found["appName"], found["appUrl"]) == (item["name"], item["content_url"])
    assert found["type"] == "run_fastapi_app" and isinstance(found["appId"], int)
    assert found["ram"] > 1_000_000 and found["cpuCurrent"] >= 0
    assert Path(f"/proc/{pid}").exists(), "it is the process id on this machine"


def test_a_path_of_its_own_leads_to_the_same_app(ph: Installation, api_app: tuple[str, Path]) -> None:
    guid, _ = api_app
    vanity = f"v1/content/{guid}/vanity"
    assert ph.api("GET", vanity).status_code == 404
    assert ph.api("PUT", vanity, json={"path": "main/job"}).json()["path"] == "/main/job/"
    told = ph.get("/main/job/").json()
    assert told["root"] == "/main/job"
    assert told["headers"]["rstudio-connect-app-base-url"] == f"{ph.url}/main/job"
    assert ph.get("/main/job").headers["location"] == "/main/job/"
    assert told["boot"] == ph.get(f"/content/{guid}/").json()["boot"]
    assert httpx.get(f"{ph.url}/main/job/").status_code == 401
    assert ph.api("PUT", vanity, json={"path": "static"}).status_code == 400
    shown = ph.api("GET", f"v1/content/{guid}?include=vanity_url").json()
    assert shown["vanity_url"] == f"{ph.url}/main/job/"
    assert ph.api("DELETE", vanity).status_code == 204
    assert ph.get("/main/job/").status_code == 404


def test_nobody_else_gets_in(ph: Installation, api_app: tuple[str, Path]) -> None:
    path = f"/content/{api_app[0]}/"
    assert httpx.get(ph.url + path).status_code == 401
    assert ph.get(path, key="ph_wrong").status_code == 401
    visit = httpx.get(ph.content_url + path, headers={"Sec-Fetch-Mode": "navigate", "Accept": "text/html"})
    assert visit.status_code == 302
    assert "/__login__?url=" in visit.headers["location"]
    on_dashboard = httpx.get(ph.url + path, headers={"Sec-Fetch-Mode": "navigate", "Accept": "text/html"})
    assert on_dashboard.headers["location"] == ph.content_url + path
    assert httpx.get(ph.url + path, headers={"Host": "elsewhere.example"}).status_code == 421


def test_a_second_deploy_restores_nothing_and_a_failed_draft_changes_nothing(
    ph: Installation, api_app: tuple[str, Path], tmp_path: Path
) -> None:
    guid, folder = api_app
    again = ph.deploy("fastapi", folder, "--entrypoint", "app:app", "--app-id", guid)
    assert "Using the lock made for the same requirements" in again.output
    assert "Using the library that is there already" in again.output
    active = ph.api("GET", f"v1/content/{guid}").json()["bundle_id"]
    broken = project(
        tmp_path,
        {"app.py": "from fastapi import FastAPI\nraise RuntimeError('no tank')\n", "requirements.txt": "fastapi\n"},
    )
    failed = ph.deploy("fastapi", broken, "--entrypoint", "app:app", "--app-id", guid, check=False)
    assert failed.code != 0
    assert "no tank" in failed.output
    assert ph.api("GET", f"v1/content/{guid}").json()["bundle_id"] == active
    assert ph.get(f"/content/{guid}/").status_code == 200


def test_a_draft_is_served_beside_the_active_bundle_and_every_bundle_can_come_back(
    ph: Installation, api_app: tuple[str, Path]
) -> None:
    guid, folder = api_app
    first = ph.api("GET", f"v1/content/{guid}").json()["bundle_id"]
    draft = ph.deploy("fastapi", folder, "--entrypoint", "app:app", "--app-id", guid, "--draft")
    number = max(int(b["id"]) for b in ph.api("GET", f"v1/content/{guid}/bundles").json())
    assert f"/draft/{number}" in draft.output
    assert ph.api("GET", f"v1/content/{guid}").json()["bundle_id"] == first
    assert ph.get(f"/content/{guid}/_bundle{number}/").json()["root"] == f"/content/{guid}/_bundle{number}"
    for wanted in (str(number), first):
        task = ph.api("POST", f"v1/content/{guid}/deploy", json={"bundle_id": wanted}).json()["task_id"]
        assert (
            until(lambda key=task: (t := ph.api("GET", f"v1/tasks/{key}?wait=5").json())["finished"] and t)["code"] == 0
        )
        assert ph.api("GET", f"v1/content/{guid}").json()["bundle_id"] == wanted


def test_search_describe_download_and_lockfile(ph: Installation, api_app: tuple[str, Path], tmp_path: Path) -> None:
    guid = api_app[0]
    named = ("--server", ph.url, "--api-key", ph.key)
    assert guid in ph.rsconnect("content", "search", *named, "--title-contains", "Main").stdout
    assert '"app_mode": "python-fastapi"' in ph.rsconnect("content", "describe", *named, "--guid", guid).stdout
    target = tmp_path / "bundle.tar.gz"
    ph.rsconnect("content", "download-bundle", *named, "--guid", guid, "--output", str(target))
    newest = ph.api("GET", f"v1/content/{guid}").json()["bundle_id"]
    shown = ph.api("GET", f"v1/content/{guid}/bundles/{newest}").json()["metadata"]
    assert hashlib.md5(target.read_bytes()).hexdigest() == shown["archive_md5"]
    lock = tmp_path / "lock.txt"
    ph.rsconnect("content", "get-lockfile", *named, "--guid", guid, "--output", str(lock))
    assert "fastapi==" in lock.read_text()
    assert "--hash=sha256:" in lock.read_text()


@pytest.mark.parametrize(
    ("verb", "folder", "arguments", "path", "expected"),
    [
        ("api", "batch-quality-api", ("--entrypoint", "app:app"), "", "Batch quality API"),
        ("shiny", "mixing-explorer", ("--entrypoint", "app:app"), "", "<title>Mixing explorer</title>"),
        ("html", "handbook", (), "more/roles.html", "Who may do what"),
        ("fastapi", "plant-monitor", ("--entrypoint", "app:app"), "api/readings", "memory_of_app_mb"),
    ],
)
def test_each_kind_deploys_with_its_own_verb(
    ph: Installation, tmp_path: Path, verb: str, folder: str, arguments: tuple[str, ...], path: str, expected: str
) -> None:
    copy = project(
        tmp_path,
        {str(p.relative_to(EXAMPLES / folder)): p.read_text() for p in (EXAMPLES / folder).rglob("*.*") if p.is_file()},
    )
    done = ph.deploy(verb, copy, *arguments)
    answer = ph.get(f"/content/{done.guid}/{path}")
    assert answer.status_code == 200
    assert expected in answer.text


def test_an_app_that_is_none_of_the_examples_deploys(ph: Installation, tmp_path: Path) -> None:
    """A package layout, an entry point below it, an object of another name, requirements of its own."""
    files = {
        "reactor/__init__.py": "",
        "reactor/web/__init__.py": "",
        "reactor/web/site.py": "from starlette.applications import Starlette\nfrom starlette.responses import PlainTextResponse\nfrom starlette.routing import Route\n"
        "import docopt, humanize\nservice = Starlette(routes=[Route('/heat', lambda r: PlainTextResponse(humanize.intcomma(1234567) + docopt.__version__))])\n",
        "requirements.txt": "starlette\nhumanize>=4\ndocopt==0.6.2\n",
    }
    folder = project(tmp_path, files)
    done = ph.deploy("fastapi", folder, "--entrypoint", "reactor.web.site:service")
    assert ph.get(f"/content/{done.guid}/heat").text == "1,234,5670.6.2"
    assert "Building docopt 0.6.2 from its source" in done.output, "it has no wheel"
    again = ph.deploy("fastapi", folder, "--entrypoint", "reactor.web.site:service", "--app-id", done.guid)
    assert "Using the library that is there already" in again.output
    other = ph.deploy("fastapi", folder, "--entrypoint", "reactor.web.site:service", "--new", "--title", "Another")
    assert "Building docopt 0.6.2 from its source" in other.output, "what was built for one content is not another's"


def test_the_other_ways_to_deploy(ph: Installation, tmp_path: Path) -> None:
    """flask, a written manifest, an archive of one's own, without verification, and to a numeric id."""
    flask = project(
        tmp_path / "flask",
        {
            "app.py": "from flask import Flask\napp = Flask(__name__)\n@app.get('/')\ndef a(): return 'flask'\n",
            "requirements.txt": "flask\n",
        },
    )
    guid = ph.deploy("flask", flask, "--entrypoint", "app:app", "--no-verify").guid
    assert ph.get(f"/content/{guid}/").text == "flask"
    number = ph.api("GET", f"v1/content/{guid}").json()["id"]
    again = ph.deploy("flask", flask, "--entrypoint", "app:app", "--app-id", number)
    assert again.guid == guid
    ph.rsconnect("write-manifest", "flask", "--entrypoint", "app:app", str(flask))
    assert (
        ph.get(
            f"/content/{ph.deploy('manifest', flask / 'manifest.json', '--new', '--title', 'By manifest').guid}/"
        ).text
        == "flask"
    )
    packed = tmp_path / "bundle.tar.gz"
    packed.write_bytes(
        archive({name: (flask / name).read_bytes() for name in ("app.py", "requirements.txt", "manifest.json")})
    )
    assert ph.get(f"/content/{ph.deploy('bundle', packed, '--new', '--title', 'By bundle').guid}/").text == "flask"


def test_a_python_that_is_not_there_is_refused_with_what_is(ph: Installation) -> None:
    wanted = manifest().replace(b"3.11.0", b"2.7.18")
    task = deploy_archive(ph, archive({"manifest.json": wanted, "app.py": b"app = 1", "requirements.txt": b"fastapi"}))
    assert "no Python that fits 2.7.18" in str(task["error"])
    assert "Installed, nearest first: 3." in str(task["error"])


def test_files_know_ranges_and_etags(ph: Installation, tmp_path: Path) -> None:
    folder = project(tmp_path, {"index.html": "<h1>ten bytes</h1>", "data/ten.txt": "0123456789"})
    guid = ph.deploy("html", folder).guid
    whole = ph.get(f"/content/{guid}/data/ten.txt")
    assert (whole.text, whole.headers["content-type"]) == ("0123456789", "text/plain; charset=utf-8")
    part = ph.get(f"/content/{guid}/data/ten.txt", headers={"Range": "bytes=-3"})
    assert (part.status_code, part.text) == (206, "789")
    assert ph.get(f"/content/{guid}/data/ten.txt", headers={"Range": "bytes=20-"}).status_code == 416
    assert ph.get(f"/content/{guid}/data/ten.txt", headers={"If-None-Match": whole.headers["etag"]}).status_code == 304
    assert ph.get(f"/content/{guid}/data/none.txt").status_code == 404
    assert ph.get(f"/content/{guid}/..%2f..%2fkeys").status_code == 400


BAD_BUNDLES = {
    "not a gzip": (b"hello", "not gzip"),
    "not a tar": (
        b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\xcbH\xcd\xc9\xc9\x07\x00\x86\xa6\x106\x05\x00\x00\x00",
        "not a readable tar.gz",
    ),
    "no manifest": (archive({"app.py": b""}), "no manifest.json"),
    "unparsable manifest": (archive({"manifest.json": b"{", "app.py": b""}), "not valid JSON"),
    "unknown appmode": (archive({"manifest.json": manifest("cobol-web")}), "cobol-web"),
    "missing entrypoint": (
        archive({"manifest.json": manifest(), "main.py": b"", "requirements.txt": b"fastapi"}),
        "app.py",
    ),
    "outside": (archive({"manifest.json": manifest(), "../evil.py": b""}), "leads outside"),
    "no such package": (
        archive({"manifest.json": manifest(), "app.py": b"", "requirements.txt": b"no-such-package-xyz==1"}),
        "no-such-package-xyz",
    ),
    "an own index": (
        archive({"manifest.json": manifest(), "app.py": b"", "requirements.txt": b"--index-url http://u:secret@x/\n"}),
        "is an option",
    ),
    "zeros": (archive({"manifest.json": manifest(), "zeros.bin": bytes(300_000_000)}), "200 times its size"),
}


@pytest.mark.parametrize("case", BAD_BUNDLES)
def test_a_bad_bundle_fails_with_a_sentence(ph: Installation, case: str) -> None:
    data, expected = BAD_BUNDLES[case]
    task = deploy_archive(ph, data)
    assert task["code"] != 0
    assert expected in str(task["error"])
    assert "secret" not in str(task)
    assert "Traceback" not in str(task["error"])


FAILING_APPS = {
    "module without the object": ("other = 1\n", "has no object “app”"),
    "syntax error": ("def app(:\n", "line 1"),
    "missing module": ("import not_there\napp = 1\n", "not_there is not installed"),
    "exits": ("import sys\nsys.exit(7)\n", "exit code 7"),
    "never listens": ("import time\ntime.sleep(600)\n", "does not listen"),
}


@pytest.mark.parametrize("case", FAILING_APPS)
def test_an_app_that_does_not_start_says_why(ph: Installation, case: str) -> None:
    source, expected = FAILING_APPS[case]
    task = deploy_archive(
        ph, archive({"manifest.json": manifest(), "app.py": source.encode(), "requirements.txt": b"fastapi\n"})
    )
    assert task["code"] != 0
    assert expected in str(task["error"]) + "\n".join(task["output"])  # type: ignore[call-overload]


def test_every_error_below_the_api_has_the_wire_shape(ph: Installation) -> None:
    for method, path, body in (
        ("GET", "v1/nothing", None),
        ("DELETE", "nothing/at/all", None),
        ("POST", "v1/content", b"{not json"),
        ("PATCH", "v1/content/not-a-guid", b"{}"),
        ("GET", "v1/content/00000000-0000-0000-0000-000000000000", None),
    ):
        answer = ph.api(method, path, content=body)
        assert answer.status_code in (400, 404)
        assert set(answer.json()) == {"code", "error", "payload"}
        assert isinstance(answer.json()["code"], int)
        assert answer.headers["content-type"].startswith("application/json")
    assert httpx.get(f"{ph.url}/__api__/v1/user").status_code == 401


def test_an_idle_app_freezes_and_wakes_with_the_same_process(ph: Installation, api_app: tuple[str, Path]) -> None:
    guid = api_app[0]
    ph.api("PATCH", f"v1/content/{guid}", json={"idle_timeout": 1})
    before = ph.get(f"/content/{guid}/").json()["boot"]
    key = [j for j in ph.api("GET", f"v1/content/{guid}/jobs").json() if j["end_time"] is None][0]["key"]
    until(lambda: (ph.home / "jobs" / key / "frozen").exists(), 30)
    began = time.monotonic()
    assert ph.get(f"/content/{guid}/").json()["boot"] == before
    assert time.monotonic() - began < 5


def test_everything_may_be_killed_and_the_app_keeps_its_process(ph: Installation, api_app: tuple[str, Path]) -> None:
    guid = api_app[0]
    ph.api("PATCH", f"v1/content/{guid}", json={"idle_timeout": 600})
    boot = ph.get(f"/content/{guid}/").json()["boot"]
    for name in ("control-plane", "envoy", "supervisor"):
        ph.kill(name)
        if name == "supervisor":
            assert ph.get(f"/content/{guid}/").json()["boot"] == boot
            ph.start()
        until(lambda: _boot(ph, guid) == boot, 30)
    assert ph.api("GET", "v1/user").status_code == 200


def _boot(ph: Installation, guid: str) -> str:
    try:
        answer = ph.get(f"/content/{guid}/", timeout=5)
        return str(answer.json()["boot"]) if answer.status_code == 200 else ""
    except httpx.HTTPError:
        return ""


def test_people_and_keys_are_managed_from_the_command_line(ph: Installation) -> None:
    here = ("--home", str(ph.home)) if ph.db_url is None else ("--server", ph.url, "--api-key", ph.key)
    ph.cli("user", "add", "nora", "--role", "publisher", "--password", "a-long-password", *here)
    assert '"username": "nora"' in ph.cli("user", "list", "nor", "--json", *here).stdout
    key = ph.cli("key", "create", "--user", "nora", "--name", "laptop", *here).stdout.strip()
    assert ph.api("GET", "v1/user", key=key).json()["user_role"] == "publisher"
    ph.cli("user", "set-role", "nora", "viewer", *here)
    assert ph.api("POST", "v1/content", key=key, json={"name": "not-mine"}).status_code == 403
    ph.cli("user", "reset-password", "nora", "--password", "another-password", *here)
    refused = ph.cli("user", "add", "nora", "--password", "a-long-password", *here, check=False)
    assert refused.returncode == 1
    assert "exists already" in refused.stderr


def test_the_audit_trail_is_whole_and_says_so(ph: Installation) -> None:
    if ph.db_url is None:
        assert '"intact": true' in ph.cli("audit", "verify", "--home", str(ph.home), "--json").stdout
    listed = httpx.get(
        f"{ph.url}/api/v1/audit/events", headers={"Authorization": f"Key {ph.key}"}, params={"limit": 1000}
    ).json()
    names = {e["name"] for e in listed}
    assert {
        "identity:user:bootstrapped",
        "content:content:created",
        "content:bundle:added",
        "content:content:deployed",
        "content:content:activated",
    } <= names
