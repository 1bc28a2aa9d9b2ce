"""The control plane: one process with the front, the queue, the reconciler, the usage reader and the sealer."""

from __future__ import annotations

import gc
import signal
import socket
import threading
from collections.abc import Callable
from datetime import timedelta
from functools import lru_cache, partial
from typing import Any
from urllib.parse import urlsplit

import structlog
import uvicorn
from fastapi import FastAPI

from pilothouse.app.dashboard import dashboard
from pilothouse.app.doctor import check_task
from pilothouse.app.front import App, Front
from pilothouse.app.gauges import Sources
from pilothouse.app.health import Readiness, database_look, gateway_look, healthz, readyz, schema_look, tasks_look
from pilothouse.app.house import House, build
from pilothouse.app.letters import post_of
from pilothouse.app.metrics import Metrics
from pilothouse.app.scrape import guard_of, scrape
from pilothouse.app.server import bootstrap_secret
from pilothouse.asgi.request_ids import RequestIds
from pilothouse.asgi.texts import chosen_language
from pilothouse.base import clock
from pilothouse.connect_api.application import application
from pilothouse.connect_api.context import Wire
from pilothouse.connect_api.described import document
from pilothouse.connect_api.system import CHECK
from pilothouse.content.service.caches import CLEAR
from pilothouse.content.service.routes import ContentRoutes
from pilothouse.content.service.scaling import UNSEEN_S, Activity, Chooser
from pilothouse.content.service.workers import wanted_worker
from pilothouse.content.tasks import (
    SAMPLE_S,
    Reconciler,
    Sampler,
    clear_cache_task,
    deploy_task,
    drop_samples,
    start_task,
)
from pilothouse.content.tasks import sweep as sweep_content
from pilothouse.content.tasks.rouse import Rouser
from pilothouse.db import DatabaseDown, Listener
from pilothouse.db.changes import CHANNEL
from pilothouse.db.schema import check
from pilothouse.db.secrets import load_key, load_keys
from pilothouse.gateway.calls import Calls
from pilothouse.gateway.door import Door
from pilothouse.gateway.grants import Grants, cookie_name
from pilothouse.gateway.headers import PAGE_PREFIX, REQUEST_ID
from pilothouse.gateway.pages import Pages, PageTexts
from pilothouse.gateway.rates import Rates
from pilothouse.gateway.recent import REACH_S, RecentGrants
from pilothouse.gateway.serving import door_secret, running_since
from pilothouse.gateway.usage import UsageReader
from pilothouse.gateway.usage import sweep as sweep_usage
from pilothouse.gateway.visitors import COUNTS, Visitors
from pilothouse.identity.service.mail import SEND
from pilothouse.identity.service.oauth import sweep as sweep_programs
from pilothouse.identity.tasks import send_task
from pilothouse.launcher.contract import Launcher
from pilothouse.settings import Loaded
from pilothouse.stages import sync
from pilothouse.tasks import Queue, Recurring, Run
from pilothouse.tasks.contract import Handler
from pilothouse.tasks.retention import sweep as sweep_tasks
from pilothouse.web.states import StatePages

log = structlog.get_logger(__name__)
SWEEP = "system.sweep"
GUARD_S = 5.0
#: The oldest objects are looked through with each so many looks at the younger ones (Python: 10).
LOOKS_AT_ALL = 100


def run(loaded: Loaded, *, fd: int) -> None:
    """Serve on the listening socket ``fd`` until SIGTERM. Jobs go on afterwards."""
    house = build(loaded)
    check(house.database)
    with house.database.write() as tx:
        sync(tx, loaded.settings.stages)
    plane = ControlPlane(house)
    plane.start()
    _settle()
    known = RequestIds(plane.front, header=REQUEST_ID, quiet=(PAGE_PREFIX, "/readyz"))
    config = uvicorn.Config(
        known, fd=fd, http="httptools", loop="uvloop", ws="none", lifespan="off", access_log=False, log_config=None,
        proxy_headers=False, server_header=False, timeout_keep_alive=75, backlog=2048,
        timeout_graceful_shutdown=10,
    )  # fmt: skip
    try:
        uvicorn.Server(config).run()
    finally:
        plane.stop()


