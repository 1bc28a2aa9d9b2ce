"""Programs without a key, for which a trusted issuer vouches (connect-wire-api §1.5)."""

from __future__ import annotations

import base64
import hmac
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from httpx import Response
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey
from sqlalchemy import func, select
from tests.factories.control_plane import Asked, control_plane
from tests.factories.issuer import Issuer, issuer, signing_key
from tests.factories.oauth import refused

from pilothouse.base.access import SYSTEM, Role
from pilothouse.db import Database
from pilothouse.identity import service as identity
from pilothouse.identity.models import ApiKey, UsedAssertion, User
from pilothouse.testing.clock import FrozenClock

PREFIX = "urn:ietf:params:oauth:"


@dataclass
class Ci:
    """A workflow, the issuer that vouches for it, and the server it publishes to."""

    server: Asked
    issuer: Issuer
    robot: User

    def exchange(self, token: str, stage: str = "", **changes: str) -> Response:
        form = {
            "grant_type": f"{PREFIX}grant-type:token-exchange", "subject_token_type": f"{PREFIX}token-type:id_token",
            "requested_token_type": f"{PREFIX}token-type:access_token", "subject_token": token,
        }  # fmt: skip
        return self.server.client().post(f"{stage}/oauth/v1/token", data=form | changes)

    def why(self, token: str, stage: str = "") -> str:
        """The sentence of a refusal."""
        answer = self.exchange(token, stage)
        assert refused(answer) == "invalid_grant"
        return str(answer.json()["error_description"])


@pytest.fixture
def ci(database: Database, tmp_path: Path) -> Iterator[Ci]:
    with issuer() as found:
        rules = [
            found.rule(),
            found.rule(
                key="release",
                claims={"repository": "acme/*", "ref": "refs/tags/**"},
                username="ci.admin",
                lifetime="5m",
            ),
            found.rule(key="models-too", claims={"repository": "acme/models", "ref": "refs/heads/release"}),
            found.rule(key="viewer", claims={"repository": "acme/reports"}, role="viewer", stages=["prod"]),
            found.rule(key="nobody", claims={"repository": "acme/gone"}, username="not.there"),
            found.rule(key="other-audience", claims={"repository": "acme/else"}, audience="pilothouse"),
        ]
        made = control_plane(tmp_path / "home", database, issuers=rules, identity={"issuer_networks": ["127.0.0.0/8"]})
        robot, _ = made.person("ci.robot")
        made.person("ci.admin", Role.ADMINISTRATOR)
        yield Ci(made, found, robot)
        made.database.close()


def test_a_token_becomes_a_key_for_an_hour(ci: Ci, frozen_clock: FrozenClock) -> None:
    assert (
        f"{PREFIX}grant-type:token-exchange"
        in ci.server.client().get("/.well-known/oauth-authorization-server").json()["grant_types_supported"]
    )
    answer = ci.exchange(ci.issuer.token())
    assert answer.status_code == 200, answer.text
    made = answer.json()
    assert made["issued_token_type"] == f"{PREFIX}token-type:access_token" and made["expires_in"] == 3600
    client = ci.server.client(key=made["access_token"])
    assert client.get("/__api__/v1/user").json()["username"] == "ci.robot"
    assert client.post("/__api__/v1/content", json={"name": "by-ci"}).status_code == 200
    assert client.get("/prod/__api__/v1/user").status_code == 401, "it is for the stage that was asked"
    page = ci.server.browser("ci.robot").get("/_/account").text
    assert "ci (repo:acme/models:ref:refs/heads/main)" in page
    frozen_clock.advance(minutes=61)
    assert client.get("/__api__/v1/user").status_code == 401


def test_a_rule_caps_the_role_and_names_stages(ci: Ci) -> None:
    reports = {"repository": "acme/reports", "aud": "http://localhost:3939/prod"}
    assert "does not trust the token's issuer" not in ci.why(ci.issuer.token(repository="acme/reports"))
    made = ci.exchange(ci.issuer.token(**reports), "/prod").json()
    client = ci.server.client(key=made["access_token"])
    assert client.get("/prod/__api__/v1/user").status_code == 200
    assert client.post("/prod/__api__/v1/content", json={"name": "x"}).status_code == 403
    released = ci.exchange(ci.issuer.token(ref="refs/tags/v1/2", repository="acme/tools")).json()
    assert released["expires_in"] == 300
    admin = ci.server.client(key=released["access_token"])
    assert admin.get("/__api__/v1/user").json()["username"] == "ci.admin"
    assert admin.post("/api/v1/users", json={"username": "more"}).status_code == 403, "never an administrator"


