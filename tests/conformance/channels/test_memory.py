"""The in-memory channel keeps the contract."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager

import pytest

from pilothouse.notify.channels.memory import MemoryChannel
from pilothouse.notify.contract import Message
from pilothouse.testing.notify import ChannelSuite


class TestMemory(ChannelSuite):
    @pytest.fixture
    def channel(self) -> MemoryChannel:
        return MemoryChannel()

    @pytest.fixture
    def arrived(self, channel: MemoryChannel) -> Callable[[], Sequence[Message]]:
        return lambda: channel.sent

    @pytest.fixture
    def away(self, channel: MemoryChannel) -> AbstractContextManager[object]:
        @contextmanager
        def gone() -> Iterator[None]:
            channel.is_away = True
            yield
            channel.is_away = False

        return gone()

    @pytest.fixture
    def refused(self, channel: MemoryChannel) -> str:
        channel.refused.add("nobody@example.com")
        return "nobody@example.com"
