"""The door alone: an ASGI application that is asked as Envoy asks it."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from pilothouse.asgi.origins import Origins
from pilothouse.base import clock
from pilothouse.base.access import ANONYMOUS, Principal, ResourceRef, Role
from pilothouse.base.errors import NotAuthenticated
from pilothouse.db import DatabaseDown
from pilothouse.db.secrets import Keys
from pilothouse.gateway.app_tokens import CONTENT, VISITOR, AppTokenInvalid, AppTokens
from pilothouse.gateway.calls import Calls
from pilothouse.gateway.contract import (
    Asked,
    Asleep,
    Broken,
    Busy,
    ControlPlane,
    Place,
    Start,
    StaticFile,
    Target,
    Timeout,
    Worker,
)
from pilothouse.gateway.door import Door
from pilothouse.gateway.grants import Grants
from pilothouse.gateway.pages import Pages, PageTexts
from pilothouse.gateway.rates import Rates
from pilothouse.gateway.recent import RecentGrants
from pilothouse.gateway.visitors import Visitors
from pilothouse.stages import StageRef
from pilothouse.testing.clock import FrozenClock

MOUNT = "/content/x/"
ALICE = Principal(3, Role.VIEWER, "älice", group_names=("g1", "g2"), login="l1")
ROBOT = Principal(4, Role.PUBLISHER, "robot", key=9)
WORKER = Worker("127.64.0.1:20000", "job1", bundle_id=4)
BROWSER = {"accept": "text/html", "sec-fetch-mode": "navigate", "sec-fetch-site": "none"}
SOCKET = {"sec-websocket-version": "13"}


@dataclass
class Owner:
    """Content at `MOUNT`. ``targets`` are given one after the other, the last one for ever."""

    targets: list[Target] = field(default_factory=lambda: [WORKER])
    opens: bool = True
    edits: bool = False
    redirect: str | None = None
    woken: int = 0
    seen: list[Asked] = field(default_factory=list)
    sent: list[Asked] = field(default_factory=list)
    bundle_id: int | None = None

    def find(self, asked: Asked) -> Place | None:
        self.seen.append(asked)
        if not asked.path.startswith("/content/x"):
            return None
        return Place(
            ResourceRef("content", 7), asked.stage_id, asked.stage_path[:-1] + MOUNT, "",
            bundle_id=self.bundle_id, redirect=self.redirect,
        )  # fmt: skip

    def may_open(self, place: Place, principal: Principal) -> bool:
        return self.opens

    def may_edit(self, place: Place, principal: Principal) -> bool:
        return self.edits

    def target(self, place: Place, asked: Asked) -> Target:
        self.sent.append(asked)
        return self.targets.pop(0) if len(self.targets) > 1 else self.targets[0]

    def wake(self, place: Place, principal: Principal) -> None:
        self.woken += 1

    def whom_to_ask(self, place: Place) -> tuple[str, str]:
        return "Amara Okoye", "mailto:amara@veridia.example"

    def title(self, place: Place) -> str:
        return "The app"


class Resolver:
    def __init__(self) -> None:
        self.principal, self.is_down = ALICE, False

    def resolve(self, headers: Mapping[str, str], line: object = None) -> Principal:
        if "wrong" in headers.get("authorization", ""):
            raise NotAuthenticated("This key is not valid.")
        if self.is_down:
            raise DatabaseDown
        return self.principal


class OneStage:
    def resolve(self, host: str, path: str) -> tuple[StageRef, str]:
        if path.startswith("/prod/"):
            return StageRef(2, "prod", "Production", "/prod/", None, 1), path.removeprefix("/prod")
        return StageRef(1, "dev", "Development", "/", None, 0), path

    def every(self, path: str) -> list[tuple[StageRef, str]]:
        return [self.resolve("", path)]


@dataclass
class Answered:
    status: int
    headers: dict[str, str]
    body: bytes

    def page(self) -> str:
        """The path of the control plane's page that it leads to."""
        assert (self.status, self.headers["x-ph-to"]) == (200, "page")
        return self.headers["x-ph-path"]


