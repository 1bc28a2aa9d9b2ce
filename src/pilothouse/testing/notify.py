"""What every channel must do. Subclass `ChannelSuite`, give it a fresh channel and the far end, and run it with pytest."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager

import pytest

from pilothouse.notify.contract import Channel, ChannelDown, Message, MessageRefused

TO = "amara.okoye@example.com"
TEXT = "Two lines,\n.one begins with a dot\nFrom the start\n" + "x" * 2000 + "\nüñí 漢 \U0001f6a2\n"


def message(to: str = TO, *, subject: str = "Ein Gruß – 漢", number: str = "m1") -> Message:
    return Message(to, subject, TEXT, f"<p>{TEXT}</p>\n", number)


class ChannelSuite:
    """A message arrives whole, at its one address; what people wrote becomes no header; what can't be sent is said."""

    @pytest.fixture
    def channel(self) -> Channel:
        raise NotImplementedError("give the suite a channel")

    @pytest.fixture
    def arrived(self) -> Callable[[], Sequence[Message]]:
        raise NotImplementedError(
            "give the suite what arrived at the far end, in order; `to` is where it was delivered"
        )

    @pytest.fixture
    def away(self) -> AbstractContextManager[object]:
        raise NotImplementedError("give the suite a time during which the far end is not there")

    @pytest.fixture
    def refused(self) -> str:
        raise NotImplementedError("give the suite an address that the far end refuses")

    def test_a_message_arrives_whole(self, channel: Channel, arrived: Callable[[], Sequence[Message]]) -> None:
        channel.send(message())
        assert list(arrived()) == [message()]

    def test_a_very_long_subject_arrives_as_one_line(
        self, channel: Channel, arrived: Callable[[], Sequence[Message]]
    ) -> None:
        sent = message(subject="Ein sehr langer Titel eines Berichts über Qualität " * 20)
        channel.send(sent)
        (found,) = arrived()
        assert found.subject == sent.subject

    def test_messages_arrive_in_the_order_they_were_sent(
        self, channel: Channel, arrived: Callable[[], Sequence[Message]]
    ) -> None:
        for number in ("a", "b", "c"):
            channel.send(message(number=number))
        assert [m.id for m in arrived()] == ["a", "b", "c"]

    def test_a_subject_can_not_add_a_header_or_an_address(
        self, channel: Channel, arrived: Callable[[], Sequence[Message]]
    ) -> None:
        channel.send(message(subject="Hello\r\nBcc: mallory@example.com\r\n\r\nother\x1b[2J\x00 text"))
        (found,) = arrived()
        assert (found.to, found.subject) == (TO, "Hello Bcc: mallory@example.com other [2J text")
        assert found.text == TEXT

    def test_a_far_end_that_is_away_is_said_and_the_message_goes_later(
        self, channel: Channel, away: AbstractContextManager[object], arrived: Callable[[], Sequence[Message]]
    ) -> None:
        with away:
            with pytest.raises(ChannelDown):
                channel.send(message())
            with pytest.raises(ChannelDown):
                channel.check()
        channel.send(message())
        assert len(arrived()) == 1

    def test_an_address_that_is_refused_for_good_is_said(
        self, channel: Channel, refused: str, arrived: Callable[[], Sequence[Message]]
    ) -> None:
        with pytest.raises(MessageRefused):
            channel.send(message(refused))
        assert list(arrived()) == []

    def test_a_check_sends_nothing(self, channel: Channel, arrived: Callable[[], Sequence[Message]]) -> None:
        channel.check()
        assert list(arrived()) == []
