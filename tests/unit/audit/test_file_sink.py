"""The file of the chain's heads after a crash."""

from __future__ import annotations

import stat
from pathlib import Path

from pilothouse.audit.contract import Head
from pilothouse.audit.sinks.file import FileSink
from pilothouse.testing.clock import NOON


def test_a_line_that_was_cut_off_takes_no_later_head_with_it(tmp_path: Path) -> None:
    file = tmp_path / "logs" / "audit-head.log"
    heads = [Head(n, f"mac-{n}", NOON) for n in (1, 2, 3)]
    sink = FileSink(file)
    sink.append(heads[0], [])
    sink.append(heads[1])
    file.write_bytes(file.read_bytes()[:-20])
    sink.append(heads[2])
    assert FileSink(file).heads() == [heads[0], heads[2]]


def test_the_file_is_its_owners_and_has_one_line_for_each_head(tmp_path: Path) -> None:
    file = tmp_path / "head.log"
    for n in range(3):
        FileSink(file).append(Head(n, "mac", NOON))
    assert len(file.read_text().splitlines()) == 3
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
