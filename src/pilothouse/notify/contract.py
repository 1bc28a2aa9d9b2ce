"""What a channel owes, and the message it carries."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import Protocol

from pilothouse.base.errors import Invalid, Unavailable
from pilothouse.settings.options.types import is_mail_address

SUBJECT_LIMIT = 200


class ChannelDown(Unavailable):
    """The mail server does not answer, or does not let us in. Look at the settings below `notify`."""

    code = "notify/channel-down"


class MessageRefused(Invalid):
    """The message was refused for good: trying again would not help. Check the address."""

    code = "notify/message-refused"


@dataclass(frozen=True)
class Message:
    """One message to one address, as plain text and as HTML that says the same.

    ``subject`` is one line without control characters, whatever it is made from. ``id`` is the same for the same message sent
    again. Raises `MessageRefused` for what is no single mail address.
    """

    to: str
    subject: str
    text: str
    html: str
    id: str

    def __post_init__(self) -> None:
        if not is_mail_address(self.to):
            raise MessageRefused("This is not a mail address. Write one such as amara@example.com.")
        object.__setattr__(self, "subject", one_line(self.subject)[:SUBJECT_LIMIT])


class Channel(Protocol):
    """A way on which messages leave.

    The class has a ``from_settings(options)`` that makes one from the section ``notify`` of the settings. Any thread may
    call it; it waits half a minute at most.
    """

    def send(self, message: Message) -> None:
        """Hand ``message`` over: once this returns, the next server has it.

        Raises `ChannelDown` if trying again may help, `MessageRefused` if it never will.
        """
        ...

    def check(self) -> None:
        """Go as far as one can without sending anything. Raises `ChannelDown` with the cause."""
        ...


def one_line(text: str) -> str:
    """``text`` without line breaks and other control characters, each run of them and of spaces a single space."""
    plain = "".join(" " if unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp") else c for c in text)
    return " ".join(plain.split())
