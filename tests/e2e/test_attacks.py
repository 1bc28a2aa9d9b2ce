"""A publisher with hostile code against another publisher, the server and its machine.

Each attack fails, and each test shows that the same probe succeeds where it may: else a broken probe would pass as safety.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.factories.hostile import SECRET, Battlefield, prepare
from tests.factories.installation import BIN, installed, until
from tests.factories.open_python import open_bin

from pilothouse.launcher.backends.local.packetfilter import PacketFilter
from pilothouse.testing.launcher import PYTHON

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0, reason="NOT EXERCISED: attacks between apps (they are kept apart only by root)"
)
NOBODY = 65_534

#: Which of these addresses take a connection.
SCAN = """
import socket
result = []
for address in addresses:
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=3).close()
        result.append(address)
    except OSError:
        pass
"""
#: What can be read: files as they are, folders as their names.
READ = """
import os
result = []
for path in paths:
    try:
        os.listdir(path) if os.path.isdir(path) else open(path, "rb").read(1)
        result.append(path)
    except OSError:
        pass
"""


@pytest.fixture(scope="module")
def field(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Battlefield]:
    with (
        open_bin(otherwise=BIN) as folder,
        installed("[launcher]\nsandbox = 'required'\npacket_filter = 'required'\n", bin=folder) as ph,
    ):
        yield prepare(ph, tmp_path_factory.mktemp("apps"))


@pytest.fixture
def victim(field: Battlefield) -> str:
    """The address of the victim's job."""
    return field.address(field.victim, field.vera)


def listening() -> list[str]:
    """Every ``ip:port`` of this machine where jobs of any installation listen."""
    found = []
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        _, local, _, state, *_ = line.split()
        host, port = bytes.fromhex(local[:8])[::-1], int(local[9:], 16)
        if state == "0A" and host[0] == 127 and host[1] >= 64:
            found.append(f"{'.'.join(map(str, host))}:{port}")
    return found


def test_a_scan_finds_no_other_job(field: Battlefield, victim: str) -> None:
    own = field.address(field.hostile, field.mallory)
    assert {own, victim} <= set(listening())
    assert field.attack(SCAN, addresses=[own, victim]) == [own]


def test_an_app_can_not_forge_a_visitor_to_another_app(field: Battlefield, victim: str) -> None:
    forge = """
        import urllib.request
        request = urllib.request.Request(f"http://{address}/", headers={"RStudio-Connect-Credentials": '{"user": "ceo"}'})
        try:
            result = urllib.request.urlopen(request, timeout=5).read().decode()
        except OSError as error:
            result = f"refused: {error}"
    """
    assert field.attack(forge, address=victim).startswith("refused: ")
    delete = ["nft", "delete", "table", "inet", PacketFilter("", field.ph.home / "jobs", list).table]

    def unguarded() -> str:
        """The server writes its table again every few seconds."""
        subprocess.run(delete, check=False, capture_output=True, env={"PATH": "/usr/sbin:/sbin"})
        return str(field.attack(forge, address=victim)).replace("\\", "")

    assert until(lambda: '"ceo"' in unguarded()), "the probe does not work"
    until(lambda: field.attack(forge, address=victim).startswith("refused: "), 60)


def test_nor_through_the_gateway(field: Battlefield) -> None:
    """The person behind the hostile app may open the victim's: even then the app states nothing but what the gateway says."""
    field.ph.api("PATCH", f"v1/content/{field.victim}", key=field.vera, json={"access_type": "all"})
    names = ["RStudio-Connect-Credentials", "rstudio_connect_credentials", "Shiny-Server-Credentials", "X-Ph-Idn", "X-Ph-Door",
             "X_Ph_Dst", "X-Forwarded-User", "X_Forwarded_For", "Remote-User", "X-Envoy-Original-Dst-Host", "X-Harmless"]  # fmt: skip
    forge = """
        import json, urllib.request
        request = urllib.request.Request(url, headers={name: '{"user": "ceo"}' for name in names})
        result = json.load(urllib.request.urlopen(request, timeout=20))["headers"]
    """
    try:
        url = f"http://127.0.0.1:{field.ph.port + 1}/content/{field.victim}/"
        seen = field.attack(forge, url=url, names=names)
    finally:
        field.ph.api("PATCH", f"v1/content/{field.victim}", key=field.vera, json={"access_type": "acl"})
    assert {name for name, value in seen.items() if "ceo" in value} == {"x-harmless"}