def test_no_rule_and_several_rules_are_told_apart(ci: Ci) -> None:
    assert "no rule of this server fits" in ci.why(ci.issuer.token(repository="evil/models"))
    assert "no rule of this server fits" in ci.why(ci.issuer.token(repository="acme/a/b", ref="refs/tags/v1"))
    assert "ambiguous" in ci.why(ci.issuer.token(ref="refs/heads/release"))
    assert "not there or locked" in ci.why(ci.issuer.token(repository="acme/gone"))
    with ci.server.database.write() as tx:
        identity.lock_user(tx, SYSTEM, identity.get_user(tx, ci.robot.guid), locked=True)
    assert "not there or locked" in ci.why(ci.issuer.token())


def test_a_token_counts_once(ci: Ci) -> None:
    token = ci.issuer.token()
    assert ci.exchange(token).status_code == 200
    assert "used already" in ci.why(token)
    plain = ci.issuer.token(jti=None)
    assert ci.exchange(plain).status_code == 200
    assert "used already" in ci.why(plain)
    same = ci.issuer.token(jti="one")
    assert ci.exchange(same).status_code == 200 and "used already" in ci.why(
        ci.issuer.token(jti="one", exp=ci.issuer.claims()["exp"] + 5)
    )


def test_a_refused_token_is_not_used_up(ci: Ci) -> None:
    with ci.server.database.write() as tx:
        identity.lock_user(tx, SYSTEM, identity.get_user(tx, ci.robot.guid), locked=True)
    token = ci.issuer.token()
    ci.why(token)
    with ci.server.database.write() as tx:
        identity.lock_user(tx, SYSTEM, identity.get_user(tx, ci.robot.guid), locked=False)
    assert ci.exchange(token).status_code == 200


def _part(document: dict[str, object]) -> str:
    return base64.urlsafe_b64encode(json.dumps(document).encode()).rstrip(b"=").decode()


def test_a_token_that_can_not_be_verified_is_refused(ci: Ci) -> None:
    now = ci.issuer.claims()["iat"]
    header, payload, signature = ci.issuer.token().split(".")
    tampered, none = _part(ci.issuer.claims(sub="x")), _part({"alg": "none"})
    text = f"{_part({'alg': 'HS256', 'kid': 'k1'})}.{payload}"
    mac = hmac.digest(signing_key().as_pem(private=False), text.encode(), "sha256")
    ci.issuer.add(OctKey.import_key("shared-secret-of-32-bytes-at-least"), private=True)
    tokens = {
        "another key": ci.issuer.token(signing_key("k2")),
        "an unknown key": ci.issuer.token(signing_key("k2"), header={"kid": "k2"}),
        "another claim": f"{header}.{tampered}.{signature}",
        "no signature": f"{header}.{payload}.",
        "none": f"{none}.{payload}.",
        "the public key as a secret": f"{text}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}",
        "a shared secret": jwt.encode(
            {"alg": "HS256"},
            ci.issuer.claims(),
            OctKey.import_key("shared-secret-of-32-bytes-at-least"),
            algorithms=["HS256"],
        ),
        "another curve's algorithm": ci.issuer.token(ECKey.generate_key("P-256"), header={"alg": "ES256"}),
        "no issuer": ci.issuer.token(iss=None),
        "no audience": ci.issuer.token(aud=None),
        "expired": ci.issuer.token(exp=now - 61),
        "without end": ci.issuer.token(exp=None),
        "for ever": ci.issuer.token(exp=now + 90_000),
        "not yet": ci.issuer.token(nbf=now + 120),
        "from the future": ci.issuer.token(iat=now + 120),
        "without beginning": ci.issuer.token(iat=None),
        "odd times": ci.issuer.token(exp="tomorrow"),
        "too large": ci.issuer.token(more="x" * 20_000),
        "nothing": "a.b.c",
        "text": "text",
        "critical": "eyJhbGciOiJSUzI1NiIsImNyaXQiOlsieCJdfQ.e30.e30",
    }
    for name, token in tokens.items():
        assert "verif" in ci.why(token), name
    with ci.server.database.read() as tx:
        assert tx.scalar(select(func.count()).select_from(UsedAssertion)) == 0
        assert tx.scalar(select(func.count()).select_from(ApiKey).where(ApiKey.role_cap.is_not(None))) == 0


