"""Programs that sign in for a person (OAuth 2.1, connect-wire-api §1.5)."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import func, select
from tests.factories.control_plane import Asked
from tests.factories.oauth import REGISTRATION, VERIFIER, Cli, answered, refused

from pilothouse.base.access import SYSTEM, Role
from pilothouse.gateway import headers as h
from pilothouse.identity import service as identity
from pilothouse.identity.models import ApiKey, Authorization, OAuthClient, User
from pilothouse.identity.service import oauth
from pilothouse.testing.clock import FrozenClock

WELL_KNOWN = "/.well-known/oauth-authorization-server"


@pytest.fixture
def amara(server: Asked) -> User:
    return server.person("amara.okoye", Role.PUBLISHER)[0]


@pytest.fixture
def cli(server: Asked, amara: User) -> Cli:
    return Cli(server, amara.username)


def test_clients_discover_the_server_of_each_stage(server: Asked) -> None:
    for path in (WELL_KNOWN, "/prod" + WELL_KNOWN, WELL_KNOWN + "/prod", WELL_KNOWN + "/prod/"):
        answer = server.client().get(path)
        assert answer.status_code == 200 and answer.headers["content-type"] == "application/json"
        found, base = answer.json(), "http://localhost:3939" + ("/prod" if "prod" in path else "")
        assert found["issuer"] == base and found["token_endpoint"] == f"{base}/oauth/v1/token"
        assert found["code_challenge_methods_supported"] == ["S256"]


def test_what_is_not_there_is_no_page(server: Asked) -> None:
    for path in (WELL_KNOWN + "/nowhere", "/.well-known/openid-configuration", "/oauth/v1/nothing", "/oauth/v1/token"):
        answer = server.client().get(path)
        assert answer.status_code in (400, 404) and "json" in answer.headers["content-type"], path


def test_a_person_lets_a_program_sign_in(cli: Cli) -> None:
    page = cli.ask()
    assert page.status_code == 200 and "Posit CLI" in page.text and "amara.okoye" in page.text
    assert "form-action 'self' http://127.0.0.1:49152" in page.headers["content-security-policy"]
    back = answered(cli.decide())
    assert (back["state"], back["iss"]) == ("s-1", "http://localhost:3939")
    answer = cli.redeem(back["code"])
    assert answer.headers["cache-control"] == "no-store"
    made = answer.json()
    assert set(made) == {"access_token", "token_type", "expires_in", "refresh_token"}
    assert (made["token_type"], made["expires_in"]) == ("Bearer", 3600)
    assert cli.whoami(made["access_token"]) == "amara.okoye" == cli.whoami(made["access_token"], "Key")
    assert cli.whoami(made["refresh_token"]) == 401, "a refresh token opens nothing"


def test_who_is_not_signed_in_signs_in_first_and_comes_back(cli: Cli) -> None:
    cli.browser = cli.server.client()
    answer = cli.ask()
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/__login__?url=/oauth/v1/authorize%3Fresponse_type%3Dcode")


def test_saying_no_is_told_to_the_program(cli: Cli) -> None:
    back = answered(cli.decide("deny"))
    assert (back["error"], back["state"]) == ("access_denied", "s-1")
    assert answered(cli.decide(""))["error"] == "access_denied"


def test_a_token_is_for_one_stage(cli: Cli) -> None:
    made = cli.tokens()
    assert cli.whoami(made["access_token"], stage="/prod") == 401
    prod = Cli(cli.server, cli.username, "/prod", cli.client_id)
    assert answered(prod.decide())["iss"] == "http://localhost:3939/prod"
    assert prod.whoami(prod.tokens()["access_token"]) == "amara.okoye"


WRONG_QUESTIONS: list[tuple[dict[str, str | None], str]] = [
    ({"code_challenge": None}, "invalid_request"),
    ({"code_challenge_method": None}, "invalid_request"),
    ({"code_challenge_method": "plain"}, "invalid_request"),
    ({"code_challenge": "short"}, "invalid_request"),
    ({"response_type": "token"}, "unsupported_response_type"),
    ({"response_type": None}, "unsupported_response_type"),
    ({"resource": "https://elsewhere.example"}, "invalid_target"),
    ({"state": "x" * 2001}, "invalid_request"),
]  # fmt: skip


def test_a_wrong_question_is_answered_to_the_program(cli: Cli) -> None:
    for changes, error in WRONG_QUESTIONS:
        for answer in (cli.ask(**changes), cli.decide(**changes)):
            assert answered(answer)["error"] == error, changes


FOREIGN = [
    "http://localhost:49152/callback", "http://127.0.0.1:49152/other", "http://127.0.0.1:49152/callback?x=1", "http://127.0.0.2/callback",
    "https://127.0.0.1/callback", "https://evil.example/callback", "http://127.0.0.1@evil.example/callback", "http://127.0.0.1:99999/callback",
    "http://[::1]/callback", "javascript:alert(1)", "//evil.example", "", None, "http://127.0.0.1:1/callback#x",
]  # fmt: skip


def test_nobody_is_sent_to_an_address_that_was_not_registered(cli: Cli) -> None:
    asked = [ask(redirect_uri=uri) for uri in FOREIGN for ask in (cli.ask, cli.decide)]
    for answer in (*asked, cli.ask(client_id="unknown"), cli.ask(client_id=None), cli.decide(client_id="\x00")):
        assert answer.status_code == 404 and "location" not in answer.headers


def test_an_https_address_is_compared_letter_by_letter(cli: Cli) -> None:
    registered = REGISTRATION | {"redirect_uris": ["https://apps.example/back"]}
    key = cli.http.post("/oauth/v1/register", json=registered).json()["client_id"]
    other = Cli(cli.server, cli.username, client_id=key)
    assert other.ask(redirect_uri="https://apps.example/back").status_code == 200
    assert "does not run on your own machine" in other.ask(redirect_uri="https://apps.example/back").text
    for uri in (
        "https://apps.example:444/back",
        "https://apps.example/back/",
        "https://APPS.example/back",
        "http://apps.example/back",
    ):
        assert other.ask(redirect_uri=uri).status_code == 404


def test_a_code_is_good_once_and_twice_ends_what_it_gave(cli: Cli) -> None:
    code = cli.code()
    made = cli.redeem(code).json()
    assert refused(cli.redeem(code)) == "invalid_grant"
    assert cli.whoami(made["access_token"]) == 401
    assert refused(cli.refresh(made["refresh_token"])) == "invalid_grant"


WRONG_PROOFS = [
    {"code_verifier": "w" * 43}, {"code_verifier": "short"}, {"code_verifier": VERIFIER + "="}, {"redirect_uri": "http://127.0.0.1:1/callback"},
    {"redirect_uri": "http://localhost:49152/callback"},
]  # fmt: skip


def test_a_code_with_anything_wrong_gives_nothing(cli: Cli) -> None:
    for changes in WRONG_PROOFS:
        code = cli.code()
        assert refused(cli.redeem(code, **changes)) == "invalid_grant"
        assert refused(cli.redeem(code)) == "invalid_grant", "it was used"
    assert refused(cli.redeem("wrong")) == "invalid_grant"


def test_a_code_is_for_the_client_that_asked(cli: Cli) -> None:
    other = Cli(cli.server, cli.username)
    code = cli.code()
    assert refused(other.redeem(code)) == "invalid_grant"
    assert refused(cli.redeem(code, client_id="unknown")) == "invalid_client"
    assert cli.redeem(code).status_code == 200, "another client's try does not count"


def test_a_code_lives_for_two_minutes(frozen_clock: FrozenClock, cli: Cli) -> None:
    code = cli.code()
    frozen_clock.advance(minutes=2, seconds=1)
    assert refused(cli.redeem(code)) == "invalid_grant"


def test_a_refresh_gives_new_tokens_and_the_old_ones_end(cli: Cli) -> None:
    first = cli.tokens()
    second = cli.refresh(first["refresh_token"]).json()
    assert cli.whoami(second["access_token"]) == "amara.okoye" and cli.whoami(first["access_token"]) == 401
    third = cli.refresh(second["refresh_token"]).json()
    assert cli.whoami(third["access_token"]) == "amara.okoye"
    with cli.server.database.read() as tx:
        assert tx.scalar(select(func.count()).select_from(ApiKey).where(ApiKey.authorization_id.is_not(None))) == 1


def test_an_old_refresh_token_ends_everything(cli: Cli) -> None:
    """Somebody else has it, or had it."""
    first = cli.tokens()
    second = cli.refresh(first["refresh_token"]).json()
    assert refused(cli.refresh(first["refresh_token"])) == "invalid_grant"
    assert cli.whoami(second["access_token"]) == 401
    assert refused(cli.refresh(second["refresh_token"])) == "invalid_grant"


def test_a_refresh_token_is_for_its_client_and_one_that_is_none_is_refused(cli: Cli) -> None:
    made, other = cli.tokens(), Cli(cli.server, cli.username)
    assert refused(other.refresh(made["refresh_token"])) == "invalid_grant"
    for token in ("phr_", "phr_a.b", "x", made["access_token"], "phr_\x00.é"):
        assert refused(cli.refresh(token)) == "invalid_grant"
    assert cli.refresh(made["refresh_token"]).status_code == 200


def test_tokens_expire(frozen_clock: FrozenClock, cli: Cli) -> None:
    made = cli.tokens()
    frozen_clock.advance(minutes=61)
    assert cli.whoami(made["access_token"]) == 401
    again = cli.refresh(made["refresh_token"]).json()
    assert cli.whoami(again["access_token"]) == "amara.okoye"
    frozen_clock.advance(days=31)
    assert refused(cli.refresh(again["refresh_token"])) == "invalid_grant"


def test_a_program_is_never_more_than_its_person(cli: Cli, amara: User) -> None:
    made, code = cli.tokens(), cli.code()
    asked = cli.server.client(authorization=f"Bearer {made['access_token']}")
    with cli.server.database.write() as tx:
        identity.set_role(tx, SYSTEM, identity.get_user(tx, amara.guid), role=Role.VIEWER)
    cli.server.notice()
    assert asked.post("/__api__/v1/content", json={"name": "mine"}).status_code == 403
    with cli.server.database.write() as tx:
        identity.lock_user(tx, SYSTEM, identity.get_user(tx, amara.guid), locked=True)
    assert cli.whoami(made["access_token"]) == 401
    assert refused(cli.refresh(made["refresh_token"])) == "invalid_grant" == refused(cli.redeem(code))


def test_an_erased_person_leaves_no_program(cli: Cli, amara: User) -> None:
    made = cli.tokens()
    with cli.server.database.write() as tx:
        identity.erase_user(tx, SYSTEM, identity.get_user(tx, amara.guid))
    assert cli.whoami(made["access_token"]) == 401
    assert refused(cli.refresh(made["refresh_token"])) == "invalid_grant"
    with cli.server.database.read() as tx:
        assert tx.scalar(select(func.count()).select_from(Authorization)) == 0


def test_only_a_browser_gives_an_authorization(cli: Cli, amara: User) -> None:
    """A key, or a token, that could would make itself wider."""
    _, with_key = cli.server.person("henrik.lund", Role.ADMINISTRATOR)
    with_token = cli.server.client(authorization=f"Bearer {cli.tokens()['access_token']}")
    begun = cli.begin_device()
    for caller in (with_key, with_token):
        cli.browser = caller
        assert cli.decide().status_code == 403
        assert cli.type(begun["user_code"], "allow").status_code == 403
        assert caller.post("/__api__/v1/users/" + amara.guid + "/keys", json={"name": "x"}).status_code in (200, 403)
    cli.browser = cli.server.client()
    assert cli.decide().status_code in (303, 401) and "code=" not in cli.decide().headers.get("location", "")


def test_another_site_can_not_decide(cli: Cli) -> None:
    del cli.browser.headers["x-rsc-xsrf"]
    assert cli.decide().status_code == 403
    assert cli.type("ABCD-2345", "allow").status_code == 403


@pytest.mark.parametrize("which", ["access_token", "refresh_token"])
def test_a_program_ends_its_own_authorization(cli: Cli, which: str) -> None:
    made, other = cli.tokens(), Cli(cli.server, cli.username)
    for form in ({"token": "unknown"}, {"token": made[which], "client_id": other.client_id}):
        assert cli.http.post("/oauth/v1/revoke", data=form).status_code == 200
    assert cli.whoami(made["access_token"]) == "amara.okoye"
    assert refused(cli.http.post("/oauth/v1/revoke", data={})) == "invalid_request"
    done = cli.http.post("/oauth/v1/revoke", data={"token": made[which], "client_id": cli.client_id})
    assert (done.status_code, done.content) == (200, b"")
    assert cli.whoami(made["access_token"]) == 401
    assert refused(cli.refresh(made["refresh_token"])) == "invalid_grant"


def test_an_ordinary_key_is_not_revoked_there(cli: Cli, amara: User) -> None:
    with cli.server.database.write() as tx:
        plain = identity.create_key(tx, SYSTEM, identity.get_user(tx, amara.guid), name="laptop").plain
    assert cli.http.post("/oauth/v1/revoke", data={"token": plain}).status_code == 200
    assert cli.whoami(plain, "Key") == "amara.okoye"


def test_the_account_page_lists_programs_and_ends_them(cli: Cli) -> None:
    made = cli.tokens()
    page = cli.browser.get("/_/account").text
    assert "Programs that are signed in" in page and "Posit CLI" in page
    with cli.server.database.read() as tx:
        number = tx.scalars(select(Authorization.id)).one()
    other = cli.server.person("henrik.lund")[0]
    assert cli.server.browser(other.username).post(f"/_/account/programs/{number}/end").status_code == 404
    assert cli.browser.post(f"/_/account/programs/{number}/end").status_code == 200
    assert cli.whoami(made["access_token"]) == 401
    assert "Posit CLI" not in cli.browser.get("/_/account").text


def test_access_tokens_are_no_keys_of_ones_own(cli: Cli, amara: User) -> None:
    cli.tokens()
    answer = cli.browser.get(f"/__api__/v1/users/{amara.guid}/keys").json()
    assert "Posit CLI" not in [key["name"] for key in answer]


def test_a_device_signs_in_after_its_code_was_typed(frozen_clock: FrozenClock, cli: Cli) -> None:
    begun = cli.begin_device()
    assert begun["verification_uri"] == "http://localhost:3939/_/device" and "verification_uri_complete" not in begun
    assert (begun["interval"], begun["expires_in"]) == (5, 600)
    assert refused(cli.poll(begun["device_code"])) == "authorization_pending"
    frozen_clock.advance(seconds=5)
    assert refused(cli.poll(begun["device_code"])) == "authorization_pending"
    assert "Posit CLI" in cli.type(begun["user_code"].lower().replace("-", " ")).text
    assert refused(cli.poll(begun["device_code"])) == "slow_down"
    assert cli.type(begun["user_code"], "allow").headers["location"] == "/_/signed-in"
    assert cli.type(begun["user_code"], "allow").status_code == 422, "a code is typed once"
    made = cli.poll(begun["device_code"]).json()
    assert cli.whoami(made["access_token"]) == "amara.okoye"
    assert refused(cli.poll(begun["device_code"])) == "invalid_grant"
    assert cli.refresh(made["refresh_token"]).status_code == 200


def test_a_device_may_be_refused_and_does_not_wait_for_ever(frozen_clock: FrozenClock, cli: Cli) -> None:
    begun, late, other = cli.begin_device(), cli.begin_device(), Cli(cli.server, cli.username)
    assert refused(other.poll(begun["device_code"])) == "invalid_grant"
    assert cli.type(begun["user_code"], "deny").status_code == 303
    assert refused(cli.poll(begun["device_code"])) == "access_denied"
    frozen_clock.advance(minutes=10, seconds=1)
    assert refused(cli.poll(late["device_code"])) == "expired_token"
    assert cli.type(late["user_code"], "allow").status_code == 422
    for code in ("", "wrong", "x" * 500, "äöüß-1234", late["user_code"] + "2"):
        assert "No program waits with this code" in cli.type(code).text


def test_a_device_code_counts_in_its_own_stage(cli: Cli) -> None:
    begun = cli.begin_device()
    prod = Cli(cli.server, cli.username, "/prod", cli.client_id)
    assert prod.type(begun["user_code"], "allow").status_code == 422


WRONG_REGISTRATIONS: list[tuple[dict[str, Any], str]] = [
    ({"redirect_uris": []}, "invalid_redirect_uri"),
    ({"redirect_uris": ["http://localhost/callback"]}, "invalid_redirect_uri"),
    ({"redirect_uris": ["http://apps.example/callback"]}, "invalid_redirect_uri"),
    ({"redirect_uris": ["https://apps.example/#x"]}, "invalid_redirect_uri"),
    ({"redirect_uris": ["https://user:word@apps.example/"]}, "invalid_redirect_uri"),
    ({"redirect_uris": ["javascript:alert(1)"]}, "invalid_redirect_uri"),
    ({"redirect_uris": ["https:///nowhere"]}, "invalid_redirect_uri"),
    ({"redirect_uris": [7]}, "invalid_redirect_uri"),
    ({"redirect_uris": ["https://apps.example/"] * 11}, "invalid_redirect_uri"),
    ({"redirect_uris": "https://apps.example/"}, "invalid_client_metadata"),
    ({"token_endpoint_auth_method": "client_secret_basic"}, "invalid_client_metadata"),
    ({"grant_types": ["password"]}, "invalid_client_metadata"),
    ({"grant_types": [{}]}, "invalid_client_metadata"),
    ({"response_types": ["token"]}, "invalid_client_metadata"),
    ({"client_name": "x" * 101}, "invalid_client_metadata"),
    ({"client_name": "two\nlines"}, "invalid_client_metadata"),
    ({"client_name": 7}, "invalid_client_metadata"),
]  # fmt: skip


def test_a_program_that_registers_wrongly_is_told_what(server: Asked) -> None:
    client = server.client()
    for changes, error in WRONG_REGISTRATIONS:
        assert refused(client.post("/oauth/v1/register", json=REGISTRATION | changes)) == error, changes


def test_bodies_that_are_none_are_refused(server: Asked) -> None:
    client, big = server.client(), b"x" * 10_000_000
    for body in (b"", b"[]", b"{", b'"text"', big):
        assert client.post("/oauth/v1/register", content=body).status_code == 400
    for path in ("token", "revoke", "device/authorize"):
        for body in (b"a=1&a=2", b"%ff=%fe", big, b"&" * 60, b""):
            assert refused(client.post(f"/oauth/v1/{path}", content=body)) in (
                "invalid_request",
                "unsupported_grant_type",
                "invalid_client",
            )
    assert refused(client.post("/oauth/v1/token", data={"grant_type": "password"})) == "unsupported_grant_type"
    assert refused(client.post("/oauth/v1/token", data={"grant_type": "refresh_token"})) == "invalid_request"


def test_strangers_can_not_fill_the_database(server: Asked) -> None:
    client = server.client()
    made = [client.post("/oauth/v1/register", json=REGISTRATION) for _ in range(101)]
    assert [a.status_code for a in made] == [201] * 100 + [429] and made[-1].headers["retry-after"]
    key = made[0].json()["client_id"]
    begun = [client.post("/oauth/v1/device/authorize", data={"client_id": key}).status_code for _ in range(101)]
    assert begun == [200] * 100 + [429]
    other = server.client(**{h.CLIENT: "198.51.100.7"})
    assert other.post("/oauth/v1/register", json=REGISTRATION).status_code == 201


def test_what_is_long_over_is_swept_away(frozen_clock: FrozenClock, cli: Cli) -> None:
    kept, unused = cli.tokens(), Cli(cli.server, cli.username)
    unused.begin_device()
    cli.code()
    frozen_clock.advance(days=2)
    oauth.sweep(cli.server.database)
    with cli.server.database.read() as tx:
        assert list(tx.scalars(select(OAuthClient.key))) == [cli.client_id]
        assert tx.scalar(select(func.count()).select_from(Authorization)) == 1
    assert cli.refresh(kept["refresh_token"]).status_code == 200
    frozen_clock.advance(days=61)
    oauth.sweep(cli.server.database)
    with cli.server.database.read() as tx:
        assert tx.scalar(select(func.count()).select_from(ApiKey).where(ApiKey.name == "Posit CLI")) == 0
        assert tx.scalar(select(func.count()).select_from(OAuthClient)) == 0
