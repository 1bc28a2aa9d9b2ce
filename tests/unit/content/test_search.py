"""Finding content: words, kind, owner, department, tag, favourites; and what one may not see is never counted."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from fastapi import FastAPI
from tests.factories.pages_app import principal, publish

from pilothouse.base import clock
from pilothouse.content import service
from pilothouse.content.models import Content
from pilothouse.content.service.describing import ThumbnailInvalid
from pilothouse.content.service.tags import TagInvalid

PNG = b"\x89PNG\r\n\x1a\n" + bytes(40)


@pytest.fixture
def shelf(app: FastAPI) -> FastAPI:
    """Three items of two people; one of them is not shared."""
    publish(app, "amara.okoye", "Plant monitor", open_to="logged_in")
    publish(app, "amara.okoye", "Mixing explorer", mode="python-shiny")
    publish(app, "henrik.dahl", "Shelf life", mode="python-shiny", open_to="logged_in")
    return app


def titles(app: FastAPI, who: str, **wanted: Any) -> list[str]:
    stage, caller = app.state.stages.all()[0], principal(app, who)
    with app.state.database.read() as tx:
        chosen = service.Wanted(**wanted)
        found = [row.title or "" for row in service.list_content(tx, caller, stage, wanted=chosen)]
        assert service.count_content(tx, caller, stage, wanted=chosen) == len(found)
    return sorted(found)


def change(app: FastAPI, who: str, title: str, verb: Any, **details: Any) -> Any:
    with app.state.database.write() as tx:
        content = tx.query(Content).filter_by(title=title).one()
        return verb(tx, principal(app, who), content, **details)


def test_every_word_must_be_found_somewhere(shelf: FastAPI) -> None:
    change(shelf, "amara.okoye", "Plant monitor", service.set_tags, names=["Reactor"])
    assert titles(shelf, "amara.okoye", search="plant") == ["Plant monitor"]
    assert titles(shelf, "amara.okoye", search="reactor okoye") == ["Plant monitor"]
    assert titles(shelf, "amara.okoye", search="reactor dahl") == []
    assert titles(shelf, "amara.okoye", search="100%") == []


def test_content_without_a_department_counts_as_its_owners(shelf: FastAPI) -> None:
    assert titles(shelf, "clara.voss", department="Research") == ["Shelf life"]
    change(shelf, "henrik.dahl", "Shelf life", service.update_content, changes={"department": "Quality"})
    assert titles(shelf, "clara.voss", department="Research") == []
    assert titles(shelf, "clara.voss", department="Quality") == ["Shelf life"]


def test_kind_owner_and_time_narrow_the_list(shelf: FastAPI) -> None:
    assert titles(shelf, "amara.okoye", app_modes=["python-shiny"]) == ["Mixing explorer", "Shelf life"]
    owner = principal(shelf, "henrik.dahl").id
    assert titles(shelf, "amara.okoye", owner_id=owner) == ["Shelf life"]
    assert titles(shelf, "amara.okoye", updated_since=clock.now() + timedelta(hours=1)) == []


def test_choices_name_only_what_one_may_see(shelf: FastAPI) -> None:
    change(shelf, "amara.okoye", "Mixing explorer", service.set_tags, names=["secret project"])
    change(shelf, "henrik.dahl", "Shelf life", service.set_tags, names=["viscosity"])
    with shelf.state.database.read() as tx:
        found = service.choices(tx, principal(shelf, "clara.voss"), shelf.state.stages.all()[0])
    assert found.tags == ["viscosity"]
    assert [user.username for user in found.owners] == ["amara.okoye", "henrik.dahl"]
    assert found.departments == ["Process engineering", "Research"]
    assert found.app_modes == ["python-fastapi", "python-shiny"]


def test_a_known_tag_keeps_its_spelling_and_the_same_tags_are_no_change(shelf: FastAPI) -> None:
    change(shelf, "amara.okoye", "Plant monitor", service.set_tags, names=["Quality", " quality ", ""])
    assert change(shelf, "henrik.dahl", "Shelf life", service.set_tags, names=["QUALITY"]) == ["Quality"]
    assert titles(shelf, "henrik.dahl", tag="quality") == ["Plant monitor", "Shelf life"]


@pytest.mark.parametrize("names", [[f"tag {n}" for n in range(13)], ["x" * 61], ["new\x07line"]])
def test_tags_that_nobody_could_use_are_refused(shelf: FastAPI, names: list[str]) -> None:
    with pytest.raises(TagInvalid):
        change(shelf, "amara.okoye", "Plant monitor", service.set_tags, names=names)


def test_favourites_are_ones_own(shelf: FastAPI) -> None:
    clara, amara = principal(shelf, "clara.voss").id, principal(shelf, "amara.okoye").id
    for _ in range(2):
        change(shelf, "clara.voss", "Shelf life", service.keep_at_hand, kept=True)
    assert titles(shelf, "clara.voss", kept_by=clara) == ["Shelf life"]
    assert titles(shelf, "amara.okoye", kept_by=amara) == []
    for _ in range(2):
        change(shelf, "clara.voss", "Shelf life", service.keep_at_hand, kept=False)
    assert titles(shelf, "clara.voss", kept_by=clara) == []


@pytest.mark.parametrize("image", [b"<svg onload=alert(1)>", b"", PNG + bytes(300_000), b"RIFF0000WAVE"])
def test_what_is_no_small_picture_is_refused(shelf: FastAPI, image: bytes) -> None:
    with pytest.raises(ThumbnailInvalid):
        change(shelf, "amara.okoye", "Plant monitor", service.set_thumbnail, image=image)
