"""Questions and problems: a viewer writes about content, its owner and editors answer, and who asked learns when the fix is live."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from sqlalchemy import Select, func, or_, select

from pilothouse.audit.service import record
from pilothouse.base import clock
from pilothouse.base.access import Permission, Principal, Resource, ResourceRef, Share, may, require
from pilothouse.base.errors import Conflict, NotFound
from pilothouse.content.models import (
    Access,
    AccessRequest,
    Content,
    Letters,
    RequestState,
    Thread,
    ThreadKind,
    ThreadMessage,
    ThreadState,
)
from pilothouse.content.service.prose import prose
from pilothouse.content.service.sharing import resource_of
from pilothouse.content.service.telling import tell, tell_sharers
from pilothouse.db import Tx
from pilothouse.identity.models import User

WORDS_LIMIT = 4000
OPEN_LIMIT = 10
MESSAGES_LIMIT = 200
SHOWN = 50
#: Where a thread may go from each state, besides staying there.
MOVES: Mapping[ThreadState, frozenset[ThreadState]] = MappingProxyType(
    {
        ThreadState.OPEN: frozenset({ThreadState.ANSWERED, ThreadState.SOLVED}),
        ThreadState.ANSWERED: frozenset({ThreadState.OPEN, ThreadState.SOLVED}),
        ThreadState.SOLVED: frozenset({ThreadState.OPEN}),
    }
)


class ThreadUnknown(NotFound):
    """There is no such question here, or it is not yours to read."""

    code = "content/thread-unknown"


class TooManyThreads(Conflict):
    """You have many open questions about this already. Write into one of them."""

    code = "content/too-many-threads"


class ThreadFull(Conflict):
    """This thread is long enough. Begin another one."""

    code = "content/thread-full"


def open_thread(tx: Tx, actor: Principal, content: Content, *, kind: ThreadKind, words: str) -> Thread:
    """Ask the owner something, or report a problem. Raises `ProseInvalid`, `TooManyThreads`."""
    resource = resource_of(tx, content)
    require(actor, Permission.THREAD_OPEN, resource)
    said = prose(words, limit=WORDS_LIMIT, needed=True)
    unsolved = (
        Thread.content_id == content.id,
        Thread.user_id == actor.id,
        Thread.state != ThreadState.SOLVED,
    )
    if (tx.scalar(select(func.count()).select_from(Thread).where(*unsolved)) or 0) >= OPEN_LIMIT:
        raise TooManyThreads
    thread = Thread(content_id=content.id, user_id=actor.id or 0, kind=kind.value, state=ThreadState.OPEN.value)
    tx.add(thread)
    tx.flush()
    tx.add(ThreadMessage(thread_id=thread.id, author_id=actor.id or 0, words=said))
    _record(tx, actor, "content:thread:opened", content, after={"user_id": actor.id, "kind": thread.kind})
    tx.flush()
    tell_sharers(tx, resource, content, Letters.THREAD_OPENED, thread_id=thread.id, by_id=actor.id)
    return thread


def threads_of(tx: Tx, actor: Principal, content: Content) -> list[Thread]:
    """What was asked about ``content``, last changed first: everything for who may change it, for others what they asked."""
    resource = resource_of(tx, content)
    require(actor, Permission.CONTENT_VIEW, resource)
    chosen = select(Thread).where(Thread.content_id == content.id)
    if not may(actor, Permission.CONTENT_READ, resource):
        chosen = chosen.where(Thread.user_id == actor.id)
    return list(tx.scalars(chosen.order_by(Thread.changed_at.desc(), Thread.id.desc()).limit(SHOWN * 4)))


def get_thread(tx: Tx, actor: Principal, content: Content, number: int) -> Thread:
    """The thread of this number. Raises `ThreadUnknown`, also where it is somebody else's."""
    found = tx.get(Thread, number)
    if found is None or found.content_id != content.id:
        raise ThreadUnknown
    if not may(actor, Permission.CONTENT_READ, _resource(tx, content, found)):
        raise ThreadUnknown
    return found


def messages_of(tx: Tx, threads: Sequence[Thread]) -> dict[int, list[ThreadMessage]]:
    """Their messages in order, by thread id. For threads that somebody was shown."""
    found: dict[int, list[ThreadMessage]] = {thread.id: [] for thread in threads}
    chosen = select(ThreadMessage).where(ThreadMessage.thread_id.in_(list(found))).order_by(ThreadMessage.id)
    for message in tx.scalars(chosen):
        found[message.thread_id].append(message)
    return found


def reply(tx: Tx, actor: Principal, content: Content, thread: Thread, *, words: str, promise: bool = False) -> None:
    """Write into a thread: it is the other side's turn then. With ``promise`` the next deploy brings the fix (not for who asked).

    Raises `ProseInvalid`, `ThreadFull`.
    """
    require(actor, Permission.CONTENT_READ, _resource(tx, content, thread))
    said = prose(words, limit=WORDS_LIMIT, needed=not promise)
    if len(messages_of(tx, [thread])[thread.id]) >= MESSAGES_LIMIT:
        raise ThreadFull
    message = ThreadMessage(thread_id=thread.id, author_id=actor.id or 0, words=said) if said else None
    if message is not None:
        tx.add(message)
    if actor.id == thread.user_id:
        _move(thread, ThreadState.OPEN)
    else:
        _move(thread, ThreadState.ANSWERED)
        thread.told_at = clock.now()
        if promise:
            thread.promised_at = clock.now()
    thread.changed_at = clock.now()
    _record(tx, actor, "content:thread:replied", content, after={"user_id": thread.user_id, "state": thread.state})
    tx.flush()
    facts = {"message_id": message.id if message else None, "promised": int(promise)}
    _tell_other_side(tx, actor, content, thread, Letters.THREAD_REPLIED, **facts)