def test_the_gateway_leads_an_app_nowhere_else(field: Battlefield, victim: str) -> None:
    """Naming a target in headers changes nothing, and the other's item stays closed to the app's own key."""
    reach = """
        import os, urllib.error, urllib.request
        def status(guid, **headers):
            request = urllib.request.Request(f"{url}/content/{guid}/", headers=headers)
            try:
                return urllib.request.urlopen(request, timeout=20).status
            except urllib.error.HTTPError as error:
                return error.code
        key = {"Authorization": "Key " + os.environ["CONNECT_API_KEY"]}
        target = {"X-Ph-Dst": victim_address, "X-Envoy-Original-Dst-Host": victim_address, "X-Ph-To": "app-1"}
        result = [status(hostile, **key), status(victim_guid, **key), status(victim_guid, **target), status(victim_guid, **key, **target)]
    """
    url = f"http://127.0.0.1:{field.ph.port}"
    found = field.attack(reach, url=url, hostile=field.hostile, victim_guid=field.victim, victim_address=victim)
    assert found[0] == 200
    assert set(found[1:]) <= {401, 403, 404}


def test_the_key_of_an_app_opens_nothing_of_others(field: Battlefield) -> None:
    call = """
        import os, json, urllib.error, urllib.request
        result = {}
        for method, path, body in calls:
            headers = {"Authorization": "Key " + os.environ["CONNECT_API_KEY"], "Content-Type": "application/json"}
            data = json.dumps(body).encode() if body is not None else None
            request = urllib.request.Request(f"{url}{path}", data, headers, method=method)
            try:
                result[f"{method} {path}"] = urllib.request.urlopen(request, timeout=20).status
            except urllib.error.HTTPError as error:
                result[f"{method} {path}"] = error.code
    """
    wire, ours = "/__api__/v1", "/api/v1"
    own = ("GET", f"{wire}/content/{field.hostile}", None)
    forbidden: list[tuple[str, str, Any]] = [
        ("GET", f"{wire}/content/{field.victim}/environment", None),
        ("GET", f"{wire}/content/{field.victim}/jobs", None),
        ("PATCH", f"{wire}/content/{field.victim}", {"access_type": "all"}),
        ("DELETE", f"{wire}/content/{field.victim}", None),
        ("POST", f"{ours}/users", {"username": "backdoor", "role": "administrator", "password": "x" * 12}),
        ("GET", f"{ours}/audit", None),
    ]
    told = field.attack(call, url=f"http://127.0.0.1:{field.ph.port}", calls=[own, *forbidden])
    assert told.pop(f"GET {own[1]}") == 200
    assert len(told) == len(forbidden)
    assert set(told.values()) <= {401, 403, 404}, told


def test_an_app_sees_no_process_but_its_own(field: Battlefield) -> None:
    look = """
        import os
        def read(path):
            try:
                return open(path, "rb").read().decode(errors="replace")
            except OSError:
                return ""
        pids = [name for name in os.listdir("/proc") if name.isdigit()]
        result = {
            "commands": [read(f"/proc/{pid}/cmdline").replace(chr(0), " ").strip() for pid in pids],
            "variables": [read(f"/proc/{pid}/environ") for pid in ("1", *pids)],
        }
    """
    seen = field.attack(look)
    assert any("/pilothouse/start.py" in command for command in seen["commands"]), "the probe does not work"
    assert any("OWN=1" in variables for variables in seen["variables"]), "the probe does not work"
    assert not [command for command in seen["commands"] if "shim.py" in command or "supervisor" in command]
    assert len(seen["commands"]) <= 4
    assert SECRET not in "".join(seen["variables"])
    assert "BOOTSTRAP" not in "".join(seen["variables"])


def test_an_app_can_not_end_the_jobs_of_others(field: Battlefield) -> None:
    state = json.loads((field.ph.home / "jobs" / field.job(field.victim, field.vera) / "state.json").read_text())
    kill = """
        import os
        result = []
        for pid in pids:
            try:
                os.kill(pid, 0)
                result.append(pid)
            except ProcessLookupError:
                pass
    """
    outside = [state["shim"], state["pid"], state["init"]]
    for pid in outside:
        os.kill(pid, 0)
    own = field.attack("import os; result = os.getpid()")
    assert field.attack(kill, pids=[*outside, own]) == [own]


