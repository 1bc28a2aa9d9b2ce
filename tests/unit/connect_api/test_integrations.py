"""OAuth integrations, associations and sessions on the wire (connect-wire-api §2.2, §2.3, §3.5)."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi.testclient import TestClient
from tests.factories.control_plane import Asked
from tests.factories.identity import principal

from pilothouse.base.access import Role
from pilothouse.base.ids import new_guid
from pilothouse.identity.models import User
from pilothouse.integrations import service
from pilothouse.integrations.service import Tokens

INTEGRATIONS = "/__api__/v1/oauth/integrations"
SESSIONS = "/__api__/v1/oauth/sessions"
CONFIG = {
    "auth_mode": "Confidential", "authorization_uri": "https://provider.example/auth", "token_uri": "https://provider.example/token",
    "client_id": "pilothouse", "client_secret": "harbour-secret", "scopes": "openid email",
    "token_endpoint_auth_method": "client_secret_basic",
}  # fmt: skip


def made(client: TestClient, name: str = "Warehouse", **facts: Any) -> dict[str, Any]:
    body = {"name": name, "description": "Where the figures are", "template": "custom", "config": CONFIG} | facts
    answer = client.post(INTEGRATIONS, json=body)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def item(client: TestClient, name: str = "daily-report") -> str:
    return str(client.post("/__api__/v1/content", json={"name": name}).json()["guid"])


def associations(guid: str) -> str:
    return f"/__api__/v1/content/{guid}/oauth/integrations/associations"


def delegated(server: Asked, user: User, guid: str, **facts: Any) -> str:
    house = server.plane.house
    with house.database.write() as tx:
        row = service.integration_of(tx, guid)
        tokens = Tokens("access-1", refresh="refresh-1", **facts)
        actor = principal(server.database, user)
        return service.begin_delegation(tx, actor, row, tokens=tokens, secrets=house.secrets).guid


def test_what_post_answers_is_what_get_and_the_list_answer_and_never_the_secret(server: Asked) -> None:
    _, boss = server.person("boss", Role.ADMINISTRATOR)
    first, second = made(boss), made(boss, "Another")
    assert set(first) == {
        "id", "guid", "created_time", "updated_time", "name", "description", "template", "auth_type", "config", "permissions",
        "environment_variables",
    }  # fmt: skip
    shown = {name: word for name, word in CONFIG.items() if name != "client_secret"}
    assert first["config"] == {**shown, "auth_type": "Viewer", "use_pkce": "true"}
    assert (first["template"], first["auth_type"], first["permissions"]) == ("custom", "Viewer", [])
    assert boss.get(f"{INTEGRATIONS}/{first['guid']}").json() == first
    _, publisher = server.person("pia")
    assert publisher.get(INTEGRATIONS).json() == [first, second]
    assert "harbour-secret" not in boss.get(INTEGRATIONS).text


def test_a_change_keeps_what_it_does_not_name(server: Asked) -> None:
    _, boss = server.person("boss", Role.ADMINISTRATOR)
    guid = made(boss)["guid"]
    changed = boss.patch(f"{INTEGRATIONS}/{guid}", json={"name": "Lake", "config": {"scopes": "email"}}).json()
    assert (changed["name"], changed["description"]) == ("Lake", "Where the figures are")
    assert (changed["config"]["scopes"], changed["config"]["client_id"]) == ("email", "pilothouse")
    house = server.plane.house
    with house.database.read() as tx:
        terms = service.terms_of(house.secrets, service.integration_of(tx, guid))
    assert terms.secret == {"client_secret": "harbour-secret"}
    assert boss.patch(f"{INTEGRATIONS}/{guid}", json={}).status_code == 200
    refused = boss.patch(f"{INTEGRATIONS}/{guid}", json={"config": {"client_secret": None}})
    assert refused.status_code == 400 and "client_secret" in refused.json()["error"]


def test_only_administrators_set_them_up_and_viewers_do_not_see_them(server: Asked) -> None:
    _, boss = server.person("boss", Role.ADMINISTRATOR)
    _, publisher = server.person("pia")
    _, viewer = server.person("vera", Role.VIEWER)
    guid = made(boss)["guid"]
    for method, path in (("POST", ""), ("PATCH", f"/{guid}"), ("DELETE", f"/{guid}"), ("GET", f"/{guid}/associations")):
        body = {"json": {"name": "x", "template": "custom", "config": CONFIG}} if method in ("POST", "PATCH") else {}
        answer = publisher.request(method, INTEGRATIONS + path, **body)
        assert (answer.status_code, answer.json()["code"]) == (403, 22), method
    for path in (INTEGRATIONS, f"{INTEGRATIONS}/{guid}", "/__api__/v1/oauth/templates"):
        assert viewer.get(path).json()["code"] == 22
        assert server.client().get(path).json()["code"] == 30


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"template": "github"}, "custom"),
        ({"template": "nonsense"}, "nonsense"),
        ({"template": None}, "template"),
        ({"name": ""}, "name"),
        ({"name": None}, "name"),
        ({"name": 7}, "name"),
        ({"name": "x" * 256}, "name"),
        ({"description": 7}, "description"),
        ({"config": []}, "config"),
        ({"config": {}}, "token_uri"),
        ({"config": CONFIG | {"colour": "red"}}, "colour"),
        ({"config": CONFIG | {"auth_mode": "Secret"}}, "Confidential or Public"),
        ({"config": CONFIG | {"client_id": 7}}, "client_id"),
        ({"config": CONFIG | {"client_id": "a\nb"}}, "client_id"),
        ({"config": CONFIG | {"client_secret": ""}}, "client_secret"),
        ({"config": CONFIG | {"token_uri": "javascript:alert(1)"}}, "https"),
        ({"config": CONFIG | {"authorization_uri": "https://user:word@provider.example/"}}, "https"),
        ({"config": CONFIG | {"authorization_uri": ""}}, "authorization_uri"),
        (
            {"config": CONFIG | {"auth_type": "Service Account", "client_secret": "", "auth_mode": "Public"}},
            "client_secret",
        ),
        ({"permissions": [{"user_guid": new_guid()}]}, "permissions"),
        ({"template": "connect", "config": {"max_role": "Administrator"}}, "Publisher"),
    ],
)
@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_what_cannot_be_an_integration_is_refused_in_words(server: Asked, facts: dict[str, Any], words: str) -> None:
    _, boss = server.person("boss", Role.ADMINISTRATOR)
    body = {"name": "Warehouse", "template": "custom", "config": CONFIG} | facts
    answer = boss.post(INTEGRATIONS, json=body)
    assert answer.status_code == 400
    assert words in answer.json()["error"]
    assert boss.get(INTEGRATIONS).json() == []


def test_a_name_is_taken_once_in_any_case(server: Asked) -> None:
    _, boss = server.person("boss", Role.ADMINISTRATOR)
    made(boss)
    other = made(boss, "Lake")["guid"]
    body = {"name": "wAREHOUSE", "template": "custom", "config": CONFIG}
    assert boss.post(INTEGRATIONS, json=body).status_code == 409
    assert boss.patch(f"{INTEGRATIONS}/{other}", json={"name": "WAREHOUSE"}).status_code == 409
    assert boss.patch(f"{INTEGRATIONS}/{other}", json={"name": "LAKE"}).status_code == 200


def test_ids_that_are_none_and_unknown_ones(server: Asked) -> None:
    _, boss = server.person("boss", Role.ADMINISTRATOR)
    for path in (INTEGRATIONS, SESSIONS):
        wrong = boss.get(f"{path}/nonsense")
        assert (wrong.json()["code"], "nonsense" in wrong.json()["error"]) == (3, True)
        for method in ("GET", "DELETE"):
            answer = boss.request(method, f"{path}/{new_guid()}")
            assert (answer.status_code, answer.json()["code"]) == (404, 4)


def test_the_templates_say_what_a_configuration_holds(server: Asked) -> None:
    _, client = server.person()
    found = client.get("/__api__/v1/oauth/templates").json()
    assert [template["id"] for template in found] == ["custom", "connect"]
    assert client.get("/__api__/v1/oauth/templates/custom").json() == found[0]
    assert {"id", "name", "description", "fields", "options"} <= set(found[0])
    secret = [field["name"] for field in found[0]["fields"] if field["secret"]]
    assert secret == ["client_secret"]
    answer = client.get("/__api__/v1/oauth/templates/github")
    assert (answer.status_code, answer.json()["code"]) == (404, 4)


def test_an_owner_chooses_what_content_uses(server: Asked) -> None:
    _, boss = server.person("boss", Role.ADMINISTRATOR)
    _, client = server.person("pia")
    one, two, guid = made(boss), made(boss, "Lake"), item(client)
    assert client.get(associations(guid)).json() == []
    chosen = client.put(associations(guid), json=[{"oauth_integration_guid": g["guid"]} for g in (two, one)])
    assert chosen.status_code == 200
    assert [line["oauth_integration_name"] for line in chosen.json()] == ["Lake", "Warehouse"]
    assert client.get(associations(guid)).json() == chosen.json()
    line = chosen.json()[0]
    assert set(line) == {
        "app_guid", "content_guid", "oauth_integration_guid", "oauth_integration_name", "oauth_integration_description",
        "oauth_integration_template", "oauth_integration_auth_type", "created_time",
    }  # fmt: skip
    assert (line["content_guid"], line["app_guid"], line["oauth_integration_guid"]) == (guid, guid, two["guid"])
    assert boss.get(f"{INTEGRATIONS}/{two['guid']}/associations").json() == [line]
    kept = client.put(associations(guid), json=[{"oauth_integration_guid": one["guid"]}]).json()
    assert [entry["oauth_integration_name"] for entry in kept] == ["Warehouse"]
    assert client.put(associations(guid), json=[]).json() == []
    assert boss.get(f"{INTEGRATIONS}/{two['guid']}/associations").json() == []


def test_who_may_not_choose(server: Asked) -> None:
    _, boss = server.person("boss", Role.ADMINISTRATOR)
    _, client = server.person("pia")
    ben, colleague = server.person("ben")
    integration, guid = made(boss), item(client)
    body = [{"oauth_integration_guid": integration["guid"]}]
    assert colleague.put(associations(guid), json=body).json()["code"] == 4
    share = {"principal_guid": ben.guid, "principal_type": "user", "role": "viewer"}
    client.post(f"/__api__/v1/content/{guid}/permissions", json=share)
    assert colleague.put(associations(guid), json=body).json()["code"] == 22
    assert colleague.get(associations(guid)).json()["code"] == 22
    assert client.put(f"/prod{associations(guid)}", json=body).json()["code"] == 4


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, 101), ([7], 101), ([{}], 101), ([{"oauth_integration_guid": None}], 101), ([{"oauth_integration_guid": "nonsense"}], 3),
        ([{"oauth_integration_guid": new_guid()}], 4),
    ],
)  # fmt: skip
def test_what_is_no_list_of_integrations_changes_nothing(server: Asked, body: Any, code: int) -> None:
    _, boss = server.person("boss", Role.ADMINISTRATOR)
    integration, guid = made(boss), item(boss)
    entry = {"oauth_integration_guid": integration["guid"]}
    boss.put(associations(guid), json=[entry])
    assert boss.put(associations(guid), json=body).json()["code"] == code
    assert boss.put(associations(guid), json=[entry, entry]).json()["code"] == 101
    assert len(boss.get(associations(guid)).json()) == 1


def test_who_deletes_an_integration_takes_it_from_content_and_people(server: Asked) -> None:
    user, boss = server.person("boss", Role.ADMINISTRATOR)
    integration, guid = made(boss), item(boss)
    boss.put(associations(guid), json=[{"oauth_integration_guid": integration["guid"]}])
    delegated(server, user, integration["guid"])
    gone = boss.delete(f"{INTEGRATIONS}/{integration['guid']}")
    assert (gone.status_code, gone.content) == (204, b"")
    assert boss.get(associations(guid)).json() == boss.get(SESSIONS).json() == []


def test_deleted_content_uses_nothing_any_more(server: Asked) -> None:
    _, boss = server.person("boss", Role.ADMINISTRATOR)
    integration, guid = made(boss), item(boss)
    boss.put(associations(guid), json=[{"oauth_integration_guid": integration["guid"]}])
    boss.delete(f"/__api__/v1/content/{guid}")
    assert boss.get(f"{INTEGRATIONS}/{integration['guid']}/associations").json() == []


def test_everybody_sees_and_ends_their_own_sessions_only(server: Asked) -> None:
    boss_user, boss = server.person("boss", Role.ADMINISTRATOR)
    vera, viewer = server.person("vera", Role.VIEWER)
    integration = made(boss)["guid"]
    hers, his = delegated(server, vera, integration), delegated(server, boss_user, integration)
    (shown,) = viewer.get(SESSIONS).json()
    assert set(shown) == {
        "id", "guid", "user_guid", "oauth_integration_guid", "has_refresh_token", "created_time", "updated_time",
    }  # fmt: skip
    assert (shown["guid"], shown["user_guid"], shown["has_refresh_token"]) == (hers, vera.guid, True)
    assert "access-1" not in viewer.get(SESSIONS).text
    assert [one["guid"] for one in boss.get(SESSIONS, params={"all": "true"}).json()] == [hers, his]
    assert viewer.get(SESSIONS, params={"all": "true"}).json()["code"] == 22
    assert viewer.get(f"{SESSIONS}/{his}").json()["code"] == 22
    assert viewer.delete(f"{SESSIONS}/{his}").json()["code"] == 22
    again = delegated(server, vera, integration)
    assert again == hers
    gone = viewer.delete(f"{SESSIONS}/{hers}")
    assert (gone.status_code, gone.content, viewer.get(SESSIONS).json()) == (204, b"", [])


def test_who_is_erased_has_no_session_left(server: Asked) -> None:
    _, boss = server.person("boss", Role.ADMINISTRATOR)
    vera, viewer = server.person("vera", Role.VIEWER)
    delegated(server, vera, made(boss)["guid"])
    document = viewer.get(f"/api/v1/personal-data/{vera.guid}")
    assert len(document.json()["delegations"]) == 1 and "sealed" not in document.text
    assert boss.delete(f"/api/v1/personal-data/{vera.guid}").status_code == 200
    assert boss.get(SESSIONS, params={"all": "true"}).json() == []
