"""The chain through a real Envoy: what reaches the door, the control plane, an app and the client, and what never does."""

from __future__ import annotations

import contextlib
import http.client
import json
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from typing import Any

import pytest
from tests.factories.gateway import MOUNT, Headers, Heard, Reply, Stand, app_at, ask, handshake, running

from pilothouse.gateway.envoy.clients import BURST_S

BROWSER = {"Accept": "text/html,application/xhtml+xml"}
IDENTITY = '{"user":"alice","groups":["g1"]}'


@pytest.fixture(scope="module")
def _stand() -> Iterator[Stand]:
    with running() as stand:
        yield stand


@pytest.fixture
def stand(_stand: Stand) -> Stand:
    _stand.reset()
    return _stand


def test_the_door_gets_the_canonical_path_the_origin_the_peer_and_the_secret(stand: Stand) -> None:
    ask(stand.content, "/content/./a//b?x=1", {"Cookie": "ph_login_x=1"}, method="POST", body=b"12345")
    (asked,) = stand.asked
    assert (asked.method, asked.path) == ("POST", "/__authz/content/a/b?x=1")
    assert asked.values("x-ph-door") == ["the-door-secret"]
    assert asked.values("x-ph-listener") == ["content"]
    assert asked.values("x-ph-client") == ["127.0.0.1"]
    assert asked.values("cookie") == ["ph_login_x=1"]
    assert asked.values("content-length") == ["0"]


def test_each_port_tells_its_own_origin(stand: Stand) -> None:
    for port in (stand.dashboard, stand.content, stand.session):
        ask(port, "/content/x/")
    assert [heard.values("x-ph-listener") for heard in stand.asked] == [["dashboard"], ["content"], ["session"]]


def test_an_app_sees_its_own_path_and_who_is_asking(stand: Stand) -> None:
    stand.send_to_app(idn=IDENTITY, prefix="/content/x", base="http://h/content/x", request="http://h/content/x/a?b=1")
    seen = ask(stand.content, f"{MOUNT}a/b?c=d%2Fe").json()
    headers = dict(seen["headers"])
    assert seen["path"] == "/a/b?c=d%2Fe"
    assert headers["rstudio-connect-credentials"] == headers["shiny-server-credentials"] == IDENTITY
    assert headers["rstudio-connect-app-base-url"] == "http://h/content/x"
    assert headers["x-rsc-request"] == "http://h/content/x/a?b=1"
    assert headers["x-forwarded-prefix"] == "/content/x"
    assert headers["x-forwarded-proto"] == "http"
    assert headers["x-forwarded-host"] == f"localhost:{stand.content}"


def test_an_app_may_keep_its_prefix(stand: Stand) -> None:
    stand.send_to_app(inner=MOUNT)
    assert ask(stand.content, f"{MOUNT}a").json()["path"] == f"{MOUNT}a"


def test_anonymous_visitors_carry_no_identity_at_all(stand: Stand) -> None:
    stand.send_to_app()
    names = {name for name, _ in ask(stand.content, MOUNT).json()["headers"]}
    assert names.isdisjoint({"rstudio-connect-credentials", "shiny-server-credentials", "x-rsc-request"})


SPOOFS = [
    "RStudio-Connect-Credentials",
    "rstudio_connect_credentials",
    "rstudio.connect.credentials",
    "Shiny-Server-Credentials",
    "shiny_server_credentials",
    "Posit-Connect-User-Session-Token",
    "RStudio-Connect-App-Base-URL",
    "X-RSC-Request",
    "X-Forwarded-Host",
    "X-Forwarded-Prefix",
    "X-Forwarded-User",
    "X_Forwarded_User",
    "X-Real-IP",
    "Forwarded",
    "X-Auth-Request-User",
    "X-Ph-Sub",
    "x-ph-door",
    "x-ph-listener",
    "X-Envoy-Original-Path",
    "SCRIPT_NAME",
    "Script-Name",
    "PATH_INFO",
    "Path-Info",
    "X-Original-URL",
    "X-RSC-Authorization",
    "X-RSC-XSRF",
    "X-Auth-Token",
    "Proxy",
    "Remote-User",
    "X-Request-Id",
]


@pytest.mark.parametrize("name", SPOOFS)
def test_a_spoofed_header_never_reaches_an_app(stand: Stand, name: str) -> None:
    stand.send_to_app(idn=IDENTITY)
    sent = ask(stand.content, MOUNT, [(name, "evil"), (name, "evil")]).json()
    assert "evil" not in str(sent["headers"])


@pytest.mark.parametrize(
    "name", ["x-ph-door", "X-Ph-Listener", "x_ph_door", "x.ph.client", "X-Forwarded-For", "X-Real-IP", "X-Request-Id"]
)
def test_a_spoofed_header_never_reaches_the_door_or_the_control_plane(stand: Stand, name: str) -> None:
    ask(stand.content, MOUNT, {name: "evil"})
    ask(stand.dashboard, "/__api__/x", {name: "evil"})
    assert "evil" not in str(stand.asked[0].headers) + str(stand.reached[0].headers)


