"""Root starts the server, and only the supervisor and the runner stay root: everything works, and who takes over the rest is not root."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.factories.hostile import HOSTILE, Battlefield
from tests.factories.installation import Installation, installed, new_installation, project, remove, until
from tests.factories.open_python import open_bin

from pilothouse.app.owner import MARK
from pilothouse.base.ids import new_key
from pilothouse.launcher.backends.runner import wire
from pilothouse.launcher.contract import JobSpec, Mount

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0, reason="NOT EXERCISED: a server without root (only root can start one)"
)
SETTINGS = "[launcher]\nsandbox = 'required'\npacket_filter = 'preferred'\n"
FASTAPI = {"requirements.txt": "fastapi\n"}
#: Has never had a wheel on the index.
BUILT = {"requirements.txt": "fastapi\ndocopt==0.6.2\n"}
APP = """
import os
from fastapi import FastAPI
app = FastAPI()

@app.get("/")
def about():
    return {"version": VERSION, "pid": os.getpid(), "uid": os.getuid()}
"""


@pytest.fixture(scope="module")
def bin() -> Iterator[Path]:
    with open_bin() as folder:
        yield folder


@pytest.fixture(scope="module")
def ph(bin: Path) -> Iterator[Installation]:
    with installed(SETTINGS, bin=bin) as made:
        yield made


@pytest.fixture(scope="module")
def app(ph: Installation, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The GUID of an app with a package that was built here."""
    return published(ph, tmp_path_factory.mktemp("app"), "1", BUILT)


def published(ph: Installation, folder: Path, version: str, requirements: dict[str, str], *options: str) -> str:
    files = {"app.py": APP.replace("VERSION", repr(version)), **requirements}
    done = ph.deploy("fastapi", project(folder / version, files), "--entrypoint", "app:app", *options)
    assert done.code == 0, done.output
    return done.guid


def about(ph: Installation, guid: str) -> dict[str, Any]:
    answer = ph.get(f"/content/{guid}/")
    assert answer.status_code == 200, answer.text + ph.log()
    return dict(answer.json())


def answers(ph: Installation, guid: str, version: str) -> bool:
    """A server that was just started has to find out first which jobs are over."""
    answer = ph.get(f"/content/{guid}/")
    return answer.status_code == 200 and answer.json()["version"] == version


def owners(ph: Installation) -> dict[str, int]:
    """Who every process of this installation is, by its command line."""
    found = {}
    for pid in ph.left_running():
        try:
            words = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
            found[f"{pid} {words}"] = Path(f"/proc/{pid}").stat().st_uid
        except OSError:
            continue
    return found


def rights(pid: int) -> dict[str, str]:
    said = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":" in line)
    return {
        name: said[name].split()[0] if said[name].split() else ""
        for name in ("Uid", "Gid", "Groups", "CapEff", "CapPrm")
    }


def test_only_the_supervisor_the_runner_and_shims_are_root(ph: Installation, app: str) -> None:
    about(ph, app)
    roots = [words for words, uid in owners(ph).items() if uid == 0]
    allowed = ("gateway.supervisor", "backends.runner", "/launcher/backends/local/shim.py")
    assert roots and [words for words in roots if not any(name in words for name in allowed)] == []
    none = "0" * 16
    for name, uid, groups in (("control-plane", ph.server_uid, str(ph.gateway_uid)), ("envoy", ph.gateway_uid, "")):
        expected = {"Uid": str(uid), "Gid": str(uid), "Groups": groups, "CapEff": none, "CapPrm": none}
        assert rights(ph.process(name)) == expected
    assert rights(ph.process("runner"))["Uid"] == "0"


def test_apps_are_built_opened_and_deployed_again(ph: Installation, app: str, tmp_path: Path) -> None:
    first = about(ph, app)
    assert (first["version"], first["uid"] > ph.uid_base) == ("1", True)
    assert published(ph, tmp_path, "2", BUILT, "--app-id", app) == app
    assert until(lambda: about(ph, app)["version"] == "2")
    assert about(ph, app)["uid"] == first["uid"]
    bundles = list((ph.home / "apps").glob("*/*/*"))
    assert {file.stat().st_uid for bundle in bundles for file in bundle.rglob("*")} == {first["uid"]}
    assert list((ph.home / "cache" / "builds").iterdir()) == []


