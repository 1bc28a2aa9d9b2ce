"""The page of the tree of tags, over real verbs and a real database, without a browser."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI
from sqlalchemy import select
from tests.factories.pages_app import Visitor, add_people, pages_app, publish

from pilothouse.content.models import Content, ContentTag, Tag
from pilothouse.db import Database

PAGE = "/_/admin/tags"


@pytest.fixture
def app(sqlite_database: Database, tmp_path: Path) -> FastAPI:
    app = pages_app(sqlite_database, tmp_path)
    add_people(app)
    return app


@pytest.fixture
def visitor(app: FastAPI) -> Iterator[Visitor]:
    with Visitor(app) as visitor:
        visitor.sign_in("jonas.brandt")
        yield visitor


def tree(app: FastAPI) -> dict[str, str | None]:
    """Names, with the names they are below."""
    with app.state.database.read() as tx:
        tags = {tag.id: tag for tag in tx.scalars(select(Tag))}
    return {tag.name: tags[tag.parent_id].name if tag.parent_id else None for tag in tags.values()}


def number(app: FastAPI, name: str) -> int:
    with app.state.database.read() as tx:
        return int(tx.scalars(select(Tag.id).where(Tag.name == name)).one())


def undo(visitor: Visitor, page: str) -> str:
    """Press the button that takes a change back."""
    form = re.search(r'<form class="push" method="post" action="([^"]+)".*?</form>', page, re.S)
    assert form
    fields = dict(re.findall(r'name="(\w+)" value="([^"]*)"', form[0]))
    return str(visitor.post(form[1], data=fields).text)


def grown(app: FastAPI, visitor: Visitor) -> None:
    visitor.post(PAGE, data={"name": "Department"})
    for name in ("Research", "Sales"):
        visitor.post(PAGE, data={"name": name, "parent": str(number(app, "Department"))})


def test_tags_are_added_renamed_moved_and_each_change_taken_back(app: FastAPI, visitor: Visitor) -> None:
    grown(app, visitor)
    assert tree(app) == {"Department": None, "Research": "Department", "Sales": "Department"}
    path = f"{PAGE}/{number(app, 'Sales')}"
    renamed = visitor.post(f"{path}/rename", data={"name": "Markets"}).text
    assert "Sales is called Markets now." in renamed and "Markets" in tree(app)
    undo(visitor, renamed)
    moved = visitor.post(f"{path}/move", data={"parent": str(number(app, "Research"))}).text
    assert "Sales is below Research now." in moved and tree(app)["Sales"] == "Research"
    undo(visitor, moved)
    removed = visitor.post(f"{path}/delete").text
    assert "Removed Sales." in removed and "Sales" not in tree(app)
    undo(visitor, removed)
    assert tree(app) == {"Department": None, "Research": "Department", "Sales": "Department"}


def test_one_tag_is_open_for_changes_and_may_go_everywhere_but_below_itself(app: FastAPI, visitor: Visitor) -> None:
    grown(app, visitor)
    page = visitor.get(f"{PAGE}?edit={number(app, 'Research')}").text
    places = re.search(r'<select[^>]*id="move".*?</select>', page, re.S)
    assert places and "Department › Sales" in places[0] and "Department › Research" not in places[0]
    assert page.count('class="tag-editor"') == 1
    assert visitor.get(f"{PAGE}?edit=999999").text.count('class="tag-editor"') == 0


def test_what_takes_something_with_it_wants_its_name_typed(app: FastAPI, visitor: Visitor) -> None:
    grown(app, visitor)
    item = publish(app, "amara.okoye", "Plant monitor")
    with app.state.database.write() as tx:
        content_id = tx.scalars(select(Content.id).where(Content.guid == item.guid)).one()
        tx.add(ContentTag(content_id=content_id, tag_id=number(app, "Research")))
    path = f"{PAGE}/{number(app, 'Department')}"
    refused = visitor.post(f"{path}/delete", data={"confirmation": "department"})
    assert (
        refused.status_code == 422
        and "Type Department exactly" in refused.text
        and "2 tags below it and these words on content" in refused.text
    )
    assert "Removed Department." in visitor.post(f"{path}/delete", data={"confirmation": "Department"}).text
    assert tree(app) == {}


def test_what_can_not_be_is_said_and_typed_words_stay(app: FastAPI, visitor: Visitor) -> None:
    grown(app, visitor)
    answer = visitor.post(PAGE, data={"name": "sales", "parent": str(number(app, "Department"))})
    assert answer.status_code == 422 and "at the same place" in answer.text and 'value="sales"' in answer.text
    assert visitor.post(PAGE, data={"name": "x", "parent": "999999"}).status_code == 422
    assert (
        visitor.post(f"{PAGE}/{number(app, 'Department')}/move", data={"parent": str(number(app, "Sales"))}).status_code
        == 422
    )
    assert visitor.post(f"{PAGE}/999999/rename", data={"name": "x"}).status_code == 422


def test_a_large_tree_is_shown_one_category_at_a_time(
    app: FastAPI, visitor: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    grown(app, visitor)
    monkeypatch.setattr("pilothouse.content.pages.tags.SHOWN_WHOLE", 2)
    page = visitor.get(PAGE).text
    assert "Choose a category above" in page and "Sales" not in page
    assert "Sales" in visitor.get(f"{PAGE}?category={number(app, 'Department')}").text
    assert "Sales" in visitor.get(f"{PAGE}?edit={number(app, 'Research')}").text


def test_only_administrators_see_it(app: FastAPI) -> None:
    with Visitor(app) as visitor:
        visitor.sign_in("amara.okoye")
        assert visitor.get(PAGE).status_code == 403
