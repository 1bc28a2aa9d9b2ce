"""Every letter that is mailed: its name, as verbs give it to `people.mail`, and who writes it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pilothouse.app.house import House, channel_of
from pilothouse.asgi.texts import ENGLISH, catalogue
from pilothouse.base.errors import Invalid
from pilothouse.base.ids import new_key
from pilothouse.content.tasks import letter_writers
from pilothouse.db import Tx
from pilothouse.identity.models import User
from pilothouse.identity.service.mail import TEST
from pilothouse.identity.tasks import Post, Said, Writer
from pilothouse.notify.letters import Letter, message_of
from pilothouse.settings import Loaded


class NoChannel(Invalid):
    """No mail can be sent: notify.channel is not set. Set it to smtp, and the options beside it."""

    code = "app/no-channel"


def post_of(house: House) -> Post:
    """How this installation sends mails."""
    loaded = house.loaded
    return Post(house.channel, writers(house), title=loaded.settings.web.title, url=loaded.public_url)


def writers(house: House) -> dict[str, Writer]:
    """By name: those of the rooms, and our own."""
    loaded = house.loaded

    def test(tx: Tx, reader: User, facts: Mapping[str, Any], said: Said) -> Letter:
        return test_letter(loaded, said)

    return {TEST: test, **letter_writers(house.public_url)}


def test_letter(loaded: Loaded, said: Said) -> Letter:
    """What an administrator sends to see whether mails arrive."""
    names = {"title": loaded.settings.web.title}
    return Letter(
        subject=said("A test mail from %(title)s") % names,
        paragraphs=[said("If you can read this, %(title)s can send mails.") % names],
        link=(said("Open %(title)s") % names, loaded.public_url),
    )


def send_test(loaded: Loaded, *, to: str) -> None:
    """Send the test letter here and now, past the queue. Raises `NoChannel`, `ChannelDown`, `MessageRefused`."""
    channel = channel_of(loaded)
    if channel is None:
        raise NoChannel
    letter = test_letter(loaded, catalogue(ENGLISH).gettext)
    channel.send(message_of(letter, to=to, foot=loaded.public_url, language=ENGLISH, message_id=new_key(16)))
