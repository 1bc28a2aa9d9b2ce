"""An app exchanges a token about its visitor, or about itself (connect-wire-api §5.3; SECURITY 16, 24)."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from fastapi.testclient import TestClient
from tests.doubles.oauth_provider import Provider, oauth_provider
from tests.factories.control_plane import Asked, control_plane
from tests.factories.identity import PASSWORD, add_key, principal, sign_in
from tests.factories.installation import until

from pilothouse.base import clock
from pilothouse.base.access import SYSTEM, Principal, ResourceRef, Role
from pilothouse.base.ids import new_key
from pilothouse.content.models import Content
from pilothouse.content.service.credentials import ACCESS_TOKEN, API_KEY, GRANT_TYPE
from pilothouse.db import Database
from pilothouse.identity import service as people
from pilothouse.identity.contract import Bound
from pilothouse.identity.models import User
from pilothouse.integrations import service
from pilothouse.integrations.models import Delegation
from pilothouse.integrations.service import Tokens
from pilothouse.launcher.models import Job

CREDENTIALS = "/__api__/v1/oauth/integrations/credentials"
OF_VISITOR, OF_CONTENT = "urn:posit:connect:user-session-token", "urn:posit:connect:content-session-token"


@pytest.fixture
def provider() -> Iterator[Provider]:
    with oauth_provider() as found:
        yield found


@pytest.fixture
def server(database: Database, tmp_path: Path) -> Iterator[Asked]:
    made = control_plane(tmp_path / "home", database, integrations={"service_networks": ["127.0.0.0/8"]})
    yield made
    made.database.close()


@dataclass
class App:
    """Content with a job that runs, and what an app in it can do."""

    server: Asked
    owner: User
    content: Content
    job: Job
    client: TestClient
    boss: TestClient

    @property
    def tokens(self) -> Any:
        return self.server.plane.house.engines.app_tokens

    def uses(self, *guids: str) -> None:
        path = f"/__api__/v1/content/{self.content.guid}/oauth/integrations/associations"
        assert self.boss.put(path, json=[{"oauth_integration_guid": guid} for guid in guids]).status_code == 200

    def token(self, user: User, job: str = "", **facts: Any) -> str:
        login = sign_in(self.server.database, user.username)
        visitor = Principal(user.id, Role.VIEWER, login=login.login.id, **facts)
        return str(self.tokens.of_visitor(self.content.id, job or self.job.key, visitor))

    def exchange(self, token: str, kind: str = OF_VISITOR, **words: str) -> Any:
        form = {"grant_type": GRANT_TYPE, "subject_token_type": kind, "subject_token": token} | words
        return self.client.post(CREDENTIALS, data=form)


def running(server: Asked, name: str = "daily-report", *, owner: User | None = None, access: str = "logged_in") -> App:
    if owner is None:
        owner, _ = server.person(f"owner-{name}")
    _, boss = server.person(f"boss-{name}", Role.ADMINISTRATOR)
    client = server.client(key=add_key(server.database, owner))
    guid = client.post("/__api__/v1/content", json={"name": name, "access_type": access}).json()["guid"]
    with server.database.write() as tx:
        content = tx.query(Content).filter_by(guid=guid).one()
        job = Job(
            key=new_key(16),
            tag="run_python_api",
            stage_id=1,
            subject_kind="content",
            subject_id=content.id,
            load_group="low",
        )
        tx.add(job)
        tx.flush()
        bound = Bound(ResourceRef("content", content.id), job.id, content.stage_id)
        user = tx.get(User, owner.id)
        key = people.create_key(tx, SYSTEM, user, name="job", role_cap=Role.PUBLISHER, bound=bound).plain
    return App(server, owner, content, job, server.client(key=key), boss)


def integration(app: App, provider: Provider | None, name: str = "Warehouse", **config: str) -> str:
    template = "custom" if provider else "connect"
    body = {"name": name, "template": template, "config": {**(provider.config if provider else {}), **config}}
    answer = app.boss.post("/__api__/v1/oauth/integrations", json=body)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["guid"])


def delegated(app: App, user: User, guid: str, tokens: Tokens) -> None:
    house = app.server.plane.house
    with house.database.write() as tx:
        row = service.integration_of(tx, guid)
        service.begin_delegation(tx, principal(app.server.database, user), row, tokens=tokens, secrets=house.secrets)


def test_a_visitors_tokens_are_given_to_the_app_they_opened(server: Asked, provider: Provider) -> None:
    app = running(server)
    vera, _ = server.person("vera", Role.VIEWER)
    guid = integration(app, provider)
    app.uses(guid)
    delegated(app, vera, guid, Tokens("access-0", expires_at=clock.now() + timedelta(hours=1)))
    answer = app.exchange(app.token(vera))
    assert answer.status_code == 200 and answer.headers["cache-control"] == "no-store"
    left = answer.json().pop("expires_in")
    assert 3500 < left <= 3600
    assert answer.json() | {"expires_in": 0} == {
        "access_token": "access-0", "issued_token_type": ACCESS_TOKEN, "token_type": "Bearer", "expires_in": 0,
    }  # fmt: skip
    assert app.exchange(app.token(vera), requested_token_type=ACCESS_TOKEN, audience=guid).status_code == 200
    assert provider.asked == []


def test_tokens_that_ended_are_renewed_once_for_all_who_wait(server: Asked, provider: Provider) -> None:
    app = running(server)
    vera, _ = server.person("vera", Role.VIEWER)
    guid = integration(app, provider)
    app.uses(guid)
    provider.refreshing, provider.delay_s = "refresh-0", 0.3
    delegated(app, vera, guid, Tokens("old", refresh="refresh-0", expires_at=clock.now() - timedelta(hours=1)))
    tokens, found = [app.token(vera) for _ in range(4)], list[str]()
    threads = [
        threading.Thread(target=lambda t=t: found.append(app.exchange(t).json().get("access_token"))) for t in tokens
    ]  # type: ignore[misc]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == ["access-1"] * 4
    assert [form["grant_type"] for form in provider.asked] == ["refresh_token"]


def test_who_must_sign_in_is_told_where(server: Asked, provider: Provider) -> None:
    app = running(server)
    vera, _ = server.person("vera", Role.VIEWER)
    guid = integration(app, provider)
    app.uses(guid)
    answer = app.exchange(app.token(vera))
    assert (answer.status_code, answer.json()["code"]) == (403, 22)
    assert f"http://localhost:3939/__oauth__/integrations/{guid}/login" in answer.json()["error"]
    delegated(app, vera, guid, Tokens("old", refresh="gone", expires_at=clock.now() - timedelta(hours=1)))
    assert app.exchange(app.token(vera)).json()["code"] == 22
    with server.database.read() as tx:
        assert tx.query(Delegation).count() == 0  # a refresh token that is refused is worth nothing


def test_a_service_that_is_broken_is_not_the_visitors_fault(server: Asked, provider: Provider) -> None:
    app = running(server)
    vera, _ = server.person("vera", Role.VIEWER)
    guid = integration(app, provider)
    app.uses(guid)
    provider.refreshing, provider.broken = "refresh-0", 502
    delegated(app, vera, guid, Tokens("old", refresh="refresh-0", expires_at=clock.now()))
    assert app.exchange(app.token(vera)).status_code == 503
    provider.broken = None
    assert app.exchange(app.token(vera)).json()["access_token"] == "access-1"


def test_content_has_an_account_of_its_own(server: Asked, provider: Provider) -> None:
    app = running(server)
    guid = integration(app, provider, auth_type="Service Account", token_endpoint_auth_method="client_secret_post")
    app.uses(guid)
    answer = app.exchange(app.tokens.of_content(app.content.id, app.job.key), OF_CONTENT)
    assert answer.json()["access_token"] == "access-1"
    assert provider.asked[0]["scope"] == "openid offline_access"


def test_a_visitors_key_acts_as_the_visitor_within_what_a_jobs_key_may(server: Asked) -> None:
    app = running(server)
    boss, _ = server.person("big-boss", Role.ADMINISTRATOR)
    app.uses(integration(app, None))
    answer = app.exchange(app.token(boss), requested_token_type=API_KEY)
    found = answer.json()
    assert (found["issued_token_type"], found["token_type"]) == (API_KEY, "Key")
    assert 3600 <= found["expires_in"] <= 7200
    assert app.exchange(app.token(boss)).json()["access_token"] == found["access_token"]
    visitor = server.client(key=found["access_token"])
    assert visitor.get("/__api__/v1/user").json()["guid"] == boss.guid
    assert visitor.get("/__api__/v1/audit_logs").status_code in (403, 404)
    assert visitor.post(f"/__api__/v1/users/{boss.guid}/keys", json={"name": "more"}).json()["code"] == 22
    assert visitor.get("/prod/__api__/v1/content").status_code == 401
    with server.database.write() as tx:
        people.revoke_job_keys(tx, app.job.id)
    until(lambda: visitor.get("/__api__/v1/user").status_code == 401, 5)  # PostgreSQL tells of it within a second


def test_a_visitors_key_may_be_a_viewers_at_most(server: Asked) -> None:
    app = running(server)
    pia, _ = server.person("pia")
    app.uses(integration(app, None, max_role="Viewer"))
    visitor = server.client(key=app.exchange(app.token(pia)).json()["access_token"])
    assert visitor.post("/__api__/v1/content", json={"name": "made-by-app"}).json()["code"] == 22


def test_without_a_suitable_integration_the_code_is_212(server: Asked, provider: Provider) -> None:
    app = running(server)
    vera, _ = server.person("vera", Role.VIEWER)
    guid = integration(app, provider)
    other = integration(app, provider, "Lake")
    token, own = app.token(vera), app.tokens.of_content(app.content.id, app.job.key)
    refused = [app.exchange(token)]
    app.uses(guid)
    refused += [
        app.exchange(token, requested_token_type=API_KEY),
        app.exchange(token, requested_token_type="urn:ietf:params:aws:token-type:credentials"),
        app.exchange(token, audience=other),
        app.exchange(token, audience="nonsense"),
        app.exchange(own, OF_CONTENT),
    ]
    for answer in refused:
        assert (answer.status_code, answer.json()["code"]) == (400, 212)


def test_several_integrations_need_an_audience(server: Asked, provider: Provider) -> None:
    app = running(server)
    vera, _ = server.person("vera", Role.VIEWER)
    one, two, key = integration(app, provider), integration(app, provider, "Lake"), integration(app, None, "Here")
    app.uses(one, two, key)
    for guid in (one, two):
        delegated(app, vera, guid, Tokens(f"of-{guid}"))
    token = app.token(vera)
    answer = app.exchange(token)
    assert answer.status_code == 400 and "ambiguous" in answer.json()["error"] and two in answer.json()["error"]
    assert app.exchange(token, audience=two).json() == {
        "access_token": f"of-{two}", "issued_token_type": ACCESS_TOKEN, "token_type": "Bearer",
    }  # fmt: skip
    assert app.exchange(token, requested_token_type=API_KEY).json()["token_type"] == "Key"


def test_only_the_contents_own_running_job_may_exchange(server: Asked, provider: Provider) -> None:
    app, thief = running(server), running(server, "thief")
    vera, viewer = server.person("vera", Role.VIEWER)
    guid = integration(app, provider)
    app.uses(guid)
    thief.uses(guid)
    delegated(app, vera, guid, Tokens("access-0"))
    token = app.token(vera)
    form = {"grant_type": GRANT_TYPE, "subject_token_type": OF_VISITOR, "subject_token": token}
    assert thief.exchange(token).json()["code"] == 101
    assert server.client(key=add_key(server.database, app.owner)).post(CREDENTIALS, data=form).json()["code"] == 22
    assert viewer.post(CREDENTIALS, data=form).json()["code"] == 22
    assert server.client().post(CREDENTIALS, data=form).json()["code"] == 30
    assert app.exchange(app.token(vera, job="another-job")).json()["code"] == 101
    assert app.exchange(token, OF_CONTENT).json()["code"] == 101
    assert app.exchange(app.tokens.of_content(app.content.id, app.job.key)).json()["code"] == 101
    assert app.exchange(token).status_code == 200
    with server.database.write() as tx:
        tx.get(Job, app.job.id).ended_at = clock.now()
    assert app.exchange(token).json()["code"] == 22


def test_a_visitor_who_is_gone_is_nobodys_visitor(server: Asked, provider: Provider) -> None:
    app = running(server, access="acl")
    vera, _ = server.person("vera", Role.VIEWER)
    guid = integration(app, provider)
    app.uses(guid)
    delegated(app, vera, guid, Tokens("access-0"))
    assert app.exchange(app.token(vera)).json()["code"] == 101  # not on the access list
    share = {"principal_guid": vera.guid, "principal_type": "user", "role": "viewer"}
    app.boss.post(f"/__api__/v1/content/{app.content.guid}/permissions", json=share)
    token = app.token(vera)
    assert app.exchange(token).status_code == 200
    with server.database.write() as tx:
        live = tx.get(User, vera.id)
        for login in people.logins(tx, SYSTEM, live):
            people.end_login(tx, SYSTEM, login)
    assert app.exchange(token).json()["code"] == 101
    by_key = Principal(vera.id, Role.VIEWER, key=1)
    assert app.exchange(app.tokens.of_visitor(app.content.id, app.job.key, by_key)).status_code in (200, 400)


def test_a_token_lives_an_hour(server: Asked, provider: Provider, frozen_clock: Any) -> None:
    app = running(server)
    vera, _ = server.person("vera", Role.VIEWER)
    guid = integration(app, provider)
    app.uses(guid)
    delegated(app, vera, guid, Tokens("access-0"))
    token = app.token(vera)
    frozen_clock.advance(minutes=59)
    assert app.exchange(token).status_code == 200
    frozen_clock.advance(minutes=2)
    assert app.exchange(token).json()["code"] == 101


@pytest.mark.parametrize(
    "changes",
    [
        {"grant_type": "password"}, {"grant_type": ""}, {"subject_token_type": "urn:ietf:params:oauth:token-type:id_token"},
        {"subject_token_type": ""}, {"subject_token": ""}, {"subject_token": "a.b"}, {"subject_token": "é.é"}, {"subject_token": "." * 999},
    ],
)  # fmt: skip
@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_what_is_no_exchange_is_refused(server: Asked, changes: dict[str, str]) -> None:
    app = running(server)
    form = {"grant_type": GRANT_TYPE, "subject_token_type": OF_VISITOR, "subject_token": "x"} | changes
    answer = app.client.post(CREDENTIALS, data=form)
    assert (answer.status_code, answer.json()["code"]) == (400, 101)


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_bodies_that_are_no_form_are_refused(server: Asked) -> None:
    app = running(server)
    twice = f"grant_type={GRANT_TYPE}&subject_token=a&subject_token=b"
    for body in (b"{}", b"\xff\xfe", b"", b"a=" + b"x" * 70_000, twice.encode()):
        answer = app.client.post(CREDENTIALS, content=body)
        assert (answer.status_code, answer.json()["code"]) == (400, 101)


def browser(server: Asked, user: User) -> TestClient:
    """A signed-in browser that follows nothing by itself."""
    login = sign_in(server.database, user.username, PASSWORD)
    client = server.client(cookie=f"{server.plane.house.resolver.cookie}={login.cookie}")
    client.follow_redirects = False
    return client


def left_page(client: TestClient, guid: str, **query: str) -> str:
    """The address that the page leads to."""
    page = client.get(f"/__oauth__/integrations/{guid}/login", params=query)
    assert page.status_code == 200, page.text
    return str(page.text.split('btn btn-primary" href="')[1].split('"')[0]).replace("&amp;", "&")


def test_a_visitor_signs_in_at_the_other_service_and_comes_back(server: Asked, provider: Provider) -> None:
    app = running(server)
    vera, _ = server.person("vera", Role.VIEWER)
    guid = integration(app, provider)
    app.uses(guid)
    client = browser(server, vera)
    address = left_page(client, guid, redirect=f"/content/{app.content.guid}/?a=1")
    query = parse_qs(urlsplit(address).query)
    assert query["redirect_uri"] == ["http://localhost:3939/__oauth__/integrations/callback"]
    assert query["scope"] == ["openid offline_access"]
    back = client.get(provider.consent(address))
    assert (back.status_code, back.headers["location"]) == (
        303,
        f"http://localhost:3940/content/{app.content.guid}/?a=1",
    )
    named = app.boss.put(f"/__api__/v1/content/{app.content.guid}/vanity", json={"path": "/plant/acts/"})
    assert named.status_code == 200, named.text
    by_name = client.get(provider.consent(left_page(client, guid, redirect="/plant/acts/page?a=1")))
    assert by_name.headers["location"] == "http://localhost:3940/plant/acts/page?a=1"
    assert app.exchange(app.token(vera)).json()["access_token"] == "access-2"
    assert len(provider.asked[0]["code_verifier"]) >= 43


def test_a_sign_in_belongs_to_the_browser_that_began_it(server: Asked, provider: Provider) -> None:
    app = running(server)
    vera, _ = server.person("vera", Role.VIEWER)
    mallory, _ = server.person("mallory", Role.VIEWER)
    guid = integration(app, provider)
    address = left_page(browser(server, mallory), guid)
    stolen = provider.consent(address)
    assert browser(server, vera).get(stolen).status_code == 403
    assert provider.asked == []
    for state in ("", "x", "x.y", "." * 50):
        assert browser(server, vera).get(f"/__oauth__/integrations/callback?code=c&state={state}").status_code == 403


def test_a_sign_in_ends_after_ten_minutes(server: Asked, provider: Provider, frozen_clock: Any) -> None:
    app = running(server)
    vera, _ = server.person("vera", Role.VIEWER)
    client, guid = browser(server, vera), integration(app, provider)
    back = provider.consent(left_page(client, guid))
    frozen_clock.advance(minutes=11)
    assert client.get(back).status_code == 403


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    "redirect",
    [
        "https://evil.example/",
        "//evil.example/",
        "/\\evil.example/",
        "javascript:alert(1)",
        "http://localhost:3940.evil.example/",
    ],
)
def test_nobody_is_led_elsewhere_afterwards(server: Asked, provider: Provider, redirect: str) -> None:
    app = running(server)
    vera, _ = server.person("vera", Role.VIEWER)
    client, guid = browser(server, vera), integration(app, provider)
    back = client.get(provider.consent(left_page(client, guid, redirect=redirect)))
    assert (back.status_code, "evil" in back.text, "location" in back.headers) == (200, False, False)


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_who_says_no_there_and_who_has_no_browser_login(server: Asked, provider: Provider) -> None:
    app = running(server)
    vera, by_key = server.person("vera", Role.VIEWER)
    client, guid = browser(server, vera), integration(app, provider)
    state = parse_qs(urlsplit(left_page(client, guid)).query)["state"][0]
    said_no = client.get("/__oauth__/integrations/callback", params={"error": "access_denied", "state": state})
    assert said_no.status_code == 422 and "said no" in said_no.text
    by_key.follow_redirects = False
    for way in (by_key, app.client, server.client()):
        way.follow_redirects = False
        assert way.get(f"/__oauth__/integrations/{guid}/login").status_code == 303  # to the sign-in of this server
    own = integration(app, provider, "Account", auth_type="Service Account")
    assert client.get(f"/__oauth__/integrations/{own}/login").status_code == 422
    assert client.get("/__oauth__/integrations/nonsense/login").status_code == 404
