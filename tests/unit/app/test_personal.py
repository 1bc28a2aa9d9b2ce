"""All that is held about a person is handed out, and erased, and the audit trail stays valid: on both databases."""

from __future__ import annotations

import json
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy import select, text
from tests.factories.api import api_app, client_of
from tests.factories.identity import PASSWORD, add_group, add_key, add_user, principal, sign_in

from pilothouse.app import personal
from pilothouse.audit.service import Sealer, verify
from pilothouse.audit.sinks.memory import MemorySink
from pilothouse.base.access import SYSTEM, Principal, ResourceRef, Role, Share
from pilothouse.base.clock import now
from pilothouse.base.errors import Denied
from pilothouse.content import service as content
from pilothouse.content.models import Access, Content, Favourite
from pilothouse.db import Database
from pilothouse.gateway.models import UsageEvent
from pilothouse.identity import service as identity
from pilothouse.identity.contract import InvalidKey, TooManyFailures, WrongPassword
from pilothouse.identity.models import ApiKey, Group, KeyUse, Login, Membership, User
from pilothouse.identity.service.logins import note_use
from pilothouse.stages import StageRef
from pilothouse.stages.models import Stage
from pilothouse.storage.contract import Blob

PATH = "/api/v1/personal-data"
KEY = b"k" * 32
STAGE = StageRef(1, "dev", "Dev", "/", None, 0)
#: Words that say who it was, each in another column.
WORDS = {"email": "wanda@veridia.example", "first_name": "Wanda", "last_name": "Wolf", "department": "Dyeing", "site": "Wuppertal",
         "title": "Wizard", "external_id": "saml-w-1"}  # fmt: skip
ADDRESS, BROWSER = "198.51.100.77", "Wanda's browser"


class Company:
    """Wanda, who has everything a person can have, and Henrik, another publisher."""

    def __init__(self, database: Database) -> None:
        self.database, self.sink = database, MemorySink()
        self.sealer = Sealer(database, KEY, {"one": self.sink})
        with database.write() as tx:
            tx.add(Stage(id=1, key="dev", title="Dev", path="/", position=0))
        add_user(database, "jonas.brandt", Role.ADMINISTRATOR)
        self.henrik = add_user(database, "henrik.dahl", Role.PUBLISHER)
        self.wanda = add_user(database, "wanda.wolf", Role.PUBLISHER, locale="de", timezone="Europe/Berlin", **WORDS)
        self.me = principal(database, self.wanda)
        self.key = add_key(database, self.wanda, name="Wanda's laptop")
        self.cookie = sign_in(database, "wanda.wolf", address=ADDRESS, user_agent=BROWSER).cookie
        with pytest.raises(WrongPassword):
            sign_in(database, "wanda.wolf", "wrong", address=ADDRESS)
        self._work(add_group(database, "Quality", self.me))
        self.app: FastAPI = api_app(database, personal.router)
        self.admin: TestClient = client_of(self.app, SYSTEM)

    def _work(self, group: Group) -> None:
        henrik = principal(self.database, self.henrik)
        with self.database.write() as tx:
            identity.add_member(tx, self.me, tx.merge(group), user=tx.get_one(User, self.wanda.id))
            note_use(tx, "key", "1")
            mine = content.create_content(tx, self.me, STAGE, name="plan", fields={"title": "The plan"})
            content.add_bundle(tx, self.me, mine, blob=Blob("d" * 64, 7, "", ""))
            content.delete_content(tx, self.me, content.create_content(tx, self.me, STAGE, name="gone"))
            other = content.create_content(tx, henrik, STAGE, name="plan")
            content.grant(tx, henrik, other, principal=tx.get_one(User, self.wanda.id), share=Share.EDITOR)
            tx.add(Favourite(user_id=self.wanda.id, content_id=other.id))
            for n, person in enumerate((self.wanda.id, self.henrik.id, self.wanda.id)):
                tx.add(
                    UsageEvent(
                        kind="visit", stream=f"s{n}", subject_kind="content", subject_id=mine.id, principal_id=person, started_at=now()
                    )
                )  # fmt: skip

    def export(self, who: str = "wanda.wolf") -> dict[str, Any]:
        answer = self.admin.get(f"{PATH}/{who}")
        assert answer.status_code == 200, answer.text
        return dict(json.loads(answer.text))

    def erase(self, who: str = "", **query: str) -> dict[str, Any]:
        answer = self.admin.delete(f"{PATH}/{who or self.wanda.guid}", params=query)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def everything(self) -> str:
        """Every cell of the database."""
        with self.database.read() as tx:
            tables = tx.execute(text(TABLES[self.database.is_sqlite])).scalars().all()
            return "\n".join(str(row) for t in tables for row in tx.execute(text(f'SELECT * FROM "{t}"')).all())


