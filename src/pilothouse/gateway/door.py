"""The door: for each request that Envoy asks about, may it pass, as whom, and where to. A plain ASGI application.

Its contract with Envoy is ``headers.py``. It answers 5xx only when it can't decide (Envoy takes that for a broken door): what
must reach the client as 5xx goes out as "allowed, ask the control plane for this page". The hot path reads memory only;
what is asked for the first time after a change costs a few short queries on the event loop (2 ms; `bench/door.py`).
"""

from __future__ import annotations

import asyncio
import hmac
import json
import math
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote, urlsplit

from pilothouse.asgi.origins import ENTER, Origins, name_of
from pilothouse.base.access import Principal
from pilothouse.base.errors import NotAuthenticated, Unavailable
from pilothouse.gateway import headers as h
from pilothouse.gateway.app_tokens import AppTokens
from pilothouse.gateway.calls import Calls
from pilothouse.gateway.contract import (
    Asked,
    Asleep,
    Broken,
    Busy,
    ControlPlane,
    Place,
    RouteOwner,
    StaticFile,
    Target,
    Worker,
)
from pilothouse.gateway.files import file_answer
from pilothouse.gateway.grants import Grants, Visit
from pilothouse.gateway.pages import Pages, Reader, page_path, phases
from pilothouse.gateway.rates import Rates
from pilothouse.gateway.visitors import Visitors
from pilothouse.gateway.waking import Waking, Wanted
from pilothouse.identity.service.signatures import RequestLine, check_content
from pilothouse.stages import StageRef

BROWSER_PATIENCE_S = 2.0
SPARED = frozenset({"HEAD", "OPTIONS"})
#: What programs are told instead of a page, by status: the wire's code and a sentence.
FOR_PROGRAMS = {403: (19, "It may not be opened."), 404: (4, "There is nothing at this address.")}
NEW = Visit("")
#: In the scope afterwards: how many seconds of the answer were spent waiting for a worker.
WAITED = "pilothouse.waited_s"
Answer = tuple[int, list[tuple[str, str]], bytes]


class Resolves(Protocol):
    """From headers (lower-case names) and what they may sign to a principal; raises `NotAuthenticated` for a wrong key."""

    def resolve(self, headers: Mapping[str, str], line: RequestLine) -> Principal: ...


class FindsStage(Protocol):
    def resolve(self, host: str, path: str) -> tuple[StageRef, str]: ...
    def every(self, path: str) -> list[tuple[StageRef, str]]: ...


@dataclass
class _Asking:
    """One request at the door, read once."""

    headers: dict[str, str]
    method: str
    path: str
    query: str
    stage: StageRef
    asked: Asked
    principal: Principal
    visit: Visit
    waited_s: float = 0.0

    @property
    def host(self) -> str:
        return self.headers.get("host", "")

    @property
    def is_browser(self) -> bool:
        return "sec-fetch-mode" in self.headers or "text/html" in self.headers.get("accept", "")

    @property
    def has_key(self) -> bool:
        return self.principal.is_program

    @property
    def keeps_cookies(self) -> bool:
        """Programs without a cookie jar would get a new grant with every answer."""
        return not self.has_key and (self.is_browser or self.principal.login is not None)

    @property
    def visitor(self) -> str:
        """Who starts are counted for: a user, or whoever has the address."""
        return f"user {self.principal.id}" if self.principal.id is not None else self.headers.get(h.CLIENT, "")

    @property
    def url(self) -> str:
        return self.path + (f"?{self.query}" if self.query else "")