def test_it_freezes_thaws_stops_and_tells_its_log(ph: Installation, app: str) -> None:
    pid = about(ph, app)["pid"]
    ph.api("PATCH", f"v1/content/{app}", json={"idle_timeout": 1}).raise_for_status()
    until(lambda: any((ph.home / "jobs" / job / "frozen").exists() for job in running(ph, app)), 90)
    ph.api("PATCH", f"v1/content/{app}", json={"idle_timeout": 600}).raise_for_status()
    assert about(ph, app)["pid"] == pid, "it was thawed, and not started again"
    key = until(lambda: (keys := running(ph, app)) and len(keys) == 1 and keys[0], 120)
    assert "startup" in ph.api("GET", f"v1/content/{app}/jobs/{key}/log").text
    ph.api("DELETE", f"v1/content/{app}/jobs/{key}").raise_for_status()
    until(lambda: running(ph, app) != [key])
    assert about(ph, app)["pid"]


def running(ph: Installation, guid: str) -> list[str]:
    jobs = ph.api("GET", f"v1/content/{guid}/jobs").json()
    return [job["key"] for job in jobs if job["end_time"] is None]


def test_who_kills_the_runner_disturbs_nobody(ph: Installation, app: str, tmp_path: Path) -> None:
    pid, statuses, is_over = about(ph, app)["pid"], list[int](), threading.Event()

    def visit() -> None:
        while not is_over.is_set():
            statuses.append(ph.get(f"/content/{app}/").status_code)

    visitor = threading.Thread(target=visit)
    visitor.start()
    try:
        for _ in range(3):
            before = ph.kill("runner")
            until(lambda killed=before: ph.runs("runner") not in (None, killed))
            time.sleep(0.5)
        other = published(ph, tmp_path, "other", FASTAPI, "--new")
        assert about(ph, other)["version"] == "other"
    finally:
        is_over.set()
        visitor.join()
    assert len(statuses) > 10 and set(statuses) == {200}
    assert about(ph, app)["pid"] == pid


def test_who_kills_the_control_plane_loses_no_app(ph: Installation, app: str) -> None:
    pid, before = about(ph, app)["pid"], ph.kill("control-plane")
    assert about(ph, app)["pid"] == pid
    assert ph.process("control-plane") != before
    assert rights(ph.process("control-plane"))["Uid"] == str(ph.server_uid)


def test_keys_are_the_servers_alone_and_what_root_runs_is_roots(ph: Installation) -> None:
    for name in ("keys", "db"):
        assert ((ph.home / name).stat().st_uid, (ph.home / name).stat().st_mode & 0o777) == (ph.server_uid, 0o700)
    keys = [file.stat() for file in (ph.home / "keys").iterdir() if file.name != "installation.json"]  # no secret
    assert keys and {(found.st_uid, found.st_mode & 0o777) for found in keys} == {(ph.server_uid, 0o600)}
    for name in ("", "run", "logs", "jobs", "pilothouse.toml", MARK, "run/runner.json", "run/supervisor.json"):
        found = (ph.home / name).stat()
        assert (found.st_uid, found.st_mode & 0o002) == (0, 0), name
        assert found.st_gid == 0 or not found.st_mode & 0o020, name


def test_a_command_that_root_gives_leaves_nothing_of_roots_behind(ph: Installation) -> None:
    at = ("--home", str(ph.home))
    ph.cli("user", "add", "nina", "--password", "harbour-light-7", "--email", "nina@veridia.example", *at)
    ph.cli("migrate", *at)
    ph.cli("runtime", "list", *at)
    ph.cli("secrets", "rotate", *at)
    assert "takes it over" in ph.cli("secrets", "rotate-grants", *at).stdout
    ph.cli("audit", "verify", *at)
    ph.cli("audit", "export", "--out", str(ph.root / "events.jsonl"), *at)
    assert (ph.root / "events.jsonl").stat().st_uid == 0
    done = ph.cli("doctor", *at, check=False)
    assert "only the runner" in " ".join(done.stdout.split())
    inside = [
        file
        for name in ("keys", "db", "blobs", "libraries", "cache", "runtimes")
        for file in (ph.home / name).rglob("*")
    ]
    assert [str(file) for file in inside if file.lstat().st_uid != ph.server_uid] == []


def test_the_audit_trail_is_kept_also_when_its_file_is_moved_away(ph: Installation) -> None:
    head = ph.home / "logs" / "audit-head.log"
    assert until(lambda: head.exists() and head.read_text())
    head.rename(head.with_suffix(".kept"))
    until(head.exists)
    ph.add_person("olga", "harbour-light-7")
    assert until(head.read_text)
    assert head.stat().st_uid == ph.server_uid


