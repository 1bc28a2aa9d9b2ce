"""The door where origins have names: each item on its own, and a way to a login for whoever has none there."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import quote

import pytest
from tests.unit.gateway.test_door import ALICE, BROWSER, MOUNT, ROBOT, Owner, Stand

from pilothouse.asgi.origins import Origins
from pilothouse.base.access import ANONYMOUS
from pilothouse.gateway.contract import Asked, Place
from pilothouse.stages import StageRef

GUID, OTHER = "0f4c1b1e-5f1a-4a5e-9d1c-2f6a0c9a7e11", "1f4c1b1e-5f1a-4a5e-9d1c-2f6a0c9a7e11"
DEV = StageRef(1, "dev", "Development", "/", None, 0)
PROD = StageRef(2, "prod", "Production", "/", "prod.ph", 1)
DASH = {**BROWSER, "host": "dash.ph:1", "x-ph-listener": "dashboard"}
HOME = f"http://{GUID}.apps.ph:1"


class Item(Owner):
    """One item, in ``stage_id`` only."""

    stage_id = 1

    def find(self, asked: Asked) -> Place | None:
        found = super().find(asked)
        return replace(found, guid=GUID) if found is not None and asked.stage_id == self.stage_id else None


class TwoStages:
    """Both at the root; prod has a host name of its own."""

    def resolve(self, host: str, path: str) -> tuple[StageRef, str]:
        return (PROD if host.startswith("prod.ph") else DEV), path

    def every(self, path: str) -> list[tuple[StageRef, str]]:
        return [(DEV, path), (PROD, path)]


@pytest.fixture
def stand() -> Stand:
    made = Stand()
    made.owner, made.stages = Item(), TwoStages()  # type: ignore[assignment]
    made.origins = Origins("http://dash.ph:1", port=1, content_port=2, is_fixed=True, apps_domain="apps.ph")
    return made


def at(host: str, **more: str) -> dict[str, str]:
    return {**BROWSER, "host": host, **{name.replace("_", "-"): value for name, value in more.items()}}


def test_an_item_lives_at_its_own_origin(stand: Stand) -> None:
    told = stand.ask(MOUNT + "a", at(f"{GUID}.apps.ph:1")).headers
    assert told["x-ph-to"] == "app5m"
    assert (told["x-ph-base"], told["x-ph-request"]) == (f"{HOME}/content/x", f"{HOME}/content/x/a")


def test_a_page_load_of_another_item_is_led_to_its_own_origin_and_nothing_else_is(stand: Stand) -> None:
    answer = stand.ask(MOUNT + "a?b=1", at(f"{OTHER}.apps.ph:1"))
    assert (answer.status, answer.headers["location"]) == (307, f"{HOME}/content/x/a?b=1")
    for mode in ("cors", "no-cors", "same-origin"):
        assert stand.ask(headers=at(f"{OTHER}.apps.ph:1", sec_fetch_mode=mode)).status == 404
    assert stand.ask(headers={"host": f"{OTHER}.apps.ph:1"}, method="POST").status == 404
    assert stand.ask(headers={"host": f"{OTHER}.apps.ph:1"}).status == 307, "a program that only reads"


def test_a_name_that_can_be_no_items_is_421(stand: Stand) -> None:
    assert stand.ask(headers=at("other.apps.ph:1")).status == 421


def test_the_item_tells_the_stage_where_the_name_does_not(stand: Stand) -> None:
    stand.owner.stage_id = 2  # type: ignore[attr-defined]
    assert stand.ask(headers=at(f"{GUID}.apps.ph:1")).headers["x-ph-stage"] == "2"
    assert stand.ask(headers=DASH).status == 404, "not on the other stage's dashboard"


def test_who_is_signed_in_on_the_dashboard_is_known_on_the_way(stand: Stand) -> None:
    stand.resolver.principal = ALICE
    answer = stand.ask(MOUNT + "?a=1", DASH)
    assert answer.headers["location"] == f"{HOME}/_/enter?url={quote(MOUNT + '?a=1', safe='')}"
    stand.resolver.principal = ANONYMOUS
    assert stand.ask(MOUNT + "?a=1", DASH).headers["location"] == f"{HOME}{MOUNT}?a=1"


def test_a_visitor_without_a_login_asks_for_one_at_the_same_origin(stand: Stand) -> None:
    stand.owner.opens, stand.resolver.principal = False, ANONYMOUS
    answer = stand.ask(MOUNT + "?a=1", at(f"{GUID}.apps.ph:1"))
    assert (answer.status, answer.headers["location"]) == (302, f"/_/enter?url={quote(MOUNT + '?a=1', safe='')}")
    assert stand.ask(headers=at(f"{GUID}.apps.ph:1", sec_fetch_mode="cors")).status == 401


def test_one_name_for_all_content_is_kept_to(stand: Stand) -> None:
    stand.origins = replace(stand.origins, apps_domain="", content_host="content.ph")
    assert stand.ask(headers=at("content.ph:1")).headers["x-ph-base"] == "http://content.ph:1/content/x"
    assert stand.ask(headers=at("dash.ph:2")).headers["location"] == "http://content.ph:1" + MOUNT
    stand.resolver.principal = ROBOT
    assert stand.ask(headers=DASH).headers["x-ph-base"] == "http://dash.ph:1/content/x", "keys stay on the dashboard"


def test_a_stage_with_a_name_of_its_own_is_told_so(stand: Stand) -> None:
    stand.owner.stage_id, stand.resolver.principal = 2, ROBOT  # type: ignore[attr-defined]
    assert stand.ask(headers={**DASH, "host": "prod.ph:1"}).headers["x-ph-base"] == "http://prod.ph:1/content/x"
