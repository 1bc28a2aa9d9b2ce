"""Groups in the administration: the list, who counts in one, groups in groups, what is open to it, its end."""

from __future__ import annotations

import pytest
from fastapi import FastAPI
from sqlalchemy import select
from tests.factories.pages_app import Visitor, publish

from pilothouse.base.access import SYSTEM, Share
from pilothouse.content import service as content
from pilothouse.content.models import Access, Content
from pilothouse.identity import service as identity
from pilothouse.identity.models import Group, Nesting

ADMIN = "/_/admin/groups"


@pytest.fixture
def boss(visitor: Visitor) -> Visitor:
    visitor.sign_in("jonas.brandt")
    return visitor


def page_of(app: FastAPI, name: str) -> str:
    with app.state.database.write() as tx:
        found = identity.find_group(tx, SYSTEM, name) or identity.create_group(tx, SYSTEM, name=name)
        return f"{ADMIN}/{found.guid}"


def nest(app: FastAPI, outer: str, inner: str) -> None:
    page_of(app, outer), page_of(app, inner)
    with app.state.database.write() as tx:
        groups = [identity.find_group(tx, SYSTEM, name) for name in (outer, inner)]
        assert groups[0] is not None and groups[1] is not None
        identity.nest_group(tx, SYSTEM, groups[0], inner=groups[1])


def open_to_group(app: FastAPI, guid: str, name: str, share: Share) -> None:
    with app.state.database.write() as tx:
        row, group = (
            tx.scalars(select(Content).where(Content.guid == guid)).one(),
            identity.find_group(tx, SYSTEM, name),
        )
        assert group is not None
        content.grant(tx, SYSTEM, row, principal=group, share=share)


def test_a_new_group_leads_to_its_page_and_a_name_is_taken_once(boss: Visitor) -> None:
    page = boss.post(ADMIN, data={"name": "Data science"})
    assert page.url.path.startswith(f"{ADMIN}/") and "Nobody joined it yet." in page.text
    again = boss.post(ADMIN, data={"name": "data SCIENCE"})
    assert again.status_code == 422 and "exists already" in again.text and 'value="data SCIENCE"' in again.text


def test_many_groups_come_in_pages_and_are_found_by_name(app: FastAPI, boss: Visitor) -> None:
    with app.state.database.write() as tx:
        for n in range(120):
            identity.create_group(tx, SYSTEM, name=f"Line {n:03}")
    page = boss.get(ADMIN).text
    assert "Line 000" in page and "Line 080" not in page and "Page 1 of 3" in page
    page = boss.get(f"{ADMIN}?prefix=Line+080").text
    assert "Line 080" in page and "Line 000" not in page
    assert "No group has such a name" in boss.get(f"{ADMIN}?prefix=zz").text
    assert "1 person" in boss.get(f"{ADMIN}?prefix=quality").text


def test_a_person_is_added_and_taken_out_and_both_can_be_undone(app: FastAPI, boss: Visitor) -> None:
    path = page_of(app, "Quality circle")
    added = boss.post(f"{path}/members", data={"username": "amara.okoye"}).text
    assert "Amara Okoye is in Quality circle." in added and "2 people in it" in added
    assert "was in Quality circle already" in boss.post(f"{path}/members", data={"username": "amara.okoye"}).text
    with app.state.database.read() as tx:
        clara = identity.find_user(tx, "clara.voss")
        assert clara is not None
    removed = boss.post(f"{path}/members/{clara.guid}/remove").text
    assert "Clara Voss is no longer in" in removed and 'name="username" value="clara.voss"' in removed
    unknown = boss.post(f"{path}/members", data={"username": "<nobody>"})
    assert unknown.status_code == 422 and 'value="&lt;nobody&gt;"' in unknown.text


