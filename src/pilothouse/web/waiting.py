"""What people wait for from each other, on the home page: requests and questions to answer, and what one was answered oneself."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Request, Response

from pilothouse.asgi.context import Db, SignedIn
from pilothouse.asgi.paging import RowId
from pilothouse.asgi.rendering import Badge, frame, to
from pilothouse.asgi.texts import catalogue
from pilothouse.base.access import Principal, Share
from pilothouse.content import service
from pilothouse.content.models import AccessRequest, Content, RequestState, Thread
from pilothouse.content.pages.access import request_line
from pilothouse.content.pages.talk import KIND_ICONS, THREAD_BADGES
from pilothouse.content.service.requests import RequestUnknown
from pilothouse.db import Tx
from pilothouse.stages.service import Stages
from pilothouse.web.views import Asked, AskedForAccess, Told, Waiting

router = APIRouter(prefix="/_/home")
REQUEST_BADGES = {
    RequestState.OPEN.value: Badge("waiting", "off"),
    RequestState.GRANTED.value: Badge("you may open it", "good"),
    RequestState.REFUSED.value: Badge("no access", "bad"),
}


def waiting(request: Request, tx: Tx, caller: Principal) -> Waiting:
    """For one person, over all stages."""
    base, stages = frame(request).base, request.app.state.stages
    said = catalogue(frame(request).language).gettext
    access = [
        AskedForAccess(
            request_line(asked, user, f"{base}/_/home/requests/{asked.id}"), _title(content), _href(stages, content)
        )
        for asked, user, content in service.requests_to_answer(tx, caller)
    ]
    questions = service.threads_to_answer(tx, caller)
    told = service.threads_told(tx, caller)
    words = service.messages_of(tx, [thread for thread, _, _ in (*questions, *told)])
    asked = [
        Asked(
            icon=KIND_ICONS[thread.kind],
            who=user.display_name,
            title=_title(content),
            words=words[thread.id][-1].words if words[thread.id] else "",
            at=thread.changed_at,
            href=f"{_href(stages, content)}/questions/{thread.id}",
        )
        for thread, user, content in questions
    ]
    answers = [
        _told(stages, thread, content, words[thread.id][-1].words if words[thread.id] else "")
        for thread, _, content in told
    ]
    mine = [
        _request(
            stages, row, content, said("Something of %(owner)s") % {"owner": owner.display_name if owner else "—"}, base
        )
        for row, content, owner in service.requests_made(tx, caller)
    ]
    return Waiting(access, asked, [*answers, *mine])


@router.post("/requests/{number}")
def answer(
    request: Request, db: Db, caller: SignedIn, number: RowId,
    share: Annotated[str, Form()] = "", words: Annotated[str, Form()] = "",
) -> Response:  # fmt: skip
    """Let in who asked, as viewer or editor; an empty ``share`` says no."""
    with db.write() as tx:
        asked = tx.get(AccessRequest, number)
        content = tx.get(Content, asked.content_id) if asked is not None else None
        if asked is None or content is None or content.deleted_at is not None:
            raise RequestUnknown
        given = Share(share) if share in (Share.VIEWER, Share.EDITOR) else None
        service.answer_request(tx, caller, content, asked, share=given, words=words)
    return to(request, "/")


@router.post("/told/{number}/away")
def put_away(request: Request, db: Db, caller: SignedIn, number: RowId) -> Response:
    """Take back a request that nobody answered, or no longer show its answer."""
    with db.write() as tx:
        service.put_away_request(tx, caller, number)
    return to(request, "/")


def _told(stages: Stages, thread: Thread, content: Content, words: str) -> Told:
    is_fixed = thread.fixed_at is not None and thread.told_at == thread.fixed_at
    badge = Badge("fixed", "good") if is_fixed else THREAD_BADGES[thread.state]
    href = f"{_href(stages, content)}/questions/{thread.id}"
    return Told(KIND_ICONS[thread.kind], _title(content), badge, "" if is_fixed else words, thread.told_at, href)


def _request(stages: Stages, asked: AccessRequest, content: Content, named: str, base: str) -> Told:
    """``named`` is what it is called as long as one may not open it."""
    is_in = asked.state == RequestState.GRANTED
    return Told(
        icon="lock-open" if is_in else "lock",
        title=_title(content) if is_in else named,
        badge=REQUEST_BADGES[asked.state],
        words=asked.answer if asked.answered_at else asked.words,
        at=asked.answered_at or asked.created_at,
        href=_href(stages, content) + ("" if is_in else "/ask"),
        away=f"{base}/_/home/told/{asked.id}/away",
        is_open=asked.state == RequestState.OPEN,
    )


def _title(content: Content) -> str:
    return content.title or content.name


def _href(stages: Stages, content: Content) -> str:
    stage = stages.by_id(content.stage_id)
    return f"{stage.path if stage else '/'}_/content/{content.guid}"
