"""Sign-in, account, users and groups as people meet them: over real verbs and a real database, without a browser."""

from __future__ import annotations

import re

import pytest
from fastapi import FastAPI
from sqlalchemy import select
from tests.factories.pages_app import BASE, PASSWORD, Visitor

from pilothouse.asgi import xsrf
from pilothouse.identity.models import Failure


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


def test_after_too_many_failures_the_page_says_how_long_to_wait(app: FastAPI, visitor: Visitor) -> None:
    wrong = {"username": "amara.okoye", "password": "no"}
    visitor.post("/__login__", data=wrong)
    with app.state.database.write() as tx:
        for failure in tx.scalars(select(Failure)):
            failure.count = 15
    assert visitor.post("/__login__", data=wrong).status_code == 401
    answer = visitor.post("/__login__", data=wrong | {"password": PASSWORD})
    assert answer.status_code == 401
    assert "Wait 32 seconds and try again" in answer.text
    german = visitor.post("/__login__", data=wrong, headers={"Accept-Language": "de"})
    assert "Warten Sie 32 Sekunden" in german.text


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
    path = re.search(r'action="(/_/admin/users/[0-9a-f-]+)/lock[?"]', page)
    assert path is not None and "clara" not in page
    assert ">locked<" in visitor.post(f"{path[1]}/lock").text
    assert ">locked<" not in visitor.post(f"{path[1]}/unlock").text
    assert visitor.post(f"{path[1]}/role", data={"role": "publisher"}).status_code == 200
    assert visitor.post(f"{path[1]}/password", data={"password": "another-long-one"}).status_code == 200


def test_what_was_changed_about_a_user_is_taken_back_and_the_list_stays_where_it_was(visitor: Visitor) -> None:
    visitor.sign_in("jonas.brandt")
    page = visitor.get("/_/admin/users?prefix=clara").text
    path = re.search(r'action="(/_/admin/users/[0-9a-f-]+)/lock\?prefix=clara"', page)
    assert path is not None
    changed = visitor.post(f"{path[1]}/role?prefix=clara", data={"role": "publisher"}).text
    assert "clara.voss is publisher now." in changed and "henrik" not in changed
    assert re.search(
        rf'action="{path[1]}/role\?prefix=clara"[^>]*><input type="hidden" name="role" value="viewer"', changed
    )
    locked = visitor.post(f"{path[1]}/lock?prefix=clara").text
    assert f'action="{path[1]}/unlock?prefix=clara"' in locked and "Undo" in locked


def test_the_last_administrator_can_not_be_locked_out(visitor: Visitor) -> None:
    visitor.sign_in("jonas.brandt")
    page = visitor.get("/_/admin/users?prefix=jonas").text
    path = re.search(r'action="(/_/admin/users/[0-9a-f-]+)/lock[?"]', page)
    assert path is not None
    answer = visitor.post(f"{path[1]}/role", data={"role": "viewer"})
    assert answer.status_code == 422 and "last unlocked administrator" in answer.text


def test_a_session_that_ended_sends_a_live_page_to_the_sign_in(visitor: Visitor) -> None:
    answer = visitor.get("/_/home/now", headers={"HX-Request": "true", "HX-Current-URL": "http://localhost/prod/?a=1"})
    assert answer.status_code == 401
    assert answer.headers["hx-redirect"] == "/__login__?url=/prod/%3Fa%3D1"


def test_people_say_who_they_are_and_which_language_they_read(visitor: Visitor) -> None:
    visitor.sign_in("amara.okoye")
    profile = {"first_name": "Amara", "last_name": "Okoye-Berg", "email": "a@veridia.example", "language": "de"}
    page = visitor.post("/_/account/profile", data=profile).text
    assert "Amara Okoye-Berg" in page and '<html lang="de"' in page and "Abmelden" in page
    page = visitor.get("/_/account", headers={"Accept-Language": "en"}).text
    assert '<html lang="de"' in page and 'value="a@veridia.example"' in page
    page = visitor.post("/_/account/profile", data={**profile, "language": ""}, headers={"Accept-Language": "en"}).text
    assert '<html lang="en"' in page


def test_a_profile_that_cannot_be_kept_says_why(visitor: Visitor) -> None:
    visitor.sign_in("amara.okoye")
    answer = visitor.post("/_/account/profile", data={"first_name": "A" * 300})
    assert answer.status_code == 422 and "must be text of at most" in answer.text


def test_the_account_leads_to_all_that_is_held_about_the_person(visitor: Visitor) -> None:
    visitor.sign_in("amara.okoye")
    page = visitor.get("/_/account").text
    assert 'href="/api/v1/personal-data/amara.okoye" download="personal-data.json"' in page


def test_the_form_for_another_user_can_be_linked_to(visitor: Visitor) -> None:
    visitor.sign_in("jonas.brandt")
    assert '<details class="reveal wide" open' in visitor.get("/_/admin/users?new=1").text.replace("  ", " ")
