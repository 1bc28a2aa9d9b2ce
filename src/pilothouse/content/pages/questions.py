"""The questions tab: what people asked about an item and which problems they reported, and the answers."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Form, Response

from pilothouse.asgi.paging import RowId
from pilothouse.asgi.rendering import Done, frame, to
from pilothouse.asgi.texts import catalogue
from pilothouse.base.access import Permission, may
from pilothouse.base.errors import Conflict, Invalid
from pilothouse.content import service
from pilothouse.content.models import Content, Thread, ThreadKind, ThreadState
from pilothouse.content.pages import reading
from pilothouse.content.pages.talk import (
    KIND_ICONS,
    KIND_NAMES,
    THREAD_BADGES,
    Message,
    QuestionsTab,
    ThreadLine,
    ThreadTab,
)
from pilothouse.content.pages.visit import Visit, VisitOf
from pilothouse.db import Tx
from pilothouse.identity.models import User
from pilothouse.identity.pages.views import initials

router = APIRouter(prefix="/_/content/{guid}/questions")
Text = Annotated[str, Form()]


@router.get("")
def show(visit: VisitOf, kind: ThreadKind = ThreadKind.QUESTION) -> Response:
    return _show(visit, kind=kind)


@router.post("")
def ask(visit: VisitOf, words: Text = "", kind: Annotated[ThreadKind, Form()] = ThreadKind.QUESTION) -> Response:
    """Begin a thread; the page that answers is the thread's."""
    try:
        with visit.db.write() as tx:
            made = service.open_thread(tx, visit.caller, visit.content(tx), kind=kind, words=words)
            number = made.id
    except (Conflict, Invalid) as error:
        return _show(visit, kind=kind, typed=words, status=422, wrong=visit.said(str(error)))
    return to(visit.request, f"/_/content/{visit.guid}/questions/{number}")


@router.get("/{number}")
def show_thread(visit: VisitOf, number: RowId) -> Response:
    """Whoever asked has read it then."""
    with visit.db.write() as tx:
        content = visit.content(tx)
        thread = service.get_thread(tx, visit.caller, content, number)
        service.note_read(tx, visit.caller, content, thread)
    return _show_thread(visit, number=number)


@router.post("/{number}")
def reply(visit: VisitOf, number: RowId, words: Text = "", promise: Text = "") -> Response:
    def change(tx: Tx, content: Content) -> str:
        thread = service.get_thread(tx, visit.caller, content, number)
        is_promised = bool(promise) and thread.user_id != visit.caller.id
        service.reply(tx, visit.caller, content, thread, words=words, promise=is_promised)
        return visit.said("Sent. Whoever asked is told when the next version is live.") if is_promised else ""

    return visit.change(change, partial(_show_thread, number=number, typed=words))


@router.post("/{number}/settle")
def settle(visit: VisitOf, number: RowId, solved: Text = "") -> Response:
    def change(tx: Tx, content: Content) -> Done:
        thread = service.get_thread(tx, visit.caller, content, number)
        service.settle(tx, visit.caller, content, thread, solved=bool(solved))
        words = visit.said("It is solved.") if solved else visit.said("It is open again.")
        return Done(words, f"{visit.base}/questions/{number}/settle", {"solved": "" if solved else "1"})

    return visit.change(change, partial(_show_thread, number=number))


def _show(
    visit: Visit, *, kind: ThreadKind = ThreadKind.QUESTION, typed: str = "", wrong: str = "", status: int = 200
) -> Response:
    def shown(tx: Tx, content: Content) -> dict[str, Any]:
        threads = service.threads_of(tx, visit.caller, content)
        people = reading.people(tx, {content.owner_id, *(t.user_id for t in threads)})
        messages = service.messages_of(tx, threads)
        lines = [_line(visit, t, people, [m.words for m in messages[t.id]]) for t in threads]
        is_owner = may(visit.caller, Permission.CONTENT_READ, service.resource_of(tx, content))
        tab = QuestionsTab(lines, _name(people, content.owner_id), is_owner, kind.value, typed, wrong)
        return {"view": tab}

    return visit.show("content/questions.html", shown, permission=Permission.CONTENT_VIEW, status=status)


def _line(visit: Visit, thread: Thread, people: dict[int, User], words: list[str]) -> ThreadLine:
    texts = catalogue(frame(visit.request).language)
    return ThreadLine(
        kind=KIND_NAMES[thread.kind],
        icon=KIND_ICONS[thread.kind],
        words=words[0] if words else "",
        who=_name(people, thread.user_id),
        badge=THREAD_BADGES[thread.state],
        messages=texts.ngettext("%(n)s message", "%(n)s messages", len(words)) % {"n": len(words)},
        changed_at=thread.changed_at,
        href=f"{visit.base}/questions/{thread.id}",
    )


def _show_thread(visit: Visit, *, number: int, typed: str = "", problem: str = "", **changes: Any) -> Response:
    def shown(tx: Tx, content: Content) -> dict[str, Any]:
        thread = service.get_thread(tx, visit.caller, content, number)
        messages = service.messages_of(tx, [thread])[thread.id]
        people = reading.people(tx, {m.author_id for m in messages})
        names = {m.author_id: _name(people, m.author_id) for m in messages}
        tab = ThreadTab(
            kind=KIND_NAMES[thread.kind],
            icon=KIND_ICONS[thread.kind],
            badge=THREAD_BADGES[thread.state],
            messages=[
                Message(
                    names[m.author_id],
                    initials(names[m.author_id]),
                    m.author_id == thread.user_id,
                    m.words,
                    m.created_at,
                )
                for m in messages
            ],
            path=f"{visit.base}/questions/{thread.id}",
            back=f"{visit.base}/questions",
            may_promise=visit.caller.id != thread.user_id,
            is_solved=thread.state == ThreadState.SOLVED,
            promised_at=thread.promised_at,
            fixed_at=thread.fixed_at,
            typed=typed if problem else "",
            wrong=problem,
        )
        return {"view": tab}

    return visit.show("content/thread.html", shown, permission=Permission.CONTENT_VIEW, **changes)


def _name(people: dict[int, User], number: int) -> str:
    return people[number].display_name if number in people else "—"
