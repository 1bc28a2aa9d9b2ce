"""Administration of groups: the list of them. One of them is a page of ``web``, which knows what is open to it."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Request, Response

from pilothouse.asgi.context import Db, SignedIn
from pilothouse.asgi.rendering import frame, page, to
from pilothouse.base.access import Permission, Principal, require
from pilothouse.base.errors import Conflict, Invalid
from pilothouse.db import Database
from pilothouse.identity import service
from pilothouse.identity.pages.users import pager
from pilothouse.identity.pages.views import GroupLine, GroupsView, Part
from pilothouse.identity.service import GroupSize

router = APIRouter(prefix="/_/admin/groups")
PAGE_SIZE = 50


@router.get("")
def show(request: Request, caller: SignedIn, db: Db, part: Annotated[Part, Depends()]) -> Response:
    return page(request, "identity/groups.html", view=_view(request, db, caller, part))


@router.post("")
def create(request: Request, caller: SignedIn, db: Db, name: Annotated[str, Form()] = "") -> Response:
    """The page that answers is the new group's, where its members are added."""
    try:
        with db.write() as tx:
            guid = service.create_group(tx, caller, name=name).guid
    except (Conflict, Invalid) as error:
        view = _view(request, db, caller, Part(), typed=name, wrong=str(error))
        return page(request, "identity/groups.html", status=422, view=view)
    return to(request, f"/_/admin/groups/{guid}")


def sized(size: GroupSize) -> str:
    """How many joined, and how many groups are in it, in words."""
    people = "nobody" if not size.people else "1 person" if size.people == 1 else f"{size.people:,} people"
    return people if not size.groups else f"{people}, {'1 group' if size.groups == 1 else f'{size.groups} groups'}"


def _view(request: Request, db: Database, caller: Principal, part: Part, **changes: Any) -> GroupsView:
    require(caller, Permission.USER_CREATE)
    base = f"{frame(request).base}/_/admin/groups"
    with db.read() as tx:
        found = service.list_groups(tx, caller, prefix=part.prefix, page=part.number, page_size=PAGE_SIZE)
        sizes = service.group_sizes(tx, [group.id for group in found.items])
        lines = [
            GroupLine(group.name, sized(sizes[group.id]), group.created_at, f"{base}/{group.guid}")
            for group in found.items
        ]
    return GroupsView(lines, part.prefix, pager(base, part.prefix, part.number, found.total, PAGE_SIZE), **changes)
