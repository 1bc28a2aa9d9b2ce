"""An app with all pages over real verbs and a real database, without gateway: what tests of pages and a browser open.

Its front does what the server's does for pages: finds the stage, resolves the cookie, checks the XSRF token.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.testclient import TestClient
from sqlalchemy import select

from pilothouse.asgi import static_files, xsrf
from pilothouse.asgi.origins import Origins
from pilothouse.asgi.problems import status_of
from pilothouse.audit import pages as audit_pages
from pilothouse.audit.contract import People
from pilothouse.base import clock
from pilothouse.base.access import SYSTEM, Principal, Role
from pilothouse.base.errors import PilothouseError
from pilothouse.content import pages as content_pages
from pilothouse.content import service as content
from pilothouse.content.models import Content, Worker
from pilothouse.db import Database, Watch
from pilothouse.db.secrets import Keys, Secrets
from pilothouse.identity import pages as identity_pages
from pilothouse.identity import service as identity
from pilothouse.identity.contract import NewUser
from pilothouse.identity.models import User
from pilothouse.identity.service.passwords import hash_password
from pilothouse.launcher.contract import Capabilities, LogLine, Usage
from pilothouse.launcher.models import Job
from pilothouse.settings import load
from pilothouse.stages.service import Stages, sync
from pilothouse.storage.contract import put
from pilothouse.storage.custody import OWN
from pilothouse.storage.stores.disk import DiskStore
from pilothouse.tasks.models import Task, TaskLine
from pilothouse.web import pages as web_pages
from pilothouse.web import refusals
from pilothouse.web.service import Board
from pilothouse.web.states import StatePages

PASSWORD = "harbour-light-7"
XSRF_KEY = b"k" * 32
BASE = "http://localhost"


@dataclass
class QuietLauncher:
    """What pages ask of a launcher: lines, use, abilities."""

    lines: dict[str, list[str]] = field(default_factory=dict)

    def logs(self, job_id: str, *, after: int = 0, limit: int = 10_000) -> Iterator[tuple[int, LogLine]]:
        for number, text in enumerate(self.lines.get(job_id, []), 1):
            if number > after:
                yield number, LogLine(clock.now(), "stdout", text)

    def usage(self, job_id: str) -> Usage | None:
        return Usage(12.5, 148_000_000, 4)

    def capabilities(self) -> Capabilities:
        return Capabilities(
            limits="v2",
            freezer="v2",
            isolation="bubblewrap",
            weak=("Apps can reach each other's ports. Run the server as root.",),
        )


def pages_app(database: Database, home: Path) -> FastAPI:
    """The app, with the stages of the default settings and nobody in it."""
    app, state = FastAPI(openapi_url=None), None
    state = app.state
    state.loaded = load(home, variables={})
    with database.write() as tx:
        sync(tx, state.loaded.settings.stages)
    state.database, watch = database, Watch(database)
    state.stages = Stages(database, watch)
    state.resolver = identity.Resolver(database, watch, cookie="ph_login_test")
    state.xsrf_key, state.secrets = XSRF_KEY, Secrets(lambda: Keys({"k1": b"s" * 32}, "k1"))
    state.blobs, state.launcher = DiskStore(home / "blobs"), QuietLauncher()
    state.custodian, state.why_root = OWN, lambda: "/root is closed to other users."
    state.origins = Origins(state.loaded.public_url, port=3939, content_port=3940)
    state.states = StatePages(state.loaded.settings.web)
    state.notices = Board(database, watch).shown
    state.people = People(_names, _find)
    for router in (
        static_files.router,
        identity_pages.router,
        audit_pages.router,
        content_pages.router,
        web_pages.router,
    ):
        app.include_router(router)
    app.middleware("http")(_front)
    app.add_exception_handler(PilothouseError, refusals.refusal)  # type: ignore[arg-type]
    return app


async def _front(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
    app = request.app
    stage, rest = app.state.stages.resolve("localhost", request.url.path)
    request.scope["path"] = rest
    principal = app.state.resolver.resolve(request.headers)
    request.state.stage, request.state.principal = stage, principal
    request.state.xsrf = xsrf.token(XSRF_KEY, principal.login) if principal.login else ""
    if principal.login:
        origin = f"{request.url.scheme}://{request.headers['host']}"
        try:
            given = request.headers.get(xsrf.HEADER)
            xsrf.check(
                request.method,
                origin=request.headers.get("origin"),
                own_origins=[origin],
                given=given,
                expected=request.state.xsrf,
            )
        except PilothouseError as error:
            return Response(str(error), status_of(error))
    return await call_next(request)


def _names(tx: Any, ids: Any) -> dict[int, str]:
    return {u.id: u.username for u in tx.scalars(select(User).where(User.id.in_(ids)))}


def _find(tx: Any, username: str) -> int | None:
    user = identity.find_user(tx, username)
    return user.id if user else None


PEOPLE = (
    ("clara.voss", "Clara", "Voss", Role.VIEWER, "Quality"),
    ("henrik.dahl", "Henrik", "Dahl", Role.PUBLISHER, "Research"),
    ("amara.okoye", "Amara", "Okoye", Role.PUBLISHER, "Process engineering"),
    ("jonas.brandt", "Jonas", "Brandt", Role.ADMINISTRATOR, "IT operations"),
)


def add_people(app: FastAPI) -> None:
    """Four people of the sample company, all with `PASSWORD`, and one group."""
    hashed = hash_password(PASSWORD)
    with app.state.database.write() as tx:
        users = [
            identity.create_user(
                tx, SYSTEM, password_hash=hashed,
                new=NewUser(name, f"{name}@veridia.example", first, last, role, PASSWORD, department=department),
            )
            for name, first, last, role, department in PEOPLE
        ]  # fmt: skip
        group = identity.create_group(tx, SYSTEM, name="Quality circle")
        identity.add_member(tx, SYSTEM, group, user=users[0])


def principal(app: FastAPI, username: str) -> Principal:
    with app.state.database.read() as tx:
        user = identity.find_user(tx, username)
        assert user is not None
        return identity.principal_of_user(tx, user)


@dataclass(frozen=True)
class Published:
    """One item with a bundle, its deploy and, where it runs, its job."""

    guid: str
    bundle_id: int
    task_id: int
    job_key: str


def publish(app: FastAPI, owner: str, title: str, **facts: Any) -> Published:
    """An item as a deploy leaves it. ``facts``: ``mode``, ``state`` of the deploy, ``error``, ``worker`` state, ``open_to``."""
    chosen = SimpleNamespace(
        **{"mode": "python-fastapi", "state": "done", "error": "", "worker": "ready", "open_to": "acl"} | facts
    )
    actor, stage = principal(app, owner), app.state.stages.all()[0]
    blob = put(app.state.blobs, [b"bundle of " + title.encode()], limit=10_000)
    with app.state.database.write() as tx:
        name = "".join(c if c.isalnum() else "-" for c in title.lower())[:60]
        item = content.create_content(
            tx, actor, stage, name=name, fields={"title": title, "access_type": chosen.open_to}
        )
        bundle = content.add_bundle(tx, actor, item, blob=blob)
        task = content.deploy(tx, actor, item, bundle=bundle)
        _play(tx, task, chosen)
        job_key = f"job{bundle.id:09}"
        if chosen.state == "done":
            item.bundle_id, item.app_mode, bundle.py_version, bundle.state = bundle.id, chosen.mode, "3.12.4", "ready"
            if chosen.worker and chosen.mode != "static":
                _run(tx, item, job_key, chosen.worker)
        return Published(item.guid, bundle.id, task.id, job_key)


def _play(tx: Any, task: Task, chosen: SimpleNamespace) -> None:
    task.state, task.error = chosen.state, chosen.error
    if chosen.state != "queued":
        task.started_at = clock.now()
        for number, words in enumerate(("Unpacking the bundle", "Restoring the library: 31 of 42 packages")):
            tx.add(TaskLine(task_id=task.id, number=number, text=words))
    if chosen.state in ("done", "failed"):
        task.ended_at = clock.now()


def _run(tx: Any, item: Content, key: str, state: str) -> None:
    job = Job(
        key=key,
        tag="run_fastapi_app",
        subject_kind="content",
        subject_id=item.id,
        stage_id=item.stage_id,
        state="running",
        started_at=clock.now(),
    )
    tx.add(job)
    tx.flush()
    tx.add(Worker(content_id=item.id, bundle_id=item.bundle_id, job_id=job.id, state=state, ready_at=clock.now()))


class Visitor(TestClient):
    """A browser of one person: sends the token of the page with every change, as our script does."""

    def sign_in(self, username: str, url: str = "") -> str:
        answer = self.post(
            "/__login__", data={"username": username, "password": PASSWORD, "url": url}, follow_redirects=False
        )
        assert answer.status_code == 303, answer.text
        login = self.cookies["ph_login_test"].strip('"').partition(".")[0]
        self.headers[xsrf.HEADER] = xsrf.token(XSRF_KEY, login)
        return str(answer.headers["location"])
