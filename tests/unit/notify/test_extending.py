"""The channel of docs/extending/add-a-channel.md works as written, and keeps the contract."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from pilothouse.notify.contract import Channel, Message
from pilothouse.testing.notify import ChannelSuite

PAGE = Path(__file__).parents[3] / "docs" / "extending" / "add-a-channel.md"


def folder_channel() -> Any:
    (block,) = re.findall(r" *```python\n(.*?) *```", PAGE.read_text(), re.S)
    names: dict[str, Any] = {}
    exec(textwrap.dedent(block), names)
    return names["FolderChannel"]


class TestTheGuide(ChannelSuite):
    @pytest.fixture
    def channel(self, tmp_path: Path) -> Channel:
        (tmp_path / "spool").mkdir()
        return folder_channel()(tmp_path / "spool")  # type: ignore[no-any-return]

    @pytest.fixture
    def arrived(self, tmp_path: Path) -> Callable[[], Sequence[Message]]:
        return lambda: [Message(**json.loads(p.read_text())) for p in sorted((tmp_path / "spool").glob("*.json"))]

    @pytest.fixture
    def away(self, tmp_path: Path) -> AbstractContextManager[object]:
        @contextmanager
        def gone() -> Iterator[None]:
            (tmp_path / "spool").rmdir()
            yield
            (tmp_path / "spool").mkdir()

        return gone()

    @pytest.fixture
    def refused(self) -> str:
        pytest.skip("a folder refuses nothing")