def test_a_group_is_put_into_another_and_its_people_count(app: FastAPI, boss: Visitor) -> None:
    plant = page_of(app, "Plant Oslo")
    page = boss.post(f"{plant}/groups", data={"name": "quality circle"}).text
    assert "Everybody in Quality circle counts in Plant Oslo now." in page and "1 person in it" in page
    assert f'href="{plant}"' in boss.get(page_of(app, "Quality circle")).text, "the inner one names where it is in"
    assert boss.post(f"{plant}/groups", data={"name": "Quality circle"}).status_code == 422
    with app.state.database.read() as tx:
        inner = identity.find_group(tx, SYSTEM, "Quality circle")
        assert inner is not None
    page = boss.post(f"{plant}/groups/{inner.guid}/remove").text
    assert "no longer counts in Plant Oslo" in page and 'name="name" value="Quality circle"' in page
    assert boss.post(f"{plant}/groups/{inner.guid}/remove").status_code == 422, "it is out already"


@pytest.mark.parametrize("name", ["Company", "Plant", "Lab", "no such group", "", "\x00"])
def test_a_circle_or_no_group_is_refused_beside_the_field(app: FastAPI, boss: Visitor, name: str) -> None:
    nest(app, "Company", "Plant")
    nest(app, "Plant", "Lab")
    answer = boss.post(f"{page_of(app, 'Lab')}/groups", data={"name": name})
    words = "A group can't be in itself" if name in ("Company", "Plant", "Lab") else "No group is called"
    assert answer.status_code == 422 and words in answer.text.replace("&#39;", "'")
    assert 'id="g-name-wrong"' in answer.text
    with app.state.database.read() as tx:
        assert len(tx.scalars(select(Nesting)).all()) == 2


def test_what_is_open_to_a_group_stands_on_its_page_from_all_stages(app: FastAPI, boss: Visitor) -> None:
    guid = publish(app, "amara.okoye", "Plant monitor").guid
    open_to_group(app, guid, "Quality circle", Share.VIEWER)
    other = publish(app, "amara.okoye", "Shelf life").guid
    open_to_group(app, other, "Quality circle", Share.EDITOR)
    with app.state.database.write() as tx:
        tx.scalars(select(Content).where(Content.guid == other)).one().stage_id = app.state.stages.all()[1].id
    page = boss.get(page_of(app, "Quality circle")).text
    assert f'href="/_/content/{guid}/access"' in page and "may open it" in page
    assert f'href="{app.state.stages.all()[1].path}_/content/{other}/access"' in page and "may change it" in page
    assert "1 person can no longer open 2 items by it." in page


def test_its_name_must_be_typed_before_it_ends_and_its_access_with_it(app: FastAPI, boss: Visitor) -> None:
    open_to_group(app, publish(app, "amara.okoye", "Plant monitor").guid, "Quality circle", Share.VIEWER)
    nest(app, "Company", "Quality circle")
    path = page_of(app, "Quality circle")
    assert "By it they count in Company; that ends, too." in boss.get(path).text
    wrong = boss.post(f"{path}/delete", data={"confirmation": "quality"})
    assert wrong.status_code == 422 and "Type Quality circle exactly" in wrong.text
    done = boss.post(f"{path}/delete", data={"confirmation": "Quality circle"})
    assert done.url.path == ADMIN and "Quality circle" not in done.text
    with app.state.database.read() as tx:
        assert tx.scalars(select(Access)).all() == [] and tx.scalars(select(Nesting)).all() == []
        assert [group.name for group in tx.scalars(select(Group))] == ["Company"]
    assert boss.get(path).status_code == 404 and boss.post(f"{path}/members", data={"username": "x"}).status_code == 404


def test_only_administrators_see_and_change_groups_here(app: FastAPI, visitor: Visitor) -> None:
    path = page_of(app, "Quality circle")
    visitor.sign_in("amara.okoye")
    assert visitor.get(path).status_code == 403 and visitor.get(ADMIN).status_code == 403
    for verb, data in (
        ("members", {"username": "amara.okoye"}), ("groups", {"name": "Quality circle"}), ("delete", {"confirmation": "Quality circle"}),
    ):  # fmt: skip
        assert visitor.post(f"{path}/{verb}", data=data).status_code == 403, verb
    assert visitor.get(f"{ADMIN}/nonsense").status_code in (403, 404)