class Stand:
    def __init__(self) -> None:
        self.owner, self.resolver = Owner(), Resolver()
        say = lambda *words: " ".join(str(word) for word in words).encode()  # noqa: E731
        self.pages = Pages(
            PageTexts(say, say, say, say, say, say, {"content-type": "text/html"}, lambda accepted, wish: wish or "en")
        )
        self.usage = {1: "named", 2: "named"}
        self.recent, self.keys = RecentGrants(), Keys({"k1": b"1" * 32}, "k1")
        self.grants = Grants(lambda: self.keys, issuer="tested", cookie="ph_grant_x", recent=self.recent)
        self.calls, self.rates = Calls(), Rates(0)
        self.origins = Origins("http://d", port=1, content_port=2, is_fixed=True)
        self.stages = OneStage()

    def ask(self, path: str = MOUNT, headers: Mapping[str, str] | None = None, **changes: Any) -> Answered:
        door = Door(
            secret="s3", resolver=self.resolver, stages=self.stages, owners=[self.owner], origins=self.origins,
            files={"apps": Path("/home/apps")}, pages=self.pages,
            visitors=Visitors(self.usage.__getitem__, b"key"), grants=self.grants, calls=self.calls, tokens=AppTokens(b"key"), rates=self.rates,
        )  # fmt: skip
        given = {"host": "h:1", "x-ph-door": "s3", "x-ph-listener": "content", **(headers or {})}
        return asyncio.run(call(door, "/__authz" + path, given, **changes))

    def page(self, path: str, headers: Mapping[str, str]) -> Answered:
        return asyncio.run(call(self.pages, path, headers))


async def call(
    app: Any, path: str, headers: Mapping[str, str], *, method: str = "GET", leaves: bool = False
) -> Answered:
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        if leaves:
            return {"type": "http.disconnect"}
        await asyncio.sleep(60)
        raise AssertionError

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    plain, _, query = path.partition("?")
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    scope = {
        "type": "http",
        "method": method,
        "path": plain,
        "raw_path": plain.encode(),
        "query_string": query.encode(),
        "headers": raw,
    }
    await app(scope, receive, send)
    names = [name for name, _ in sent[0]["headers"]]
    assert len(names) == len(set(names)), "Envoy would have to choose"
    fields = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return Answered(sent[0]["status"], fields, sent[1]["body"])


@pytest.fixture
def stand() -> Stand:
    return Stand()


def test_a_worker_is_told_with_identity_addresses_and_what_usage_needs(stand: Stand) -> None:
    told = stand.ask(MOUNT + "a?b=1", BROWSER).headers
    assert (told["x-ph-to"], told["x-ph-dst"], told["x-ph-mount"], told["x-ph-inner"]) == (
        "app5m",
        "127.64.0.1:20000",
        MOUNT,
        "/",
    )
    assert json.loads(told["x-ph-idn"]) == {"user": "älice", "groups": ["g1", "g2"]}
    assert told["x-ph-idn"].isascii()
    assert (told["x-ph-base"], told["x-ph-request"]) == ("http://d:2/content/x", "http://d:2/content/x/a?b=1")
    assert (told["x-ph-sub"], told["x-ph-jid"], told["x-ph-cid"]) == ("3", "job1", "content:7")
    assert (told["x-ph-stage"], told["x-ph-bundle"], told["x-ph-page"]) == ("1", "4", "1")


def test_nobody_has_no_identity(stand: Stand) -> None:
    stand.resolver.principal = ANONYMOUS
    assert not {"x-ph-idn", "x-ph-sub", "x-ph-page"} & set(stand.ask().headers)