def test_the_audience_may_be_another_one_or_one_of_several(ci: Ci) -> None:
    assert ci.exchange(ci.issuer.token(aud=["x", "http://localhost:3939"])).status_code == 200
    assert ci.exchange(ci.issuer.token(aud="pilothouse", repository="acme/else")).status_code == 200
    assert "no rule" in ci.why(ci.issuer.token(aud="pilothouse")), "the other rules want their own"
    for refusal in (ci.why(ci.issuer.token(aud="https://elsewhere.example")), ci.why(ci.issuer.token(aud=[]))):
        assert "another audience than http://localhost:3939, pilothouse" in refusal or "names no audience" in refusal


def test_an_issuer_that_is_not_trusted_is_never_asked(ci: Ci) -> None:
    assert "does not trust the token's issuer (https://elsewhere.example)" in ci.why(
        ci.issuer.token(iss="https://elsewhere.example")
    )
    assert ci.issuer.asked == []


def test_keys_of_an_issuer_are_kept_and_new_ones_found(ci: Ci) -> None:
    for _ in range(3):
        assert ci.exchange(ci.issuer.token()).status_code == 200
    assert ci.issuer.asked == ["/.well-known/openid-configuration", "/keys"]
    elliptic = ECKey.generate_key("P-256", {"kid": "e1"})
    ci.issuer.add(elliptic)
    ci.why(ci.issuer.token(elliptic, header={"alg": "ES256", "kid": "e1"}))
    assert len(ci.issuer.asked) == 2, "made-up key ids cost the issuer nothing"


def test_an_issuer_that_does_not_answer_as_it_should_is_said_so(ci: Ci) -> None:
    ci.issuer.document = {"issuer": "https://elsewhere.example", "jwks_uri": "https://elsewhere.example/keys"}
    answer = ci.exchange(ci.issuer.token())
    assert (answer.status_code, answer.json()["error"]) == (503, "temporarily_unavailable")


def test_the_request_itself_must_be_whole(ci: Ci) -> None:
    assert refused(ci.exchange("")) == "invalid_request"
    assert refused(ci.exchange("x", subject_token_type="urn:x")) == "invalid_request"
    assert refused(ci.exchange("x", requested_token_type="urn:x")) == "invalid_request"


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_where_nobody_is_trusted_the_grant_is_not_offered(server: Asked) -> None:
    found = server.client().get("/.well-known/oauth-authorization-server").json()
    assert f"{PREFIX}grant-type:token-exchange" not in found["grant_types_supported"]


def test_a_program_that_is_vouched_for_gets_its_key_at_the_older_address_as_well(ci: Ci) -> None:
    """As R asks for one (connect-wire-api §1.5): without credentials."""
    form = {
        "grant_type": f"{PREFIX}grant-type:token-exchange", "subject_token_type": f"{PREFIX}token-type:id_token",
        "requested_token_type": "urn:posit:connect:api-key", "subject_token": ci.issuer.token(),
    }  # fmt: skip
    address = "/__api__/v1/oauth/integrations/credentials"
    found = ci.server.client().post(address, data=form).json()
    assert (found["issued_token_type"], found["token_type"]) == ("urn:posit:connect:api-key", "Key")
    assert ci.server.client(key=found["access_token"]).get("/__api__/v1/user").json()["username"] == "ci.robot"
    again = ci.server.client().post(address, data=form)
    assert again.status_code == 400 and "already" in again.json()["error"]
    for changes in ({"subject_token": ""}, {"subject_token": "a.b.c"}):
        assert ci.server.client().post(address, data=form | changes).status_code == 400
    other = form | {"requested_token_type": f"{PREFIX}token-type:access_token"}
    assert ci.server.client().post(address, data=other).status_code == 401
