"""Background work of this room: sending the mails that verbs asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from pilothouse.asgi.texts import catalogue, chosen_language
from pilothouse.base.errors import PilothouseError
from pilothouse.db import Tx
from pilothouse.identity.models import User
from pilothouse.identity.service.mail import is_reachable
from pilothouse.notify.contract import Channel, ChannelDown, Message, MessageRefused
from pilothouse.notify.letters import Letter, message_of
from pilothouse.tasks import Handler, Retry, Run

#: Translates a sentence. Called ``said`` where letters are written, so that a test finds what has to be translated.
Said = Callable[[str], str]
#: Writes one kind of letter from the facts a verb gave; ``None`` if what it was about is gone.
Writer = Callable[[Tx, User, Mapping[str, Any], Said], Letter | None]
#: How long to wait after each try that failed.
PAUSES = tuple(timedelta(minutes=m) for m in (0.5, 2, 10, 60, 240))


class MailGivenUp(PilothouseError):
    """The mail could not be sent, however often it was tried. Run `pilothouse notify test` to see why."""

    code = "identity/mail-given-up"


@dataclass(frozen=True)
class Post:
    """What sending needs: the way mails leave (``None``: they don't), who writes which letter, and the name and address below each."""

    channel: Channel | None
    writers: Mapping[str, Writer]
    title: str
    url: str
    pauses: Sequence[timedelta] = PAUSES


def send_task(post: Post) -> Handler:
    """Writes the letter from what is true now, and sends it; tries again, later each time, while the mail server is away.

    A crash between the server's answer and its record sends the mail a second time, with the same message id.
    """

    def send(run: Run) -> Mapping[str, Any]:
        if post.channel is None:
            return {"sent": False, "why": "notify.channel is not set"}
        why = ""
        for number, pause in enumerate([*post.pauses, None], 1):
            result, is_new = _tried(run, post, post.channel, number)
            if "sent" in result:
                return result
            why = result["failed"]
            if is_new and pause is not None:
                run.log(f"{why} The next try is in {pause}.")
                raise Retry(pause)
        raise MailGivenUp(f"The mail could not be sent, after {len(post.pauses) + 1} tries. {why}")

    return send


def _tried(run: Run, post: Post, channel: Channel, number: int) -> tuple[dict[str, Any], bool]:
    """What the try of this number gave, and whether it was made just now. Raises `MessageRefused`, which ends the task."""
    made = []

    def attempt() -> dict[str, Any]:
        made.append(number)
        message = _message(run, post)
        if message is None:
            return {"sent": False, "why": "there is nothing to tell any more, or nobody to tell it to"}
        try:
            channel.send(message)
        except ChannelDown as error:
            return {"failed": str(error)}
        return {"sent": True}

    return run.step(f"try {number}", attempt), bool(made)


def _message(run: Run, post: Post) -> Message | None:
    args = run.args
    with run.database.read() as tx:
        reader = tx.get(User, args["user_id"]) if args["user_id"] is not None else None
        if reader is None or not ("to" in args or is_reachable(reader)):
            return None
        language = chosen_language("", wish=reader.locale or "")
        said = catalogue(language).gettext
        letter = post.writers[args["letter"]](tx, reader, args["facts"], said)
        to = args.get("to") or reader.email
    if letter is None:
        return None
    foot = said("You get this mail because you have an account at %(title)s, %(url)s.")
    foot %= {"title": post.title, "url": post.url}
    return message_of(letter, to=to, foot=foot, language=language, message_id=run.key)


__all__ = ["MailGivenUp", "MessageRefused", "Post", "Said", "Writer", "send_task"]