@pytest.mark.parametrize(("usage", "told"), [("pseudonymous", r"p[0-9a-f]{24}"), ("counts", "")])
def test_envoy_never_hears_the_id_where_statistics_may_not_keep_it(stand: Stand, usage: str, told: str) -> None:
    stand.usage[2] = usage
    fields = stand.ask("/prod/content/x/", BROWSER).headers
    assert re.fullmatch(told, fields.get("x-ph-sub", ""))
    assert json.loads(fields["x-ph-idn"])["user"] == "älice", "the app itself still learns who it is"
    assert (fields["x-ph-cid"], fields["x-ph-page"]) == ("content:7", "1"), "it is counted"
    assert stand.ask(MOUNT).headers["x-ph-sub"] == "3", "another stage has its own word"


def test_the_content_of_another_stage_keeps_its_prefix(stand: Stand) -> None:
    told = stand.ask("/prod/content/x/").headers
    assert (told["x-ph-mount"], told["x-ph-prefix"], told["x-ph-stage"]) == ("/prod/content/x/", "/prod/content/x", "2")
    assert stand.owner.seen[0].path == "/content/x/"


@pytest.mark.parametrize("secret", ["", "s", "s3x"])
def test_without_the_secret_there_is_no_door(stand: Stand, secret: str) -> None:
    assert stand.ask(headers={"x-ph-door": secret}).status == 404
    assert stand.owner.seen == []


def test_a_wrong_key_fails_on_public_content_too(stand: Stand) -> None:
    answer = stand.ask(headers={"authorization": "Key wrong"})
    assert (answer.status, json.loads(answer.body)["code"]) == (401, 30)


def test_whoever_can_not_be_known_is_not_let_in(stand: Stand) -> None:
    stand.resolver.is_down = True
    answer = stand.ask()
    assert (answer.status, json.loads(answer.body)["code"]) == (503, 103)
    assert not [name for name in answer.headers if name.startswith("x-ph-")]


@pytest.mark.parametrize(
    "path", ["//evil.example/", "/\\evil.example/", "/%2F%2Fevil.example/", "/content/x/?url=//evil.example"]
)
def test_no_address_leads_a_visitor_away(stand: Stand, path: str) -> None:
    """Redirects stay on our own origins, whatever the path says."""
    stand.owner.opens, stand.resolver.principal = False, ANONYMOUS
    stand.owner.redirect = MOUNT
    for listener in ("content", "dashboard"):
        answer = stand.ask(path, {**BROWSER, "x-ph-listener": listener})
        assert answer.headers.get("location", "http://d/").startswith(("http://d/", "http://d:2/content/", "/content/"))


def test_nobodys_path_is_404_in_the_clients_form(stand: Stand) -> None:
    page, program = stand.ask("/nowhere/", BROWSER), stand.ask("/nowhere/")
    assert (page.status, page.headers["content-type"]) == (404, "text/html")
    assert (program.status, json.loads(program.body)["code"]) == (404, 4)


def test_a_page_leads_home_to_the_dashboard_and_speaks_the_language_that_the_person_chose(stand: Stand) -> None:
    stand.resolver.principal = replace(ALICE, language="de")
    nowhere = stand.ask("/prod/nowhere/", BROWSER).body.decode()
    stand.owner.targets = [Asleep(starting=True, timeout_s=30)]
    shown = stand.page(stand.ask(headers=BROWSER, method="HEAD").page(), BROWSER).body.decode()
    assert "http://d/prod/" in nowhere and "'de'" in nowhere
    assert "http://d/'" in shown and "'de'" in shown


def test_browsers_meet_content_on_its_own_origin_only(stand: Stand) -> None:
    answer = stand.ask(MOUNT + "a?b=1", {**BROWSER, "x-ph-listener": "dashboard"})
    assert (answer.status, answer.headers["location"]) == (307, "http://d:2/content/x/a?b=1")
    for mode in ("cors", "no-cors", "websocket"):
        assert stand.ask(headers={"sec-fetch-mode": mode, "x-ph-listener": "dashboard"}).status == 307


