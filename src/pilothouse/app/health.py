"""``/healthz`` and ``/readyz``: does the process live, and does everything it needs. Both are open to everybody and name no secret."""

from __future__ import annotations

import asyncio
import http.client
import json
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import structlog

from pilothouse.base.errors import PilothouseError
from pilothouse.db import Database, DatabaseDown
from pilothouse.db.schema import check

log = structlog.get_logger(__name__)
#: A part that has not answered by then is not ready.
PATIENCE_S = 3.0
#: However often somebody asks, the parts are looked at once in this time.
FRESH_S = 1.0
#: The queue looks for tasks each second; a round may have to wait for the database's lock.
STALLED_S = 20.0

#: Returns when the part is ready; raises `PilothouseError` with a sentence for everybody when it is not.
Look = Callable[[], None]


class NotReady(PilothouseError):
    """A part of the server is not ready."""

    code = "app/not-ready"


@dataclass(frozen=True)
class Part:
    """How one part stands: ready, or a sentence that says why not."""

    is_ready: bool
    says: str = ""


class Readiness:
    """Looks at each part in a thread of its own, so that one that hangs keeps no other from being seen."""

    def __init__(self, looks: Mapping[str, Look]) -> None:
        self._looks = dict(looks)
        self._threads = {name: ThreadPoolExecutor(1, thread_name_prefix=f"ready-{name}") for name in looks}
        self._known: dict[str, Part] = {}
        self._seen_at = float("-inf")
        self._lock = asyncio.Lock()
        self._trouble = ""

    async def parts(self) -> Mapping[str, Part]:
        """Every part, at most a second old."""
        async with self._lock:
            if time.monotonic() - self._seen_at > FRESH_S:
                found = await asyncio.gather(*(self._part(name) for name in self._looks))
                self._known = dict(zip(self._looks, found, strict=True))
                self._seen_at = time.monotonic()
                self._note()
            return self._known

    async def _part(self, name: str) -> Part:
        looking = asyncio.get_running_loop().run_in_executor(self._threads[name], self._looks[name])
        try:
            await asyncio.wait_for(looking, PATIENCE_S)
        except TimeoutError:
            return Part(False, f"It did not answer within {PATIENCE_S:g} seconds.")
        except PilothouseError as error:
            return Part(False, str(error))
        except Exception as error:
            log.error("a look at a part of the server broke", part=name, exc_info=error)
            return Part(False, "The server could not look at it; its log holds the cause.")
        return Part(True)

    def _note(self) -> None:
        """One line when trouble begins, changes or ends."""
        trouble = "; ".join(f"{name}: {part.says}" for name, part in self._known.items() if not part.is_ready)
        if trouble != self._trouble:
            log.warning("the server is not ready" if trouble else "the server is ready again", trouble=trouble)
        self._trouble = trouble


def database_look(database: Database) -> Look:
    """The database answers."""

    def look() -> None:
        if not database.is_up():
            raise DatabaseDown

    return look


def schema_look(database: Database) -> Look:
    """The database's schema is this program's."""
    return lambda: check(database)


def gateway_look(address: str, port: int) -> Look:
    """A request through the gateway's own port comes back to us. Any answer counts: also a refusal is the gateway's."""
    target = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(address, address)  # noqa: S104 - dialled, not bound

    def look() -> None:
        connection = http.client.HTTPConnection(target, port, timeout=PATIENCE_S)
        try:
            connection.request("GET", "/__ping__", headers={"Host": "localhost"})
            connection.getresponse().read()
        except (OSError, http.client.HTTPException):
            raise NotReady("The gateway does not answer. Its log is logs/gateway.log.") from None
        finally:
            connection.close()

    return look


def tasks_look(round_at: Callable[[], float]) -> Look:
    """The queue made a round a moment ago (``time.monotonic()``)."""

    def look() -> None:
        if time.monotonic() - round_at() > STALLED_S:
            raise NotReady("Background tasks do not run. The server's log holds the cause.")

    return look


async def healthz(scope: Any, receive: Any, send: Any) -> None:
    """The process lives and answers; it asks nothing of anybody else."""
    await answer(send, 200, {"alive": True})


def readyz(readiness: Readiness) -> Callable[[Any, Any, Any], Any]:
    """200 when every part is ready, else 503; the document says which is not and why."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        parts = await readiness.parts()
        is_ready = all(part.is_ready for part in parts.values())
        shown = {name: {"ready": p.is_ready} | ({"says": p.says} if p.says else {}) for name, p in parts.items()}
        await answer(send, 200 if is_ready else 503, {"ready": is_ready, "parts": shown})

    return app


async def answer(send: Any, status: int, document: object) -> None:
    """JSON that nobody keeps."""
    body = json.dumps(document).encode() + b"\n"
    fields = [
        (b"content-type", b"application/json"),
        (b"cache-control", b"no-store"),
        (b"content-length", str(len(body)).encode()),
    ]
    await send({"type": "http.response.start", "status": status, "headers": fields})
    await send({"type": "http.response.body", "body": body})
