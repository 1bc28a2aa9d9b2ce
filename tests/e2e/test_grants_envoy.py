"""Grants through a real Envoy: what goes on without asking the door, what never does, and that an app can't tell which it was."""

from __future__ import annotations

import json
import re
import socket
import time
from collections.abc import Iterator
from typing import Any

import pytest
from tests.e2e.test_gateway_envoy import SPOOFS
from tests.factories.gateway import GRANTS, MOUNT, Answer, Heard, Reply, Stand, ask, handshake, running
from tests.factories.grants import GROUPS, LOGIN, SIGNED_IN, claims_of, cookie, forged, fresh, issued

from pilothouse.gateway.envoy.accesslog import merged

SCRIPT = {"Sec-Fetch-Mode": "cors", "Accept": "*/*"}


@pytest.fixture(scope="module")
def _stand() -> Iterator[Stand]:
    with running() as stand:
        yield stand


@pytest.fixture
def stand(_stand: Stand) -> Stand:
    """The door refuses; only a grant leads to the app."""
    _stand.reset()
    _stand.door = lambda heard: (403, {}, b"asked")
    return _stand


def sub_request(
    stand: Stand, path: str = "data.json", *, grant: str | None = None, login: str = SIGNED_IN, **more: Any
) -> Answer:
    cookies = "; ".join(part for part in ("theme=dark", grant or cookie(issued(stand)), login) if part)
    headers = [*SCRIPT.items(), ("Cookie", cookies), *more.pop("headers", [])]
    return ask(more.pop("port", stand.content), MOUNT + path, headers, **more)


def test_a_sub_request_with_a_grant_goes_on_without_the_door(stand: Stand) -> None:
    answer = sub_request(stand, "a/b?c=d%2Fe")
    assert (answer.status, answer.json()["path"]) == (200, "/a/b?c=d%2Fe")
    assert stand.asked == []


def test_every_key_of_the_rotation_counts(stand: Stand) -> None:
    for key in GRANTS.keys:
        assert sub_request(stand, grant=cookie(issued(stand, current=key))).status == 200


@pytest.mark.parametrize("inner", ["/", MOUNT])
@pytest.mark.parametrize("idn", [GROUPS, ""])
@pytest.mark.parametrize(
    "headers",
    [
        [],
        [("X-Requested-With", "x"), ("HX-Request", "true"), ("Authorization", "Basic a"), ("Range", "bytes=0-1")],
        [("X-Auth-Request-User", "evil"), ("X-RSC-XSRF", "evil"), ("X-Envoy-Original-Path", "/evil")],
        [("Cookie", "b=2"), ("Cookie", "RSC-XSRF=3; c=4")],
    ],
)
def test_an_app_cannot_tell_a_granted_request_from_one_that_was_asked_for(
    stand: Stand, headers: list[tuple[str, str]], idn: str, inner: str
) -> None:
    grant = cookie(issued(stand, idn=idn, inner=inner))
    granted = sub_request(stand, "x/y?z=1", grant=grant, headers=headers, method="POST", body=b"12345").json()
    origin = f"http://localhost:{stand.content}"
    stand.send_to_app(
        idn=idn, inner=inner, prefix=MOUNT[:-1], base=origin + MOUNT[:-1], request=f"{origin}{MOUNT}x/y?z=1"
    )
    asked = sub_request(stand, "x/y?z=1", grant="none=1", headers=headers, method="POST", body=b"12345").json()
    assert len(stand.asked) == 1
    without = [(n, v) for n, v in granted["headers"] if n != "x-request-id"]
    assert sorted(without) == sorted((n, v.replace("; none=1", "")) for n, v in asked["headers"] if n != "x-request-id")
    assert (granted["path"], granted["size"]) == (asked["path"], 5)
    assert "evil" not in str(granted)


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Mode": "navigate"},
        {"Upgrade-Insecure-Requests": "1"},
        {"Authorization": "Key abc"},
        {"authorization": "key\tabc"},
        {"Authorization": "Basic a,Key abc"},
        {"Authorization": "bearer  ph_abc"},
        {"X-RSC-Authorization": "Key abc"},
        {"X-Auth-Token": "t"},
        {"X-Auth-Signature": "s"},
    ],
    ids=str,
)
def test_page_loads_and_keys_always_ask(stand: Stand, headers: dict[str, str]) -> None:
    cookies = {"Cookie": f"{cookie(issued(stand))}; {SIGNED_IN}"}
    answer = ask(stand.content, f"{MOUNT}x", {**cookies, **headers})
    assert (answer.status, answer.body, len(stand.asked)) == (403, b"asked", 1)