def test_keys_and_plain_clients_are_served_on_the_dashboards_origin_too(stand: Stand) -> None:
    assert stand.ask(headers={"x-ph-listener": "dashboard"}).headers["x-ph-to"] == "app5m"
    stand.resolver.principal = ROBOT
    assert stand.ask(headers={**BROWSER, "x-ph-listener": "dashboard"}).headers["x-ph-base"] == "http://d/content/x"


def test_with_a_single_origin_nothing_is_redirected(stand: Stand) -> None:
    stand.origins = replace(stand.origins, is_single=True)
    assert stand.ask(headers={**BROWSER, "x-ph-listener": "dashboard"}).status == 200


def test_a_visitor_without_a_login_is_led_to_sign_in_and_back(stand: Stand) -> None:
    stand.owner.opens, stand.resolver.principal = False, ANONYMOUS
    answer = stand.ask(MOUNT + "?a=1&b=2", BROWSER)
    assert answer.status == 302
    assert answer.headers["location"].startswith("http://d/__login__?url=")
    assert quote(MOUNT + "?a=1&b=2", safe="") in answer.headers["location"]


@pytest.mark.parametrize(
    ("headers", "method"), [({}, "GET"), ({**BROWSER}, "POST"), ({**SOCKET, "accept": "text/html"}, "GET")]
)
def test_programs_writers_and_sockets_without_a_login_get_401(
    stand: Stand, headers: dict[str, str], method: str
) -> None:
    stand.owner.opens, stand.resolver.principal = False, ANONYMOUS
    assert stand.ask(headers=headers, method=method).status == 401


def test_who_is_known_but_not_allowed_is_told_so_and_nothing_wakes(stand: Stand) -> None:
    stand.owner.opens, stand.owner.targets = False, [Asleep(starting=False, timeout_s=1)]
    page = stand.ask(headers=BROWSER)
    stand.resolver.principal = ROBOT
    program = stand.ask()
    assert (page.status, program.status, json.loads(program.body)["code"]) == (403, 403, 19)
    assert stand.owner.woken == 0


@pytest.mark.parametrize("origin", ["http://evil.example", "http://h:2", "null", ""])
def test_a_socket_from_another_site_is_refused(stand: Stand, origin: str) -> None:
    assert stand.ask(headers={**SOCKET, "origin": origin}).status == 403


def test_a_socket_from_its_own_site_or_with_a_key_passes(stand: Stand) -> None:
    assert stand.ask(headers={**SOCKET, "origin": "http://h:1"}).headers["x-ph-to"] == "app5m"
    stand.resolver.principal = ROBOT
    assert stand.ask(headers=SOCKET).headers["x-ph-to"] == "app5m"


def test_a_missing_slash_is_added_and_writing_stays_writing(stand: Stand) -> None:
    stand.owner.redirect = MOUNT
    reading, writing = stand.ask("/content/x?a=1"), stand.ask("/content/x", method="POST")
    assert (reading.status, reading.headers["location"]) == (302, MOUNT + "?a=1")
    assert (writing.status, writing.headers["location"]) == (308, MOUNT)


def test_timeouts_of_content_choose_the_route(stand: Stand) -> None:
    stand.owner.targets = [replace(WORKER, timeout=Timeout.NONE)]
    assert stand.ask().headers["x-ph-to"] == "app0"


def test_a_call_of_a_program_is_counted_and_what_a_grant_or_a_socket_stands_for_is_not(stand: Stand) -> None:
    def asks(number: str, **headers: str) -> int:
        stand.ask(headers={"x-ph-id": number} | {name.replace("_", "-"): value for name, value in headers.items()})
        return stand.calls.open("job1")

    assert asks("1", **{"accept": "text/html", "sec-fetch-mode": "cors"}) == 0, "it got a grant"
    stand.resolver.principal = ROBOT
    assert asks("2") == 1 and asks("3") == 2
    assert asks("4", sec_websocket_version="13") == 2
    stand.owner.targets = [Broken(502, "It ended.")]
    assert asks("5") == 2


