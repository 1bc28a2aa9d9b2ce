"""Looking into a pin: the facts and the beginning of its data, whatever is in the archive."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.factories.archives import targz

from pilothouse.storage.peek import Peek, peek

FACTS = "file: readings.csv\nfile_size: 42\npin_hash: 9f31\ntype: csv\ntitle: 'Reactor readings'\ndescription: null\ntags:\n- plant\n- live\n"


def look(tmp_path: Path, **files: bytes) -> Peek:
    path = tmp_path / "pin.tar.gz"
    path.write_bytes(targz(*((name.replace("__", "."), body) for name, body in files.items())))
    return peek(path)


def test_a_table_is_shown_by_its_first_rows(tmp_path: Path) -> None:
    table = "at,reactor\n" + "".join(f"{n},{n % 8}\n" for n in range(500))
    found = look(tmp_path, data__txt=FACTS.encode(), readings__csv=table.encode())
    assert (
        found.facts["type"] == "csv"
        and found.facts["title"] == "Reactor readings"
        and found.facts["tags"] == ["plant", "live"]
    )
    assert "description" not in found.facts
    assert list(found.rows[0]) == ["at", "reactor"] and len(found.rows) == 21 and list(found.rows[-1]) == ["19", "3"]


def test_json_is_shown_by_its_beginning_and_other_types_by_their_facts_only(tmp_path: Path) -> None:
    found = look(tmp_path, data__txt=b"file: a.json\ntype: json\n", a__json=b'{"hall": 3' + b" " * 9000 + b"}")
    assert found.text.startswith('{"hall": 3') and found.is_cut and not found.rows
    found = look(tmp_path, data__txt=b"file: a.joblib\ntype: joblib\n", a__joblib=b"\x80\x04 not for us")
    assert found.facts == {"file": "a.joblib", "type": "joblib"} and not found.text and not found.rows and not found.why


@pytest.mark.parametrize(
    ("files", "why"),
    [
        ({"index__html": b"x"}, "missing"),
        ({"data__txt": b"file: gone.csv\n"}, "missing"),
        ({"data__txt": b"\xff\xfe\x00: [[[\nfile: ../../etc/passwd\n"}, ""),
        ({"data__txt": b"file:\n- a.csv\n- b.csv\n", "a__csv": b'"open quote, \0 and no end'}, None),
    ],
)
def test_what_is_wrong_with_it_is_said_and_never_raised(
    tmp_path: Path, files: dict[str, bytes], why: str | None
) -> None:
    found = look(tmp_path, **files)
    assert why is None or found.why == why


def test_what_is_no_archive_is_broken(tmp_path: Path) -> None:
    path = tmp_path / "pin.tar.gz"
    path.write_bytes(b"not gzip")
    assert peek(path).why == "broken"