def test_ordinary_headers_pass(stand: Stand) -> None:
    stand.send_to_app()
    headers = dict(
        ask(stand.content, MOUNT, {"X-Requested-With": "x", "HX-Request": "true", "Authorization": "Basic a"}).json()[
            "headers"
        ]
    )
    assert (headers["x-requested-with"], headers["hx-request"], headers["authorization"]) == ("x", "true", "Basic a")


@pytest.mark.parametrize("value", ["Key abc", "key abc", "Basic a,Key b", "Bearer ph_abc", "bearer  ph_abc"])
def test_our_keys_never_reach_an_app(stand: Stand, value: str) -> None:
    stand.send_to_app()
    assert "authorization" not in dict(ask(stand.content, MOUNT, {"Authorization": value}).json()["headers"])
    assert stand.asked[0].values("authorization") == [value]


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ([("Cookie", "a=1; ph_login_x=2; b=3")], "a=1; b=3"),
        ([("Cookie", "ph_login_x=2")], None),
        ([("Cookie", "__Host-ph_login_x=2; a=1")], "a=1"),
        ([("Cookie", "__Secure-ph_grant=2; RSC-XSRF=3; a=1")], "a=1"),
        ([("Cookie", "a=1"), ("Cookie", "ph_login_x=2"), ("Cookie", "c=3")], "a=1; c=3"),
        ([("Cookie", "alpha=1; xph_a=2")], "alpha=1; xph_a=2"),
    ],
)
def test_our_cookies_are_taken_out_for_apps(stand: Stand, sent: list[tuple[str, str]], kept: str | None) -> None:
    stand.send_to_app()
    assert dict(ask(stand.content, MOUNT, sent).json()["headers"]).get("cookie") == kept


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("a=1", f"a=1; Path={MOUNT}"),
        ("a=1; Path=/; HttpOnly", f"a=1; Path={MOUNT}; HttpOnly"),
        (f"a=1; path={MOUNT}sub/", f"a=1; path={MOUNT}sub/"),
        ("a=1; Domain=pilot.example; Path=/", f"a=1; Path={MOUNT}"),
        ("ph_login_x=stolen", None),
        ("=ph_login_x=stolen", None),
        (" ph_login_x=stolen; Path=/", None),
        ("__Host-ph_login_x=stolen; Secure; Path=/", None),
        ("RSC-XSRF=stolen", None),
    ],
)
def test_cookies_of_an_app_stay_in_its_mount(stand: Stand, sent: str, kept: str | None) -> None:
    stand.send_to_app()
    stand.app.reply = lambda heard: (200, {"Set-Cookie": sent}, b"")
    assert ask(stand.content, MOUNT).headers.get("set-cookie") == ([kept] if kept else None)


def test_several_cookies_of_an_app_are_each_looked_at(stand: Stand) -> None:
    stand.send_to_app()
    stand.app.reply = lambda heard: (
        200,
        [("Set-Cookie", "a=1"), ("Set-Cookie", "ph_x=1"), ("Set-Cookie", "b=2; Path=/")],
        b"",
    )
    assert ask(stand.content, MOUNT).headers["set-cookie"] == [f"a=1; Path={MOUNT}", f"b=2; Path={MOUNT}"]


def test_cookies_of_the_control_plane_pass_untouched(stand: Stand) -> None:
    stand.control_plane = lambda heard: (200, {"Set-Cookie": "ph_login_x=1; Path=/", "Clear-Site-Data": '"cache"'}, b"")
    answer = ask(stand.dashboard, "/__login__")
    assert answer.one("set-cookie") == "ph_login_x=1; Path=/"
    assert answer.one("clear-site-data") == '"cache"'


@pytest.mark.parametrize(
    "name",
    [
        "Service-Worker-Allowed",
        "Clear-Site-Data",
        "Strict-Transport-Security",
        "Alt-Svc",
        "NEL",
        "Report-To",
        "X-Ph-To",
        "X-Ph-Grant",
    ],
)
def test_an_app_cannot_say_what_reaches_beyond_its_mount(stand: Stand, name: str) -> None:
    stand.send_to_app()
    stand.app.reply = lambda heard: (200, {name: "x", "X-Mine": "y"}, b"")
    answer = ask(stand.content, MOUNT)
    assert name.lower() not in answer.headers
    assert answer.one("x-mine") == "y"


def test_apps_on_the_dashboards_origin_are_sandboxed_and_keep_their_own_policy(stand: Stand) -> None:
    stand.send_to_app()
    stand.app.reply = lambda heard: (200, {"Content-Security-Policy": "default-src 'self'"}, b"")
    here, there = ask(stand.dashboard, MOUNT), ask(stand.content, MOUNT)
    assert here.headers["content-security-policy"] == ["default-src 'self'", "sandbox"]
    assert here.one("x-content-type-options") == "nosniff"
    assert there.headers["content-security-policy"] == ["default-src 'self'"]