def test_a_program_waits_until_the_worker_is_up(stand: Stand) -> None:
    asleep = Asleep(starting=False, timeout_s=30)
    stand.owner.targets = [asleep, asleep, asleep, WORKER]
    assert stand.ask().headers["x-ph-dst"] == "127.64.0.1:20000"
    assert stand.owner.woken == 1


def test_a_browser_sees_a_page_after_two_seconds(stand: Stand) -> None:
    stand.owner.targets = [Asleep(starting=True, timeout_s=30)]
    began = time.monotonic()
    answer = stand.ask(headers=BROWSER)
    assert 1.9 < time.monotonic() - began < 4
    shown = stand.page(answer.page(), BROWSER)
    assert (shown.status, shown.headers["retry-after"], b"The app" in shown.body) == (503, "2", True)


def test_the_page_tells_what_is_known_of_the_start(stand: Stand, frozen_clock: FrozenClock) -> None:
    def shown(start: Start | None) -> dict[str, float]:
        stand.owner.targets = [Asleep(True, 30, start)]
        body = stand.page(stand.ask(headers=BROWSER, method="HEAD").page(), BROWSER).body.decode()
        return dict(json.loads(re.search(r"{.*}", body)[0].replace("'", '"')))  # type: ignore[index]

    asked_at = clock.now()
    frozen_clock.advance(seconds=3)
    turn = clock.now()
    frozen_clock.advance(seconds=1.5)
    assert shown(None) == {}
    assert shown(Start(asked_at)) == {"queued": 4.5}
    assert shown(Start(asked_at, turn, timedelta(seconds=2.25))) == {"queued": 3, "starting": 1.5, "usual": 2.2}
    assert shown(Start(clock.now() + timedelta(minutes=1))) == {"queued": 0}, "another replica's clock is ahead"


@pytest.mark.parametrize(
    ("headers", "method"),
    [({}, "HEAD"), ({}, "OPTIONS"), ({"sec-purpose": "prefetch;prerender"}, "GET"), ({"purpose": "prefetch"}, "GET")],
)
def test_looking_ahead_wakes_nothing(stand: Stand, headers: dict[str, str], method: str) -> None:
    stand.owner.targets = [Asleep(starting=False, timeout_s=30)]
    assert stand.ask(headers=headers, method=method).page()
    assert stand.owner.woken == 0


def test_nobody_waits_for_a_client_that_left(stand: Stand) -> None:
    stand.owner.targets = [Asleep(starting=True, timeout_s=30)]
    began = time.monotonic()
    stand.ask(leaves=True)
    assert time.monotonic() - began < 2


def test_who_finds_every_place_taken_is_told_to_come_back_at_once(stand: Stand) -> None:
    stand.owner.targets = [Busy()]
    program = stand.page(stand.ask().page(), {})
    assert (program.status, program.headers["retry-after"]) == (503, "5")
    assert b"has as many visitors as it may have" in program.body
    browser = stand.page(stand.ask(headers=BROWSER).page(), BROWSER)
    assert (browser.status, stand.owner.woken) == (503, 0)


def test_a_failed_start_is_a_page_of_500_or_more_never_a_broken_door(stand: Stand) -> None:
    stand.owner.targets = [Broken(502, "ModuleNotFoundError: nope", "/log")]
    viewer = stand.page(stand.ask(headers=BROWSER).page(), BROWSER)
    assert (viewer.status, b"ModuleNotFoundError" in viewer.body) == (502, False)
    stand.owner.edits = True
    owner = stand.page(stand.ask(headers=BROWSER).page(), BROWSER)
    assert (owner.status, b"ModuleNotFoundError" in owner.body, b"/log" in owner.body) == (502, True, True)