TABLES = {
    True: "SELECT name FROM sqlite_master WHERE type = 'table'",
    False: "SELECT tablename FROM pg_tables WHERE schemaname = 'public'",
}


@pytest.fixture
def company(database: Database) -> Company:
    return Company(database)


def test_the_document_holds_everything_about_the_person_and_nothing_of_others(company: Company) -> None:
    found = company.export("WANDA.wolf")
    account = found["account"]
    assert {name: account[name] for name in WORDS} == WORDS and account["has_password"] is True
    assert (account["username"], account["role"], account["guid"]) == ("wanda.wolf", "publisher", company.wanda.guid)
    assert [g["name"] for g in found["groups"]] == [g["name"] for g in found["groups_owned"]] == ["Quality"]
    (login,) = found["logins"]
    assert (login["address"], login["user_agent"], login["ended_at"]) == (ADDRESS, BROWSER, None)
    (key,) = found["keys"]
    assert key["name"] == "Wanda's laptop" and key["used_at"]
    assert [(c["name"], bool(c["deleted_at"])) for c in found["content"]] == [("plan", False), ("gone", True)]
    assert [(a["content_id"], a["share"]) for a in found["access"]] == [(3, "editor")]
    assert len(found["bundles"]) == len(found["favourites"]) == 1 and found["deployments"] == []
    assert [u["stream"] for u in found["usage"]] == ["s2", "s0"]
    names = [e["name"] for e in found["audit"]]
    assert names[0] == "identity:user:exported" and names[-1] == "identity:user:created"
    assert {
        "content:access:granted",
        "identity:group:member-added",
        "identity:login:failed",
        "identity:key:created",
    } <= set(names)
    assert "henrik" not in json.dumps(found)


def test_the_document_holds_no_secret(company: Company) -> None:
    shown = json.dumps(company.export())
    with company.database.read() as tx:
        user, login = tx.get_one(User, company.wanda.id), tx.scalars(select(Login)).one()
        secrets = [
            user.password_hash,
            login.secret_digest,
            tx.scalars(select(ApiKey.digest)).one(),
            company.key,
            company.cookie,
        ]
    assert PASSWORD not in shown and "argon2" not in shown
    assert [secret for secret in secrets if secret is None or secret in shown] == []