def test_a_websocket_always_asks(stand: Stand) -> None:
    connection, first = handshake(stand.content, MOUNT, {"Cookie": f"{cookie(issued(stand))}; {SIGNED_IN}"})
    connection.close()
    assert first.startswith(b"HTTP/1.1 403")
    assert stand.app.heard == []


def test_other_authorization_passes_untouched(stand: Stand) -> None:
    for value in ("Basic a2V5", "Bearer phx", "Digest monkey=1"):
        seen = sub_request(stand, headers=[("Authorization", value)]).json()
        assert dict(seen["headers"])["authorization"] == value


@pytest.mark.parametrize(
    "path",
    ["_bundle4/", "_bundle4/x", "_rev2/x", "_bundle", "v2/x", "v12", "v2?x=1", "__x/y", "__api__/v1", "_bundles"],
)
def test_mounts_within_the_mount_ask(stand: Stand, path: str) -> None:
    assert sub_request(stand, path).body == b"asked"
    assert stand.app.heard == []


@pytest.mark.parametrize(
    "path", ["", "_static/x.js", "vendor/x", "v2x/y", "_dash-update-component", "vx", "a/_bundle1/"]
)
def test_other_paths_of_the_app_do_not(stand: Stand, path: str) -> None:
    assert sub_request(stand, path).json()["path"] == f"/{path}"


WRONG = {
    "another login's cookie": (lambda s: cookie(issued(s)), f"{GRANTS.login_cookie}=l2.secret"),
    "no login cookie": (lambda s: cookie(issued(s)), ""),
    "an anonymous grant of somebody who signed in": (lambda s: cookie(issued(s, login=None)), SIGNED_IN),
    "two logins": (lambda s: cookie(issued(s)), f"{SIGNED_IN}; {GRANTS.login_cookie}=l2.secret"),
    "a login that only begins alike": (lambda s: cookie(issued(s)), f"{GRANTS.login_cookie}={LOGIN}1.secret"),
    "another mount": (lambda s: cookie(issued(s, mount="/content/other/")), SIGNED_IN),
    "a mount that is the beginning of a segment": (lambda s: cookie(issued(s, mount="/content/a/")), SIGNED_IN),
    "another host": (lambda s: cookie(issued(s, host=f"pilot.example:{s.content}")), SIGNED_IN),
    "another port": (lambda s: cookie(issued(s, host=f"localhost:{s.dashboard}")), SIGNED_IN),
    "an address of no job": (lambda s: cookie(issued(s, dst="127.0.0.1:22")), SIGNED_IN),
    "an address that is none": (lambda s: cookie(issued(s, dst="127.64.0.999:80")), SIGNED_IN),
    "an unknown class of timeouts": (lambda s: cookie(issued(s, to="control-plane")), SIGNED_IN),
    "an unknown key": (lambda s: forged(claims_of(issued(s)), key=b"3" * 32), SIGNED_IN),
    "an unknown key's name": (lambda s: forged(claims_of(issued(s)), kid="k9"), SIGNED_IN),
    "no signature": (lambda s: cookie(issued(s)).rpartition(".")[0] + ".", SIGNED_IN),
    "the algorithm none": (lambda s: forged(claims_of(issued(s)), alg="none"), SIGNED_IN),
    "another claim": (lambda s: re.sub(r"\.eyJ....", ".eyJxxxx", cookie(issued(s))), SIGNED_IN),
    "expired": (
        lambda s: forged(claims_of(issued(s)) | fresh(iat=int(time.time()) - 63, exp=int(time.time()) - 3)),
        SIGNED_IN,
    ),
    "a longer life": (lambda s: forged(claims_of(issued(s)) | fresh(exp=int(time.time()) + 61)), SIGNED_IN),
    "no end": (lambda s: forged({k: v for k, v in claims_of(issued(s)).items() if k != "exp"}), SIGNED_IN),
    "another audience": (lambda s: forged(claims_of(issued(s)) | {"aud": "pilothouse-grant-0"}), SIGNED_IN),
    "another installation": (lambda s: forged(claims_of(issued(s)) | {"iss": "else"}), SIGNED_IN),
    "another cookie": (lambda s: "ph_grant_y=" + cookie(issued(s)).partition("=")[2], SIGNED_IN),
    "garbage": (lambda s: "ph_grant_x=a.b.c", SIGNED_IN),
}


@pytest.mark.parametrize("wrong", WRONG, ids=str)
def test_a_grant_that_is_not_for_this_request_counts_for_nothing(stand: Stand, wrong: str) -> None:
    make, login = WRONG[wrong]
    answer = sub_request(stand, grant=make(stand), login=login)
    assert (answer.status, answer.body, len(stand.asked)) == (403, b"asked", 1)
    assert stand.app.heard == []
    assert all(not heard.values("x-ph-g") for heard in stand.asked)