def test_no_file_of_the_server_or_of_another_tenant_can_be_opened(field: Battlefield) -> None:
    home = field.ph.home
    files = [
        path for folder in ("keys", "db", "blobs", "logs", "run", "jobs", "apps") for path in (home / folder).rglob("*")
    ]
    paths = [str(path) for path in (*files, home / "pilothouse.toml", Path("/etc/shadow"), Path("/root"))]
    assert sum("keys/" in path for path in paths) >= 3
    assert any(path.endswith("pilothouse.sqlite") for path in paths)
    assert any(f"/apps/dev/{field.victim}/" in path and path.endswith("app.py") for path in paths)
    lasting = {
        path
        for path in paths
        if "/keys/" in path or path.endswith(("pilothouse.sqlite", "app.py", "shadow", "spec.json"))
    }
    assert lasting <= set(as_user(0, READ, paths=paths)), "the probe does not work"
    assert field.attack(READ, paths=[*paths, "/app/app.py"]) == ["/app/app.py"]
    assert field.attack(f"import os; result = os.listdir({str(home)!r})") == ["libraries"], (
        "where its own one is mounted"
    )


def test_a_plain_user_of_the_machine_reads_and_reaches_nothing_either(field: Battlefield, victim: str) -> None:
    """The apps' folders can be passed through by everybody, but their names must be known, and they hold no secrets."""
    home = field.ph.home
    closed = [
        str(path)
        for folder in ("keys", "db", "blobs", "logs", "run")
        for path in (home / folder, *(home / folder).rglob("*"))
    ]
    closed += [str(path) for path in (home / "jobs").rglob("*")]
    assert as_user(NOBODY, READ, paths=[*closed, "/etc/passwd"]) == ["/etc/passwd"]
    assert as_user(NOBODY, SCAN, addresses=[victim, f"127.0.0.1:{field.ph.port}"]) == [f"127.0.0.1:{field.ph.port}"]
    sockets = [str(path) for path in (home / "run").glob("*.sock")]
    knock = "import socket\nresult = []\nfor path in paths:\n  s = socket.socket(socket.AF_UNIX)\n  try: s.connect(path); result.append(path)\n  except OSError: pass"
    assert sockets
    assert set(as_user(0, knock, paths=sockets)) & set(sockets), "the probe does not work"
    assert as_user(NOBODY, knock, paths=sockets) == []


def test_apps_folders_can_be_passed_through_but_not_looked_around_in(field: Battlefield) -> None:
    look = "import os\nresult = []\nfor path in paths:\n  try: os.listdir(path); result.append(path)\n  except OSError: pass"
    folders = [str(field.ph.home / "apps"), str(field.ph.home / "apps" / "dev")]
    assert as_user(0, look, paths=folders) == folders, "the probe does not work"
    assert as_user(NOBODY, look, paths=folders) == []


def test_the_gateway_has_a_user_and_no_rights_of_its_own(field: Battlefield) -> None:
    """It reads what strangers send. As its user: no key, no database, no other file of the server, not even a place to write to."""
    pid = field.ph.process("envoy")
    status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    assert status["Uid"].split() == status["Gid"].split() == [str(field.ph.gateway_uid)] * 4
    assert (status["Groups"].split(), status["CapEff"].strip(), status["CapPrm"].strip()) == ([], "0" * 16, "0" * 16)
    home = field.ph.home
    files = [str(path) for folder in ("keys", "db", "blobs", "jobs") for path in (home / folder).rglob("*")]
    files += [
        str(home / name) for name in ("run/supervisor.json", "run", "logs", "logs/server.log", "logs/supervisor.log")
    ]
    own = str(home / "logs" / "access.log")
    assert as_user(field.ph.gateway_uid, READ, paths=[*files, own]) == [own]
    write = "result = []\nfor folder in folders:\n  try: open(folder + '/planted', 'w').close(); result.append(folder)\n  except OSError: pass"
    folders = [str(path) for path in (home, home / "run", home / "run" / "gw", home / "logs", home / "apps")]
    assert as_user(field.ph.gateway_uid, write, folders=folders) == [str(home / "run" / "gw")]


