"""Programs that sign their requests (connect-wire-api §1.4): announced, claimed in the browser, believed, revoked."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from tests.factories.control_plane import Asked
from tests.factories.signing import Program

from pilothouse.asgi.static_files import assets
from pilothouse.base import clock
from pilothouse.base.access import SYSTEM, Role
from pilothouse.gateway import headers as h
from pilothouse.gateway.serving import door_secret
from pilothouse.identity import service as identity
from pilothouse.identity.models import User
from pilothouse.identity.service.tokens import WAITING_OF_NETWORK
from pilothouse.testing.clock import FrozenClock

R = Program()
PUBLISHER = replace(R, base="/prod")
USER = "/__api__/v1/user"


@pytest.fixture
def amara(server: Asked) -> User:
    return server.person("amara.okoye", Role.PUBLISHER)[0]


def announce(server: Asked, program: Program = R, stage: str = "") -> str:
    """The path of the page where it is claimed."""
    sent = {"X-Auth-Token": "anonymous-access", "User-Agent": "rsconnect/1.10.1 (R 4.5.1)"}
    answer = server.client().post(f"{stage}/__api__/tokens", json=program.announced, headers=sent)
    assert answer.status_code == 200, answer.text
    url = str(answer.json()["token_claim_url"])
    assert url.startswith("http://localhost:3939/")
    return url.removeprefix("http://localhost:3939")


def ask(server: Asked, method: str, url: str, body: bytes = b"", program: Program = R) -> tuple[int, dict[str, object]]:
    """A signed request, after the server has noticed what changed."""
    server.notice()
    return program.ask(server.client(), method, url, body)


def claimed(server: Asked, program: Program = R, username: str = "amara.okoye") -> None:
    answer = server.browser(username).post(announce(server, program), follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, "/_/signed-in")


def test_a_token_is_refused_until_a_person_claims_it_in_the_browser(server: Asked, amara: User) -> None:
    page = announce(server)
    status, error = ask(server, "GET", USER)
    assert (status, error["code"]) == (401, 30)
    asked = server.browser("amara.okoye").get(page)
    assert "amara.okoye" in asked.text and "rsconnect" in asked.text and "another address" not in asked.text
    assert server.browser("amara.okoye").post(page).status_code == 200
    assert ask(server, "GET", USER)[1]["username"] == "amara.okoye"
    legacy = ask(server, "GET", "/__api__/users/current")
    assert legacy[0] == 200 and legacy[1]["id"] == amara.id
    assert "The program is signed in" in server.browser("amara.okoye").get(page).text


def test_whoever_is_not_signed_in_signs_in_first_and_comes_back(server: Asked, amara: User) -> None:
    page = announce(server)
    answer = server.client().get(page, follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, f"/__login__?url={page}")


def test_both_forms_of_the_path_are_taken_below_a_stage(server: Asked, amara: User) -> None:
    claimed(server)
    for program in (R, PUBLISHER):  # the whole path, and the one after the server's address
        assert program.ask(server.client(), "GET", f"/prod{USER}?ignored=1")[0] == 200
        body = b'{"name": "signed-%d"}' % len(program.base)
        assert program.ask(server.client(), "POST", "/prod/__api__/v1/content", body)[0] == 200


def test_a_signature_is_good_for_its_own_method_path_date_and_body(server: Asked, amara: User) -> None:
    claimed(server)
    client, path, body = server.client(), "/__api__/v1/content", b'{"name": "mine"}'
    signed = R.headers("POST", path, body)
    tampered = [
        client.post(path, content=b'{"name": "other"}', headers=signed),
        client.post(path, content=iter([b'{"name": ', b'"other"}']), headers=signed),
        client.put(path, content=body, headers=signed),
        client.post("/prod" + path, content=body, headers=signed | {"X-Auth-Token": "T" + "f" * 32}),
        client.post("/__api__/v1/tags", content=body, headers=signed),
        client.post(path, content=body, headers=signed | {"X-Auth-Signature": "bm90aGluZw=="}),
        client.post(path, content=body, headers=signed | {"X-Auth-Signature": "not base64"}),
        client.post(path, content=body, headers={k: v for k, v in signed.items() if k != "X-Auth-Signature"}),
        client.post(path, content=body, headers={k: v for k, v in signed.items() if k != "Date"}),
        client.post(path, content=body, headers=signed | {"Date": "yesterday"}),
        client.post(path, content=body, headers={k: v for k, v in signed.items() if k != "X-Content-Checksum"}),
        client.post(path, content=body, headers=R.headers("POST", path, body, at=clock.now() - timedelta(minutes=6))),
        client.post(path, content=body, headers=R.headers("POST", path, body, at=clock.now() + timedelta(minutes=6))),
        client.post(path, content=body, headers=replace(R, which=1).headers("POST", path, body)),
    ]
    assert [(a.status_code, a.json()["code"]) for a in tampered] == [(401, 30)] * len(tampered)
    assert client.get(path, headers=R.headers("GET", path)).json() == []
    near = R.headers("POST", path, body, at=clock.now() - timedelta(minutes=4))
    assert client.post(path, content=body, headers=near).status_code == 200


def test_a_wrong_token_fails_also_where_everybody_may_ask(server: Asked) -> None:
    """As a wrong key does; R's word for nobody is nobody."""
    client, path = server.client(), "/__api__/server_settings"
    assert client.get(path, headers={"X-Auth-Token": "anonymous-access"}).status_code == 200
    for sent in (
        R.headers("GET", path), {"X-Auth-Token": "T1"}, {"X-Auth-Token": ""}, {"Authorization": "Key wrong"},
        {"Authorization": "Bearer ph_wrong"}, {"X-RSC-Authorization": "Key wrong"}, {"X-RSC-Authorization": "wrong"},
    ):  # fmt: skip
        answer = client.get(path, headers=sent)
        assert (answer.status_code, answer.json()["code"]) == (401, 30), sent