def settle(tx: Tx, actor: Principal, content: Content, thread: Thread, *, solved: bool) -> None:
    """Call it solved, or open it again: whoever asked, and whoever may change the content."""
    require(actor, Permission.CONTENT_READ, _resource(tx, content, thread))
    before = thread.state
    _move(thread, ThreadState.SOLVED if solved else ThreadState.OPEN)
    thread.changed_at, thread.promised_at = clock.now(), None
    if actor.id != thread.user_id:
        thread.told_at = clock.now()
    if not (solved and actor.id == thread.user_id) and thread.state != before:
        _tell_other_side(tx, actor, content, thread, Letters.THREAD_SETTLED)
    facts: dict[str, Mapping[str, object]] = {
        "before": {"state": before},
        "after": {"state": thread.state, "user_id": thread.user_id},
    }
    _record(tx, actor, "content:thread:settled", content, **facts)


def note_live(tx: Tx, content: Content) -> list[Thread]:
    """A deployment went live: what was promised with it is solved, and whoever asked is told. Part of that transaction."""
    promised = (Thread.content_id == content.id, Thread.promised_at.is_not(None))
    found = list(tx.scalars(select(Thread).where(*promised)))
    for thread in found:
        thread.state, thread.promised_at = ThreadState.SOLVED.value, None
        thread.fixed_at = thread.told_at = thread.changed_at = clock.now()
        tell(tx, content, thread.user_id, Letters.THREAD_FIXED, thread_id=thread.id)
    return found


def note_read(tx: Tx, actor: Principal, content: Content, thread: Thread) -> None:
    """Whoever asked has seen what was said; for anybody else nothing changes."""
    require(actor, Permission.CONTENT_READ, _resource(tx, content, thread))
    if actor.id == thread.user_id:
        thread.seen_at = clock.now()


def threads_to_answer(tx: Tx, actor: Principal) -> list[tuple[Thread, User, Content]]:
    """Open threads about what ``actor`` owns or may change, in all stages, the one that waits longest first."""
    if not may(actor, Permission.CONTENT_CREATE) or actor.id is None or actor.bound_to is not None:
        return []
    named = or_(Access.user_id == actor.id, Access.group_id.in_(actor.groups))
    edited = select(Access.content_id).where(named, Access.share == Share.EDITOR.value)
    theirs = (or_(Content.owner_id == actor.id, Content.id.in_(edited)), Thread.state == ThreadState.OPEN)
    chosen = _with_content().where(*theirs, Thread.user_id != actor.id).order_by(Thread.changed_at, Thread.id)
    return [(thread, user, content) for thread, user, content in tx.execute(chosen.limit(SHOWN))]


def threads_told(tx: Tx, actor: Principal) -> list[tuple[Thread, User, Content]]:
    """What ``actor`` asked and was told something about since they looked last; newest first."""
    if not may(actor, Permission.REQUEST_MAKE):
        return []
    unseen = (Thread.told_at.is_not(None), or_(Thread.seen_at.is_(None), Thread.seen_at < Thread.told_at))
    chosen = _with_content().where(Thread.user_id == actor.id, *unseen).order_by(Thread.told_at.desc())
    return [(thread, user, content) for thread, user, content in tx.execute(chosen.limit(SHOWN))]


def waiting_counts(tx: Tx, content: Content) -> dict[str, int]:
    """How many ``questions`` and how many requests for ``access`` wait for an answer, where any do. For who may change it."""
    threads = select(func.count()).where(Thread.content_id == content.id, Thread.state == ThreadState.OPEN)
    asked = (AccessRequest.content_id == content.id, AccessRequest.state == RequestState.OPEN)
    found = {"questions": tx.scalar(threads) or 0, "access": tx.scalar(select(func.count()).where(*asked)) or 0}
    return {name: count for name, count in found.items() if count}


def _with_content() -> Select[Thread, User, Content]:
    chosen = select(Thread, User, Content).join(User, User.id == Thread.user_id)
    return chosen.join(Content, Content.id == Thread.content_id).where(Content.deleted_at.is_(None))


def _resource(tx: Tx, content: Content, thread: Thread) -> Resource:
    """A thread is read by whoever asked and by who may change the content."""
    resource = resource_of(tx, content)
    return replace(resource, users={**resource.users, thread.user_id: Share.EDITOR})


def _tell_other_side(
    tx: Tx, actor: Principal, content: Content, thread: Thread, letter: Letters, **facts: int | None
) -> None:
    """Whoever asked; or, when they acted themselves, who shares the content and who answered here before."""
    facts |= {"thread_id": thread.id, "by_id": actor.id}
    if actor.id != thread.user_id:
        tell(tx, content, thread.user_id, letter, **facts)
        return
    answered = {message.author_id for message in messages_of(tx, [thread])[thread.id]}
    tell_sharers(tx, resource_of(tx, content), content, letter, also=sorted(answered), **facts)


def _move(thread: Thread, state: ThreadState) -> None:
    now = ThreadState(thread.state)
    if state is not now and state in MOVES[now]:
        thread.state = state.value


def _record(tx: Tx, actor: Principal, event: str, content: Content, **facts: Mapping[str, object]) -> None:
    record(tx, actor, event, ResourceRef("content", content.id), stage_id=content.stage_id, **facts)