def test_an_app_can_not_talk_to_the_runner(ph: Installation, tmp_path: Path) -> None:
    folder = project(tmp_path / "hostile", {"app.py": HOSTILE, **FASTAPI})
    done = ph.deploy("fastapi", folder, "--entrypoint", "app:app", "--title", "Free tools")
    field = Battlefield(ph, "", done.guid, "", ph.key)
    reach = """
        import os, socket
        result = []
        for path in (run, "/run/pilothouse/runner.sock"):
            try:
                socket.socket(socket.AF_UNIX).connect(path)
                result.append("connected")
            except OSError as error:
                result.append(type(error).__name__)
        result.append(os.path.exists(home))
    """
    told = field.attack(reach, run=str(ph.home / "run" / "runner.sock"), home=str(ph.home / "keys"))
    assert told == ["FileNotFoundError", "FileNotFoundError", False]
    # nor where there is no sandbox around it
    code = f"import socket; socket.socket(socket.AF_UNIX).connect({str(ph.home / 'run' / 'runner.sock')!r})"
    for uid, is_heard in ((ph.server_uid, True), (ph.uid_base + 1, False), (ph.gateway_uid, False)):
        command, groups = ["/usr/bin/python3", "-c", code], [ph.gateway_uid] if uid == ph.server_uid else []
        tried = subprocess.run(command, check=False, capture_output=True, user=uid, group=uid, extra_groups=groups)
        assert (tried.returncode == 0) is is_heard


#: Runs as the control plane's user, with the control plane's code: what an attacker could do after taking it over.
STOLEN = """
import json, os, socket, sys
sys.path.insert(0, {source!r})
from pilothouse.launcher.backends.runner import wire
answers = []
for said in json.load(sys.stdin):
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect({socket!r})
        wire.send(connection, said)
        answers.append(wire.receive(connection)[0])
print(json.dumps({{"answers": answers, "uid": os.getuid()}}))
"""


def as_server(ph: Installation, code: str, **given: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["/usr/bin/python3", "-c", code], text=True, capture_output=True, check=False, timeout=60, cwd="/",
        env={"PATH": "/usr/bin:/bin"}, user=ph.server_uid, group=ph.server_uid, extra_groups=[ph.gateway_uid], **given,
    )  # fmt: skip


def test_who_takes_over_the_control_plane_does_not_get_root(ph: Installation) -> None:
    home, uid = ph.home, ph.uid_base + 4711
    plan = (home / "apps" / "planted").as_posix()
    assert as_server(ph, f"import os; os.symlink('/root', {plan!r}); os.mkdir({plan + '-own'!r})").returncode == 0

    def job(**fields: Any) -> dict[str, Any]:
        spec = JobSpec(new_key(), ("/usr/bin/id", "-u"), {}, **{"uid": uid, "gid": uid, **fields})
        return {"verb": "submit", "spec": wire.said_spec(spec)}

    refused = [
        job(gid=0),
        *(job(uid=another, gid=another) for another in (0, None, ph.server_uid, ph.gateway_uid)),
        *(job(mounts=(Mount(source, "/app"),)) for source in (
            "/", "/root", "/etc", f"{home}/keys", f"{home}/db", f"{home}/run", f"{home}/logs", f"{home}/jobs", f"{home}/blobs",
            f"{home}/apps/../keys", plan, f"{plan}/x", f"{home}/cache/uv",
        )),
        *(job(mounts=(Mount(f"{plan}-own", target),)) for target in ("/usr/bin/setpriv", "/etc", "/bin/sh", "/app/../etc")),
        job(mounts=(Mount(f"{plan}-own", "/build", writable=True),)),
        {"verb": "script", "name": "unpack", "words": [], "uid": 0, "timeout_s": 5},
        {"verb": "script", "name": "/bin/sh", "words": [], "uid": uid, "timeout_s": 5},
    ]  # fmt: skip
    stolen = STOLEN.format(source=str(Path(wire.__file__).parents[4]), socket=str(home / "run" / "runner.sock"))
    done = as_server(ph, stolen, input=json.dumps([*refused, job(mounts=(Mount(f"{plan}-own", "/app"),))]))
    assert done.returncode == 0, done.stderr
    *answers, allowed = json.loads(done.stdout)["answers"]
    assert [said.get("error") for said in answers] == ["launcher/job-refused"] * len(refused), answers
    assert allowed["ok"]["state"] in ("starting", "running", "ended"), "else the refusals would prove nothing"


