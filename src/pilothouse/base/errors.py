"""The five families of errors. A concrete error is a sentence plus a remedy: its docstring is its message.

Rooms subclass a family in domain words and give it a ``code`` (``room/kebab-case``). ``asgi/problems.py`` alone turns
families into HTTP statuses for ``/api`` (RFC 9457), ``connect_api/errors.py`` alone for the publishing protocol.
"""

from __future__ import annotations

import inspect
from typing import ClassVar


class PilothouseError(Exception):
    """Something went wrong. Look at the server's log for the cause.

    ``str(error)`` is safe to show to the person who made the request: it never contains a secret. The text is the
    docstring's first paragraph, or the ``message`` given. ``code`` names the error for programs; ``facts`` are small
    JSON values that a door may add to its answer.
    """

    code: ClassVar[str] = "base/error"

    def __init__(self, message: str | None = None, **facts: object) -> None:
        self.facts = facts
        super().__init__(message or _first_paragraph(type(self)))


class Invalid(PilothouseError):
    """The request is not valid. Correct it and send it again."""

    code = "base/invalid"


class Denied(PilothouseError):
    """You may not do this. Ask an administrator or the owner for access."""

    code = "base/denied"


class NotAuthenticated(Denied):
    """Sign in, or send a valid API key, and try again."""

    code = "base/not-authenticated"


class NotFound(PilothouseError):
    """This does not exist, or you may not see it. Check the address."""

    code = "base/not-found"


class Conflict(PilothouseError):
    """This does not fit the present state. Reload, look at what changed, and try again."""

    code = "base/conflict"


class Unavailable(PilothouseError):
    """A part of the server does not answer right now. Try again in a moment."""

    code = "base/unavailable"


def _first_paragraph(cls: type) -> str:
    doc = inspect.getdoc(cls) or cls.__name__
    return " ".join(doc.split("\n\n", 1)[0].split())
