"""Finding content: what one may see, narrowed by words, kind, owner, department and tag."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import CTE, BindParameter, ColumnElement, Select, bindparam, func, or_, select
from sqlalchemy.orm import load_only

from pilothouse.base.access import Principal, Share
from pilothouse.content.models import Access, Content, ContentTag, Endorsement, Favourite, Tag, Vanity
from pilothouse.content.service.content import visible, visible_of
from pilothouse.db import Tx
from pilothouse.identity.models import Group, User
from pilothouse.identity.service import names_hold
from pilothouse.stages import StageRef

WORDS_SEARCHED = 8
#: What a list can be narrowed to is read off so many of the newest items; what only older ones have is found by searching.
LOOKED_THROUGH = 500
OWNERS_PROPOSED = 100
LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Wanted:
    """What a list is narrowed to; each empty field leaves it as it is.

    Every word of ``search`` must stand in the title, name, description, a tag or the owner's name. ``updated_since`` looks
    at the last deploy, ``kept_by`` is the user who has it among the favourites, ``share`` what the one who asks has in it.
    ``category`` and ``without`` are the wire's content category (``pin``) that it must have, or must not.
    """

    name: str | None = None
    owner_id: int | None = None
    search: str = ""
    app_modes: Sequence[str] = ()
    department: str = ""
    tag: str = ""
    updated_since: datetime | None = None
    kept_by: int | None = None
    featured: bool = False
    endorsed: bool = False
    category: str = ""
    without: str = ""
    share: Share = Share.VIEWER


@dataclass(frozen=True)
class Choices:
    """What the newest content that one may see differs in, each list in alphabetical order."""

    app_modes: Sequence[str]
    owners: Sequence[User]
    departments: Sequence[str]
    tags: Sequence[str]


EVERYTHING = Wanted()


def list_content(
    tx: Tx,
    actor: Principal,
    stage: StageRef,
    *,
    wanted: Wanted = EVERYTHING,
    limit: int | None = None,
    offset: int = 0,
) -> list[Content]:
    """What ``actor`` may see in this stage, last deployed first."""
    chosen = _ordered(actor, stage, wanted)
    return list(tx.scalars(chosen.limit(limit).offset(offset) if limit is not None or offset else chosen))


def content_ids(
    tx: Tx, actor: Principal, stage: StageRef, *, wanted: Wanted = EVERYTHING, limit: int | None = None
) -> Sequence[int]:
    """The ids of what `list_content` would give, in eight bytes each: for lists too long to be held."""
    return array("q", tx.scalars(_ordered(actor, stage, wanted).with_only_columns(Content.id).limit(limit)))


def content_of_ids(tx: Tx, actor: Principal, stage: StageRef, *, ids: Sequence[int]) -> list[Content]:
    """Content of these ids, in their order, as far as it is still there and ``actor`` may see it. At most a few hundred at once."""
    found = {row.id: row for row in tx.scalars(visible_of(actor, stage, ids))}
    return [found[number] for number in ids if number in found]


def count_content(tx: Tx, actor: Principal, stage: StageRef, *, wanted: Wanted = EVERYTHING) -> int:
    """How many `list_content` would give without a limit."""
    found = narrowed(visible(actor, stage, wanted.share), wanted).with_only_columns(Content.id)
    return tx.scalar(select(func.count()).select_from(found.subquery())) or 0


def page_of_content(
    tx: Tx, actor: Principal, stage: StageRef, *, wanted: Wanted, limit: int, offset: int = 0
) -> tuple[list[Content], int]:
    """One page of `list_content`, and how many there are in all. What a page that is not full tells by itself is not counted.

    A search goes through everything, and so only once: for the page and the number.
    """
    if wanted.search:
        ids = content_ids(tx, actor, stage, wanted=wanted)
        return content_of_ids(tx, actor, stage, ids=ids[offset : offset + limit]), len(ids)
    rows = list_content(tx, actor, stage, wanted=wanted, limit=limit, offset=offset)
    if len(rows) < limit and (rows or not offset):
        return rows, offset + len(rows)
    return rows, count_content(tx, actor, stage, wanted=wanted)


def found_content(tx: Tx, actor: Principal, stage: StageRef, *, wanted: Wanted) -> list[tuple[int, str]]:
    """The ids of what `list_content` would give, each with its content category: to show parts of it, searched for once."""
    found = _ordered(actor, stage, wanted).with_only_columns(Content.id, Content.category)
    return [(number, category) for number, category in tx.execute(found)]


def vanities(tx: Tx, actor: Principal, stage: StageRef) -> list[tuple[Vanity, Content]]:
    """The paths of all content that ``actor`` may see in this stage, in the order they were made."""
    seen = visible(actor, stage).with_only_columns(Content.id)
    rows = select(Vanity, Content).join(Content, Content.id == Vanity.content_id).where(Content.id.in_(seen))
    return [(vanity, content) for vanity, content in tx.execute(rows.order_by(Vanity.id))]


def content_of_group(tx: Tx, actor: Principal, stage: StageRef, group: Group) -> list[tuple[Content, Access]]:
    """What names ``group`` on its access list, with the line that does, as far as ``actor`` may see it; last deployed first."""
    named = visible(actor, stage).join(Access, Access.content_id == Content.id).where(Access.group_id == group.id)
    rows = tx.execute(named.add_columns(Access).order_by(Content.last_deployed_at.desc(), Content.id.desc()))
    return [(content, line) for content, line in rows]


def choices(tx: Tx, actor: Principal, stage: StageRef) -> Choices:
    """What a list for ``actor`` can be narrowed to, as far as the newest `LOOKED_THROUGH` items tell. Costs the same however
    many there are.
    """
    facts = (Content.id, Content.app_mode, Content.bundle_id, Content.owner_id, _department())
    newest = _ordered(actor, stage, EVERYTHING).join(User, User.id == Content.owner_id).limit(LOOKED_THROUGH)
    rows = tx.execute(newest.with_only_columns(*facts)).all()
    tagged = select(ContentTag.tag_id).where(ContentTag.content_id.in_(_written_out([row[0] for row in rows])))
    latest = list(dict.fromkeys(row[3] for row in rows))[:OWNERS_PROPOSED]
    return Choices(
        app_modes=sorted({mode for _, mode, bundle_id, _, _ in rows if bundle_id is not None}),
        owners=sorted(tx.scalars(_names_of(latest)), key=lambda user: user.display_name.lower()),
        departments=sorted({row[4] for row in rows if row[4]}, key=str.lower),
        tags=sorted(tx.scalars(select(Tag.name).where(Tag.id.in_(tagged))), key=str.lower),
    )


def _written_out(ids: Sequence[int]) -> BindParameter[Any]:
    """For a list of hundreds: as parameters they would cost more than what is asked."""
    return bindparam("ids", ids, expanding=True, literal_execute=True)


def _names_of(user_ids: Sequence[int]) -> Select[Any]:
    names = load_only(User.username, User.first_name, User.last_name)
    return select(User).where(User.id.in_(user_ids)).options(names)


def _ordered(actor: Principal, stage: StageRef, wanted: Wanted) -> Select[Any]:
    few = wanted.kept_by is not None or wanted.owner_id is not None
    found = narrowed(visible(actor, stage, wanted.share, few=few), wanted)
    return found.order_by(Content.last_deployed_at.desc(), Content.id.desc())


def narrowed(chosen: Select[Any], wanted: Wanted) -> Select[Any]:
    """The query of content with what is ``wanted`` of it."""
    owners = _owners()
    for word in wanted.search.split()[:WORDS_SEARCHED]:
        chosen = chosen.where(_speaks_of(word.lower(), owners))
    return chosen.where(*_conditions(wanted))


def _conditions(wanted: Wanted) -> list[ColumnElement[bool]]:
    owners_there = select(User.id).where(User.department == wanted.department)
    is_there = or_(
        Content.department == wanted.department, Content.department.is_(None) & Content.owner_id.in_(owners_there)
    )
    tagged = select(ContentTag.content_id).join(Tag, Tag.id == ContentTag.tag_id)
    asked: list[tuple[bool, ColumnElement[bool]]] = [
        (wanted.name is not None, Content.name == wanted.name),
        (wanted.owner_id is not None, Content.owner_id == wanted.owner_id),
        (bool(wanted.app_modes), Content.app_mode.in_(wanted.app_modes)),
        (bool(wanted.category), Content.category == wanted.category),
        (bool(wanted.department), is_there),
        (bool(wanted.tag), Content.id.in_(tagged.where(func.lower(Tag.name) == wanted.tag.lower()))),
        (wanted.updated_since is not None, Content.last_deployed_at >= (wanted.updated_since or LONG_AGO)),
        (
            wanted.kept_by is not None,
            Content.id.in_(select(Favourite.content_id).where(Favourite.user_id == wanted.kept_by)),
        ),
        (bool(wanted.without), Content.category != wanted.without),
        (wanted.featured, Content.featured.is_(True)),
        (wanted.endorsed, Content.id.in_(select(Endorsement.content_id))),
    ]
    return [condition for is_asked, condition in asked if is_asked]


def _owners() -> CTE:
    """Whoever owns content, few of all people: found before names are compared, which PostgreSQL would do for everybody."""
    names = select(User.id, User.first_name, User.last_name, User.username)
    owning = names.where(User.deleted_at.is_(None), User.id.in_(select(Content.owner_id)))
    return owning.cte("owning").prefix_with("MATERIALIZED", dialect="postgresql")


def _speaks_of(word: str, people: CTE) -> ColumnElement[bool]:
    tagged = select(ContentTag.content_id).join(Tag, Tag.id == ContentTag.tag_id).where(_holds(Tag.name, word))
    owners = select(people.c.id).where(names_hold(word, people.c))
    texts = (Content.title, Content.name, Content.description)
    return or_(
        *(_holds(column, word) for column in texts),
        Content.id.in_(tagged),
        Content.owner_id.in_(owners),
    )


def _holds(column: Any, word: str) -> ColumnElement[bool]:
    return func.lower(column).contains(word, autoescape=True)


def _department() -> ColumnElement[str]:
    """Of the content, else of its owner."""
    return func.coalesce(Content.department, User.department)