def _settle() -> None:
    """Look for garbage less: what was made at the start stays, and each look at everything halts all requests meanwhile."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(700, 10, LOOKS_AT_ALL)


class ControlPlane:
    """Everything that runs in the process; ``front`` is its ASGI application."""

    def __init__(self, house: House) -> None:
        self.house = house
        run = house.loaded.home / "run"
        self.visitors = _visitors(house)
        self.metrics = Metrics()
        self.metrics.database(house.database)
        self.calls = Calls(partial(running_since, run))
        self.usage = UsageReader(
            house.database,
            house.access_log,
            self.visitors,
            since=partial(running_since, run),
            heard=self._heard,
        )
        self.recent = RecentGrants()
        self.reconciler = Reconciler(house.engines, self._activity)
        tasks = house.loaded.settings.tasks
        self.queue = Queue(
            house.database,
            self._handlers(),
            limits={"builds": tasks.builds, "starts": tasks.starts, "system": 1},
            replica=f"{house.installation}@{socket.gethostname()}"[:40],
            recurring=[Recurring("sweep", SWEEP, timedelta(hours=1))],
        )
        self.readiness = self._readiness()
        self.front = self._front()
        self._listener = Listener(house.database, {CHANNEL: house.watch.wake})
        self._stopping = threading.Event()
        self._threads = [
            threading.Thread(target=self._each, args=(1.0, house.sealer.seal), daemon=True),
            *(
                threading.Thread(target=self._each, args=(1.0, partial(house.sealer.tell, sink)), daemon=True)
                for sink in house.sealer.sinks
            ),
            threading.Thread(target=self._each, args=(30.0, house.resolver.flush_uses), daemon=True),
            threading.Thread(
                target=self._each, args=(SAMPLE_S, Sampler(house.database, house.launcher).once), daemon=True
            ),
            threading.Thread(target=self._each, args=(GUARD_S, partial(_guard, house.launcher)), daemon=True),
        ]

    def _handlers(self) -> dict[str, Handler]:
        engines = self.house.engines
        handlers: dict[str, Handler] = {
            "content.deploy": deploy_task(engines),
            "content.start_worker": start_task(engines),
            SEND: send_task(post_of(self.house)),
            CLEAR: clear_cache_task(engines),
            CHECK: check_task(self.house.loaded),
            SWEEP: self._sweep,
        }
        return {kind: self.metrics.task(kind, handler) for kind, handler in handlers.items()}

    def start(self) -> None:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        self.queue.start()
        self._listener.start()
        self.recent.remember(self.usage.used_since(clock.now() - timedelta(seconds=REACH_S)))
        self.reconciler.start()
        self.usage.start()
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Hand running tasks back and write what is left; jobs go on."""
        self._stopping.set()
        self._listener.stop()
        self.reconciler.stop()
        self.usage.stop()
        self.queue.stop()
        for last in (
            self.house.resolver.flush_uses,
            self.house.sealer.run,
        ):
            try:
                last()
            except DatabaseDown:
                log.warning("the database is away at the end; the rest is written at the next start")

    def _each(self, seconds: float, work: Callable[[], object]) -> None:
        while not self._stopping.wait(seconds):
            try:
                work()
            except DatabaseDown:
                continue
            except Exception as error:
                log.error("background work failed", exc_info=error)

    def _heard(self, line: dict[str, Any]) -> None:
        self.metrics.heard(line)
        self.calls.heard(line)

    def _activity(self, job_key: str) -> Activity:
        busy, recent = self.usage.busy(job_key), self.recent
        return Activity(
            open_sockets=len(busy.sockets),
            opened_lately=self.usage.opened_since(job_key, clock.now() - timedelta(seconds=UNSEEN_S)),
            grants=recent.count(job_key),
            calls=self.calls.at_once(job_key),
            open_calls=self.calls.open(job_key),
            granted_until=recent.used_until(job_key),
            last_response=busy.last,
        )

    def _sweep(self, run: Run) -> None:
        settings = self.house.loaded.settings
        sweep_tasks(self.house.database, older_than=settings.tasks.retention)
        sweep_usage(self.house.database, older_than=settings.gateway.usage_kept)
        drop_samples(self.house.database, older_than=settings.content.samples_kept)
        sweep_programs(self.house.database)
        sweep_content(
            self.house.engines, bundles_kept=settings.content.bundles_kept, jobs_kept=settings.launcher.keep_ended
        )

    def _front(self) -> Front:
        house = self.house
        states = StatePages(house.loaded.settings.web)
        pages, protocol, main = Pages(_texts(states)), application(wire_of(house)), dashboard(house)
        main.state.protocol_document = partial(_described, protocol, house.loaded.settings.connect_api.version)
        return Front(
            secret=door_secret(house.loaded.home / "keys"),
            stages=house.stages,
            resolver=house.resolver,
            xsrf_key=house.xsrf_key,
            door=self.metrics.door(self._door(pages)),
            pages=pages,
            protocol=protocol,
            dashboard=main,
            open_to_all={"/healthz": healthz, "/readyz": readyz(self.readiness)},
            metrics=self._scrape(),
            states=states,
            public_url=house.loaded.public_url,
        )

    def _scrape(self) -> App:
        house = self.house
        sources = Sources(house.database, house.loaded.home, self.usage.open_sockets, list(house.sealer.sinks))
        return scrape(self.metrics, self.readiness, sources, guard_of(house.loaded))

    def _readiness(self) -> Readiness:
        loaded = self.house.loaded
        return Readiness(
            {
                "database": database_look(self.house.database),
                "schema": schema_look(self.house.database),
                "gateway": gateway_look(loaded.settings.server.host, loaded.port),
                "tasks": tasks_look(lambda: self.queue.round_at),
            }
        )

    def _door(self, pages: Pages) -> Door:
        house = self.house
        routes = ContentRoutes(
            house.database,
            house.watch,
            folder=house.engines.folder,
            rouse=Rouser(house.engines, partial(wanted_worker, house.database)).rouse,
            public_url=house.public_url,
            chooser=Chooser(house.engines.rules, self._activity),
        )
        return Door(
            secret=door_secret(house.loaded.home / "keys"),
            resolver=house.resolver,
            stages=house.stages,
            owners=[routes],
            origins=house.origins,
            files={"apps": (house.loaded.home / "apps").resolve()},
            pages=pages,
            visitors=self.visitors,
            grants=Grants(
                load_keys(house.loaded.home / "keys" / "grants.json"),
                issuer=house.installation,
                cookie=cookie_name(house.installation, https=house.is_https),
                recent=self.recent,
            ),
            calls=self.calls,
            tokens=house.engines.app_tokens,
            rates=Rates(house.loaded.settings.content.requests_per_minute_per_key),
        )


