"""The file sink keeps the contract, and forgives a line that a crash cut off."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from pilothouse.audit.contract import AuditSink, Head
from pilothouse.audit.sinks.file import FileSink
from pilothouse.testing.audit import AT, AuditSinkSuite, head, sealed


class TestFile(AuditSinkSuite):
    @pytest.fixture
    def sink(self, tmp_path: Path) -> AuditSink:
        return FileSink(tmp_path / "log" / "heads", tmp_path / "log" / "events")

    @pytest.fixture
    def again(self, tmp_path: Path) -> Callable[[], AuditSink]:
        return lambda: FileSink(tmp_path / "log" / "heads", tmp_path / "log" / "events")

    @pytest.fixture
    def kept(self, tmp_path: Path) -> Callable[[int], list[str]]:
        files = [tmp_path / "log" / "events", tmp_path / "log" / "heads"]
        return lambda count: [line for file in files if file.exists() for line in file.read_text().split("\n") if line]

    @pytest.fixture
    def away(self, tmp_path: Path) -> AbstractContextManager[object]:
        @contextmanager
        def in_the_way() -> Iterator[None]:
            (tmp_path / "log").write_text("a file where the folder should be")
            yield
            (tmp_path / "log").unlink()

        return in_the_way()


def test_heads_alone_are_kept_where_no_file_for_events_is_named(tmp_path: Path) -> None:
    FileSink(tmp_path / "heads").append(head(1), [sealed(1)])
    assert [p.name for p in tmp_path.iterdir()] == ["heads"]


def test_files_that_were_moved_away_begin_anew(tmp_path: Path) -> None:
    sink = FileSink(tmp_path / "heads", tmp_path / "events")
    sink.append(head(1), [sealed(1)])
    (tmp_path / "events").rename(tmp_path / "events.1")
    sink.append(head(2), [sealed(2)])
    assert [len((tmp_path / name).read_text().splitlines()) for name in ("events.1", "events")] == [1, 1]


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
