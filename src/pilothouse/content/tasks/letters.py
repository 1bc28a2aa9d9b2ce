"""Mails about what people tell each other: each is written from what is true when it leaves, for what its reader may know then."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pilothouse.base.access import Permission, Share, may
from pilothouse.content.models import (
    AccessRequest,
    Content,
    Letters,
    RequestState,
    Thread,
    ThreadKind,
    ThreadMessage,
    ThreadState,
)
from pilothouse.content.service import messages_of, resource_of
from pilothouse.db import Tx
from pilothouse.identity.models import User
from pilothouse.identity.service import principal_of_user
from pilothouse.identity.tasks import Said, Writer
from pilothouse.notify.letters import Letter


def letter_writers(public_url: Callable[[int], str]) -> dict[str, Writer]:
    """By name. ``public_url`` is a stage's address without trailing slash, by its id."""

    def writer(write: Callable[[Sheet, Mapping[str, Any]], Letter | None]) -> Writer:
        def written(tx: Tx, reader: User, facts: Mapping[str, Any], said: Said) -> Letter | None:
            return write(Sheet(tx, reader, said, public_url), facts)

        return written

    return {
        Letters.REQUEST_MADE.value: writer(request_made),
        Letters.REQUEST_ANSWERED.value: writer(request_answered),
        Letters.THREAD_OPENED.value: writer(thread_opened),
        Letters.THREAD_REPLIED.value: writer(thread_replied),
        Letters.THREAD_SETTLED.value: writer(thread_settled),
        Letters.THREAD_FIXED.value: writer(thread_fixed),
        Letters.HANDED_OVER.value: writer(handed_over),
    }


@dataclass(frozen=True)
class Sheet:
    """What a letter is written on: whom to, in which language, from which rows."""

    tx: Tx
    reader: User
    said: Said
    public_url: Callable[[int], str]

    def content(self, number: int) -> Content | None:
        """``None`` once it is deleted."""
        found = self.tx.get(Content, number)
        return None if found is None or found.deleted_at is not None else found

    def may(self, permission: Permission, content: Content) -> bool:
        return may(principal_of_user(self.tx, self.reader), permission, resource_of(self.tx, content))

    def page(self, content: Content, path: str = "") -> str:
        return f"{self.public_url(content.stage_id)}/_/content/{content.guid}{path}"

    def name(self, number: int | None) -> str:
        """Of a person; of one who is gone, or was none, a word that says no more."""
        user = self.tx.get(User, number) if number is not None else None
        return self.said("Somebody") if user is None or user.deleted_at is not None else user.display_name

    def talk(self, facts: Mapping[str, Any]) -> tuple[Thread, Content] | None:
        """The thread and what it is about, as long as its reader may see both."""
        thread = self.tx.get(Thread, facts["thread_id"])
        content = self.content(thread.content_id) if thread is not None else None
        if thread is None or content is None:
            return None
        needed = Permission.CONTENT_VIEW if thread.user_id == self.reader.id else Permission.CONTENT_SHARE
        return (thread, content) if self.may(needed, content) else None


def request_made(sheet: Sheet, facts: Mapping[str, Any]) -> Letter | None:
    """To who shares it, unless somebody has answered meanwhile."""
    said, asked = sheet.said, sheet.tx.get(AccessRequest, facts["request_id"])
    content = sheet.content(asked.content_id) if asked is not None else None
    if asked is None or content is None or asked.state != RequestState.OPEN:
        return None
    user = sheet.tx.get(User, asked.user_id)
    if user is None or not sheet.may(Permission.CONTENT_SHARE, content):
        return None
    names = {"who": user.display_name, "title": title_of(content)}
    place = " · ".join(part for part in (user.title, user.department, user.site) if part)
    return Letter(
        subject=said("%(who)s asks to open %(title)s") % names,
        paragraphs=[said("%(who)s asks you to let them open %(title)s.") % names, *([place] if place else [])],
        quote=asked.words,
        link=(said("Answer"), sheet.page(content, f"/access/requests/{asked.id}")),
    )


def request_answered(sheet: Sheet, facts: Mapping[str, Any]) -> Letter | None:
    """To whoever asked. What it is called is told only to who may open it."""
    said, asked = sheet.said, sheet.tx.get(AccessRequest, facts["request_id"])
    content = sheet.content(asked.content_id) if asked is not None else None
    if asked is None or content is None:
        return None
    who = {"who": sheet.name(asked.answered_by_id)}
    if asked.state == RequestState.REFUSED:
        names = who | {"owner": sheet.name(content.owner_id)}
        return Letter(
            subject=said("Your request for access was answered: no"),
            paragraphs=[said("%(who)s says no to what you asked for: to open something of %(owner)s.") % names],
            quote=asked.answer,
            link=(said("Ask again"), sheet.page(content, "/ask")),
        )
    if asked.state != RequestState.GRANTED or not sheet.may(Permission.CONTENT_VIEW, content):
        return None
    title = {"title": title_of(content)}
    is_editor = asked.share == Share.EDITOR
    return Letter(
        subject=(said("You may change %(title)s") if is_editor else said("You may open %(title)s")) % title,
        paragraphs=[said("%(who)s let you in.") % who],
        quote=asked.answer,
        link=(said("Open %(title)s") % title, sheet.page(content)),
    )