class Door:
    """``owners`` are asked in order whose a path is; ``files`` names the folders that files are sent from (as Envoy knows them)."""

    def __init__(  # noqa: PLR0913 - what a decision depends on
        self,
        *,
        secret: str,
        resolver: Resolves,
        stages: FindsStage,
        owners: Sequence[RouteOwner],
        origins: Origins,
        files: Mapping[str, Path],
        pages: Pages,
        visitors: Visitors,
        grants: Grants,
        calls: Calls,
        tokens: AppTokens,
        rates: Rates,
    ) -> None:
        self._secret, self._resolver, self._stages = secret, resolver, stages
        self._owners, self._origins, self._files, self._pages = owners, origins, files, pages
        self._visitors, self._grants, self._calls, self._waking = visitors, grants, calls, Waking()
        self._tokens, self._rates = tokens, rates

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        if not hmac.compare_digest(headers.get(h.SECRET, "").encode(), self._secret.encode()):
            answer: Answer = (404, [("content-type", "text/plain")], b"There is nothing at this address.\n")
        else:
            try:
                answer = await self._answer(scope, headers, receive)
            except Unavailable as error:  # nobody can decide: Envoy refuses with 503, whatever stands here
                answer = _json(503, 103, str(error))
        status, fields, body = answer
        raw = [(name.encode("latin-1"), value.encode("latin-1", "replace")) for name, value in fields]
        raw.append((b"content-length", str(len(body)).encode()))
        await send({"type": "http.response.start", "status": status, "headers": raw})
        await send({"type": "http.response.body", "body": body})

    async def _answer(self, scope: Any, headers: dict[str, str], receive: Any) -> Answer:
        path = scope["raw_path"].decode("latin-1").split("?")[0].removeprefix(h.DOOR_PREFIX) or "/"
        query = scope["query_string"].decode("latin-1")
        host = headers.get("host", "")
        if self._origins.item_of(host) == "":
            return _json(421, 4, "No item has this name. Use the address you were given.")
        stage, rest = self._stages.resolve(host, path)
        is_page = headers.get("sec-fetch-mode") == "navigate" or (
            "sec-fetch-mode" not in headers and "upgrade-insecure-requests" in headers
        )
        asked = Asked(
            stage.id, stage.path, rest, query, scope["method"], is_page, "sec-websocket-version" in headers,
            headers.get("if-none-match", ""), headers.get("range", ""),
        )  # fmt: skip
        asking = _Asking(headers, scope["method"], path, query, stage, asked, Principal(None, None), NEW)
        try:
            asking.principal = self._resolver.resolve(headers, self._line(asking))
            check_content(asking.principal, asking.method, headers)
        except NotAuthenticated as error:
            return _json(401, 30, str(error))
        answer = await self._decide(asking, receive)
        scope[WAITED] = asking.waited_s
        return answer

    async def _decide(self, asking: _Asking, receive: Any) -> Answer:
        owner, place = self._place(asking)
        if owner is None or place is None or not (place.redirect or asking.path.startswith(place.mount)):
            return self._nowhere(asking)
        if (elsewhere := self._elsewhere(asking, place)) is not None:
            return elsewhere
        if not owner.may_open(place, asking.principal):
            return self._refusal(asking, owner, place)
        if asking.principal.key is not None and (wait_s := self._rates.take(asking.principal.key, place)):
            return _too_many(wait_s)
        if asking.asked.is_websocket and not self._is_own_socket(asking):
            return _json(403, 22, "This WebSocket comes from another site.")
        if place.redirect is not None:
            return _redirect(
                308 if asking.method not in ("GET", "HEAD") else 302,
                place.redirect + (f"?{asking.query}" if asking.query else ""),
            )
        asking.visit = self._grants.visit(
            asking.headers.get("cookie", ""), mount=place.mount, login=asking.principal.login
        )
        if not asking.asked.is_page_load:
            asking.asked = replace(asking.asked, hint=asking.visit.job_key)
        target = await self._awake(asking, owner, place, receive)
        return self._lead(asking, owner, place, target)

    def _line(self, asking: _Asking) -> RequestLine:
        outside = urlsplit(self._origins.dashboard(asking.host, asking.stage)).path.rstrip("/")
        return RequestLine(asking.method, asking.path, asking.stage.path, outside)

    def _find(self, asked: Asked) -> tuple[RouteOwner | None, Place | None]:
        for owner in self._owners:
            place = owner.find(asked)
            if place is not None:
                return owner, place
        return None, None

    def _place(self, asking: _Asking) -> tuple[RouteOwner | None, Place | None]:
        """Whose the path is. On an origin of one item the name does not tell the stage, but the item may."""
        found = self._find(asking.asked)
        item = self._origins.item_of(asking.host)
        if item is None or (found[1] is not None and found[1].guid == item):
            return found
        for stage, rest in self._stages.every(asking.path):
            asked = replace(asking.asked, stage_id=stage.id, stage_path=stage.path, path=rest)
            owner, place = self._find(asked)
            if owner is not None and place is not None and (found[1] is None or place.guid == item):
                asking.stage, asking.asked, found = stage, asked, (owner, place)
        return found

    def _elsewhere(self, asking: _Asking, place: Place) -> Answer | None:
        """Browsers meet content on its own origin only (SECURITY 1); plain clients and keys are served on the dashboard's as well."""
        if self._origins.is_single:
            return None
        is_plain = not asking.asked.is_page_load and not any(name.startswith("sec-fetch-") for name in asking.headers)
        to = self._origins.content(asking.host, asking.stage, place.guid) + asking.url
        if asking.headers.get(h.ORIGIN) == "dashboard":
            if asking.has_key or is_plain:
                return None
            if asking.asked.is_page_load and asking.method == "GET" and asking.principal.login:
                to = self._origins.opened(asking.host, asking.stage, place.guid, asking.url)
            return _redirect(307, to)
        if self._origins.content_name(asking.stage, place.guid) in ("", name_of(asking.host)):
            return None
        if asking.asked.is_page_load or (is_plain and asking.method in ("GET", "HEAD")):
            return _redirect(307, to)
        return _json(404, 4, "There is nothing at this address.")

    def _refusal(self, asking: _Asking, owner: RouteOwner, place: Place) -> Answer:
        if asking.principal.is_authenticated:
            if asking.asked.is_page_load or (asking.is_browser and not asking.has_key):
                return self._pages.denied(self._reader(asking), *owner.whom_to_ask(place))
            return _json(403, 19, "You may not open this content. Ask its owner for access.")
        if asking.asked.is_websocket or not asking.is_browser or asking.method not in ("GET", "HEAD"):
            return _json(401, 30, "Sign in, or send a valid API key.")
        if asking.headers.get(h.ORIGIN) != "dashboard" and self._origins.content_name(asking.stage, place.guid):
            if not asking.asked.is_page_load:
                return _json(401, 30, "Sign in, or send a valid API key.")
            return _redirect(302, f"{ENTER}?url={quote(asking.url, safe='')}")
        dashboard = self._origins.dashboard(asking.host, asking.stage)
        return _redirect(302, f"{dashboard}{asking.stage.path}__login__?url={quote(asking.url, safe='')}")

    def _nowhere(self, asking: _Asking) -> Answer:
        return (
            self._pages.not_found(self._reader(asking))
            if asking.is_browser
            else _json(404, 4, "There is nothing at this address.")
        )

    def _is_own_socket(self, asking: _Asking) -> bool:
        """A handshake needs the origin it was served from, unless a key authenticates it (SECURITY 9)."""
        if asking.has_key:
            return True
        origin = asking.headers.get("origin", "")
        return origin != "" and urlsplit(origin).netloc == asking.host

    async def _awake(self, asking: _Asking, owner: RouteOwner, place: Place, receive: Any) -> Target:
        """The target, after waking it and waiting where that is wanted: two seconds for a page load, else until it is up or has failed."""
        target = owner.target(place, asking.asked)
        if not isinstance(target, Asleep) or self._is_spared(asking):
            return target
        patience_s = BROWSER_PATIENCE_S if asking.asked.is_page_load else target.timeout_s + 5
        left, began = asyncio.ensure_future(_disconnect(receive)), time.monotonic()
        try:
            wanted = Wanted(owner, place, asking.asked, asking.principal, asking.visitor)
            await self._waking.wait(wanted, patience_s=patience_s, left=left)
        finally:
            left.cancel()
            asking.waited_s = time.monotonic() - began
        return owner.target(place, asking.asked)

    def _is_spared(self, asking: _Asking) -> bool:
        """Requests that merely look ahead never wake anything."""
        purpose = asking.headers.get("sec-purpose", "") + asking.headers.get("purpose", "")
        return asking.method in SPARED or "prefetch" in purpose or "prerender" in purpose

    def _lead(self, asking: _Asking, owner: RouteOwner, place: Place, target: Target) -> Answer:
        if isinstance(target, StaticFile):
            file = file_answer(target, self._files, if_range=asking.headers.get("if-range", ""), asked=asking.asked)
            if file[0] != 200:
                return file
            return 200, [*file[1], *self._noted(asking, place, target.bundle_id)], b""
        if isinstance(target, Worker):
            said = [*self._to_worker(asking, place, target), *self._noted(asking, place, target.bundle_id)]
            grant = self._grant(asking, place, target, dict(said))
            if not grant and not asking.asked.is_websocket:
                self._calls.let_in(asking.headers.get(h.REQUEST_ID, ""), target.job_key)
            return 200, [*said, *(grant or self._taken_back(asking, place, target))], b""
        if isinstance(target, ControlPlane):
            return 200, [(h.TO, h.PAGE)], b""
        if isinstance(target, Broken):
            if target.is_locked and (asking.has_key or not asking.is_browser):
                return _json(target.status, 19, f"Its owner has locked it. {target.reason}".strip())
            if target.is_locked:
                return self._pages.locked(self._reader(asking), target.status, owner.title(place), target.reason)
            edits = owner.may_edit(place, asking.principal)
            words = {"reason": target.reason, "log": target.log_url} if edits else {}
            return self._page("failed", asking, target.status, owner.title(place), **words)
        if isinstance(target, Busy):
            return self._page("busy", asking, 503, owner.title(place))
        return self._page("starting", asking, 503, owner.title(place), phases=phases(target.start))

    def _grant(self, asking: _Asking, place: Place, target: Worker, said: Mapping[str, str]) -> list[tuple[str, str]]:
        """Never for a named bundle: those are looked at by few and replaced often. Nor where an app is to get a token with each
        request: only the door can make one, and a grant, which the browser keeps, must not hold it.
        """
        if place.bundle_id is not None or target.acts_for_visitors or not asking.keeps_cookies:
            return []
        grant = self._grants.issue(said, asking.visit, login=asking.principal.login, host=asking.host)
        return [(h.GRANT, grant)] if grant else []

    def _taken_back(self, asking: _Asking, place: Place, target: Worker) -> list[tuple[str, str]]:
        """A grant from before the app began to act for visitors would go on speaking for the door, and give no token."""
        cookies = asking.headers.get("cookie", "") if target.acts_for_visitors else ""
        return [(h.GRANT, taken)] if (taken := self._grants.taken_back(cookies, place.mount)) else []

    def _page(self, kind: str, asking: _Asking, status: int, title: str, **words: Any) -> Answer:
        reader = self._reader(asking)
        if status in FOR_PROGRAMS and not asking.is_browser:
            code, sentence = FOR_PROGRAMS[status]
            return _json(status, code, words.get("reason") or sentence)
        if status < 500 and kind == "failed":
            return self._pages.failed(reader, status, title, words.get("reason", ""), words.get("log", ""))
        return 200, [(h.TO, h.PAGE), (h.PAGE_PATH, page_path(kind, status, title, reader, **words))], b""

    def _reader(self, asking: _Asking) -> Reader:
        home = self._origins.dashboard(asking.host, asking.stage) + asking.stage.path
        return self._pages.reader(asking.headers, wish=asking.principal.language, home=home)

    def _to_worker(self, asking: _Asking, place: Place, target: Worker) -> list[tuple[str, str]]:
        base = asking.headers.get(h.ORIGIN, "content")
        origin = (
            self._origins.content(asking.host, asking.stage, place.guid)
            if base == "content"
            else self._origins.dashboard(asking.host, asking.stage)
        )
        fields = [
            (h.TO, target.timeout.value),
            (h.ADDRESS, target.address),
            (h.MOUNT, place.mount),
            (h.INNER, target.inner),
            (h.PREFIX, place.mount.rstrip("/")),
            (h.JOB, target.job_key),
            (h.BASE_URL, origin + place.mount.rstrip("/")),
            (h.REQUEST_URL, origin + asking.url),
        ]
        if asking.principal.id is not None:
            identity = {"user": asking.principal.username, "groups": list(asking.principal.group_names)}
            fields.append((h.IDENTITY, json.dumps(identity, ensure_ascii=True)))
            if target.acts_for_visitors and place.subject.kind == "content":
                token = self._tokens.of_visitor(place.subject.id, target.job_key, asking.principal)
                fields.append((h.VISITOR, token))
        return fields

    def _noted(self, asking: _Asking, place: Place, bundle_id: int | None) -> list[tuple[str, str]]:
        """What the access log keeps for usage."""
        fields = [
            (h.SUBJECT, f"{place.subject.kind}:{place.subject.id}"),
            (h.STAGE, str(place.stage_id)),
        ]
        if bundle_id is not None:
            fields.append((h.BUNDLE, str(bundle_id)))
        if asking.principal.id is not None and (told := self._visitors.told(place.stage_id, asking.principal.id)):
            fields.append((h.PRINCIPAL, told))
        if asking.asked.is_page_load:
            fields.append((h.PAGE_LOAD, "1"))
        return fields


async def _disconnect(receive: Callable[[], Awaitable[Any]]) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _redirect(status: int, to: str) -> Answer:
    return status, [("location", to), ("cache-control", "no-store")], b""


def _too_many(wait_s: float) -> Answer:
    seconds = math.ceil(wait_s)
    status, fields, body = _json(429, 104, f"These were too many requests within a minute. Go on in {seconds} seconds.")
    return status, [*fields, ("retry-after", str(seconds))], body


def _json(status: int, code: int, error: str) -> Answer:
    body = json.dumps({"code": code, "error": error, "payload": None}).encode()
    return status, [("content-type", "application/json"), ("cache-control", "no-store")], body
