"""Mail by SMTP keeps the contract in all three ways of encryption, against a real mail server; and tells what went wrong."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
from tests.doubles.mail_server import LATER, NOBODY, PASSWORD, USER, MailServer, mail_server

from pilothouse.notify.channels.smtp import SmtpChannel
from pilothouse.notify.contract import Channel, ChannelDown, Message, MessageRefused
from pilothouse.settings.options import Notify
from pilothouse.testing.notify import ChannelSuite, message


def options(server: MailServer, **others: object) -> Notify:
    given: dict[str, object] = {
        "channel": "smtp", "smtp_host": "localhost", "smtp_port": server.port, "smtp_tls": server.mode,
        "smtp_ca_file": server.certificate, "sender": "Der Lotse – 漢 <pilothouse@example.com>",
    }  # fmt: skip
    return Notify.model_validate(given | others)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("certificate")


class TestSmtp(ChannelSuite):
    @pytest.fixture(params=["starttls", "tls", "none"])
    def server(self, request: pytest.FixtureRequest, folder: Path) -> Iterator[MailServer]:
        with mail_server(folder, request.param) as server:
            yield server

    @pytest.fixture
    def channel(self, server: MailServer) -> Channel:
        return SmtpChannel(options(server))

    @pytest.fixture
    def arrived(self, server: MailServer) -> Callable[[], Sequence[Message]]:
        return lambda: [post.message for post in server.posts]

    @pytest.fixture
    def away(self, server: MailServer) -> AbstractContextManager[object]:
        @contextmanager
        def gone() -> Iterator[None]:
            server.stop()
            yield
            server.start()

        return gone()

    @pytest.fixture
    def refused(self) -> str:
        return NOBODY

    def test_what_goes_over_the_line_is_encrypted_where_it_is_asked_for(
        self, channel: Channel, server: MailServer
    ) -> None:
        channel.send(message())
        assert [post.is_encrypted for post in server.posts] == [server.mode != "none"]


@pytest.fixture
def server(folder: Path) -> Iterator[MailServer]:
    with mail_server(folder, needs_login=True) as server:
        yield server


def test_it_signs_in_with_name_and_password(server: MailServer) -> None:
    SmtpChannel(options(server, smtp_user=USER, smtp_password=PASSWORD)).send(message())
    assert len(server.posts) == 1


def test_a_wrong_password_is_said_and_never_shown(server: MailServer) -> None:
    with pytest.raises(ChannelDown) as error:
        SmtpChannel(options(server, smtp_user=USER, smtp_password="not-this-one")).check()
    assert "535" in str(error.value) and "not-this-one" not in str(error.value)


def test_a_certificate_that_nobody_knows_is_not_trusted(server: MailServer) -> None:
    with pytest.raises(ChannelDown, match="certificate"):
        SmtpChannel(options(server, smtp_ca_file=None)).check()


def test_a_server_without_tls_gets_neither_password_nor_mail(folder: Path) -> None:
    with mail_server(folder, "none") as plain:
        with pytest.raises(ChannelDown, match="STARTTLS"):
            SmtpChannel(options(plain, smtp_tls="starttls", smtp_user=USER, smtp_password=PASSWORD)).send(message())
        assert plain.posts == []


def test_a_refusal_for_now_may_be_tried_again(folder: Path) -> None:
    with mail_server(folder, "none") as plain, pytest.raises(ChannelDown, match="greylisted"):
        SmtpChannel(options(plain)).send(message(LATER))


def test_a_server_that_says_nothing_is_given_up_in_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("pilothouse.notify.channels.smtp.PATIENCE_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        chosen = Notify(channel="smtp", smtp_host="127.0.0.1", smtp_port=port, sender="a@example.com")
        with pytest.raises(ChannelDown, match="timed out"):
            SmtpChannel(chosen).check()


@pytest.mark.parametrize("is_able", [True, False])
def test_an_address_beyond_ascii_needs_a_server_that_takes_it(folder: Path, is_able: bool) -> None:
    with mail_server(folder, "none", utf8=is_able) as plain:
        channel = SmtpChannel(options(plain))
        if not is_able:
            with pytest.raises(MessageRefused, match="RFC 6531"):
                channel.send(message("jürgen@münchen.example"))
            return
        channel.send(message("jürgen@münchen.example"))
        assert plain.posts[0].message == message("jürgen@münchen.example")


def test_the_head_says_who_and_that_no_machine_shall_answer(server: MailServer) -> None:
    signed_in = {"smtp_user": USER, "smtp_password": PASSWORD}
    SmtpChannel(options(server, reply_to="help@example.com", **signed_in)).send(message())
    mail = server.posts[0].mail
    assert (mail["From"], mail["Reply-To"]) == ("Der Lotse – 漢 <pilothouse@example.com>", "help@example.com")
    assert (mail["Auto-Submitted"], server.posts[0].sender) == ("auto-generated", "pilothouse@example.com")
    assert mail["Message-ID"] == "<m1@example.com>"