@pytest.mark.parametrize(
    "path",
    [
        "/content/a%2Fb",
        "/content/a%5Cb",
        "/content/%00",
        "/content/%2e%2e%2f__api__/x",
        "/content/..%2f..%2f__api__",
        "/.ph-f/apps/x",
        "//.ph-f/apps/x",
        "/%2eph-f/apps/x",
        "/a/../.ph-f/apps/x",
    ],
)
def test_an_ambiguous_or_reserved_path_is_refused_before_anything_looks(stand: Stand, path: str) -> None:
    for port in (stand.dashboard, stand.content):
        assert ask(port, path).status == 400
    assert stand.asked == stand.reached == []


@pytest.mark.parametrize(
    ("path", "seen"),
    [
        ("/content/x/../y", "/content/y"),
        ("/content/x/%2e%2e/y", "/content/y"),
        ("/content//x", "/content/x"),
        ("/content\\x", "/content/x"),
        ("/content/x/%252F", "/content/x/%252F"),
        ("/content/a;b=1/", "/content/a;b=1/"),
    ],
)
def test_every_reader_sees_one_canonical_path(stand: Stand, path: str, seen: str) -> None:
    ask(stand.content, path)
    assert stand.asked[0].path == f"/__authz{seen}"


def test_path_parameters_cannot_hide_dot_segments(stand: Stand) -> None:
    for path in ("/content/x/..;/y", "/content/x/..;a=b/y", "/content/x/.;/y"):
        ask(stand.content, path)
        assert all("/../" not in f"{heard.path}/" and "..;" not in heard.path for heard in stand.asked)


def test_the_session_port_keeps_encoded_slashes_but_no_tricks(stand: Stand) -> None:
    stand.send_to_app()
    assert ask(stand.session, f"{MOUNT}a%2Fb").json()["path"] == "/a%2Fb"
    for trick in ("..%2fx", "%2e%2e%2fx", "a%2f%2fb", "a%5cb", ".%2fx"):
        assert ask(stand.session, MOUNT + trick).status == 400


def test_a_mount_is_left_only_by_the_door(stand: Stand) -> None:
    stand.send_to_app()
    assert ask(stand.content, "/content/other/x").status == 503
    assert stand.app.heard == []


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1:22", "169.254.169.254:80", "127.63.0.1:80", "10.0.0.1:80", "127.64.0.1", "x", "127.64.0.999:80"],
)
def test_a_target_outside_the_pool_is_refused(stand: Stand, address: str) -> None:
    stand.send_to_app(dst=address)
    answer = ask(stand.content, MOUNT)
    assert (answer.status, answer.body) == (503, b"The target of this address was refused.\n")


def test_an_answer_of_the_door_without_a_target_reaches_nobody(stand: Stand) -> None:
    stand.door = lambda heard: (200, {}, b"")
    for port in (stand.dashboard, stand.content):
        assert ask(port, "/content/x/").status == 503
    assert stand.reached == []


def test_a_refusal_of_the_door_reaches_the_client_as_it_is(stand: Stand) -> None:
    stand.door = lambda heard: (
        302,
        {"Location": "/__login__?next=x", "Set-Cookie": "ph_next=1", "X-Secret": "s"},
        b"to the login",
    )
    answer = ask(stand.content, MOUNT, BROWSER)
    assert (answer.status, answer.body) == (302, b"to the login")
    assert (answer.one("location"), answer.one("set-cookie")) == ("/__login__?next=x", "ph_next=1")
    assert "x-secret" not in answer.headers


@pytest.mark.parametrize("status", [401, 403, 404, 429, 304])
def test_statuses_of_the_door_pass(stand: Stand, status: int) -> None:
    stand.door = lambda heard: (status, {"ETag": '"1"'}, b"" if status == 304 else b"why")
    answer = ask(stand.content, MOUNT, BROWSER)
    assert (answer.status, answer.body) == (status, b"" if status == 304 else b"why")


def test_a_page_comes_from_the_control_plane_with_its_status(stand: Stand) -> None:
    stand.door = lambda heard: (200, {"x-ph-to": "page", "x-ph-path": "/__page__/failed?x=1"}, b"")
    stand.control_plane = lambda heard: (502, {"Content-Type": "text/html"}, b"<p>it failed</p>")
    answer = ask(stand.content, f"{MOUNT}a", BROWSER)
    assert (answer.status, answer.body) == (502, b"<p>it failed</p>")
    assert stand.reached[0].path == "/__page__/failed?x=1"
    assert stand.reached[0].values("x-ph-listener") == ["content"]


def test_a_page_may_keep_the_clients_path_and_body(stand: Stand) -> None:
    stand.door = lambda heard: (200, {"x-ph-to": "page"}, b"")
    seen = ask(stand.dashboard, "/some/page?x=1", method="POST", body=b"x" * 100).json()
    assert (seen["path"], seen["size"]) == ("/some/page?x=1", 100)


@pytest.mark.parametrize("path", ["/__authz", "/__authz/content/x", "/__authz__", "/__page__/failed", "/__page__"])
def test_paths_between_envoy_and_the_control_plane_are_hidden(stand: Stand, path: str) -> None:
    for port in (stand.dashboard, stand.content):
        assert ask(port, path).status == 404
    assert stand.asked == stand.reached == []