def test_a_program_is_never_more_than_its_person(server: Asked, amara: User) -> None:
    claimed(server)
    assert ask(server, "POST", "/__api__/v1/content", b'{"name": "mine"}')[0] == 200
    with server.database.write() as tx:
        identity.set_role(tx, SYSTEM, identity.get_user(tx, amara.guid), role=Role.VIEWER)
    assert ask(server, "POST", "/__api__/v1/content", b'{"name": "more"}')[0] == 403
    with server.database.write() as tx:
        identity.lock_user(tx, SYSTEM, identity.get_user(tx, amara.guid), locked=True)
    assert ask(server, "GET", USER)[0] == 401
    with server.database.write() as tx:
        identity.lock_user(tx, SYSTEM, identity.get_user(tx, amara.guid), locked=False)
    assert ask(server, "GET", USER)[0] == 200
    with server.database.write() as tx:
        identity.erase_user(tx, SYSTEM, identity.get_user(tx, amara.guid))
    assert ask(server, "GET", USER)[0] == 401


def test_a_claimed_token_is_listed_and_revoked_on_the_account_page(server: Asked, amara: User) -> None:
    claimed(server)
    server.plane.house.resolver.flush_uses()
    browser, (other, _) = server.browser("amara.okoye"), server.person("henrik.lund")
    page = browser.get("/_/account").text
    path = f"/_/account/tokens/{R.name}/revoke"
    assert path in page and "rsconnect" in page
    assert server.browser(other.username).post(path).status_code == 404
    assert ask(server, "GET", USER)[0] == 200
    assert browser.post(path).status_code == 200
    assert ask(server, "GET", USER)[0] == 401
    assert path not in browser.get("/_/account").text
    assert server.browser(other.username).post(f"/_/claim/{R.name}").status_code == 404, (
        "a revoked one is not claimed again"
    )