def test_long_lists_are_read_page_by_page(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = company.export()
    monkeypatch.setattr(personal, "PAGE", 2)
    paged = company.export()
    assert paged["usage"] == whole["usage"]
    assert paged["audit"][1:] == whole["audit"] and len(paged["audit"]) > 8


@pytest.mark.parametrize("state", ["locked", "deleted"])
def test_also_of_somebody_locked_or_deleted(company: Company, state: str) -> None:
    with company.database.write() as tx:
        user = tx.get_one(User, company.wanda.id)
        user.locked, user.deleted_at = state == "locked", now() if state == "deleted" else None
    assert company.export()["account"]["email"] == WORDS["email"]
    assert company.erase("wanda.wolf", content_to="henrik.dahl")["erased"] is True
    assert "Wanda" not in company.everything()


def test_everybody_may_have_their_own_and_administrators_anybodys(company: Company) -> None:
    own = client_of(company.app, company.me)
    assert own.get(f"{PATH}/wanda.wolf").json()["account"]["guid"] == company.wanda.guid
    assert own.get(f"{PATH}/henrik.dahl").status_code == 403
    assert client_of(company.app).get(f"{PATH}/wanda.wolf").status_code == 401
    with company.database.read() as tx, pytest.raises(Denied):
        content.personal_content(tx, company.me, tx.get_one(User, company.henrik.id))
    job = Principal(company.wanda.id, Role.PUBLISHER, key=1, bound_to=ResourceRef("content", 1))
    assert client_of(company.app, job).get(f"{PATH}/wanda.wolf").status_code == 403
    assert company.admin.get(f"{PATH}/nobody").status_code == 404


def test_only_administrators_may_erase(company: Company) -> None:
    for caller in (company.me, principal(company.database, company.henrik)):
        assert client_of(company.app, caller).delete(f"{PATH}/wanda.wolf").status_code == 403
    with company.database.write() as tx, pytest.raises(Denied):
        content.leave_content(tx, company.me, tx.get_one(User, company.wanda.id), to=None)
    with company.database.write() as tx, pytest.raises(Denied):
        identity.erase_user(tx, company.me, tx.get_one(User, company.wanda.id))
    assert company.export()["account"]["first_name"] == "Wanda"


def test_no_cell_of_the_database_says_any_more_who_it_was(company: Company) -> None:
    words = ["wanda.wolf", *WORDS.values(), "Wanda", "Wolf"]
    assert [word for word in words if word not in company.everything()] == []
    assert company.erase(content_to="henrik.dahl") == {"guid": company.wanda.guid, "erased": True, "content_moved": 1}
    left = company.everything()
    assert [word for word in words if word in left] == []
    with company.database.read() as tx:
        assert [tx.scalars(select(table)).all() for table in (Login, Membership, Access, Favourite, KeyUse)] == [[]] * 5
        assert tx.scalars(select(Group.owner_id)).all() == [None]


def test_the_chain_is_valid_before_and_after(company: Company) -> None:
    company.sealer.run()
    before = company.sink.heads()[-1]
    assert verify(company.database, KEY, company.sink.heads()).is_intact
    company.erase(content_to="henrik.dahl")
    assert verify(company.database, KEY, company.sink.heads()).is_intact
    company.sealer.run()
    report = verify(company.database, KEY, company.sink.heads())
    assert report.is_intact and report.unsealed == 0 and report.sealed > before.number
    last = company.sink.events[-1].facts
    assert (last["name"], last["subject_id"], last["actor_kind"]) == (
        "identity:user:erased",
        company.wanda.id,
        "system",
    )


def test_nobody_signs_in_as_an_erased_person_and_the_name_is_free_again(company: Company) -> None:
    company.erase(content_to="henrik.dahl")
    with pytest.raises((WrongPassword, TooManyFailures)):
        sign_in(company.database, "wanda.wolf")
    with company.database.read() as tx:
        assert identity.principal_of_cookie(tx, company.cookie) is None
        with pytest.raises(InvalidKey):
            identity.principal_of_key(tx, company.key)
    assert add_user(company.database, "wanda.wolf").id != company.wanda.id


def test_content_is_handed_over_with_a_free_name(company: Company) -> None:
    company.erase(content_to="henrik.dahl")
    with company.database.read() as tx:
        owned = tx.scalars(select(Content).where(Content.owner_id == company.henrik.id).order_by(Content.id)).all()
    assert [c.name[:5] for c in owned] == ["plan-", "plan"] and owned[0].title == "The plan"


@pytest.mark.parametrize(
    ("query", "status", "words"),
    [
        ({}, 409, "wanda.wolf owns “The plan”. Name a publisher who takes that over, or delete it first."),
        ({"content_to": "wanda.wolf"}, 422, "Name somebody else"),
        ({"content_to": "nobody"}, 404, "There is no user “nobody”"),
        ({"content_to": "clara.voss"}, 403, "clara.voss is a viewer"),
    ],
)
def test_nothing_is_erased_while_content_would_be_nobodys(
    company: Company, query: dict[str, str], status: int, words: str
) -> None:
    add_user(company.database, "clara.voss")
    answer = company.admin.delete(f"{PATH}/wanda.wolf", params=query)
    assert (answer.status_code, words in answer.json()["detail"]) == (status, True), answer.text
    found = company.export()
    assert found["account"]["last_name"] == "Wolf" and len(found["logins"]) == len(found["access"]) == 1


def test_erasing_twice_is_harmless(company: Company) -> None:
    company.erase(content_to="henrik.dahl")
    count = len(company.export(company.wanda.guid)["audit"])
    assert company.erase() == {"guid": company.wanda.guid, "erased": False, "content_moved": 0}
    assert len(company.export(company.wanda.guid)["audit"]) == count + 1  # the first of the two exports
    gone = company.admin.delete(f"{PATH}/wanda.wolf")
    assert gone.status_code == 404 and "found by GUID only" in gone.json()["detail"]


def test_the_last_administrator_stays(company: Company) -> None:
    refused = company.admin.delete(f"{PATH}/jonas.brandt")
    assert (refused.status_code, refused.json()["code"]) == (409, "identity/last-administrator")
    assert company.export("jonas.brandt")["account"]["username"] == "jonas.brandt"


def test_a_name_that_is_another_persons_number_leads_to_the_number(company: Company) -> None:
    add_user(company.database, company.wanda.guid)
    assert company.export(company.wanda.guid)["account"]["username"] == "wanda.wolf"