OWN = ["/", "/?x=1", "/prod", "/prod/", "/__api__/v1/user", "/prod/__api__/v1/content", "/__login__"]
OWN += ["/static/a.css", "/api/v1/x", "/connect/", "/_/x"]


@pytest.mark.parametrize("path", OWN)
def test_own_paths_of_the_dashboard_skip_the_door(stand: Stand, path: str) -> None:
    seen = ask(stand.dashboard, path, {"Cookie": "ph_login_x=1"}).json()
    assert seen["path"] == path
    assert dict(seen["headers"])["cookie"] == "ph_login_x=1"
    assert dict(seen["headers"])["x-ph-door"] == "the-door-secret"
    assert stand.asked == []


@pytest.mark.parametrize(
    "path", ["/content/x/", "/prod/content/x/", "/vanity/", "/__api__x", "/content", "/s/x/", "/prodx/__api__/"]
)
def test_everything_else_asks_the_door(stand: Stand, path: str) -> None:
    assert ask(stand.dashboard, path).status == 404
    assert [heard.path for heard in stand.asked] == [f"/__authz{path}"]


def test_the_content_port_answers_the_health_check_and_asks_the_door_for_all_else(stand: Stand) -> None:
    assert ask(stand.content, "/__ping__").status == 200
    ask(stand.content, "/__api__/v1/user")
    ask(stand.content, "/")
    assert [heard.path for heard in stand.asked] == ["/__authz/__api__/v1/user", "/__authz/"]
    assert [heard.path for heard in stand.reached] == ["/__ping__"]


def test_the_icon_that_browsers_ask_every_origin_for_is_there_and_asks_nobody(stand: Stand) -> None:
    for port in (stand.dashboard, stand.content):
        icon = ask(port, "/favicon.ico")
        assert (icon.status, icon.headers["content-type"]) == (200, ["image/svg+xml"])
        assert icon.body.startswith(b"<svg") and icon.headers["cache-control"] == ["public, max-age=86400"]
    assert stand.asked == stand.reached == []


def test_an_unknown_host_is_421_and_reaches_nobody(stand: Stand) -> None:
    for host in ("evil.example", "localhost.evil.example", "", "a,b"):
        assert ask(stand.dashboard, "/__api__/x", {"Host": host}).status in (400, 421)
    double = ask(stand.dashboard, "/", [("Host", "localhost"), ("Host", "evil.example")])
    assert double.status in (400, 421)
    assert stand.asked == stand.reached == []


def test_known_hosts_match_with_any_port_and_case(stand: Stand) -> None:
    for host in ("localhost", "LOCALHOST:1", "127.0.0.1:80", "pilot.example"):
        assert ask(stand.dashboard, "/__api__/x", {"Host": host}).status == 200


def test_a_websocket_passes_after_the_door_and_carries_identity(stand: Stand) -> None:
    stand.send_to_app(idn=IDENTITY)
    connection, first = handshake(
        stand.content, f"{MOUNT}socket", {"Cookie": "ph_login_x=1", "Origin": "http://localhost"}
    )
    with connection:
        assert first.startswith(b"HTTP/1.1 101")
        connection.sendall(b"hello")
        assert connection.recv(100) == b"hello"
    assert stand.asked[0].values("sec-websocket-version") == ["13"]
    assert stand.asked[0].values("upgrade") == []
    (seen,) = stand.app.heard
    assert (seen.path, seen.values("shiny-server-credentials"), seen.values("cookie")) == ("/socket", [IDENTITY], [])


def test_a_refused_websocket_gets_the_doors_status(stand: Stand) -> None:
    stand.door = lambda heard: (401, {}, b"")
    connection, first = handshake(stand.content, f"{MOUNT}socket")
    connection.close()
    assert first.startswith(b"HTTP/1.1 401")
    assert stand.app.heard == []


def test_a_websocket_to_the_control_plane_passes(stand: Stand) -> None:
    connection, first = handshake(stand.dashboard, "/__api__/live")
    connection.close()
    assert first.startswith(b"HTTP/1.1 101")


def test_a_dead_app_is_a_page_for_browsers_and_a_sentence_for_programs(stand: Stand) -> None:
    with socket.socket() as unused:
        unused.bind(("127.64.3.3", 0))
        stand.send_to_app(dst=f"127.64.3.3:{unused.getsockname()[1]}")
        page, program = ask(stand.content, MOUNT, BROWSER), ask(stand.content, MOUNT)
        german = ask(stand.content, MOUNT, {**BROWSER, "accept-language": "de-DE,de;q=0.9,en;q=0.5"})
    assert page.status == program.status == german.status == 503
    assert "Diese App antwortet nicht" in german.body.decode() and '<html lang="de">' in german.body.decode()
    assert page.one("content-type") == "text/html; charset=utf-8"
    assert b"This app does not answer" in page.body
    assert program.json()["error"].startswith("This app does not answer")


