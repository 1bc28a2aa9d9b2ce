"""Two publishers of one installation: Vera, whose app holds a secret, and Mallory, whose app runs whatever a test sends it."""

from __future__ import annotations

import base64
import json
import secrets
import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from tests.factories.installation import Installation, project, until

#: Another one in every process of a test run: an installation beside ours must not hold it.
SECRET = f"ballast-tank-{secrets.token_hex(8)}"
PASSWORD = "harbour-light-7"

#: Tells who it thinks is asking, and keeps what strangers would like to have.
VICTIM = """
import os
from fastapi import FastAPI, Request
app = FastAPI()

@app.get("/")
def about(request: Request):
    return {"headers": dict(request.headers), "knows": len(os.environ["SECRET"])}
"""

#: ``POST /run`` executes the body and answers what it left in ``result``; ``/serve`` answers with any headers and body.
#: The code may set ``app.state.page``, which is what a visitor of the app then sees.
HOSTILE = """
import base64, json, traceback
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
app = FastAPI()

@app.post("/run")
def run(code: dict):
    names = {"app": app}
    try:
        exec(code["code"], names)
    except BaseException:
        return JSONResponse({"error": traceback.format_exc()})
    return JSONResponse({"result": names.get("result")})

@app.get("/serve{rest:path}")
def serve(request: Request):
    wanted = json.loads(base64.urlsafe_b64decode(request.query_params["answer"]))
    answer = Response(wanted["body"], media_type=wanted.get("type", "text/html"))
    for name, value in wanted.get("headers", []):
        answer.headers.append(name, value)
    return answer

@app.get("/")
def home(request: Request):
    page = getattr(app.state, "page", None)
    return Response(page, media_type="text/html") if page else dict(request.headers)
"""


@dataclass
class Battlefield:
    """``victim`` and ``hostile`` are GUIDs; ``vera`` and ``mallory`` are API keys."""

    ph: Installation
    victim: str
    hostile: str
    vera: str
    mallory: str

    def attack(self, code: str, **given: Any) -> Any:
        """Run ``code`` in Mallory's app, with ``given`` as its variables; what it assigned to ``result``."""
        begin = "".join(f"{name} = {value!r}\n" for name, value in given.items())
        answer = httpx.post(
            f"{self.ph.url}/content/{self.hostile}/run", json={"code": begin + textwrap.dedent(code)},
            headers={"Authorization": f"Key {self.mallory}"}, timeout=120,
        )  # fmt: skip
        assert answer.status_code == 200, answer.text
        told = answer.json()
        assert "error" not in told, told["error"]
        return told["result"]

    def show(self, page: str) -> None:
        """Let Mallory's app be this page of HTML."""
        self.attack("app.state.page = page; result = None", page=page)

    def answer(self, body: str, *headers: tuple[str, str], type: str = "text/html", name: str = "") -> str:
        """The path on the content's origin where Mallory's app answers so."""
        wanted = json.dumps({"body": body, "headers": headers, "type": type})
        return f"/content/{self.hostile}/serve{name}?answer={base64.urlsafe_b64encode(wanted.encode()).decode()}"

    def address(self, guid: str, key: str) -> str:
        """Where the item's job listens, as only an administrator of the machine can know it; wakes it."""
        self.ph.get(f"/content/{guid}/", key=key)
        job = self.job(guid, key)
        spec = (self.ph.home / "jobs" / job / "spec.json").read_text()
        return spec.partition('"address": "')[2].partition('"')[0]

    def job(self, guid: str, key: str) -> str:
        jobs = self.ph.api("GET", f"v1/content/{guid}/jobs", key=key).json()
        return str(next(job["key"] for job in jobs if job["end_time"] is None))


def prepare(ph: Installation, root: Path) -> Battlefield:
    """Both apps published, each by its owner with a key of their own."""
    keys = {}
    for name in ("vera", "mallory"):
        person = (name, "--role", "publisher", "--password", PASSWORD, "--email", f"{name}@veridia.example")
        ph.cli("user", "add", *person, "--home", str(ph.home))
        made = ph.cli("key", "create", "--user", name, "--name", "laptop", "--home", str(ph.home))
        keys[name] = made.stdout.strip()
    requirements = {"requirements.txt": "fastapi\n"}
    victim = project(root / "victim", {"app.py": VICTIM, **requirements})
    hostile = project(root / "hostile", {"app.py": HOSTILE, **requirements})
    options = ("--entrypoint", "app:app", "--title")
    published = [
        ph.deploy("fastapi", victim, *options, "Payroll", "-E", f"SECRET={SECRET}", key=keys["vera"]),
        ph.deploy("fastapi", hostile, *options, "Free tools", "-E", "OWN=1", key=keys["mallory"]),
    ]
    assert all(done.code == 0 for done in published), [done.output for done in published]
    found = Battlefield(ph, published[0].guid, published[1].guid, keys["vera"], keys["mallory"])
    until(lambda: ph.get(f"/content/{found.victim}/", key=found.vera).status_code == 200)
    return found
