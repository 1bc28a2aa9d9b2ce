"""The sink of docs/extending/add-an-audit-sink.md works as written, and keeps the contract."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from pilothouse.audit.contract import AuditSink
from pilothouse.settings.options import Audit
from pilothouse.testing.audit import AuditSinkSuite

PAGE = Path(__file__).parents[3] / "docs" / "extending" / "add-an-audit-sink.md"


def folder_sink() -> Any:
    (block,) = re.findall(r" *```python\n(.*?) *```", PAGE.read_text(), re.S)
    names: dict[str, Any] = {}
    exec(textwrap.dedent(block), names)
    return names["FolderSink"]


class TestTheGuide(AuditSinkSuite):
    @pytest.fixture
    def sink(self, tmp_path: Path) -> AuditSink:
        return folder_sink().from_settings(tmp_path, Audit())  # type: ignore[no-any-return]

    @pytest.fixture
    def again(self, tmp_path: Path) -> Callable[[], AuditSink]:
        return lambda: folder_sink()(tmp_path / "trail")  # type: ignore[no-any-return]

    @pytest.fixture
    def kept(self, tmp_path: Path) -> Callable[[int], list[str]]:
        files = lambda: sorted((tmp_path / "trail").glob("*.jsonl"))  # noqa: E731
        return lambda count: [line for file in files() for line in file.read_text().split("\n")]

    @pytest.fixture
    def away(self, tmp_path: Path) -> AbstractContextManager[object]:
        @contextmanager
        def in_the_way() -> Iterator[None]:
            (tmp_path / "trail").write_text("a file where the folder should be")
            yield
            (tmp_path / "trail").unlink()

        return in_the_way()