def test_programs_get_a_failure_as_json_with_its_status(stand: Stand) -> None:
    stand.owner.targets, stand.owner.edits = [Broken(502, "It fell.")], True
    answer = stand.page(stand.ask().page(), {})
    assert (answer.status, json.loads(answer.body)["error"]) == (502, "The app did not start. It fell.")


def test_what_the_control_plane_shows_itself_is_asked_of_it_as_it_was_asked(stand: Stand) -> None:
    stand.owner.targets = [ControlPlane()]
    answer = stand.ask()
    assert (answer.status, answer.headers) == (200, {**answer.headers, "x-ph-to": "page"})
    assert "x-ph-path" not in answer.headers


def test_programs_are_told_in_json_what_is_not_there(stand: Stand) -> None:
    stand.owner.targets = [Broken(404, "There is no file x in it.")]
    answer = stand.ask()
    assert (answer.status, json.loads(answer.body)["code"]) == (404, 4)
    stand.owner.targets = [Broken(403, "Until noon.", is_locked=True)]
    answer = stand.ask()
    assert (answer.status, json.loads(answer.body)["code"]) == (403, 19)
    assert json.loads(answer.body)["error"] == "Its owner has locked it. Until noon."


def test_what_was_never_deployed_is_said_at_once(stand: Stand) -> None:
    stand.owner.targets = [Broken(404, "Nothing was deployed yet.")]
    assert stand.ask(headers=BROWSER).status == 404


def test_a_file_is_told_with_what_usage_needs(stand: Stand) -> None:
    stand.owner.targets = [StaticFile("/home/apps/x/i.html", 10, '"e"', "text/html", bundle_id=4)]
    told = stand.ask(headers=BROWSER).headers
    assert (told["x-ph-to"], told["x-ph-file"], told["x-ph-cid"], told["x-ph-bundle"]) == (
        "file",
        "apps/x/i.html",
        "content:7",
        "4",
    )
    assert stand.ask(headers={"if-none-match": '"e"'}).status == 304


def test_page_loads_on_plain_http_are_known_by_their_other_header(stand: Stand) -> None:
    assert stand.ask(headers={"upgrade-insecure-requests": "1"}).headers["x-ph-page"] == "1"
    both = {"upgrade-insecure-requests": "1", "sec-fetch-mode": "cors"}
    assert "x-ph-page" not in stand.ask(headers=both).headers


BOB = replace(ALICE, id=5, login="l2")
NOBODY = ANONYMOUS
SCRIPT = {"sec-fetch-mode": "cors"}


def test_a_page_load_brings_a_grant_and_sub_requests_a_hint(stand: Stand) -> None:
    first = stand.ask(headers=BROWSER)
    cookie = first.headers["x-ph-grant"].partition(";")[0]
    assert stand.recent.count("job1") == 1
    assert stand.ask(MOUNT + "x", {**SCRIPT, "cookie": cookie}).status == 200
    assert stand.ask(MOUNT + "x", {**SOCKET, "cookie": cookie, "origin": "http://h:1"}).status == 200
    assert stand.ask(headers={**BROWSER, "cookie": cookie}).status == 200
    assert [asked.hint for asked in stand.owner.sent] == ["", "job1", "job1", ""]
    assert stand.recent.count("job1") == 1, "one visit, however often its grant was renewed"


def test_a_grant_says_nothing_to_another_person(stand: Stand) -> None:
    cookie = stand.ask(headers=BROWSER).headers["x-ph-grant"].partition(";")[0]
    for principal in (BOB, NOBODY):
        stand.resolver.principal = principal
        assert stand.ask(MOUNT + "x", {**SCRIPT, "cookie": cookie}).status == 200
        assert stand.owner.sent[-1].hint == ""


@pytest.mark.parametrize(("principal", "headers"), [(ROBOT, BROWSER), (ROBOT, {}), (NOBODY, {}), (NOBODY, SOCKET)])
def test_keys_and_programs_without_a_cookie_jar_get_no_grant(
    stand: Stand, principal: Principal, headers: dict[str, str]
) -> None:
    stand.resolver.principal = principal
    origin = {"origin": "http://h:1"} if headers == SOCKET else {}
    answer = stand.ask(headers={**headers, **origin})
    assert answer.headers["x-ph-to"] == "app5m"
    assert "x-ph-grant" not in answer.headers