def test_an_app_that_breaks_off_is_502_and_never_asked_twice(stand: Stand) -> None:
    stand.send_to_app()
    stand.app.reply = lambda heard: (0, {}, b"")
    answer = ask(stand.content, MOUNT, BROWSER, method="POST", body=b"pay")
    assert answer.status == 502
    assert b"broke off" in answer.body
    assert len(stand.app.heard) == 1


@pytest.mark.parametrize("status", [404, 429, 500, 502, 503, 504])
def test_error_pages_of_an_app_pass_untouched(stand: Stand, status: int) -> None:
    stand.send_to_app()
    stand.app.reply = lambda heard: (status, {"Content-Type": "text/plain"}, b"my own words")
    answer = ask(stand.content, MOUNT, BROWSER)
    assert (answer.status, answer.body) == (status, b"my own words")


def test_a_door_that_fails_or_hangs_up_is_503_with_a_page_that_tries_again(stand: Stand) -> None:
    for status in (500, 0):
        stand.door = lambda heard, status=status: (status, {}, b"")
        answer = ask(stand.content, MOUNT, BROWSER)
        assert answer.status == 503
        assert answer.one("retry-after") == "2"
        assert b"The server is not ready" in answer.body
    assert stand.app.heard == []


@pytest.mark.parametrize("times", [1, 4])
def test_a_door_that_breaks_off_is_asked_again(stand: Stand, times: int) -> None:
    answers = iter([(0, {}, b"")] * times)
    stand.send_to_app()
    good = stand.door
    stand.door = lambda heard: next(answers, None) or good(heard)
    assert ask(stand.content, MOUNT).status == 200
    assert len(stand.asked) == times + 1


def test_the_door_may_take_as_long_as_a_worker_takes_to_start(stand: Stand) -> None:
    stand.send_to_app()
    good = stand.door

    def slow(heard: Heard) -> Reply:
        time.sleep(1.5)
        return good(heard)

    stand.door = slow
    assert ask(stand.content, MOUNT).status == 200
    assert len(stand.asked) == 1


@pytest.mark.parametrize("flags", [["--http1.0"], ["--http1.1"], ["--http2-prior-knowledge"]])
def test_every_version_of_http_is_served_alike(stand: Stand, flags: list[str]) -> None:
    curl = shutil.which("curl")
    if curl is None:
        pytest.skip("NOT EXERCISED: no curl on this machine")
    stand.send_to_app(idn=IDENTITY)
    spoofs = ["-H", "x-ph-sub: evil", "-H", "script_name: evil", "-H", "Rstudio-Connect-Credentials: evil"]
    url = f"http://localhost:{stand.content}{MOUNT}x"
    found = subprocess.run([curl, "-sS", "-m", "5", *flags, *spoofs, url], capture_output=True, text=True, check=True)
    assert json.loads(found.stdout)["path"] == "/x"
    assert "evil" not in found.stdout


def test_the_log_tells_who_used_what(stand: Stand) -> None:
    stand.send_to_app(sub="u7", jid="job1", cid="content:12", stage="1", bundle="4", page="1")
    ask(stand.content, f"{MOUNT}logged?q=1", {"User-Agent": "Tester/1"})
    row = stand.log(lambda row: "logged" in (row["path"] or ""))
    assert (row["sub"], row["jid"], row["cid"], row["stage"], row["bundle"], row["page"]) == (
        "u7",
        "job1",
        "content:12",
        "1",
        "4",
        "1",
    )
    assert (row["status"], row["method"], row["origin"], row["agent"]) == (200, "GET", "content", "Tester/1")
    assert row["path"] == f"{MOUNT}logged?q=1"
    assert row["client"] == "127.0.0.1"
    assert row["upstream"] == stand.app_address
    assert row["kind"] == "DownstreamEnd"
    assert row["out"] > 0


def test_a_websocket_writes_a_line_when_it_opens_and_one_when_it_closes(stand: Stand) -> None:
    stand.send_to_app(sub="u7")
    connection, _ = handshake(stand.content, f"{MOUNT}open-and-close")
    opened = stand.log(
        lambda row: row["kind"] == "DownstreamTunnelSuccessfullyEstablished" and "open-and-close" in (row["path"] or "")
    )
    connection.close()
    ended = stand.log(lambda row: row["kind"] == "DownstreamEnd" and "open-and-close" in (row["path"] or ""))
    assert opened["id"] == ended["id"]
    assert opened["sub"] == ended["sub"] == "u7"


def test_a_file_leaves_through_envoy_dressed_by_the_door(stand: Stand) -> None:
    (stand.plan.files["apps"] / "a b.txt").write_bytes(b"0123456789")
    said = {
        "x-ph-to": "file",
        "x-ph-file": "apps/a%20b.txt",
        "x-ph-etag": '"e1"',
        "x-ph-ctype": "text/x-mine",
        "x-ph-cc": "private",
    }
    stand.door = lambda heard: (200, said, b"")
    answer = ask(stand.content, f"{MOUNT}a%20b.txt", {"Range": "bytes=2-3"})
    assert (answer.status, answer.body) == (200, b"0123456789")
    assert (answer.one("etag"), answer.one("content-type"), answer.one("cache-control")) == (
        '"e1"',
        "text/x-mine",
        "private",
    )
    assert answer.one("x-content-type-options") == "nosniff"
    assert "content-security-policy" not in answer.headers
    assert ask(stand.dashboard, MOUNT).one("content-security-policy") == "sandbox"
    said["x-ph-range"] = "bytes=2-3"
    part = ask(stand.content, f"{MOUNT}a%20b.txt")
    assert (part.status, part.body, part.one("content-range")) == (206, b"23", "bytes 2-3/10")
    assert ask(stand.content, MOUNT, method="HEAD").body == b""