def test_the_claim_for_the_script_can_not_be_sent_by_a_client(stand: Stand) -> None:
    words = claims_of(issued(stand))["g"]
    answer = sub_request(stand, grant="a=1", headers=[("X-Ph-G", words), ("x_ph_g", words)])
    assert (answer.body, stand.app.heard) == (b"asked", [])


def test_an_anonymous_visitors_grant_counts_for_anonymous_visitors(stand: Stand) -> None:
    grant = cookie(issued(stand, login=None, idn=""))
    seen = sub_request(stand, grant=grant, login="").json()
    assert dict(seen["headers"]).keys().isdisjoint({"rstudio-connect-credentials", "shiny-server-credentials"})


@pytest.mark.parametrize("path", ["a%2Fb", "a%5Cb", "%00", "..%2f..%2f__api__", "%2e%2e%2fx"])
def test_an_ambiguous_path_is_refused_with_a_grant_as_well(stand: Stand, path: str) -> None:
    assert sub_request(stand, path).status == 400
    assert stand.app.heard == stand.asked == []


def test_dots_cannot_leave_the_mount(stand: Stand) -> None:
    for path in ("../other/x", "%2e%2e/other/x", "x/../../other/", "..;/other/x"):
        sub_request(stand, path)
        assert all(heard.path == "/..;/other/x" for heard in stand.app.heard)


def test_a_path_within_an_app_is_the_apps_however_it_looks(stand: Stand) -> None:
    (stand.plan.files["apps"] / "secret").write_text("another's source")
    assert sub_request(stand, ".ph-f/apps/secret").json()["path"] == "/.ph-f/apps/secret"


def test_the_session_port_keeps_encoded_slashes_with_a_grant(stand: Stand) -> None:
    grant = cookie(issued(stand, host=f"localhost:{stand.session}"))
    assert sub_request(stand, "a%2Fb", grant=grant, port=stand.session).json()["path"] == "/a%2Fb"


@pytest.mark.parametrize("name", SPOOFS)
def test_a_spoofed_header_never_reaches_an_app_by_a_grant(stand: Stand, name: str) -> None:
    answer = sub_request(stand, headers=[(name, "evil"), (name, "evil")])
    assert "evil" not in str(stand.app.heard)
    assert answer.body == b"asked" or answer.status == 200


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("a=1", f"a=1; Path={MOUNT}"),
        ("a=1; Path=/; HttpOnly", f"a=1; Path={MOUNT}; HttpOnly"),
        (f"a=1; path={MOUNT}sub/", f"a=1; path={MOUNT}sub/"),
        ("a=1; Domain=pilot.example; Path=/", f"a=1; Path={MOUNT}"),
        ("ph_login_x=stolen", None),
        ("=ph_grant_x=stolen", None),
        ("__Secure-ph_grant_x=stolen; Secure; Path=/", None),
        ("RSC-XSRF=stolen", None),
    ],
)
def test_cookies_of_an_app_stay_in_its_mount_by_a_grant(stand: Stand, sent: str, kept: str | None) -> None:
    stand.app.reply = lambda heard: (200, {"Set-Cookie": sent}, b"")
    assert sub_request(stand).headers.get("set-cookie") == ([kept] if kept else None)


@pytest.mark.parametrize(
    "name", ["Service-Worker-Allowed", "Clear-Site-Data", "Alt-Svc", "NEL", "X-Ph-Grant", "X-Ph-To"]
)
def test_an_app_cannot_say_what_reaches_beyond_its_mount_by_a_grant(stand: Stand, name: str) -> None:
    stand.app.reply = lambda heard: (200, {name: "x", "X-Mine": "y"}, b"")
    answer = sub_request(stand)
    assert name.lower() not in answer.headers
    assert answer.one("x-mine") == "y"


def test_an_app_on_the_dashboards_origin_is_sandboxed_by_a_grant(stand: Stand) -> None:
    grant = cookie(issued(stand, host=f"localhost:{stand.dashboard}"))
    answer = sub_request(stand, grant=grant, port=stand.dashboard)
    assert (answer.status, answer.one("content-security-policy")) == (200, "sandbox")


@pytest.mark.parametrize("status", [404, 429, 500, 502, 503, 504])
def test_error_pages_of_an_app_pass_untouched_by_a_grant(stand: Stand, status: int) -> None:
    stand.app.reply = lambda heard: (status, {"Content-Type": "text/plain"}, b"my own words")
    answer = sub_request(stand)
    assert (answer.status, answer.body) == (status, b"my own words")


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_dead_target_leads_back_to_the_door_without_the_grant(stand: Stand, method: str) -> None:
    with socket.socket() as unused:
        unused.bind(("127.64.3.4", 0))
        grant = cookie(issued(stand, dst=f"127.64.3.4:{unused.getsockname()[1]}"))
        answer = sub_request(stand, "x?y=1", grant=grant, method=method, body=b"1" if method == "POST" else b"")
    assert (answer.status, answer.body) == (307, b"")
    assert answer.one("location") == f"{MOUNT}x?y=1"
    assert answer.one("cache-control") == "no-store"
    name, _, attributes = answer.one("set-cookie").partition("=;")
    assert name == GRANTS.cookie
    assert {"Max-Age=0", f"Path={MOUNT}"} <= {part.strip() for part in attributes.split(";")}
    assert stand.asked == []