def test_secrets_are_in_the_process_of_their_app_and_nowhere_else(field: Battlefield, victim: str) -> None:
    """Seen by root: not in arguments or variables of the shim, of bubblewrap or of the server."""
    holders = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                text = (entry / "cmdline").read_bytes() + (entry / "environ").read_bytes()
                holders[entry.name] = (SECRET.encode() in text, entry.stat().st_uid, text)
            except OSError:
                continue
    owners = {uid for holds, uid, _ in holders.values() if holds}
    spec = (field.ph.home / "jobs" / field.job(field.victim, field.vera) / "spec.json").read_text()
    assert len(owners) == 1, "only the app's own user holds it"
    assert f'"uid": {owners.pop()}' in spec
    assert not [1 for holds, _, text in holders.values() if holds and (b"bwrap" in text or b"shim.py" in text)]
    for root, _, names in os.walk(field.ph.home):
        for name in names:
            path = Path(root) / name
            assert path.is_socket() or SECRET.encode() not in path.read_bytes(), path


def test_nothing_that_others_use_can_be_written(field: Battlefield) -> None:
    write = """
        import os, sys
        result = []
        for folder in ["/app", "/usr", "/etc", "/", "/pilothouse", os.path.dirname(os.__file__), *sys.path, "/proc/sys/kernel", "/sys", "/tmp"]:
            try:
                if os.path.isdir(folder):
                    open(os.path.join(folder, "planted"), "w").close()
                    result.append(folder)
            except OSError:
                pass
    """
    assert field.attack(write) == ["/tmp"]


def test_an_app_has_no_rights_and_can_not_get_any(field: Battlefield) -> None:
    rise = """
        import os, subprocess
        status = dict(line.split(":", 1) for line in open("/proc/self/status") if ":" in line)
        def attempt(call, *arguments):
            try:
                call(*arguments)
                return True
            except (OSError, AttributeError):
                return False
        import ctypes
        libc = ctypes.CDLL(None, use_errno=True)
        result = {
            "capabilities": {name: status[name].strip() for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")},
            "no new privileges": status["NoNewPrivs"].strip(),
            "uids": sorted(set(os.getresuid() + os.getresgid())),
            "groups": os.getgroups(),
            "became": [uid for uid in (0, 1, other) if uid != os.getuid() and attempt(os.setuid, uid)],
            "namespaces": [flag for flag in (0x10000000, 0x40000000, 0x20000000) if libc.unshare(flag) == 0],
            "raw socket": attempt(lambda: __import__("socket").socket(2, 3, 6)),
            "setuid": subprocess.run(["/usr/bin/su", "-c", "id"], stdin=subprocess.DEVNULL, capture_output=True).returncode,
        }
    """
    told = field.attack(rise, other=field.ph.uid_base + 1)
    assert set(told["capabilities"].values()) == {"0" * 16}
    assert told["no new privileges"] == "1"
    assert min(told["uids"]) > field.ph.uid_base
    assert (told["became"], told["namespaces"], told["raw socket"]) == ([], [], False)
    assert set(told["groups"]) <= set(told["uids"]) | {NOBODY}
    assert told["setuid"] != 0


def test_a_job_inherits_nothing_that_is_open(field: Battlefield) -> None:
    held = """
        import os, subprocess, sys
        code = "import os; print(len(os.listdir('/proc/self/fd')))"
        def count(*passed):
            return int(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, pass_fds=passed).stdout)
        def target(path):
            try:
                return os.readlink(path)
            except OSError:
                return ""
        mine = os.open("/app/app.py", os.O_RDONLY)
        result = {
            "plain": count(), "with one more": count(mine),
            "open": [target(f"/proc/{pid}/fd/{fd}") for pid in ("1", "self") for fd in range(100)],
        }
    """
    told = field.attack(held)
    assert told["plain"] == 4, "three, and the listing itself"
    assert told["with one more"] == 5, "the probe does not work"
    assert "/app/app.py" in told["open"], "the probe does not work"
    assert not [path for path in told["open"] if str(field.ph.home) in path or "memfd" in path]


def as_user(uid: int, code: str, **given: Any) -> Any:
    """What ``code`` leaves in ``result``, run on the machine itself as ``uid``."""
    begin = "".join(f"{name} = {value!r}\n" for name, value in given.items())
    identity = {"user": uid, "group": uid, "extra_groups": []}
    done = subprocess.run(
        [PYTHON, "-c", f"{begin}{code}\nimport json; print(json.dumps(result))"],
        capture_output=True, text=True, timeout=60, check=True, cwd="/", env={}, **identity,
    )  # type: ignore[call-overload]  # fmt: skip
    return json.loads(done.stdout)
