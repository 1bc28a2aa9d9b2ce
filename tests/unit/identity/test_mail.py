from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

import pytest
from tests.factories.identity import add_user, principal
from tests.factories.tasks import finished, running

from pilothouse.base.access import SYSTEM, Role
from pilothouse.base.errors import Denied
from pilothouse.db import Database, Tx
from pilothouse.identity.models import User
from pilothouse.identity.service import get_user, lock_user
from pilothouse.identity.service.mail import SEND, AddressInvalid, mail, send_test_mail
from pilothouse.identity.tasks import Post, Said, send_task
from pilothouse.notify.channels.memory import MemoryChannel
from pilothouse.notify.letters import Letter
from pilothouse.tasks.models import Task

AT_ONCE = (timedelta(0), timedelta(0))


def ask(tx: Tx, reader: User, facts: Mapping[str, Any], said: Said) -> Letter | None:
    if facts.get("gone"):
        return None
    return Letter(said("viewer"), [f"{reader.first_name} {facts.get('number')}"])


@pytest.fixture
def channel() -> MemoryChannel:
    return MemoryChannel()


@pytest.fixture
def posting(database: Database, channel: MemoryChannel) -> Iterator[None]:
    writers = {"ask": ask, "notify.test": ask}
    post = Post(channel, writers, title="Pilothouse", url="https://pilot.example", pauses=AT_ONCE)
    with running(database, {SEND: send_task(post)}):
        yield


def written(database: Database, user: User, **facts: int) -> str | None:
    with database.write() as tx:
        mail(tx, user, "ask", {"number": 7, **facts})
        tx.flush()
        task = tx.query(Task).order_by(Task.id.desc()).first()
        return task.key if task else None


def test_a_mail_is_written_in_its_readers_language(database: Database, channel: MemoryChannel, posting: None) -> None:
    user = add_user(database, first_name="Amara", email="amara@example.com", locale="de-AT")
    view = finished(database, written(database, user) or "")
    (sent,) = channel.sent
    assert view.result == {"sent": True} and (sent.to, sent.subject) == ("amara@example.com", "liest")
    assert sent.text.startswith("Amara 7\n") and "ein Konto bei Pilothouse haben, https://pilot.example." in sent.text


def test_the_queue_holds_neither_names_nor_addresses(database: Database) -> None:
    user = add_user(database, first_name="Amara", email="amara@example.com")
    written(database, user)
    with database.read() as tx:
        assert tx.query(Task).one().args == {"letter": "ask", "user_id": user.id, "facts": {"number": 7}}


@pytest.mark.parametrize("email", ["", "not an address"])
def test_who_has_no_address_gets_nothing(database: Database, email: str) -> None:
    assert written(database, add_user(database, email=email)) is None


def test_who_is_locked_gets_nothing_not_even_what_waits(database: Database, channel: MemoryChannel) -> None:
    user = add_user(database, email="amara@example.com")
    key = written(database, user) or ""
    with database.write() as tx:
        lock_user(tx, SYSTEM, get_user(tx, user.guid), locked=True)
        assert not mail(tx, get_user(tx, user.guid), "ask", {})
    post = Post(channel, {"ask": ask}, title="", url="", pauses=AT_ONCE)
    with running(database, {SEND: send_task(post)}):
        assert (finished(database, key).result or {})["sent"] is False
    assert channel.sent == []


class Flaky(MemoryChannel):
    """Away for the first two tries."""

    def check(self) -> None:
        self.tries = getattr(self, "tries", 0) + 1
        self.is_away = self.tries <= 2
        super().check()


def test_a_mail_server_that_is_away_is_tried_again(database: Database) -> None:
    channel = Flaky()
    post = Post(channel, {"ask": ask}, title="Pilothouse", url="https://pilot.example", pauses=AT_ONCE)
    with running(database, {SEND: send_task(post)}):
        view = finished(database, written(database, add_user(database, email="amara@example.com")) or "")
    assert view.result == {"sent": True} and len(channel.sent) == 1
    assert len(view.lines) == 2 and "The next try is in" in view.lines[0]


def test_a_mail_is_given_up_with_the_last_cause(database: Database, channel: MemoryChannel, posting: None) -> None:
    channel.is_away = True
    view = finished(database, written(database, add_user(database, email="amara@example.com")) or "")
    assert view.code == 1 and "after 3 tries" in view.error and "does not answer" in view.error


def test_an_address_that_is_refused_is_not_tried_again(
    database: Database, channel: MemoryChannel, posting: None
) -> None:
    channel.refused.add("amara@example.com")
    view = finished(database, written(database, add_user(database, email="amara@example.com")) or "")
    assert view.code == 1 and view.lines == ()


def test_what_is_gone_by_then_is_not_written_about(database: Database, channel: MemoryChannel, posting: None) -> None:
    view = finished(database, written(database, add_user(database, email="amara@example.com"), gone=1) or "")
    assert channel.sent == [] and view.code == 0


def test_without_a_channel_nothing_is_sent_and_nothing_fails(database: Database) -> None:
    with running(database, {SEND: send_task(Post(None, {}, title="", url=""))}):
        view = finished(database, written(database, add_user(database, email="amara@example.com")) or "")
    assert view.code == 0 and view.result == {"sent": False, "why": "notify.channel is not set"}


def test_only_administrators_send_test_mails_and_only_to_an_address(
    database: Database, channel: MemoryChannel, posting: None
) -> None:
    publisher, boss = (
        principal(database, add_user(database, "p")),
        principal(database, add_user(database, "b", Role.ADMINISTRATOR)),
    )
    with database.write() as tx:
        with pytest.raises(Denied):
            send_test_mail(tx, publisher, to="x@example.com")
        with pytest.raises(AddressInvalid):
            send_test_mail(tx, boss, to="x@example.com\nBcc: y@example.com")
    with database.write() as tx:
        key = send_test_mail(tx, boss, to="x@example.com").key
    assert finished(database, key).result == {"sent": True} and channel.sent[0].to == "x@example.com"
