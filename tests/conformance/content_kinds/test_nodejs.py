"""The kind keeps the contract."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from pilothouse.content.contract import ContentKind
from pilothouse.content.kinds.nodejs import Nodejs
from pilothouse.testing.content import ContentKindSuite

PACKAGE = json.dumps({"name": "x", "dependencies": {"ws": "^8.0.0"}})
LOCK = json.dumps({"lockfileVersion": 3, "packages": {"": {"dependencies": {"ws": "^8.0.0"}}}})
FILES = {"server.mjs": "", "package.json": PACKAGE, "package-lock.json": LOCK}
#: Of this process alone: several run these tests at once.
HOST = f"127.77.{os.getpid() // 250 % 250}.{os.getpid() % 250 + 1}"
STARTER = Path(__file__).parents[3] / "src/pilothouse/content/kinds/_start.cjs"
#: Every way to listen, and what an app that cares about its address may say.
LISTENERS = [
    "server.listen(port)", "server.listen(Number(port))", "server.listen(port, done)", "server.listen(port, 100)", "server.listen()",
    "server.listen(port, '0.0.0.0')", "server.listen(port, 'localhost', done)", "server.listen(port, '::', 100, done)",
    "server.listen({ port })", "server.listen({ port, host: '0.0.0.0' }, done)", "server.listen(port, undefined, done)",
]  # fmt: skip


class TestNodejs(ContentKindSuite):
    files = FILES
    manifest = {"entrypoint": "server.mjs"}
    broken = {
        "no file": (FILES, {"entrypoint": "app.js"}, "app.js"),
        "outside": (FILES, {"entrypoint": "../app.js"}, "not in the bundle"),
        "no script": (FILES | {"app.py": ""}, {"entrypoint": "app.py"}, "no JavaScript"),
        "no package.json": (
            {"server.mjs": "", "package-lock.json": LOCK},
            {"entrypoint": "server.mjs"},
            "package.json",
        ),
        "no lock": ({"server.mjs": "", "package.json": PACKAGE}, {"entrypoint": "server.mjs"}, "npm install"),
        "another lock": (FILES | {"package-lock.json": LOCK.replace("^8", "^7")}, {"entrypoint": "server.mjs"}, "ws"),
        "broken lock": (FILES | {"package-lock.json": "{"}, {"entrypoint": "server.mjs"}, "can't be read"),
        "odd lock": (FILES | {"package-lock.json": "[]"}, {"entrypoint": "server.mjs"}, "can't be read"),
    }

    @pytest.fixture
    def kind(self) -> ContentKind:
        return Nodejs()


@pytest.mark.skipif(shutil.which("node") is None, reason="no Node.js: where its apps listen is not exercised")
@pytest.mark.parametrize("listen", LISTENERS)
@pytest.mark.parametrize("module", ["node:net", "node:http"])
def test_an_app_is_reached_at_its_own_address_only(listen: str, module: str) -> None:
    program = f"""
const server = require("{module}").createServer(), port = process.env.PORT, done = () => undefined;
server.on("listening", () => {{ console.log(JSON.stringify(server.address())); process.exit(); }});
{listen};
"""
    env = {"PATH": os.environ["PATH"], "HOST": HOST, "PORT": "45671"}
    done = subprocess.run(
        ["node", "--require", STARTER, "-e", program], env=env, capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout) == {"address": HOST, "family": "IPv4", "port": 45671}


@pytest.mark.skipif(shutil.which("node") is None, reason="no Node.js: where its apps listen is not exercised")
def test_sockets_of_files_are_left_alone(tmp_path: Path) -> None:
    program = f"""
const server = require("node:net").createServer();
server.on("listening", () => {{ console.log(server.address()); process.exit(); }});
server.listen("{tmp_path}/x.sock");
"""
    env = {"PATH": os.environ["PATH"], "HOST": HOST, "PORT": "45671"}
    done = subprocess.run(
        ["node", "--require", STARTER, "-e", program], env=env, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == f"{tmp_path}/x.sock"