def thread_opened(sheet: Sheet, facts: Mapping[str, Any]) -> Letter | None:
    """To who answers."""
    if (talk := sheet.talk(facts)) is None:
        return None
    said, (thread, content) = sheet.said, talk
    names = {"who": sheet.name(thread.user_id), "title": title_of(content)}
    if thread.kind == ThreadKind.PROBLEM:
        subject = said("A problem with %(title)s") % names
        words = said("%(who)s reports a problem with %(title)s:") % names
    else:
        subject = said("A question about %(title)s") % names
        words = said("%(who)s asks about %(title)s:") % names
    link = (said("Answer"), sheet.page(content, f"/questions/{thread.id}"))
    return Letter(subject, [words], quote=first_words(sheet, thread), link=link)


def thread_replied(sheet: Sheet, facts: Mapping[str, Any]) -> Letter | None:
    """To the other side."""
    if (talk := sheet.talk(facts)) is None:
        return None
    said, (thread, content) = sheet.said, talk
    message = sheet.tx.get(ThreadMessage, facts["message_id"]) if facts.get("message_id") else None
    names = {"who": sheet.name(facts.get("by_id")), "title": title_of(content)}
    page = sheet.page(content, f"/questions/{thread.id}")
    if thread.user_id != sheet.reader.id:
        subject, words = said("%(who)s wrote about %(title)s"), said("%(who)s wrote about %(title)s:")
        return Letter(subject % names, [words % names], message.words if message else "", (said("Answer"), page))
    told = [said("The next version brings the fix. You are told when it is live.")] if facts.get("promised") else []
    words = said("%(who)s answered:") if message else said("%(who)s answered.")
    return Letter(
        subject=said("An answer about %(title)s") % names,
        paragraphs=[*told, words % names],
        quote=message.words if message else "",
        link=(said("Look at it"), page),
    )


def thread_settled(sheet: Sheet, facts: Mapping[str, Any]) -> Letter | None:
    """To the other side, unless it is what it was again."""
    if (talk := sheet.talk(facts)) is None:
        return None
    said, (thread, content) = sheet.said, talk
    names = {"who": sheet.name(facts.get("by_id")), "title": title_of(content)}
    if thread.state == ThreadState.SOLVED:
        subject = said("Solved: what you asked about %(title)s") % names
        words = said("%(who)s calls it solved. If it is not, write again.") % names
    else:
        subject = said("Open again: a question about %(title)s") % names
        words = said("%(who)s opened it again.") % names
    link = (said("Look at it"), sheet.page(content, f"/questions/{thread.id}"))
    return Letter(subject, [words], quote=first_words(sheet, thread), link=link)


def thread_fixed(sheet: Sheet, facts: Mapping[str, Any]) -> Letter | None:
    """To whoever asked: the promised deployment is live."""
    if (talk := sheet.talk(facts)) is None:
        return None
    said, (thread, content) = sheet.said, talk
    names = {"title": title_of(content)}
    return Letter(
        subject=said("Fixed: %(title)s") % names,
        paragraphs=[said("The fix that you were promised is live with a new version of %(title)s. You wrote:") % names],
        quote=first_words(sheet, thread),
        link=(said("Look at it"), sheet.page(content, f"/questions/{thread.id}")),
    )


def handed_over(sheet: Sheet, facts: Mapping[str, Any]) -> Letter | None:
    """To the new owner, unless it was taken back or went on to somebody else meanwhile."""
    said, content = sheet.said, sheet.content(facts["content_id"])
    if content is None or content.owner_id != sheet.reader.id:
        return None
    names = {"who": sheet.name(facts.get("by_id")), "title": title_of(content), "n": facts.get("more") or 0}
    link = (said("Look at it"), sheet.page(content))
    if names["n"] == 0:
        subject, words = said("%(title)s is yours now"), said("%(who)s made you the owner of %(title)s.")
    else:
        subject = said("%(title)s and %(n)s more are yours now")
        words = said("%(who)s made you the owner of %(title)s and of %(n)s more.")
        link = (said("Look at them"), f"{sheet.public_url(content.stage_id)}/_/content?owner=me")
    duty = said("Questions, problems and requests for access come to you from now on.")
    return Letter(subject % names, [words % names, duty], link=link)


def title_of(content: Content) -> str:
    return content.title or content.name


def first_words(sheet: Sheet, thread: Thread) -> str:
    """What the thread began with."""
    messages = messages_of(sheet.tx, [thread])[thread.id]
    return messages[0].words if messages else ""