def test_only_the_planned_folders_are_sent_from(stand: Stand) -> None:
    (stand.plan.run / "secret").write_text("key")
    for name in ("../secret", "apps/../secret", "apps/%2e%2e/secret", "other/x", ""):
        stand.door = lambda heard, name=name: (200, {"x-ph-to": "file", "x-ph-file": name}, b"")
        answer = ask(stand.content, MOUNT)
        assert answer.status >= 400
        assert b"key" not in answer.body


@pytest.mark.parametrize(
    "path", [".ph-f/apps/secret", ".ph-f/apps/./secret", "./.ph-f/apps/secret", "%2eph-f/apps/secret"]
)
def test_a_path_within_an_app_is_the_apps_however_it_looks(stand: Stand, path: str) -> None:
    (stand.plan.files["apps"] / "secret").write_text("another's source")
    stand.send_to_app()
    assert ask(stand.content, MOUNT + path).json()["path"] == "/.ph-f/apps/secret"
    stand.door = lambda heard: (200, {"x-ph-to": "page", "x-ph-path": "/.ph-f/apps/secret"}, b"")
    assert b"another" not in ask(stand.content, MOUNT).body


def test_a_large_upload_streams_to_the_control_plane(stand: Stand) -> None:
    size = 64 * 1024 * 1024
    connection = http.client.HTTPConnection("127.0.0.1", stand.dashboard, timeout=60)
    parts = (b"x" * 65536 for _ in range(size // 65536))
    connection.request(
        "POST", "/__api__/v1/content/x/bundles", body=parts, headers={"Host": "localhost"}, encode_chunked=True
    )
    answer = connection.getresponse()
    assert (answer.status, b'"size": %d' % size in answer.read()) == (200, True)
    connection.close()


def test_idle_connections_to_apps_are_given_up_before_an_app_may_be_frozen(stand: Stand) -> None:
    stand.send_to_app()
    ask(stand.content, MOUNT)
    assert _connections(stand) >= 1
    time.sleep(3.6)
    assert _connections(stand) == 0


def test_no_websocket_outlives_its_bound() -> None:
    def shorter(document: dict[str, Any]) -> None:
        for listener in document["static_resources"]["listeners"]:
            manager = listener["filter_chains"][0]["filters"][0]["typed_config"]
            assert manager["common_http_protocol_options"]["max_stream_duration"] == "28800s"
            manager["common_http_protocol_options"]["max_stream_duration"] = "1s"

    with running(shorter) as stand:
        stand.send_to_app(to="app0")
        connection, first = handshake(stand.content, f"{MOUNT}socket")
        with connection:
            assert first.startswith(b"HTTP/1.1 101")
            connection.settimeout(5)
            began = time.monotonic()
            assert connection.recv(10) == b""
            assert 0.5 < time.monotonic() - began < 4


def _connections(stand: Stand) -> int:
    """Open connections from Envoy to the app, as the kernel counts them."""
    host, port = stand.app_address.split(":")
    wanted = f"{int.from_bytes(socket.inet_aton(host), 'little'):08X}:{int(port):04X}"
    with open("/proc/net/tcp") as table:
        return sum(1 for line in table if line.split()[2] == wanted and line.split()[3] == "01")


def test_classes_of_timeouts_act() -> None:
    def shorter(document: dict[str, Any]) -> None:
        for listener in document["static_resources"]["listeners"]:
            manager = listener["filter_chains"][0]["filters"][0]["typed_config"]
            for host in manager["route_config"]["virtual_hosts"]:
                for route in host["routes"]:
                    if route.get("route", {}).get("timeout") == "60s":
                        route["route"] |= {"timeout": "0.5s", "idle_timeout": "0.5s"}

    def slow(heard: Heard) -> tuple[int, dict[str, str], bytes]:
        time.sleep(1.2)
        return 200, {}, b"late"

    with running(shorter) as stand:
        stand.app.reply = slow
        stand.send_to_app(to="app1m")
        answer = ask(stand.content, MOUNT, BROWSER)
        assert answer.status == 504
        assert b"took too long" in answer.body
        stand.send_to_app(to="app0")
        assert ask(stand.content, MOUNT).body == b"late"
        with app_at(stand.app) as other:
            stand.send_to_app(to="app1m", dst=other)
            connection, first = handshake(stand.content, MOUNT)
            with connection:
                assert first.startswith(b"HTTP/1.1 101")
                assert connection.recv(10) == b""


PROXY, OTHER_PROXY, STRANGER = "127.0.0.2", "127.0.7.7", "127.0.0.9"


@pytest.fixture(scope="module")
def _behind() -> Iterator[Stand]:
    with running(trusted_proxies=(f"{PROXY}/32", "127.0.7.0/24", "10.0.0.0/8")) as stand:
        yield stand


@pytest.fixture
def behind(_behind: Stand) -> Stand:
    """A gateway behind two proxies on loopback; everything of 10.0.0.0/8 is a proxy too."""
    _behind.reset()
    _behind.send_to_app()
    return _behind


def _told(stand: Stand, headers: Headers, source: str) -> tuple[str, ...]:
    """The client and the scheme as the door, the control plane and the app are told; the same for all of them."""
    seen = dict(ask(stand.content, MOUNT, headers, source=source).json()["headers"])
    ask(stand.dashboard, "/__api__/x", headers, source=source)
    told = {
        (*(heard.values("x-ph-client")), *heard.values("x-forwarded-proto"))
        for heard in (stand.asked[-1], stand.reached[-1])
    }
    return told.pop() if told == {(seen["x-forwarded-for"], seen["x-forwarded-proto"])} else ("they differ", str(told))


def test_a_stranger_can_not_say_where_a_request_came_from(behind: Stand) -> None:
    forged = {"X-Forwarded-For": "9.9.9.9", "X-Forwarded-Proto": "https", "X-Real-IP": "9.9.9.9"}
    assert _told(behind, forged, STRANGER) == (STRANGER, "http")
    assert _told(behind, {"X-Forwarded-For": f"9.9.9.9, {PROXY}"}, STRANGER) == (STRANGER, "http")
    assert "9.9.9.9" not in str(behind.asked + behind.reached + behind.app.heard)


@pytest.mark.parametrize(
    ("stated", "client"),
    [
        ("9.9.9.9", "9.9.9.9"),
        ("8.8.8.8, 9.9.9.9", "9.9.9.9"),
        ("9.9.9.9, 10.1.2.3", "9.9.9.9"),
        (f"8.8.8.8, 9.9.9.9, {OTHER_PROXY}, 10.1.2.3", "9.9.9.9"),
        ("rubbish, 9.9.9.9", "9.9.9.9"),
        ("2001:db8::7", "2001:db8::7"),
        ("9.9.9.9, rubbish", PROXY),
        ("rubbish", PROXY),
        ("9.9.9.9:1234", PROXY),
        ("", PROXY),
    ],
)
def test_of_what_a_trusted_proxy_says_the_rightmost_stranger_counts(behind: Stand, stated: str, client: str) -> None:
    assert _told(behind, {"X-Forwarded-For": stated, "X-Forwarded-Proto": "https"}, PROXY) == (client, "https")


def test_a_clients_own_copy_of_the_header_stands_to_the_left(behind: Stand) -> None:
    assert _told(behind, [("X-Forwarded-For", "8.8.8.8"), ("X-Forwarded-For", "9.9.9.9")], PROXY)[0] == "9.9.9.9"


def test_a_trusted_proxy_that_says_nothing_is_the_client_itself(behind: Stand) -> None:
    assert _told(behind, {}, OTHER_PROXY) == (OTHER_PROXY, "http")


def test_the_log_has_the_client_and_not_the_proxy(behind: Stand) -> None:
    ask(behind.content, f"{MOUNT}by-proxy", {"X-Forwarded-For": "9.9.9.9"}, source=PROXY)
    assert behind.log(lambda row: "by-proxy" in (row["path"] or ""))["client"] == "9.9.9.9"


@pytest.mark.parametrize("name", [*SPOOFS, "X-Forwarded-Fo", "X-Forwarded-Form", "X-Forwarded-Port", "X-Forwarded-"])
def test_a_trusted_proxy_passes_nothing_else_on(behind: Stand, name: str) -> None:
    ask(behind.content, MOUNT, [(name, "evil"), (name, "evil")], source=PROXY)
    assert "evil" not in str(behind.app.heard[0].headers)


def test_nobody_chooses_the_id_that_a_request_is_counted_by(behind: Stand) -> None:
    chosen = "a1b2c3d4-aaaa-4bbb-8ccc-ddddeeeeffff"
    for source in (STRANGER, PROXY):
        ask(behind.content, f"{MOUNT}my-id-{source}", {"X-Request-Id": chosen}, source=source)
        row = behind.log(lambda row, source=source: f"my-id-{source}" in (row["path"] or ""))
        assert len(row["id"]) == len(chosen)
        assert row["id"] != chosen


def test_a_private_address_is_no_more_believed_than_others(stand: Stand) -> None:
    ask(stand.dashboard, "/__api__/x")
    assert stand.reached[0].values("x-envoy-internal") == []


def test_proxies_are_known_by_their_ipv4_address_on_a_port_of_both_kinds() -> None:
    if not socket.has_ipv6:
        pytest.skip("NOT EXERCISED: no IPv6 on this machine")
    with running(bind="::", trusted_proxies=(f"{PROXY}/32",)) as stand:
        stand.send_to_app()
        assert _told(stand, {"X-Forwarded-For": "9.9.9.9"}, PROXY)[0] == "9.9.9.9"
        assert _told(stand, {"X-Forwarded-For": "9.9.9.9"}, STRANGER)[0] == STRANGER


LIMIT = 2 * BURST_S


def never_refilled(document: dict[str, Any]) -> None:
    """What a client has used up it does not get back, however slow the test is."""
    for listener in document["static_resources"]["listeners"]:
        for chain in listener["filter_chains"]:
            options = chain["filters"][0]["typed_config"]["http_filters"][0]["typed_config"]
            for bucket in (options["token_bucket"], options["descriptors"][0]["token_bucket"]):
                bucket["fill_interval"] = "86400s"


@pytest.fixture(scope="module")
def _limited() -> Iterator[Stand]:
    with running(never_refilled, trusted_proxies=(f"{PROXY}/32",), requests_per_second=2) as stand:
        yield stand


@pytest.fixture
def limited(_limited: Stand) -> Stand:
    """Each address may send `LIMIT` requests to each port, and never another one; each test takes addresses of its own."""
    _limited.reset()
    _limited.send_to_app()
    return _limited


def test_an_address_over_its_limit_is_told_to_wait_and_others_get_in(limited: Stand) -> None:
    statuses = [ask(limited.content, MOUNT, source="127.1.0.1").status for _ in range(LIMIT)]
    assert statuses == [200] * LIMIT
    program = ask(limited.content, MOUNT, source="127.1.0.1")
    page = ask(limited.content, MOUNT, BROWSER, source="127.1.0.1")
    assert program.status == page.status == 429
    assert program.one("retry-after") == page.one("retry-after") == str(BURST_S)
    assert set(program.json()) == {"code", "error", "payload"}
    assert program.json()["error"].startswith("Too many requests from your address. Wait 5 seconds")
    assert page.one("content-type") == "text/html; charset=utf-8"
    assert b"Too many requests from your address" in page.body
    assert ask(limited.content, MOUNT, source="127.1.0.2").status == 200
    assert len(limited.asked) == len(limited.app.heard) == LIMIT + 1


def test_the_api_is_limited_before_anybody_is_asked_and_credentials_buy_nothing(limited: Stand) -> None:
    headers = [{"Authorization": f"Key {number}", "Cookie": f"ph_login_x={number}"} for number in range(LIMIT + 3)]
    statuses = [ask(limited.dashboard, "/__api__/x", one, source="127.2.0.1").status for one in headers]
    assert statuses == [200] * LIMIT + [429] * 3
    assert len(limited.reached) == LIMIT


def test_a_stranger_does_not_escape_the_limit_by_stating_other_addresses(limited: Stand) -> None:
    forged = [{"X-Forwarded-For": f"9.9.9.{number}"} for number in range(LIMIT + 1)]
    assert [ask(limited.content, MOUNT, one, source="127.3.0.1").status for one in forged][-1] == 429


def test_behind_a_trusted_proxy_the_client_is_limited_and_not_the_proxy(limited: Stand) -> None:
    def status(client: str) -> int:
        return ask(limited.content, MOUNT, {"X-Forwarded-For": f"8.8.8.8, {client}"}, source=PROXY).status

    assert [status("9.1.0.1") for _ in range(LIMIT + 1)] == [200] * LIMIT + [429]
    assert status("9.1.0.2") == 200


def test_a_network_of_ipv6_that_one_machine_commands_counts_as_one_client(limited: Stand) -> None:
    def status(client: str) -> int:
        return ask(limited.content, MOUNT, {"X-Forwarded-For": client}, source=PROXY).status

    assert [status(f"2001:db8:1:1::{number}") for number in range(LIMIT + 1)][-1] == 429
    assert status("2001:db8:1:2::1") == 200


def test_a_websocket_counts_once_however_much_it_says(limited: Stand) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(LIMIT):
            connection, first = handshake(limited.content, MOUNT, source="127.4.0.1")
            stack.enter_context(connection)
            assert first.startswith(b"HTTP/1.1 101")
            for _ in range(LIMIT):
                connection.sendall(b"hello")
                assert connection.recv(100) == b"hello"
        refused, first = handshake(limited.content, MOUNT, source="127.4.0.1")
        refused.close()
        assert first.startswith(b"HTTP/1.1 429")


def test_each_port_counts_for_itself(limited: Stand) -> None:
    assert [ask(limited.content, MOUNT, source="127.5.0.1").status for _ in range(LIMIT + 1)][-1] == 429
    assert ask(limited.session, MOUNT, source="127.5.0.1").status == 200


def test_who_waits_gets_in_again() -> None:
    with running(requests_per_second=1) as stand:
        stand.send_to_app()
        assert any(ask(stand.content, MOUNT).status == 429 for _ in range(1000))
        deadline = time.monotonic() + 20
        while (status := ask(stand.content, MOUNT).status) == 429 and time.monotonic() < deadline:
            time.sleep(0.2)
        assert status == 200