def test_nor_by_the_files_that_root_reads_or_writes(ph: Installation) -> None:
    writes = """
import os, sys
home, result = sys.argv[1], []
for name in ("run/x", "run/supervisor.json", "run/runner.json", "run/processes.json", "logs/x", "logs/server.log", "jobs/x", "x",
             "pilothouse.toml", "owner.json"):
    for attempt in (lambda p: open(p, "a").close(), lambda p: os.symlink("/etc/passwd", p), os.unlink, lambda p: os.rename(p, p + "-away")):
        try:
            attempt(os.path.join(home, name))
            result.append(name)
        except OSError:
            pass
for pid in sys.argv[2:]:
    try:
        os.kill(int(pid), 0)
        result.append(pid)
    except OSError:
        pass
print(result)
"""
    pids = [str(ph.process(name)) for name in ("supervisor", "runner")]
    done = subprocess.run(
        ["/usr/bin/python3", "-c", writes, str(ph.home), *pids], text=True, capture_output=True, check=True,
        user=ph.server_uid, group=ph.server_uid, extra_groups=[ph.gateway_uid],
    )  # fmt: skip
    assert done.stdout.strip() == "[]"


def test_what_is_deleted_goes(ph: Installation, tmp_path: Path) -> None:
    guid = published(ph, tmp_path, "short", FASTAPI, "--new")
    (folder,) = (ph.home / "apps").glob(f"*/{guid}/*")
    uid = about(ph, guid)["uid"]
    ph.api("DELETE", f"v1/content/{guid}").raise_for_status()
    until(lambda: not any(f"{folder}" in words for words in owners(ph)))
    code = (
        "import sys; from pathlib import Path; from pilothouse.storage import custody\n"
        "from pilothouse.launcher.backends.runner.client import RunnerLauncher\n"
        "custody.remove(Path(sys.argv[1]), int(sys.argv[2]), RunnerLauncher(Path(sys.argv[3])))"
    )
    command = [str(ph.bin / "python"), "-c", code, str(folder), str(uid), str(ph.home / "run" / "runner.sock")]
    subprocess.run(command, check=True, user=ph.server_uid, group=ph.server_uid, extra_groups=[ph.gateway_uid])
    assert not folder.exists()


def test_it_stops_with_its_jobs_and_starts_again(ph: Installation, app: str) -> None:
    version = about(ph, app)["version"]
    ph.stop()
    assert ph.left_running() == []
    ph.start()
    until(lambda: answers(ph, app, version))


def test_a_home_that_ran_as_root_is_handed_over_and_back(bin: Path, tmp_path: Path) -> None:
    """Also when the first try was killed half-way."""
    made = new_installation(SETTINGS + "[server]\nuser = 'root'\n")
    made.bin = bin
    try:
        made.start()
        made.make_administrator()
        guid = published(made, tmp_path, "1", FASTAPI)
        assert about(made, guid)["version"] == "1"
        assert rights(made.process("control-plane"))["Uid"] == "0"
        assert made.runs("runner") is None
        made.stop()
        os.chown(made.home / "db", made.server_uid, made.server_uid)  # as far as a first try came
        made.settings = SETTINGS
        made.start()
        assert rights(made.process("control-plane"))["Uid"] == str(made.server_uid)
        until(lambda: answers(made, guid, "1"))
        assert published(made, tmp_path, "2", FASTAPI, "--app-id", guid) == guid
        until(lambda: answers(made, guid, "2"))
        made.stop()
        made.settings = SETTINGS + "[server]\nuser = 'root'\n"
        made.start()
        assert rights(made.process("control-plane"))["Uid"] == "0"
        until(lambda: answers(made, guid, "2"))
        assert not (made.home / MARK).exists()
    finally:
        remove(made)


def test_running_apps_live_through_the_upgrade(bin: Path, tmp_path: Path) -> None:
    """The supervisor is killed, so that the jobs go on: the runner takes over what the control plane started as root."""
    made = new_installation(SETTINGS + "[server]\nuser = 'root'\n")
    made.bin = bin
    try:
        made.start()
        made.make_administrator()
        guid = published(made, tmp_path, "1", FASTAPI)
        pid = about(made, guid)["pid"]
        os.kill(made.process("supervisor"), signal.SIGKILL)
        made.settings = SETTINGS
        assert made.server is not None
        made.server.wait(10)
        made.start(wait=False)
        until(lambda: (p := made.runs("control-plane")) and rights(p)["Uid"] == str(made.server_uid), 60)
        made.wait_ready()
        assert about(made, guid)["pid"] == pid
    finally:
        remove(made)
