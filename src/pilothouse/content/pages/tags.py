"""The tree of tags, for administrators: add, rename, move, remove. One row is changed at a time; the address says which."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Form, Request, Response
from sqlalchemy import func, select

from pilothouse.asgi.context import Db, SignedIn
from pilothouse.asgi.paging import RowId
from pilothouse.asgi.rendering import Done, frame, page
from pilothouse.base.access import Permission, Principal, require
from pilothouse.base.errors import Conflict, Invalid, NotFound
from pilothouse.content import service
from pilothouse.content.models import ContentTag, Tag
from pilothouse.content.pages.tag_views import Place, TagEditor, TagNode, TagsView
from pilothouse.db import Database, Tx

router = APIRouter(prefix="/_/admin/tags")
#: A tree of more tags is shown one category at a time.
SHOWN_WHOLE = 300
Text = Annotated[str, Form()]
Verb = Callable[[Tx], Done]


@router.get("")
def show(
    request: Request, caller: SignedIn, db: Db, edit: RowId | None = None, category: RowId | None = None
) -> Response:
    return page(request, "content/tags.html", view=_view(request, db, caller, edit=edit, category=category))


@router.post("")
def add(request: Request, caller: SignedIn, db: Db, name: Text = "", parent: Text = "") -> Response:
    def verb(tx: Tx) -> Done:
        above = _tag(tx, caller, parent) if parent else None
        tag = service.create_tag(tx, caller, name=name, parent=above)
        return Done(f"Made {tag.name}.", f"{_base(request)}/{tag.id}/delete", {"confirmation": tag.name})

    return _change(request, caller, db, verb, edit=_number(parent), typed={"below" if parent else "name": name})


@router.post("/{tag_id}/rename")
def rename(request: Request, caller: SignedIn, db: Db, tag_id: RowId, name: Text = "") -> Response:
    def verb(tx: Tx) -> Done:
        tag = service.get_tag(tx, caller, tag_id)
        before = tag.name
        service.change_tag(tx, caller, tag, changes={"name": name})
        return Done(f"{before} is called {tag.name} now.", f"{_base(request)}/{tag_id}/rename", {"name": before})

    return _change(request, caller, db, verb, edit=tag_id, typed={"rename": name})


@router.post("/{tag_id}/move")
def move(request: Request, caller: SignedIn, db: Db, tag_id: RowId, parent: Text = "") -> Response:
    def verb(tx: Tx) -> Done:
        tag = service.get_tag(tx, caller, tag_id)
        before = str(tag.parent_id or "")
        above = _tag(tx, caller, parent) if parent else None
        service.change_tag(tx, caller, tag, changes={"parent": above})
        words = f"{tag.name} is below {above.name} now." if above else f"{tag.name} is a category now."
        return Done(words, f"{_base(request)}/{tag_id}/move", {"parent": before})

    return _change(request, caller, db, verb, edit=tag_id)


@router.post("/{tag_id}/delete")
def delete(request: Request, caller: SignedIn, db: Db, tag_id: RowId, confirmation: Text = "") -> Response:
    """What is on no content and holds no tag can be made again; of the rest the name must be typed."""

    def verb(tx: Tx) -> Done:
        tag = service.get_tag(tx, caller, tag_id)
        name, parent = tag.name, str(tag.parent_id or "")
        is_bare = _is_bare(tx, tag)
        if not is_bare and confirmation.strip() != name:
            raise Invalid(f"Type {name} exactly, or leave it alone.")
        service.delete_tag(tx, caller, tag)
        words = f"Removed {name}."
        return Done(words, _base(request), {"name": name, "parent": parent}) if is_bare else Done(words)

    return _change(request, caller, db, verb, edit=tag_id)


def _change(
    request: Request,
    caller: Principal,
    db: Database,
    verb: Verb,
    *,
    edit: int | None,
    typed: Mapping[str, str] | None = None,
) -> Response:
    try:
        with db.write() as tx:
            done = verb(tx)
    except (Conflict, Invalid, NotFound) as error:
        view = _view(request, db, caller, edit=edit, problem=str(error), typed=typed or {})
        return page(request, "content/tags.html", status=422, view=view)
    return page(request, "content/tags.html", view=_view(request, db, caller, done=done))


def _view(
    request: Request,
    db: Database,
    caller: Principal,
    *,
    edit: int | None = None,
    category: int | None = None,
    **said: Any,
) -> TagsView:
    require(caller, Permission.TAG_MANAGE)
    with db.read() as tx:
        tags = service.list_tags(tx, caller)
        counts = {
            tag_id: n for tag_id, n in tx.execute(select(ContentTag.tag_id, func.count()).group_by(ContentTag.tag_id))
        }
    tree = Forest(tags, counts, _base(request))
    edit = edit if edit in tree.by_id else None
    shown = tree.top_of(edit) if edit is not None else category
    is_whole = len(tags) <= SHOWN_WHOLE
    tops = [tag for tag in tree.below(None) if is_whole or tag.id == shown]
    return TagsView(
        nodes=[tree.node(tag) for tag in tops],
        categories=[]
        if is_whole
        else [Place(str(t.id), t.name, f"{_base(request)}?category={t.id}") for t in tree.below(None)],
        category=str(shown or ""),
        editor=tree.editor(tree.by_id[edit]) if edit is not None else None,
        path=_base(request),
        **said,
    )


class Forest:
    """All tags, with how much content each is on."""

    def __init__(self, tags: Sequence[Tag], counts: Mapping[int, int], base: str) -> None:
        self.by_id = {tag.id: tag for tag in tags}
        self._counts, self._base = counts, base
        self._below: dict[int | None, list[Tag]] = {}
        for tag in sorted(tags, key=lambda t: t.name.lower()):
            self._below.setdefault(tag.parent_id, []).append(tag)

    def below(self, tag_id: int | None) -> list[Tag]:
        return self._below.get(tag_id, [])

    def top_of(self, tag_id: int) -> int:
        tag = self.by_id[tag_id]
        while tag.parent_id is not None:
            tag = self.by_id[tag.parent_id]
        return tag.id

    def node(self, tag: Tag) -> TagNode:
        count = self._counts.get(tag.id, 0)
        facts = "category" if tag.parent_id is None else f"on {count} items" if count != 1 else "on 1 item"
        nodes = [self.node(each) for each in self.below(tag.id)]
        return TagNode(tag.id, tag.name, facts, f"{self._base}?edit={tag.id}#t{tag.id}", nodes)

    def editor(self, tag: Tag) -> TagEditor:
        """Everywhere but below itself it may be moved to."""
        inside, wave = {tag.id}, [tag.id]
        while wave:
            wave = [child.id for number in wave for child in self.below(number)]
            inside |= set(wave)
        places = [(str(number), self._path(number)) for number in self.by_id if number not in inside]
        is_bare = len(inside) == 1 and not self._counts.get(tag.id)
        return TagEditor(
            id=tag.id,
            name=tag.name,
            path=f"{self._base}/{tag.id}",
            parent=str(tag.parent_id or ""),
            places=[("", "The top, as a category"), *sorted(places, key=lambda place: place[1].lower())],
            loses="" if is_bare else self._loss(tag, inside),
        )

    def _path(self, tag_id: int) -> str:
        names, number = [], tag_id
        while True:
            tag = self.by_id[number]
            names.append(tag.name)
            if tag.parent_id is None:
                return " › ".join(reversed(names))
            number = tag.parent_id

    def _loss(self, tag: Tag, inside: set[int]) -> str:
        below = len(inside) - 1
        tags = f"{below} tags below it" if below != 1 else "the tag below it"
        what = [tags] if below else []
        if any(self._counts.get(number) for number in inside):
            what.append("these words on content")
        return f"It takes {' and '.join(what)} with it, for good."


def _base(request: Request) -> str:
    return f"{frame(request).base}/_/admin/tags"


def _tag(tx: Tx, caller: Principal, number: str) -> Tag:
    return service.get_tag(tx, caller, _number(number) or 0)


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None


def _is_bare(tx: Tx, tag: Tag) -> bool:
    below = select(Tag.id).where(Tag.parent_id == tag.id).limit(1)
    on = select(ContentTag.tag_id).where(ContentTag.tag_id == tag.id).limit(1)
    return tx.scalar(below) is None and tx.scalar(on) is None
