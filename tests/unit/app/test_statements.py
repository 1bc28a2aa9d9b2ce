"""Pages ask the database as often for many items as for a few, and find people by an index."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.factories.control_plane import Asked, control_plane
from tests.factories.identity import add_group, add_user, principal
from tests.factories.statements import plan_of, statements

from pilothouse.base.access import Role
from pilothouse.content.service import Wanted, content_of_ids, create_content, list_content, set_tags
from pilothouse.db import Database, Watch
from pilothouse.identity.service import directory, find_user, nest_group
from pilothouse.identity.service.users import list_users
from pilothouse.stages import Stages

FEW, MANY = 3, 20
#: A list that no longer fits its page is counted: so many further questions are none for each item.
COUNTS = 2
PAGES = (
    "/",
    "/_/content",
    "/_/content?view=table",
    "/_/content?q=item",
    "/_/data",
    "/_/activity",
    "/_/people",
    "/_/search?q=item",
    "/_/admin/users",
    "/_/admin/groups",
    "/_/admin/audit",
    "/_/admin/content",
    "/__api__/v1/content?include=owner,tags,vanity_url",
    "/__api__/v1/search/content?q=item&include=owner,tags",
    "/__api__/v1/users",
    "/__api__/v1/groups",
    "/__api__/v1/audit_logs",
    "/__api__/v1/instrumentation/content/visits",
)


@pytest.fixture
def server(database: Database, tmp_path: Path) -> Iterator[Asked]:
    made = control_plane(tmp_path / "home", database)
    yield made
    made.database.close()


def fill(server: Asked, first: int, last: int) -> None:
    """Each item has an owner and a tag of its own, each group is in the one before."""
    group = add_group(server.database, f"Group {first}")
    for number in range(first, last):
        owner = principal(server.database, add_user(server.database, f"person.{number}", Role.PUBLISHER))
        outer, group = group, add_group(server.database, f"Group {number} inside")
        with server.database.write() as tx:
            nest_group(tx, owner_of(server), outer, inner=group)
            stage = server.plane.house.stages.all()[0]
            item = create_content(tx, owner, stage, name=f"item-{number}", fields={"access_type": "logged_in"})
            set_tags(tx, owner, item, names=[f"topic {number}"])


def owner_of(server: Asked) -> Any:
    with server.database.read() as tx:
        user = find_user(tx, "vera.holm")
    assert user is not None
    return principal(server.database, user)


def asked(server: Asked, client: Any, page: str) -> int:
    server.notice()
    client.get(page)  # what is learned once is known
    with statements(server.database) as said:
        assert client.get(page).status_code == 200, page
    return sum(statement.reads for statement in said)


def test_a_page_asks_as_often_for_many_items_as_for_a_few(server: Asked) -> None:
    add_user(server.database, "vera.holm", Role.ADMINISTRATOR)
    client = server.browser("vera.holm")
    fill(server, 0, FEW)
    few = {page: asked(server, client, page) for page in PAGES}
    fill(server, FEW, MANY)
    grown = {page: now for page in PAGES if (now := asked(server, client, page)) > few[page] + COUNTS}
    assert grown == {}, few


def test_people_are_searched_by_an_index_of_their_words(database: Database) -> None:
    if not database.is_sqlite:
        pytest.skip("PostgreSQL reads the rows one after the other, which is as quick")
    reader = principal(database, add_user(database, "vera.holm", Role.ADMINISTRATOR))
    with statements(database) as said, database.read() as tx:
        directory(tx, reader, words="holm")
        list_users(tx, reader, prefix="holm")
    plans = [plan_of(database, statement) for statement in said if "substr(" in statement.text]
    assert len(plans) == 2 and all("USING INDEX ix_user_words" in plan for plan in plans), plans


def test_content_is_found_by_its_ids_and_not_by_going_through_the_stage(database: Database, tmp_path: Path) -> None:
    if not database.is_sqlite:
        pytest.skip("PostgreSQL knows how many rows there are")
    control_plane(tmp_path / "home", database)
    reader, stage = principal(database, add_user(database, "vera.holm")), Stages(database, Watch(database)).all()[0]
    with statements(database) as sent, database.read() as tx:
        content_of_ids(tx, reader, stage, ids=range(1, 500))
        list_content(tx, reader, stage, wanted=Wanted(kept_by=reader.id), limit=6)
    plans = [plan_of(database, one) for one in sent if "FROM content" in one.text]
    assert len(plans) == 2 and all("SEARCH content USING INTEGER PRIMARY KEY" in plan for plan in plans), plans
