"""One person in the administration: what they own, who takes it over when they leave, and whether they may endorse content."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Form, Request, Response

from pilothouse.asgi.context import Db, SignedIn
from pilothouse.asgi.rendering import Badge, Done, frame, page
from pilothouse.base.access import Permission, Principal, Role, require
from pilothouse.base.errors import Conflict, Denied, Invalid
from pilothouse.content import service
from pilothouse.content.contract import ContentInvalid
from pilothouse.content.pages import reading
from pilothouse.content.pages.views import Card
from pilothouse.db import Database, Tx
from pilothouse.identity import service as identity
from pilothouse.identity.models import User
from pilothouse.identity.pages.views import initials

router = APIRouter(prefix="/_/admin/users/{guid}")
Text = Annotated[str, Form()]


@dataclass(frozen=True)
class Owned:
    card: Card
    stage: str
    guid: str


@dataclass(frozen=True)
class MemberView:
    """One account. ``owned`` is what moves when it is handed over, in all stages."""

    name: str
    initials: str
    username: str
    facts: Sequence[tuple[str, str]]
    badge: Badge
    active_at: datetime | None
    owned: Sequence[Owned]
    is_steward: bool
    base: str
    account: str
    page: str
    candidates: Sequence[str] = ()
    typed: str = ""
    wrong: str = ""
    done: Done | None = None


@router.get("")
def show(request: Request, db: Db, caller: SignedIn, guid: str) -> Response:
    return _show(request, db, caller, guid)


@router.post("/hand-over")
def hand_over(request: Request, db: Db, caller: SignedIn, guid: str, owner: Text = "", only: Text = "") -> Response:
    """Give what they own to somebody else: all of it, or the items whose GUIDs stand in ``only``. All of it moves, or nothing."""
    require(caller, Permission.CONTENT_REASSIGN)
    try:
        with db.write() as tx:
            user, to = identity.get_user(tx, guid), identity.find_user(tx, owner.strip())
            if to is None:
                raise ContentInvalid(f"Nobody is called “{owner[:80]}”. Choose a publisher from the list.")
            moved = service.hand_over_all(tx, caller, user, to=to, only=set(only.split()) if only else None)
            undo = f"{frame(request).base}/_/admin/users/{to.guid}/hand-over"
            fields = {"owner": user.username, "only": " ".join(row.guid for row in moved)}
            items = "1 item" if len(moved) == 1 else f"{len(moved)} items"
            done = Done(f"{to.display_name} owns {items} now.", undo if moved else "", fields)
    except (Conflict, Invalid, Denied) as error:
        return _show(request, db, caller, guid, status=422, typed=owner, wrong=str(error))
    return _show(request, db, caller, guid, done=done)


@router.post("/steward")
def steward(request: Request, db: Db, caller: SignedIn, guid: str, named: Text = "") -> Response:
    with db.write() as tx:
        user = identity.get_user(tx, guid)
        service.name_steward(tx, caller, user, named=bool(named))
        words = (
            f"{user.display_name} may endorse content." if named else f"{user.display_name} no longer endorses content."
        )
    path = f"{frame(request).base}/_/admin/users/{guid}/steward"
    return _show(request, db, caller, guid, done=Done(words, path, {"named": "" if named else "1"}))


def _show(
    request: Request, db: Database, caller: Principal, guid: str, *, status: int = 200, **changes: Any
) -> Response:
    require(caller, Permission.CONTENT_REASSIGN)
    base = frame(request).base
    with db.read() as tx:
        user = identity.get_user(tx, guid)
        view = MemberView(
            name=user.display_name,
            initials=initials(user.display_name),
            username=user.username,
            facts=_facts(user),
            badge=Badge("locked", "bad") if user.locked else Badge("active", "good"),
            active_at=user.active_at,
            owned=_owned(request, tx, caller, user),
            is_steward=user.id in {one.id for one in service.stewards(tx, caller)},
            base=f"{base}/_/admin/users/{guid}",
            account=f"{base}/_/admin/users?{urlencode({'prefix': user.username})}",
            page=f"{base}/_/people/{guid}",
            candidates=_candidates(tx, caller, user),
            **changes,
        )  # fmt: skip
    return page(request, "web/member.html", status=status, view=view)


def _facts(user: User) -> list[tuple[str, str]]:
    named = (("Role", user.role), ("Mail", user.email), ("Department", user.department), ("Site", user.site))
    return [(name, value) for name, value in named if value]


def _owned(request: Request, tx: Tx, caller: Principal, user: User) -> list[Owned]:
    stages = {stage.id: stage for stage in request.app.state.stages.all()}
    rows = [row for row in service.owned_by(tx, caller, user) if row.stage_id in stages]
    found = []
    for row, card in zip(rows, reading.cards(tx, rows, ""), strict=True):
        stage = stages[row.stage_id]
        found.append(Owned(_placed(card, stage.path), stage.title, row.guid))
    return found


def _placed(card: Card, path: str) -> Card:
    return replace(card, href=f"{path.rstrip('/')}{card.href}")


def _candidates(tx: Tx, caller: Principal, user: User) -> list[str]:
    found = identity.list_users(
        tx, caller, wanted=identity.People(roles=(Role.PUBLISHER, Role.ADMINISTRATOR)), page_size=200
    ).items
    return [one.username for one in found if one.id != user.id and not one.locked]
