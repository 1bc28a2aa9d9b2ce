from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from pilothouse.db.secrets import Keys
from pilothouse.gateway.grants import LARGEST, Grants, Visit, cookie_attributes, cookie_name
from pilothouse.gateway.recent import RecentGrants

MOUNT = "/content/x/"
SAID = {
    "x-ph-to": "app5m", "x-ph-dst": "127.64.0.1:20000", "x-ph-mount": MOUNT, "x-ph-inner": "/", "x-ph-prefix": "/content/x",
    "x-ph-base": "http://h:1/content/x", "x-ph-jid": "job1", "x-ph-cid": "content:7", "x-ph-stage": "1", "x-ph-idn": '{"user":"a"}',
}  # fmt: skip


class Stand:
    def __init__(self) -> None:
        self.keys, self.recent = Keys({"k1": b"1" * 32}, "k1"), RecentGrants()
        self.grants = Grants(lambda: self.keys, issuer="me", cookie="ph_grant_x", recent=self.recent)

    def issue(self, visit: Visit = Visit("v1"), login: str | None = "l1", **said: str) -> str | None:
        return self.grants.issue(
            SAID | {f"x-ph-{name}": value for name, value in said.items()}, visit, login=login, host="h:1"
        )

    def sent(self, **said: Any) -> str:
        issued = self.issue(**said)
        assert issued is not None
        return issued.partition(";")[0]

    def visit(self, cookies: str, mount: str = MOUNT, login: str | None = "l1") -> Visit:
        return self.grants.visit(cookies, mount=mount, login=login)


@pytest.fixture
def stand(frozen_clock: Any) -> Stand:
    return Stand()


def claims(cookie: str) -> dict[str, Any]:
    return dict(json.loads(base64.urlsafe_b64decode(cookie.split(".")[1] + "==")))


def test_a_grant_repeats_what_the_door_said_and_ends_after_a_minute(stand: Stand, frozen_clock: Any) -> None:
    found, now = claims(stand.sent()), int(frozen_clock.moment.timestamp())
    assert found == {
        "iss": "me", "aud": "pilothouse-grant-1", "iat": now, "exp": now + 59, "jti": "v1",
        "g": "l1 h:1 127.64.0.1:20000 / /content/x/", "use": "- job1 content:7 1 -", "to": "app5m", "dst": "127.64.0.1:20000",
        "pfx": "/content/x", "org": "http://h:1", "idn": '{"user":"a"}',
    }  # fmt: skip


def test_the_cookie_is_for_one_mount_and_no_script(stand: Stand) -> None:
    assert str(stand.issue()).endswith("; Path=/content/x/; HttpOnly; SameSite=Lax")
    assert cookie_attributes("__Secure-ph_grant_x", MOUNT).endswith("; Secure")
    assert [cookie_name("x", https=https) for https in (False, True)] == ["ph_grant_x", "__Secure-ph_grant_x"]


def test_a_grant_that_browsers_would_refuse_is_not_issued(stand: Stand) -> None:
    largest = stand.issue(idn="x" * 2000)
    assert largest is not None and len(largest) <= LARGEST
    assert stand.issue(idn="x" * 2500) is None
    assert stand.recent.count("job1") == 1


@pytest.mark.parametrize("said", [{"mount": "/"}, {"mount": "/a b/"}, {"inner": ""}, {"dst": ""}], ids=str)
def test_what_the_gateway_could_misread_is_not_issued(stand: Stand, said: dict[str, str]) -> None:
    assert stand.issue(**said) is None


def test_each_visit_counts_as_load_of_its_job(stand: Stand) -> None:
    for visit in ("v1", "v2", "v2"):
        stand.issue(Visit(visit))
    assert stand.recent.count("job1") == 2


def test_an_expired_grant_still_tells_the_visit_and_its_worker(stand: Stand, frozen_clock: Any) -> None:
    sent = stand.sent()
    frozen_clock.advance(hours=7)
    assert stand.visit(f"a=1; {sent}; b=2") == Visit("v1", "job1")


def test_of_several_grants_the_one_for_this_mount_and_login_counts(stand: Stand) -> None:
    others = [stand.sent(visit=Visit("v2"), mount="/content/y/"), stand.sent(visit=Visit("v3"), login=None)]
    assert stand.visit("; ".join([*others, stand.sent()])).id == "v1"
    assert stand.visit("; ".join(others), login=None).id == "v3"


@pytest.mark.parametrize(
    "change",
    [
        lambda sent: sent[:-2],
        lambda sent: sent.rpartition(".")[0] + ".",
        lambda sent: sent.replace("ph_grant_x", "ph_grant_y"),
        lambda sent: "ph_grant_x=W10.W10." + sent.rpartition(".")[2],
        lambda sent: "ph_grant_x=é.ü.ä",
        lambda sent: "ph_grant_x=..",
        lambda sent: "",
    ],
)
def test_what_we_did_not_sign_tells_nothing(stand: Stand, change: Any) -> None:
    found = stand.visit(change(stand.sent()))
    assert found.job_key == "" and found.id not in ("", "v1")


def test_another_login_or_mount_is_another_visit(stand: Stand) -> None:
    sent = stand.sent()
    for found in (stand.visit(sent, login="l2"), stand.visit(sent, login=None), stand.visit(sent, mount="/content/")):
        assert found.job_key == ""


def test_keys_change_under_a_running_door(stand: Stand) -> None:
    before = stand.sent()
    stand.keys = Keys({"k1": b"1" * 32, "k2": b"2" * 32}, "k2")
    assert json.loads(base64.urlsafe_b64decode(stand.sent().partition("=")[2].split(".")[0] + "=="))["kid"] == "k2"
    assert stand.visit(before).id == "v1"
    stand.keys = Keys({"k2": b"2" * 32}, "k2")
    assert stand.visit(before).job_key == ""
