"""Administration of groups."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Request, Response

from pilothouse.asgi.context import Db, SignedIn
from pilothouse.asgi.rendering import Done, frame, page
from pilothouse.base.access import Permission, Principal, require
from pilothouse.base.errors import Conflict, Invalid
from pilothouse.db import Database, Tx
from pilothouse.identity import service
from pilothouse.identity.contract import UserUnknown
from pilothouse.identity.models import Group
from pilothouse.identity.pages.users import pager
from pilothouse.identity.pages.views import GroupCard, GroupsView, MemberLine, Part, initials

router = APIRouter(prefix="/_/admin/groups")
CANDIDATES_SHOWN = 200
PAGE_SIZE = 20


@router.get("")
def show(request: Request, caller: SignedIn, db: Db, part: Annotated[Part, Depends()]) -> Response:
    return page(request, "identity/groups.html", view=_view(request, db, caller, part))


@router.post("")
def create(request: Request, caller: SignedIn, db: Db, name: Annotated[str, Form()] = "") -> Response:
    try:
        with db.write() as tx:
            group = service.create_group(tx, caller, name=name)
            done = Done(f"Made the group “{group.name}”.")
    except (Conflict, Invalid) as error:
        view = _view(request, db, caller, Part(), typed=name, wrong=str(error))
        return page(request, "identity/groups.html", status=422, view=view)
    return page(request, "identity/groups.html", view=_view(request, db, caller, Part(), done=done))


@router.post("/{guid}")
def add_member(
    request: Request,
    caller: SignedIn,
    db: Db,
    part: Annotated[Part, Depends()],
    guid: str,
    username: Annotated[str, Form()] = "",
) -> Response:
    def add(tx: Tx) -> Done:
        user, group = service.find_user(tx, username.strip()), service.get_group(tx, guid)
        if user is None:
            raise UserUnknown(f"Nobody has the user name “{username}”. Choose one from the list.")
        service.add_member(tx, caller, group, user=user)
        undo = f"{_base(request)}/{group.guid}/{user.guid}/remove{part.here}"
        return Done(f"{user.display_name} is in {group.name}.", undo)

    return _change(request, caller, db, part, add)


@router.post("/{guid}/{user_guid}/remove")
def remove_member(
    request: Request, caller: SignedIn, db: Db, part: Annotated[Part, Depends()], guid: str, user_guid: str
) -> Response:
    def remove(tx: Tx) -> Done:
        user, group = service.get_user(tx, user_guid), service.get_group(tx, guid)
        service.remove_member(tx, caller, group, user=user)
        words = f"{user.display_name} is no longer in {group.name}."
        return Done(words, f"{_base(request)}/{group.guid}{part.here}", {"username": user.username})

    return _change(request, caller, db, part, remove)


def _base(request: Request) -> str:
    return f"{frame(request).base}/_/admin/groups"


def _change(request: Request, caller: Principal, db: Database, part: Part, verb: Callable[[Tx], Done]) -> Response:
    try:
        with db.write() as tx:
            done = verb(tx)
    except (Conflict, Invalid, UserUnknown) as error:
        view = _view(request, db, caller, part, problem=str(error))
        return page(request, "identity/groups.html", status=422, view=view)
    return page(request, "identity/groups.html", view=_view(request, db, caller, part, done=done))


def _view(request: Request, db: Database, caller: Principal, part: Part, **changes: Any) -> GroupsView:
    require(caller, Permission.USER_CREATE)
    base = _base(request)
    with db.read() as tx:
        found = service.list_groups(tx, caller, prefix=part.prefix, page=part.number, page_size=PAGE_SIZE)
        groups = [_card(tx, caller, group, base) for group in found.items]
        people = service.list_users(tx, caller, page_size=CANDIDATES_SHOWN).items
    pages = pager(base, part.prefix, part.number, found.total, PAGE_SIZE)
    return GroupsView(groups, [user.username for user in people], part.prefix, pages, here=part.here, **changes)


def _card(tx: Tx, caller: Principal, group: Group, base: str) -> GroupCard:
    people = service.members(tx, caller, group)
    lines = [
        MemberLine(u.display_name, initials(u.display_name), f"{base}/{group.guid}/{u.guid}/remove") for u in people
    ]
    count = f"{len(lines)} members" if len(lines) != 1 else "1 member"
    return GroupCard(group.name, count if lines else "no members", lines, f"{base}/{group.guid}")