def test_anonymous_browsers_and_signed_in_programs_do(stand: Stand) -> None:
    assert "x-ph-grant" in stand.ask().headers
    stand.resolver.principal = NOBODY
    assert "x-ph-grant" in stand.ask(headers=BROWSER).headers


def test_a_named_bundle_a_file_and_a_page_bring_none(stand: Stand) -> None:
    stand.owner.bundle_id = 4
    assert "x-ph-grant" not in stand.ask(headers=BROWSER).headers
    stand.owner.bundle_id = None
    stand.owner.targets = [StaticFile("/home/apps/x", 1, '"e"', "text/plain")]
    assert "x-ph-grant" not in stand.ask(headers=BROWSER).headers
    stand.owner.targets = [Broken(502, "It failed.")]
    assert "x-ph-grant" not in stand.ask(headers=BROWSER).headers


def test_an_app_that_acts_for_visitors_gets_a_token_with_each_request_and_no_grant(stand: Stand) -> None:
    """A grant lies in the browser, so it must not hold the token; without one, each request asks here (ADR 21)."""
    browser = {"accept": "text/html", "sec-fetch-mode": "navigate"}
    plain = stand.ask(headers=browser)
    assert "x-ph-visitor" not in plain.headers and "x-ph-grant" in plain.headers
    stand.owner.targets = [replace(WORKER, acts_for_visitors=True)]
    for headers in (browser, {"sec-fetch-mode": "cors"}, {"sec-websocket-version": "13", "origin": "http://h:1"}):
        answer = stand.ask(headers=headers)
        assert "x-ph-grant" not in answer.headers
        claims = AppTokens(b"key").read(answer.headers["x-ph-visitor"], VISITOR)
        assert (claims.content_id, claims.job_key, claims.user_id) == (7, "job1", ALICE.id)
        assert (claims.login, claims.key_id) == (ALICE.login, ALICE.key)
    before = {**browser, "cookie": plain.headers["x-ph-grant"].partition(";")[0]}
    assert stand.ask(headers=before).headers["x-ph-grant"].startswith("ph_grant_x=; Max-Age=0; Path=/content/")
    stand.resolver.principal = ANONYMOUS
    assert "x-ph-visitor" not in stand.ask(headers=browser).headers


def test_a_token_is_read_by_its_kind_its_key_and_whole(stand: Stand) -> None:
    tokens = AppTokens(b"key")
    visitor, own = tokens.of_visitor(7, "job1", ALICE), tokens.of_content(7, "job1")
    assert tokens.read(own, CONTENT).user_id is None
    for token, kind in (
        (visitor, CONTENT),
        (own, VISITOR),
        (visitor[:-1], VISITOR),
        ("x" + visitor, VISITOR),
        ("", CONTENT),
    ):
        with pytest.raises(AppTokenInvalid):
            tokens.read(token, kind)
    with pytest.raises(AppTokenInvalid):
        AppTokens(b"other").read(visitor, VISITOR)


def test_too_many_calls_with_a_key_are_told_when_to_go_on(stand: Stand) -> None:
    stand.rates = Rates(2)
    assert {stand.ask().status for _ in range(4)} == {200}  # a browser's visits are no calls
    stand.resolver.principal = replace(ALICE, login=None, key=9)
    assert [stand.ask().status for _ in range(2)] == [200, 200]
    woken = stand.owner.woken
    answer = stand.ask()
    assert (answer.status, answer.headers["retry-after"], answer.headers["content-type"]) == (
        429,
        "30",
        "application/json",
    )
    assert set(json.loads(answer.body)) == {"code", "error", "payload"} and stand.owner.woken == woken
