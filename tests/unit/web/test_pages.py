"""Pages as people meet them: over real verbs and a real database, without a browser."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from tests.factories.pages_app import PASSWORD, XSRF_KEY, add_people, pages_app, principal, publish

from pilothouse.asgi import xsrf
from pilothouse.content import service as content
from pilothouse.content.models import Content
from pilothouse.db import Database

BASE = "http://localhost"


@pytest.fixture
def app(sqlite_database: Database, tmp_path: Path) -> FastAPI:
    app = pages_app(sqlite_database, tmp_path)
    add_people(app)
    return app


class Visitor(TestClient):
    """A browser of one person: sends the token of the page with every change, as our script does."""

    def sign_in(self, username: str, url: str = "") -> str:
        answer = self.post(
            "/__login__", data={"username": username, "password": PASSWORD, "url": url}, follow_redirects=False
        )
        assert answer.status_code == 303, answer.text
        login = self.cookies["ph_login_test"].strip('"').partition(".")[0]
        self.headers[xsrf.HEADER] = xsrf.token(XSRF_KEY, login)
        return str(answer.headers["location"])


@pytest.fixture
def visitor(app: FastAPI) -> Iterator[Visitor]:
    with Visitor(app, base_url=BASE) as found:
        yield found


def test_whoever_is_not_signed_in_is_asked_to_and_comes_back(visitor: Visitor) -> None:
    answer = visitor.get("/_/content?q=plant", follow_redirects=False)
    assert answer.status_code == 303
    assert answer.headers["location"] == "/__login__?url=/_/content%3Fq%3Dplant"
    assert visitor.sign_in("amara.okoye", "/_/content?q=plant") == "/_/content?q=plant"


@pytest.mark.parametrize(
    "url", ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)", "/a\nb"]
)
def test_a_sign_in_never_sends_anybody_to_another_server(visitor: Visitor, url: str) -> None:
    assert visitor.sign_in("amara.okoye", url) == "/"


def test_the_login_form_has_what_automation_looks_for_and_keeps_the_name_when_it_is_wrong(visitor: Visitor) -> None:
    page = visitor.get("/__login__").text
    assert 'name="username"' in page and 'id="password"' in page and 'data-automation="login-panel-submit"' in page
    assert re.search(r"<title>\s*\S+", page)
    answer = visitor.post("/__login__", data={"username": "amara.okoye", "password": "no"})
    assert answer.status_code == 401
    assert 'value="amara.okoye"' in answer.text and "wrong" in answer.text and ">no<" not in answer.text


def test_after_too_many_failures_the_page_says_how_long_to_wait(visitor: Visitor) -> None:
    for _ in range(10):
        visitor.post("/__login__", data={"username": "amara.okoye", "password": "no"})
    answer = visitor.post("/__login__", data={"username": "amara.okoye", "password": PASSWORD})
    assert answer.status_code == 401
    assert "Wait" in answer.text


def test_another_site_can_not_sign_a_visitor_in(visitor: Visitor) -> None:
    sent = {"username": "amara.okoye", "password": PASSWORD}
    answer = visitor.post("/__login__", data=sent, headers={"Origin": "https://evil.example"})
    assert answer.status_code == 403


def test_the_login_cookie_is_for_the_server_only_and_the_token_for_our_script(visitor: Visitor) -> None:
    answer = visitor.post("/__login__", data={"username": "amara.okoye", "password": PASSWORD}, follow_redirects=False)
    login, token = (c.lower() for c in answer.headers.get_list("set-cookie"))
    assert login.startswith("ph_login_test=") and "httponly" in login and "samesite=lax" in login
    assert token.startswith("rsc-xsrf=") and "httponly" not in token


def test_a_change_without_the_token_is_refused(visitor: Visitor) -> None:
    visitor.sign_in("amara.okoye")
    del visitor.headers[xsrf.HEADER]
    assert visitor.post("/_/account/keys", data={"name": "x"}).status_code == 403


def test_signing_out_ends_the_login(visitor: Visitor) -> None:
    visitor.sign_in("amara.okoye")
    answer = visitor.post("/_/sign-out", headers={"HX-Request": "true"})
    assert answer.headers["hx-redirect"] == "/__login__"
    assert visitor.get("/", follow_redirects=False).status_code == 303


def test_every_page_carries_the_policy_that_allows_no_inline_code_and_frames_only_content(visitor: Visitor) -> None:
    policy = visitor.get("/__login__").headers["content-security-policy"]
    assert "script-src 'self';" in policy and "style-src 'self';" in policy and "frame-ancestors 'none'" in policy
    assert "frame-src 'self' http://localhost:3940" in policy and "unsafe" not in policy


def test_home_teaches_the_first_steps_with_this_server_and_then_shows_what_is_yours(
    app: FastAPI, visitor: Visitor
) -> None:
    visitor.sign_in("amara.okoye")
    assert "rsconnect add -s http://localhost:3939 -n dev -k KEY" in visitor.get("/").text
    publish(app, "amara.okoye", "Plant monitor")
    page = visitor.get("/").text
    assert "rsconnect add" not in page
    assert "Plant monitor" in page and "running" in page


def test_home_shows_what_is_being_built_to_those_who_may_see_it(app: FastAPI, visitor: Visitor) -> None:
    publish(app, "amara.okoye", "Mixing explorer", state="running")
    publish(app, "henrik.dahl", "Secret thing", state="running")
    visitor.sign_in("amara.okoye")
    now = visitor.get("/_/home/now").text
    assert "Mixing explorer" in now and "31 of 42 packages" in now and "every 1s" in now
    assert "Secret thing" not in now


def test_a_viewer_sees_that_something_is_built_but_not_its_log(app: FastAPI, visitor: Visitor) -> None:
    publish(app, "amara.okoye", "Mixing explorer", state="running", open_to="logged_in")
    visitor.sign_in("clara.voss")
    now = visitor.get("/_/home/now").text
    assert "Mixing explorer" in now and "packages" not in now and "/log" not in now


def test_an_operator_reads_what_needs_doing_with_its_cause(app: FastAPI, visitor: Visitor) -> None:
    visitor.sign_in("jonas.brandt")
    assert "Nothing needs doing." in visitor.get("/").text
    publish(app, "henrik.dahl", "Batch API", state="failed", error="No Python 3.14 is installed.")
    assert "Batch API: No Python 3.14 is installed." in visitor.get("/").text


def test_an_operator_of_a_server_in_use_is_not_taught_to_publish(app: FastAPI, visitor: Visitor) -> None:
    visitor.sign_in("jonas.brandt")
    assert "Publish your first app" in visitor.get("/").text
    publish(app, "amara.okoye", "Plant monitor")
    page = visitor.get("/").text
    assert "Publish your first app" not in page and "Plant monitor" in page


def test_the_gallery_is_searched_and_filtered(app: FastAPI, visitor: Visitor) -> None:
    publish(app, "amara.okoye", "Plant monitor", open_to="all")
    publish(app, "henrik.dahl", "Handbook", mode="static", open_to="all")
    visitor.sign_in("amara.okoye")
    assert "2 items" in visitor.get("/_/content").text
    assert "Handbook" not in visitor.get("/_/content?q=plant").text
    assert "Plant monitor" not in visitor.get("/_/content?kind=static").text
    assert "Handbook" not in visitor.get("/_/content?owner=me").text
    assert "Nothing matches" in visitor.get("/_/content?q=zzz").text
    assert "<table" in visitor.get("/_/content?view=table").text


def test_an_item_that_is_not_shared_looks_as_if_it_did_not_exist(app: FastAPI, visitor: Visitor) -> None:
    item = publish(app, "amara.okoye", "Plant monitor")
    visitor.sign_in("clara.voss")
    assert visitor.get(f"/_/content/{item.guid}").status_code == 404


def test_a_viewer_gets_the_app_and_no_tabs_and_an_editor_all_of_them(app: FastAPI, visitor: Visitor) -> None:
    item = publish(app, "amara.okoye", "Plant monitor", open_to="logged_in")
    visitor.sign_in("clara.voss")
    page = visitor.get(f"/_/content/{item.guid}").text
    assert f'src="http://localhost:3940/content/{item.guid}/"' in page and "/versions" not in page
    assert visitor.get(f"/_/content/{item.guid}/log").status_code == 403
    visitor.sign_in("amara.okoye")
    assert f"/_/content/{item.guid}/versions" in visitor.get(f"/_/content/{item.guid}").text


def test_the_access_tab_adds_changes_and_removes_people_and_groups(app: FastAPI, visitor: Visitor) -> None:
    base = f"/_/content/{publish(app, 'amara.okoye', 'Plant monitor').guid}/access"
    visitor.sign_in("amara.okoye")
    assert "Clara Voss may open it." in visitor.post(base, data={"principal": "clara.voss", "share": "viewer"}).text
    page = visitor.post(base, data={"principal": "quality circle", "share": "editor"}).text
    assert "Quality circle may change it." in page
    wrong = visitor.post(base, data={"principal": "clara.fos"})
    assert wrong.status_code == 422 and 'value="clara.fos"' in wrong.text and "No user or group" in wrong.text
    line = re.search(r"/access/(\d+)/remove", page)
    assert line is not None
    assert visitor.post(f"{base}/{line[1]}/remove").text.count("/remove") < page.count("/remove")
    assert 'value="all" checked' in visitor.post(f"{base}/open-to", data={"open_to": "all"}).text


def test_variables_are_set_and_removed_and_never_shown(app: FastAPI, visitor: Visitor) -> None:
    base = f"/_/content/{publish(app, 'amara.okoye', 'Plant monitor').guid}/variables"
    visitor.sign_in("amara.okoye")
    assert "-E NAME=VALUE" in visitor.get(base).text
    page = visitor.post(base, data={"name": "LIMS_TOKEN", "value": "s3cret"}).text
    assert "LIMS_TOKEN" in page and "s3cret" not in page
    wrong = visitor.post(base, data={"name": "1 BAD", "value": "s3cret"})
    assert wrong.status_code == 422 and 'value="1 BAD"' in wrong.text and "s3cret" not in wrong.text
    assert "No variables" in visitor.post(f"{base}/remove", data={"name": "LIMS_TOKEN"}).text


def test_versions_are_rolled_back_and_downloaded(app: FastAPI, visitor: Visitor) -> None:
    item = publish(app, "amara.okoye", "Plant monitor")
    with app.state.database.write() as tx:
        row = content.get_content(tx, principal(app, "amara.okoye"), app.state.stages.all()[0], item.guid)
        newer = content.add_bundle(tx, principal(app, "amara.okoye"), row, blob=_blob(app))
        row.bundle_id, number = newer.id, newer.id
    visitor.sign_in("amara.okoye")
    base = f"/_/content/{item.guid}/versions"
    page = visitor.get(base).text
    assert f"Roll back to {item.bundle_id}" in page and page.count(">active<") == 1
    answer = visitor.post(f"{base}/{item.bundle_id}/activate", follow_redirects=False)
    assert answer.headers["location"].endswith("/log?of=deploy")
    archive = visitor.get(f"{base}/{number}/download")
    assert archive.content == b"newer" and "plant-monitor" in archive.headers["content-disposition"]
    assert visitor.get(f"{base}/999/download").status_code == 404


def _blob(app: FastAPI):  # type: ignore[no-untyped-def]
    from pilothouse.storage.contract import put

    return put(app.state.blobs, [b"newer"], limit=100)


def test_the_log_follows_a_running_deploy_and_stops_at_its_end(app: FastAPI, visitor: Visitor) -> None:
    live, done = (
        publish(app, "amara.okoye", "One", state="running"),
        publish(app, "amara.okoye", "Two", state="failed", error="No such module."),
    )
    visitor.sign_in("amara.okoye")
    page = visitor.get(f"/_/content/{live.guid}/log").text
    assert "Unpacking the bundle" in page and "after=2" in page
    more = visitor.get(f"/_/content/{live.guid}/log/lines?of=deploy&after=1").text
    assert "Unpacking" not in more and "31 of 42" in more and "<html" not in more
    ended = visitor.get(f"/_/content/{done.guid}/log").text
    assert "No such module." in ended and "log/lines" not in ended


def test_the_log_of_the_worker_is_read_from_the_launcher(app: FastAPI, visitor: Visitor) -> None:
    item = publish(app, "amara.okoye", "Plant monitor")
    app.state.launcher.lines[item.job_key] = ["Started", "<b>ERROR</b> broken"]
    visitor.sign_in("amara.okoye")
    page = visitor.get(f"/_/content/{item.guid}/log?of=worker").text
    assert "&lt;b&gt;ERROR&lt;/b&gt; broken" in page and 'class="error"' in page
    assert item.job_key in page
    visitor.post(f"/_/content/{item.guid}/log/jobs/{item.job_key}/stop")
    assert ">failed<" not in visitor.get(f"/_/content/{item.guid}").text


def test_deleting_asks_for_the_name(app: FastAPI, visitor: Visitor) -> None:
    item = publish(app, "amara.okoye", "Plant monitor")
    visitor.sign_in("amara.okoye")
    base = f"/_/content/{item.guid}"
    assert visitor.post(f"{base}/delete", data={"confirmation": "yes"}).status_code == 422
    assert (
        visitor.post(f"{base}/delete", data={"confirmation": "plant-monitor"}, follow_redirects=False).status_code
        == 303
    )
    assert visitor.get(base).status_code == 404


def test_settings_keep_a_title_with_markup_as_text(app: FastAPI, visitor: Visitor) -> None:
    item = publish(app, "amara.okoye", "Plant monitor")
    visitor.sign_in("amara.okoye")
    page = visitor.post(f"/_/content/{item.guid}/settings", data={"title": "<script>alert(1)</script>"}).text
    assert "<script>alert" not in page and "&lt;script&gt;alert" in page
    with app.state.database.read() as tx:
        assert tx.query(Content).one().title == "<script>alert(1)</script>"


def test_a_key_is_shown_once_and_can_be_revoked(visitor: Visitor) -> None:
    visitor.sign_in("amara.okoye")
    page = visitor.post("/_/account/keys", data={"name": "laptop"}).text
    found = re.search(r"-k (\S{30,}?)&?[\"<]", page)
    assert found is not None
    later = visitor.get("/_/account").text
    assert found[1] not in later and "laptop" in later
    path = re.search(r'action="(/_/account/keys/\d+/revoke)"', later)
    assert path is not None
    assert path[1] not in visitor.post(path[1]).text


def test_a_viewer_ends_a_login_elsewhere_but_not_another_persons(app: FastAPI, visitor: Visitor) -> None:
    with Visitor(app, base_url=BASE) as other:
        other.sign_in("clara.voss")
        visitor.sign_in("clara.voss")
        path = re.search(r'action="(/_/account/logins/\w+/end)"', visitor.get("/_/account").text)
        assert path is not None
        with Visitor(app, base_url=BASE) as stranger:
            stranger.sign_in("henrik.dahl")
            assert stranger.post(path[1]).status_code == 403
        visitor.post(path[1])
        assert other.get("/", follow_redirects=False).status_code == 303


def test_a_short_password_is_refused_beside_its_field(visitor: Visitor) -> None:
    visitor.sign_in("clara.voss")
    answer = visitor.post("/_/account/password", data={"password": "short"})
    assert answer.status_code == 422 and 'aria-invalid="true"' in answer.text
    answer = visitor.post("/_/account/password", data={"password": "a-much-longer-one"})
    assert answer.headers["hx-redirect"] == "/__login__"


@pytest.mark.parametrize("path", ["", "/users", "/groups", "/jobs", "/audit", "/audit/export", "/settings"])
def test_the_administration_is_for_administrators(visitor: Visitor, path: str) -> None:
    visitor.sign_in("amara.okoye")
    assert visitor.get(f"/_/admin{path}").status_code == 403
    assert "Administration" not in visitor.get("/").text
    visitor.sign_in("jonas.brandt")
    assert visitor.get(f"/_/admin{path}").status_code == 200


def test_users_are_made_changed_and_locked(visitor: Visitor) -> None:
    visitor.sign_in("jonas.brandt")
    new = {"username": "ines.ferreira", "first_name": "Ines", "role": "viewer", "password": "long-enough-pass"}
    assert "ines.ferreira" in visitor.post("/_/admin/users", data=new).text
    again = visitor.post("/_/admin/users", data=new)
    assert again.status_code == 422 and 'value="Ines"' in again.text and "exists already" in again.text
    assert "long-enough-pass" not in again.text
    weak = visitor.post("/_/admin/users", data=new | {"username": "other", "password": "x"})
    assert weak.status_code == 422 and 'id="f-password-wrong"' in weak.text
    page = visitor.get("/_/admin/users?prefix=ines").text
    path = re.search(r'action="(/_/admin/users/[0-9a-f-]+)/lock"', page)
    assert path is not None and "clara" not in page
    assert ">locked<" in visitor.post(f"{path[1]}/lock").text
    assert ">locked<" not in visitor.post(f"{path[1]}/unlock").text
    assert visitor.post(f"{path[1]}/role", data={"role": "publisher"}).status_code == 200
    assert visitor.post(f"{path[1]}/password", data={"password": "another-long-one"}).status_code == 200


def test_the_last_administrator_can_not_be_locked_out(visitor: Visitor) -> None:
    visitor.sign_in("jonas.brandt")
    page = visitor.get("/_/admin/users?prefix=jonas").text
    path = re.search(r'action="(/_/admin/users/[0-9a-f-]+)/lock"', page)
    assert path is not None
    answer = visitor.post(f"{path[1]}/role", data={"role": "viewer"})
    assert answer.status_code == 422 and "last unlocked administrator" in answer.text


def test_groups_are_made_and_filled(visitor: Visitor) -> None:
    visitor.sign_in("jonas.brandt")
    page = visitor.post("/_/admin/groups", data={"name": "Data science"}).text
    assert "Made the group" in page
    assert visitor.post("/_/admin/groups", data={"name": "Data science"}).status_code == 422
    path = re.findall(r'hx-post="(/_/admin/groups/[0-9a-f-]+)"', page)[0]
    assert "Amara Okoye is in" in visitor.post(path, data={"username": "amara.okoye"}).text
    assert visitor.post(path, data={"username": "nobody"}).status_code == 422
    assert "Bring" not in page


def test_running_jobs_show_memory_and_can_be_stopped(app: FastAPI, visitor: Visitor) -> None:
    item = publish(app, "amara.okoye", "Plant monitor")
    visitor.sign_in("jonas.brandt")
    page = visitor.get("/_/admin/jobs").text
    assert "Plant monitor" in page and "141 MB" in page and f"/_/content/{item.guid}" in page
    assert visitor.post(f"/_/admin/jobs/{item.job_key}/stop").status_code == 200


def test_the_audit_is_filtered_by_event_and_person_and_exported(app: FastAPI, visitor: Visitor) -> None:
    publish(app, "amara.okoye", "Plant monitor")
    visitor.sign_in("jonas.brandt")
    assert "content:content:created" in visitor.get("/_/admin/audit").text.split("<tbody>")[1]
    rows = visitor.get("/_/admin/audit?event=identity:&who=jonas.brandt").text.split("<tbody>")[1]
    assert "identity:login:started" in rows and "content:" not in rows
    assert "Nobody has the user name" in visitor.get("/_/admin/audit?who=nobody").text
    table = visitor.get("/_/admin/audit/export?event=content:").text.splitlines()
    assert table[0].startswith("id,at,event") and len(table) == 4 and "veridia" not in "".join(table)


def test_settings_are_shown_with_their_origin_and_never_a_secret(visitor: Visitor) -> None:
    visitor.sign_in("jonas.brandt")
    page = visitor.get("/_/admin/settings").text
    assert "server.port" in page and "default" in page and "load_groups.medium" in page


def test_the_overview_names_what_is_weak(visitor: Visitor) -> None:
    visitor.sign_in("jonas.brandt")
    assert "Apps can reach each other" in visitor.get("/_/admin").text


def test_links_of_a_stage_stay_in_it(visitor: Visitor) -> None:
    visitor.sign_in("amara.okoye")
    page = visitor.get("/prod/").text
    assert 'href="/prod/_/content"' in page and "rsconnect add -s http://localhost:3939/prod -n prod" in page


def test_the_pages_speak_german_to_those_who_ask_for_it(visitor: Visitor) -> None:
    page = visitor.get("/__login__", headers={"Accept-Language": "de-DE,de;q=0.9,en;q=0.5"}).text
    assert '<html lang="de"' in page and "Anmelden" in page


def test_the_addresses_that_clients_print_lead_to_a_page(visitor: Visitor) -> None:
    page = visitor.get("/connect").text
    assert "connect.js" in page and 'data-base=""' in page


def test_a_session_that_ended_sends_a_live_page_to_the_sign_in(visitor: Visitor) -> None:
    answer = visitor.get("/_/home/now", headers={"HX-Request": "true", "HX-Current-URL": "http://localhost/prod/?a=1"})
    assert answer.status_code == 401
    assert answer.headers["hx-redirect"] == "/__login__?url=/prod/%3Fa%3D1"
