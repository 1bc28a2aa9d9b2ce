"""The file sink keeps the contract, and forgives a line that a crash cut off."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pilothouse.audit.contract import AuditSink, Head
from pilothouse.audit.sinks.file import FileSink
from pilothouse.testing.audit import AT, AuditSinkSuite


class TestFile(AuditSinkSuite):
    @pytest.fixture
    def sink(self, tmp_path: Path) -> AuditSink:
        return FileSink(tmp_path / "log" / "heads")

    @pytest.fixture
    def again(self, tmp_path: Path) -> Callable[[], AuditSink]:
        return lambda: FileSink(tmp_path / "log" / "heads")


def test_a_line_that_was_cut_off_is_passed_over(tmp_path: Path) -> None:
    sink = FileSink(tmp_path / "heads")
    sink.append(Head(1, "a" * 64, AT))
    with (tmp_path / "heads").open("a") as file:
        file.write('{"number": 2, "ma\n')
    sink.append(Head(3, "c" * 64, AT))
    assert [h.number for h in sink.heads()] == [1, 3]


def test_only_its_owner_reads_it(tmp_path: Path) -> None:
    FileSink(tmp_path / "heads").append(Head(1, "a" * 64, AT))
    assert (tmp_path / "heads").stat().st_mode & 0o077 == 0