def test_an_app_that_breaks_off_is_502_and_never_asked_twice_by_a_grant(stand: Stand) -> None:
    stand.app.reply = lambda heard: (0, {}, b"")
    answer = sub_request(stand, method="POST", body=b"pay", headers=[("Accept", "text/html")])
    assert answer.status == 502
    assert b"broke off" in answer.body
    assert (len(stand.app.heard), stand.asked) == (1, [])


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ([], "private"),
        (["public, max-age=3600"], "private, max-age=3600"),
        (["no-store"], "private, no-store"),
        (["no-cache", "PUBLIC, s-maxage=9, must-revalidate"], "private, no-cache, must-revalidate"),
        (["private=x"], "private"),
    ],
)
def test_an_answer_that_hands_out_a_grant_is_private_and_else_as_the_app_said(
    stand: Stand, said: list[str], kept: str
) -> None:
    grant = issued(stand)
    stand.send_to_app(grant=grant)
    stand.app.reply = lambda heard: (200, [("Set-Cookie", "a=1"), *(("Cache-Control", word) for word in said)], b"")
    answer = ask(stand.content, MOUNT, {"Sec-Fetch-Mode": "navigate"})
    assert answer.headers["set-cookie"] == [f"a=1; Path={MOUNT}", grant]
    assert answer.one("cache-control") == kept


def test_a_failure_hands_out_no_grant(stand: Stand) -> None:
    stand.send_to_app(grant=issued(stand))
    stand.app.reply = lambda heard: (500, {}, b"")
    assert "set-cookie" not in ask(stand.content, MOUNT).headers
    stand.send_to_app(grant=issued(stand), dst="127.64.3.5:9")
    assert "set-cookie" not in ask(stand.content, MOUNT).headers


def test_a_websocket_hands_out_a_grant(stand: Stand) -> None:
    grant = issued(stand)
    stand.send_to_app(grant=grant)
    connection, first = handshake(stand.content, MOUNT)
    connection.close()
    assert first.startswith(b"HTTP/1.1 101") and f"set-cookie: {grant}".encode() in first


def test_the_log_tells_the_same_of_a_granted_request(stand: Stand) -> None:
    sub_request(stand, "by-a-grant?x=1")
    row = merged(stand.log(lambda row: "by-a-grant" in (row["granted"] or "")))
    assert {key: row[key] for key in ("sub", "jid", "cid", "stage", "bundle", "path", "page", "status")} == {
        "sub": "7", "jid": "job1", "cid": "content:12", "stage": "1", "bundle": "4",
        "path": f"{MOUNT}by-a-grant?x=1", "page": None, "status": 200,
    }  # fmt: skip


def test_the_log_counts_nothing_by_a_grant_that_was_not_taken(stand: Stand) -> None:
    sub_request(stand, "not-taken", login="")
    row = merged(stand.log(lambda row: "not-taken" in (row["path"] or "")))
    assert (row["cid"], row["jid"], row["sub"]) == (None, None, None)


def test_a_large_body_streams_by_a_grant(stand: Stand) -> None:
    assert sub_request(stand, method="POST", body=b"x" * 5_000_000).json()["size"] == 5_000_000


def test_what_is_asked_often_stays_granted(stand: Stand) -> None:
    """Verified grants are remembered; that must not outlive them or another's cookie."""
    grant = cookie(issued(stand))
    for _ in range(20):
        assert sub_request(stand, grant=grant).status == 200
        assert sub_request(stand, grant=grant, login="").body == b"asked"
    now = int(time.time())
    short = forged(claims_of(issued(stand)) | fresh(iat=now - 57, exp=now + 2))
    assert sub_request(stand, grant=short).status == 200
    time.sleep(4.1)
    assert sub_request(stand, grant=short).body == b"asked"


def test_the_door_sees_the_grant_that_was_not_taken(stand: Stand) -> None:
    grant = cookie(issued(stand))

    def door(heard: Heard) -> Reply:
        return 403, {}, json.dumps(heard.values("cookie")).encode()

    stand.door = door
    answer = ask(stand.content, MOUNT, {"Cookie": f"{grant}; {SIGNED_IN}", "Sec-Fetch-Mode": "navigate"})
    assert answer.json() == [f"{grant}; {SIGNED_IN}"]