def test_only_the_first_who_claims_a_token_has_it(server: Asked, amara: User) -> None:
    claimed(server)
    other, key = server.person("henrik.lund")
    assert server.browser(other.username).post(f"/_/claim/{R.name}").status_code == 409
    assert key.post(f"/_/claim/{replace(R, name='T' + '1' * 32).name}").status_code == 404
    second = replace(R, name="T" + "2" * 32)
    page = announce(server, second)
    assert key.post(page).status_code == 403, "an API key can't let a program in"
    assert server.client().post(page, follow_redirects=False).status_code in (303, 401, 403)
    assert second.ask(server.client(), "GET", USER)[0] == 401


NO_TOKENS: list[dict[str, object]] = [
    {}, {"token": "T1"}, {"token": None, "public_key": R.public_key}, {"token": R.name}, {"token": 3, "public_key": 4},
    {"token": R.name, "public_key": "AAAA"}, {"token": R.name, "public_key": "~"}, {"token": R.name, "public_key": "A" * 5000},
    {"token": "T" + "G" * 32, "public_key": R.public_key}, {"token": R.name.upper(), "public_key": R.public_key},
]  # fmt: skip


def test_a_token_that_is_none_is_refused_with_a_sentence(server: Asked) -> None:
    for body in NO_TOKENS:
        answer = server.client().post("/__api__/tokens", json=body)
        assert answer.status_code == 400 and answer.json()["code"] == 101 and answer.json()["error"].endswith("."), body


def test_the_same_token_twice_is_one_and_another_key_does_not_take_it_over(server: Asked, amara: User) -> None:
    claimed(server)
    assert announce(server) == f"/_/claim/{R.name}"
    taken = server.client().post("/__api__/tokens", json=replace(R, which=1).announced)
    assert taken.status_code == 409 and ask(server, "GET", USER)[0] == 200


def test_strangers_can_not_fill_the_database(server: Asked) -> None:
    client = server.client()
    for n in range(WAITING_OF_NETWORK):
        assert client.post("/__api__/tokens", json=replace(R, name=f"T{n:032x}").announced).status_code == 200
    full = client.post("/__api__/tokens", json=replace(R, name="T" + "f" * 32).announced)
    assert full.status_code == 503 and "hour" in full.json()["error"]
    other = server.client(**{h.CLIENT: "198.51.100.7"})
    assert other.post("/__api__/tokens", json=replace(R, name="T" + "e" * 32).announced).status_code == 200


def test_a_token_that_nobody_claims_is_gone_after_an_hour(
    server: Asked, amara: User, frozen_clock: FrozenClock
) -> None:
    page = announce(server)
    frozen_clock.advance(minutes=61)
    assert server.browser("amara.okoye").get(page).status_code == 404


def test_an_upload_that_was_damaged_on_its_way_is_refused_with_a_key_as_well(server: Asked) -> None:
    _, client = server.person("henrik.lund")
    sums = R.headers("POST", "/", b'{"name": "whole"}')["X-Content-Checksum"]
    sent = {"X-Content-Checksum": sums}
    damaged = client.post("/__api__/v1/content", content=b'{"name": "holes"}', headers=sent)
    assert damaged.status_code == 400 and "damaged" in damaged.json()["error"]
    assert client.post("/__api__/v1/content", content=b'{"name": "whole"}', headers=sent).status_code == 200


def test_content_takes_signed_requests_that_read(server: Asked, amara: User) -> None:
    """The door sees no body, so it lets none through."""
    claimed(server)
    url = "/content/00000000-0000-4000-8000-000000000000/_rev1/data.txt"
    client = server.client(**{h.SECRET: door_secret(server.home / "keys"), h.ORIGIN: "content"})
    asked = (("GET", b"", 404), ("HEAD", b"", 404), ("POST", b"", 401), ("GET", b"x", 401))
    for method, body, status in asked:
        answer = client.request(method, h.DOOR_PREFIX + url, headers=R.headers(method, url, body))
        assert answer.status_code == status, (method, body)
    assert client.get(h.DOOR_PREFIX + url, headers=R.headers("GET", url + ".bak")).status_code == 401


def test_the_page_after_signing_in_says_that_one_can_go_back(server: Asked) -> None:
    assert "You can close this page" in server.client().get("/_/signed-in").text
    assert b"/_/signed-in" in assets()["connect.js"].content
