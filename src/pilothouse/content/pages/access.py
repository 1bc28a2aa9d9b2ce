"""The access tab: who may open it, who may change it."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Form, Query, Response

from pilothouse.asgi.paging import RowId
from pilothouse.asgi.rendering import Done
from pilothouse.base.access import OpenTo, Permission, Share, may
from pilothouse.base.errors import Invalid
from pilothouse.content import service
from pilothouse.content.models import AccessRequest, Content, RequestState
from pilothouse.content.pages import reading
from pilothouse.content.pages.talk import RequestLine
from pilothouse.content.pages.views import AccessTab, Granted
from pilothouse.content.pages.visit import Visit, VisitOf
from pilothouse.content.service.requests import RequestUnknown
from pilothouse.db import Tx
from pilothouse.identity import service as identity
from pilothouse.identity.models import Group, User
from pilothouse.identity.pages.views import initials

router = APIRouter(prefix="/_/content/{guid}/access")
CANDIDATES_SHOWN = 100
#: So many names stand on the page at once; the others are found by typing.
NAMES_SHOWN = 100


class NobodyOfThatName(Invalid):
    """There is no user or group of that name. Choose one from the list."""

    code = "content/nobody-of-that-name"


@router.get("")
def show(visit: VisitOf, find: Annotated[str, Query(max_length=100)] = "") -> Response:
    """With ``find``, those whose name holds it."""
    return _show(visit, find=find.strip())


@router.post("/open-to")
def open_to(visit: VisitOf, open_to: Annotated[OpenTo, Form()]) -> Response:
    def change(tx: Tx, content: Content) -> Done:
        before = content.access_type
        service.update_content(tx, visit.caller, content, changes={"access_type": open_to.value})
        return Done("Saved. It acts at the next page load.", f"{visit.base}/access/open-to", {"open_to": before})

    return visit.change(change, _show)


@router.post("")
def add(
    visit: VisitOf, principal: Annotated[str, Form()] = "", share: Annotated[Share, Form()] = Share.VIEWER
) -> Response:
    def change(tx: Tx, content: Content) -> Done:
        found = _named(tx, visit, principal.strip())
        line = service.grant(tx, visit.caller, content, principal=found, share=share)
        words = f"{_name(found)} may {'change' if share is Share.EDITOR else 'open'} it."
        return Done(words, f"{visit.base}/access/{line.id}/remove")

    return visit.change(change, partial(_show, typed=principal))


@router.get("/requests/{number}")
def show_request(visit: VisitOf, number: RowId) -> Response:
    """Where a mail leads: the tab with the request on it, or with who was faster."""
    return _show(visit, mailed=number)


@router.post("/requests/{number}")
def answer(
    visit: VisitOf, number: RowId, share: Annotated[str, Form()] = "", words: Annotated[str, Form()] = ""
) -> Response:
    """Let in who asked, as viewer or editor; an empty ``share`` says no."""

    def change(tx: Tx, content: Content) -> Done:
        asked = service.request_of(tx, content, number)
        given = Share(share) if share in (Share.VIEWER, Share.EDITOR) else None
        service.answer_request(tx, visit.caller, content, asked, share=given, words=words)
        if given is None:
            return Done(visit.said("Answered: no access."))
        return Done(visit.said("Answered. It acts at the next page load."))

    return visit.change(change, _show)


@router.post("/{line}")
def change_line(visit: VisitOf, line: int, share: Annotated[Share, Form()]) -> Response:
    def change(tx: Tx, content: Content) -> Done:
        named = service.grant_of(tx, content, line)
        before = named.share
        service.change_grant(tx, visit.caller, content, named, share=share)
        return Done("Saved.", f"{visit.base}/access/{line}", {"share": before})

    return visit.change(change, _show)


@router.post("/{line}/remove")
def remove_line(visit: VisitOf, line: int) -> Response:
    def change(tx: Tx, content: Content) -> Done:
        named = service.grant_of(tx, content, line)
        who = tx.get(User, named.user_id) if named.user_id else tx.get(Group, named.group_id)
        again = {"principal": who.username if isinstance(who, User) else who.name if who else "", "share": named.share}
        service.revoke_grant(tx, visit.caller, content, named)
        return Done("Removed. It acts at the next page load.", f"{visit.base}/access", again)

    return visit.change(change, _show)


def _show(
    visit: Visit, *, typed: str = "", problem: str = "", mailed: int = 0, find: str = "", **changes: Any
) -> Response:
    """With something typed, the reason of a refusal stands beside the field; else above the page."""

    def shown(tx: Tx, content: Content) -> dict[str, Any]:
        owner = reading.people(tx, {content.owner_id}).get(content.owner_id)
        name = owner.display_name if owner else "—"
        lines = service.access_list(tx, visit.caller, content)
        found = [(line, who, _name(who)) for line, who in lines]
        found = [(line, who, called) for line, who, called in found if find.lower() in called.lower()]
        granted = [
            Granted(called, initials(called), isinstance(who, Group), line.share, f"{visit.base}/access/{line.id}")
            for line, who, called in found[:NAMES_SHOWN]
        ]
        tab = AccessTab(
            open_to=content.access_type,
            owner=name,
            owner_initials=initials(name),
            granted=granted,
            found=len(found),
            find=find,
            is_long=len(lines) > NAMES_SHOWN,
            candidates=_candidates(tx, visit),
            asked=_asked(tx, visit, content),
            answered=_answered(tx, visit, content, mailed) if mailed else "",
            typed=typed if problem else "",
            wrong=problem if typed else "",
        )
        return {"view": tab}

    above = "" if typed else problem
    return visit.show("content/access.html", shown, permission=Permission.CONTENT_READ, problem=above, **changes)


def _asked(tx: Tx, visit: Visit, content: Content) -> list[RequestLine]:
    if not may(visit.caller, Permission.CONTENT_SHARE, service.resource_of(tx, content)):
        return []
    path = f"{visit.base}/access/requests"
    return [
        request_line(asked, user, f"{path}/{asked.id}")
        for asked, user in service.requests_of(tx, visit.caller, content)
    ]


def _answered(tx: Tx, visit: Visit, content: Content, number: int) -> str:
    """What became of the request of this number; nothing while it waits."""
    try:
        asked = service.request_of(tx, content, number)
    except RequestUnknown:
        return visit.said("Whoever asked has taken the request back.")
    if asked.state == RequestState.OPEN:
        return ""
    people = reading.people(tx, {asked.user_id, asked.answered_by_id or 0})
    said = {
        RequestState.GRANTED.value: visit.said("%(who)s let %(name)s in."),
        RequestState.REFUSED.value: visit.said("%(who)s told %(name)s: no access."),
    }[asked.state]
    names = [people[n].display_name if n in people else "—" for n in (asked.answered_by_id or 0, asked.user_id)]
    return said % {"who": names[0], "name": names[1]}


def request_line(asked: AccessRequest, user: User, path: str) -> RequestLine:
    """How one open request is shown; its answer is sent to ``path``."""
    place = " · ".join(part for part in (user.department, user.site) if part)
    return RequestLine(user.display_name, initials(user.display_name), place, asked.words, asked.created_at, path)


def _named(tx: Tx, visit: Visit, name: str) -> User | Group:
    user = identity.find_user(tx, name)
    if user is not None:
        return user
    groups = identity.list_groups(tx, visit.caller, prefix=name).items
    group = next((g for g in groups if g.name.lower() == name.lower()), None)
    if group is None:
        raise NobodyOfThatName(f"No user or group is called “{name[:80]}”. Choose one from the list.")
    return group


def _candidates(tx: Tx, visit: Visit) -> list[str]:
    groups = identity.list_groups(tx, visit.caller, page_size=CANDIDATES_SHOWN).items
    return [*(g.name for g in groups), *identity.usernames(tx, visit.caller, limit=CANDIDATES_SHOWN)]


def _name(who: User | Group) -> str:
    return who.display_name if isinstance(who, User) else who.name
