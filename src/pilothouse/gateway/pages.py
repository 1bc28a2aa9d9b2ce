"""What visitors see instead of an app: it starts, it failed, it is not theirs. The door names such a page by its path."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from pilothouse.base import clock
from pilothouse.gateway import headers as h
from pilothouse.gateway.contract import Start

Answer = tuple[int, list[tuple[str, str]], bytes]
REASON_LIMIT = 2000
#: For clients that don't read HTML.
SENTENCES = {
    "failed": "{title} did not start. {reason}",
    "starting": "{title} is starting.",
    "busy": "{title} has as many visitors as it may have. Try again in a moment, or ask its owner to allow more.",
}
RETRY_AFTER_S = {"starting": 2, "busy": 5}


@dataclass(frozen=True)
class Reader:
    """Who sees such a page: the language they read, and the address of their home page (the dashboard's, not the content's)."""

    language: str = "en"
    home: str = "/"


@dataclass(frozen=True)
class PageTexts:
    """How pages look, handed in by ``app.py``; each takes the words and the reader and gives whole HTML.

    ``starting`` also takes what `phases` made of the start. ``language`` takes what the browser accepts and what the
    person chose.
    """

    starting: Callable[[str, Mapping[str, float], Reader], bytes]
    busy: Callable[[str, Reader], bytes]
    failed: Callable[[str, str, str, Reader], bytes]
    not_found: Callable[[Reader], bytes]
    denied: Callable[[str, str, Reader], bytes]
    locked: Callable[[str, str, Reader], bytes]
    headers: Mapping[str, str]
    language: Callable[[str, str], str]


class Pages:
    """Answers with such pages: directly where the status allows it, and as the control plane's page application."""

    def __init__(self, texts: PageTexts) -> None:
        self._texts = texts

    def reader(self, headers: Mapping[str, str], *, wish: str, home: str) -> Reader:
        """``wish`` is the language that the person chose, empty for what their browser asks for."""
        return Reader(self._texts.language(headers.get("accept-language", ""), wish), home)

    def not_found(self, reader: Reader) -> Answer:
        return 404, self._fields(), self._texts.not_found(reader)

    def denied(self, reader: Reader, owner: str, ask_url: str) -> Answer:
        return 403, self._fields(), self._texts.denied(owner, ask_url, reader)

    def failed(self, reader: Reader, status: int, title: str, reason: str, log: str) -> Answer:
        return status, self._fields(), self._texts.failed(title, reason, log, reader)

    def locked(self, reader: Reader, status: int, title: str, message: str) -> Answer:
        return status, self._fields(), self._texts.locked(title, message, reader)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve a page that the door named with `page_path`. Clients that don't read HTML get the wire's JSON."""
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        words = _words(scope["path"])
        status, fields, body = self._page(words, headers)
        if words["kind"] in RETRY_AFTER_S:
            fields.append(("retry-after", str(RETRY_AFTER_S[words["kind"]])))
        raw = [(name.lower().encode(), value.encode()) for name, value in fields]
        await send({"type": "http.response.start", "status": status, "headers": raw})
        await send({"type": "http.response.body", "body": body if scope["method"] != "HEAD" else b""})

    def _page(self, words: dict[str, Any], headers: Mapping[str, str]) -> Answer:
        status, reader = int(words["status"]), Reader(words["language"], words["home"])
        if "text/html" not in headers.get("accept", "") and "sec-fetch-mode" not in headers:
            sentence = SENTENCES[words["kind"]].format(**words).strip()
            body = json.dumps({"code": 103, "error": sentence, "payload": None}).encode()
            return status, [("content-type", "application/json"), ("cache-control", "no-store")], body
        if words["kind"] == "starting":
            return status, self._fields(), self._texts.starting(words["title"], words["phases"], reader)
        if words["kind"] == "busy":
            return status, self._fields(), self._texts.busy(words["title"], reader)
        return self.failed(reader, status, words["title"], words["reason"], words["log"])

    def _fields(self) -> list[tuple[str, str]]:
        return list(self._texts.headers.items())


def phases(start: Start | None) -> dict[str, float]:
    """What is known of a start, in seconds until now: how long it waited for its turn (``queued``), then how long it has been
    ``starting``, and what that ``usual``-ly takes. What is not known, or has not begun, is left out.
    """
    if start is None:
        return {}
    now = clock.now()
    found = {"queued": ((start.began_at or now) - start.queued_at).total_seconds()}
    if start.began_at is not None:
        found["starting"] = (now - start.began_at).total_seconds()
    if start.usual is not None:
        found["usual"] = start.usual.total_seconds()
    return {phase: max(0.0, round(seconds, 1)) for phase, seconds in found.items()}


def page_path(kind: str, status: int, title: str, reader: Reader, **details: Any) -> str:
    """The control plane's path of such a page; only Envoy can ask for it.

    ``details`` are ``reason`` and ``log`` of a failure, ``phases`` of a start.
    """
    words: dict[str, Any] = {"reason": "", "log": "", "phases": {}} | details
    words |= {"kind": kind, "status": status, "title": title[:200], **asdict(reader)}
    words["reason"] = words["reason"][:REASON_LIMIT]
    return f"{h.PAGE_PREFIX}/{base64.urlsafe_b64encode(json.dumps(words).encode()).decode()}"


def _words(path: str) -> dict[str, Any]:
    return dict(json.loads(base64.urlsafe_b64decode(path.rsplit("/", 1)[-1])))