def _guard(launcher: Launcher) -> None:
    """Jobs of this machine are guarded from each other, where the launcher can: an ability beyond the contract."""
    if guard := getattr(launcher, "guard", None):
        guard()


def _visitors(house: House) -> Visitors:
    """Of a stage that is not in the settings, nobody is kept."""

    def usage_of(stage_id: int) -> str:
        stage = house.stages.by_id(stage_id)
        return stage.usage if stage else COUNTS

    return Visitors(usage_of, load_key(house.loaded.home / "keys" / "usage.json"))


@lru_cache(maxsize=16)
def _described(protocol: FastAPI, version: str, server: str) -> dict[str, Any]:
    return document(protocol, server=server, version=version)


def _texts(pages: StatePages) -> PageTexts:
    return PageTexts(
        starting=lambda title, phases, reader: pages.starting(title, phases, language=reader.language),
        busy=lambda title, reader: pages.busy(title, language=reader.language),
        failed=lambda title, reason, log_url, reader: pages.failed(
            title, reason=reason, log_url=log_url, language=reader.language
        ),
        not_found=lambda reader: pages.not_found(home_url=reader.home, language=reader.language),
        denied=lambda owner, ask_url, reader: pages.denied(
            owner=owner, ask_url=ask_url, home_url=reader.home, language=reader.language
        ),
        locked=lambda title, message, reader: pages.locked(title, message, language=reader.language),
        headers=pages.headers,
        language=lambda accepted, wish: chosen_language(accepted, wish=wish),
    )


def wire_of(house: House) -> Wire:
    """What the protocol's doors need of the house."""
    return Wire(
        loaded=house.loaded,
        database=house.database,
        secrets=house.secrets,
        blobs=house.blobs,
        launcher=house.launcher,
        runtimes=house.runtimes,
        has_library=house.has_library,
        public_url=house.public_url,
        worker_rules=house.engines.rules,
        rules=house.rules,
        exchange=house.exchange,
        exchanger=house.exchanger,
        xsrf_key=house.xsrf_key,
        login_cookie=house.resolver.cookie,
        bootstrap_secret=bootstrap_secret(house.loaded),
        hostname=urlsplit(house.loaded.public_url).hostname or "localhost",
        is_https=house.is_https,
    )
