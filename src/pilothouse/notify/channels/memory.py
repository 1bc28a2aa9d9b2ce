"""Messages kept in memory, for tests."""

from __future__ import annotations

from pilothouse.notify.contract import ChannelDown, Message, MessageRefused
from pilothouse.settings.options import Notify


class MemoryChannel:
    """``sent`` is what was handed over. ``is_away``: nothing is taken now; ``refused`` are addresses that never take anything."""

    def __init__(self) -> None:
        self.sent: list[Message] = []
        self.is_away = False
        self.refused: set[str] = set()

    @classmethod
    def from_settings(cls, options: Notify) -> MemoryChannel:
        return cls()

    def send(self, message: Message) -> None:
        self.check()
        if message.to in self.refused:
            raise MessageRefused
        self.sent.append(message)

    def check(self) -> None:
        if self.is_away:
            raise ChannelDown
