from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session
from structlog.testing import capture_logs

from pilothouse.base import clock
from pilothouse.db import Database, DatabaseDown
from pilothouse.gateway.envoy.accesslog import ENDED, FIELDS, OPENED
from pilothouse.gateway.models import UsageEvent
from pilothouse.gateway.serving import running_since
from pilothouse.gateway.usage import CHUNK, UsageReader, sweep
from pilothouse.gateway.visitors import Visitors

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
NAMED = Visitors(lambda stage_id: "named", b"key")


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "access.log"


@pytest.fixture
def reader(sqlite_database: Database, log: Path) -> UsageReader:
    return UsageReader(sqlite_database, log, NAMED)


def line(**changes: Any) -> str:
    """A line as Envoy writes it, about a page load of content 7 by user 3."""
    row: dict[str, Any] = dict.fromkeys(FIELDS)
    row |= {
        "t": "2026-03-02T12:00:00.000Z",
        "kind": ENDED,
        "id": "a-1",
        "path": "/content/x/",
        "status": 200,
        "ms": 250,
    }
    row |= {"cid": "content:7", "sub": "3", "jid": "job1", "stage": "1", "bundle": "4", "page": "1", "agent": "Tester"}
    return json.dumps(row | changes) + "\n"


def write(log: Path, *lines: str) -> None:
    with log.open("a") as file:
        file.writelines(lines)


def rows(database: Database) -> list[UsageEvent]:
    with database.read() as tx:
        return list(tx.scalars(select(UsageEvent).order_by(UsageEvent.stream)))


def test_a_page_load_is_a_visit_with_everything_the_door_said(
    reader: UsageReader, sqlite_database: Database, log: Path
) -> None:
    write(log, line())
    assert reader.once() == 1
    (row,) = rows(sqlite_database)
    assert (row.kind, row.subject_kind, row.subject_id, row.stage_id, row.bundle_id) == ("visit", "content", 7, 1, 4)
    assert (row.principal_id, row.job_key, row.path, row.status, row.user_agent) == (
        3,
        "job1",
        "/content/x/",
        200,
        "Tester",
    )
    assert (row.started_at, row.duration_ms, row.ended_at) == (NOON, 250, NOON + timedelta(milliseconds=250))


def test_other_requests_are_hits_and_visitors_may_be_nobody(
    reader: UsageReader, sqlite_database: Database, log: Path
) -> None:
    write(log, line(page=None, sub=None))
    reader.once()
    (row,) = rows(sqlite_database)
    assert (row.kind, row.principal_id) == ("hit", None)


def granted(**changes: Any) -> str:
    """A line about a request for which a grant spoke: the door said nothing."""
    said = dict.fromkeys(("cid", "sub", "jid", "stage", "bundle", "page", "path"))
    return line(**said | {"granted": "/content/x/data?q=1", "use": "3 job1 content:7 1 4"} | changes)


def test_a_request_that_went_on_by_a_grant_is_a_hit_like_any_other(
    reader: UsageReader, sqlite_database: Database, log: Path
) -> None:
    write(log, granted())
    assert reader.once() == 1
    (row,) = rows(sqlite_database)
    assert (row.kind, row.subject_id, row.stage_id, row.bundle_id, row.principal_id) == ("hit", 7, 1, 4, 3)
    assert (row.job_key, row.path) == ("job1", "/content/x/data?q=1")
    assert reader.busy("job1").last == NOON.timestamp() + 0.25


def test_of_an_anonymous_grant_nobody_is_kept(reader: UsageReader, sqlite_database: Database, log: Path) -> None:
    write(log, granted(use="- job1 content:7 1 -"))
    reader.once()
    (row,) = rows(sqlite_database)
    assert (row.principal_id, row.bundle_id) == (None, None)


@pytest.mark.parametrize("use", ["", "3", "3 job1 content:x 1 4", None, "a b c d e f"])
def test_a_grant_that_says_nonsense_is_garbage_or_no_use(
    reader: UsageReader, sqlite_database: Database, log: Path, use: str | None
) -> None:
    write(log, granted(use=use), line())
    reader.once()
    assert [row.kind for row in rows(sqlite_database)] == ["visit"]


def test_a_grant_that_was_not_taken_is_no_use(reader: UsageReader, sqlite_database: Database, log: Path) -> None:
    write(log, granted(granted=None))
    assert reader.once() == 0


def test_jobs_that_were_used_lately_are_known_after_a_restart(
    reader: UsageReader, sqlite_database: Database, log: Path
) -> None:
    later = {"id": "b", "t": "2026-03-02T12:05:00.000Z"}
    write(log, line(), line(jid="job2", **later), granted(use="3 job3 content:7 1 4", id="c", t=later["t"]))
    reader.once()
    known = UsageReader(sqlite_database, log, NAMED).used_since(NOON + timedelta(minutes=1))
    assert known == dict.fromkeys(("job2", "job3"), (NOON + timedelta(minutes=5)).timestamp())


def test_requests_that_were_no_use_of_anything_leave_no_row(
    reader: UsageReader, sqlite_database: Database, log: Path
) -> None:
    write(log, line(cid=None))
    assert reader.once() == 0
    assert rows(sqlite_database) == []


def test_a_line_is_counted_once_however_often_it_is_read(
    reader: UsageReader, sqlite_database: Database, log: Path
) -> None:
    write(log, line(), line())
    reader.once()
    reader.once()
    assert UsageReader(sqlite_database, log, NAMED).once() == 0
    assert len(rows(sqlite_database)) == 1


def test_half_a_line_waits_for_its_other_half(reader: UsageReader, sqlite_database: Database, log: Path) -> None:
    text = line()
    write(log, text[:50])
    assert reader.once() == 0
    write(log, text[50:])
    assert reader.once() == 1
    assert len(rows(sqlite_database)) == 1


@pytest.mark.parametrize(
    "text",
    [
        "no json\n",
        "[]\n",
        line(t="yesterday"),
        line(id=None),
        line(cid="content:x"),
        line(cid="content"),
        line(ms="long"),
        line(ms=-1),
        line(ms=10**30),
        line(id="x" * 41),
        line(jid="x" * 25),
        line(cid="content:" + "9" * 30),
        line(cid="content:²"),
        line(t="2026-03-02T12:00:00"),
        '{"cid": {}}\n',
        "9" * 5000 + "\n",
    ],
)
def test_a_line_that_makes_no_sense_does_not_hide_the_next(
    reader: UsageReader, sqlite_database: Database, log: Path, text: str
) -> None:
    write(log, text, line())
    reader.once()
    assert len(rows(sqlite_database)) == 1


def test_rows_and_how_far_the_log_was_read_are_committed_together(
    database: Database, log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if we were killed between the two: the first round writes rows and then can't note how far it came."""
    write(log, line(id="a-1"), line(id="a-2", kind=OPENED, status=101))
    reader = UsageReader(database, log, NAMED)
    with monkeypatch.context() as broken:
        broken.setattr(Session, "merge", lambda *_: 1 // 0)
        with pytest.raises(ZeroDivisionError):
            reader.once()
    assert rows(database) == []
    assert UsageReader(database, log, NAMED).once() == 2
    write(log, line(id="a-2", status=101, ms=5000))
    assert UsageReader(database, log, NAMED).once() == 1
    assert [(row.stream, row.kind, row.duration_ms) for row in rows(database)] == [
        ("a-1", "visit", 250),
        ("a-2", "socket", 5000),
    ]


def test_a_log_that_was_emptied_in_place_is_read_from_its_beginning(
    reader: UsageReader, sqlite_database: Database, log: Path
) -> None:
    write(log, line(id="a-1"), line(id="a-2"))
    reader.once()
    log.write_text(line(id="a-3"))
    reader.once()
    assert [row.stream for row in rows(sqlite_database)] == ["a-1", "a-2", "a-3"]


def test_bytes_that_are_no_text_and_control_characters_stop_nothing(
    reader: UsageReader, sqlite_database: Database, log: Path
) -> None:
    log.write_bytes(b"\xff\xfe\x00\n" + line(agent="evil\x1b[31m\x00", path="/x\u0000y").encode() + b"{}\n")
    reader.once()
    (row,) = rows(sqlite_database)
    assert row.status == 200
    assert reader.garbage == 1


def test_what_a_client_sends_breaks_no_database(database: Database, log: Path) -> None:
    write(log, line(agent="a\x00b\ud800" * 500, path="/\x00" * 3000, status=None, ms=None), line(id="a-2"))
    assert UsageReader(database, log, NAMED).once() == 2
    assert [row.stream for row in rows(database)] == ["a-1", "a-2"]


def test_rotation_loses_no_line(reader: UsageReader, sqlite_database: Database, log: Path) -> None:
    write(log, line(id="a-1"))
    reader.once()
    write(log, line(id="a-2"))
    log.rename(log.with_name("access.log.1"))
    write(log.with_name("access.log.1"), line(id="a-3"))
    write(log, line(id="a-4"))
    reader.once()
    assert [row.stream for row in rows(sqlite_database)] == ["a-1", "a-2", "a-3", "a-4"]


def test_a_missing_log_is_no_error(reader: UsageReader) -> None:
    assert reader.once() == 0


def test_a_socket_is_open_from_its_first_line_to_its_second(
    reader: UsageReader, sqlite_database: Database, log: Path
) -> None:
    write(log, line(kind=OPENED, status=101, ms=3, page=None))
    reader.once()
    (row,) = rows(sqlite_database)
    assert (row.kind, row.ended_at) == ("socket", None)
    assert len(reader.busy("job1").sockets) == 1
    assert [reader.opened_since("job1", NOON + timedelta(seconds=s)) for s in (-1, 1)] == [1, 0]
    write(log, line(kind=ENDED, status=101, ms=60_000, page=None))
    reader.once()
    (row,) = rows(sqlite_database)
    assert (row.kind, row.ended_at, row.duration_ms) == ("socket", NOON + timedelta(minutes=1), 60_000)
    assert len(reader.busy("job1").sockets) == 0
    assert reader.busy("job1").last == (NOON + timedelta(minutes=1)).timestamp()


def test_a_socket_that_waited_for_a_worker_counts_from_when_it_opened(reader: UsageReader, log: Path) -> None:
    write(log, line(kind=OPENED, status=101, ms=20_000, page=None))
    reader.once()
    assert [reader.opened_since("job1", NOON + timedelta(seconds=s)) for s in (19, 21)] == [1, 0]


def test_a_job_nobody_used_is_not_busy(reader: UsageReader) -> None:
    assert (len(reader.busy("other").sockets), reader.busy("other").last) == (0, 0.0)


def test_open_sockets_are_remembered_over_a_restart(reader: UsageReader, sqlite_database: Database, log: Path) -> None:
    write(log, line(kind=OPENED, status=101))
    reader.once()
    again = UsageReader(sqlite_database, log, NAMED)
    again.start()
    try:
        assert len(again.busy("job1").sockets) == 1
    finally:
        again.stop()


def test_sockets_of_an_envoy_that_was_killed_are_closed_when_the_next_one_runs(
    sqlite_database: Database, log: Path
) -> None:
    started: list[float | None] = [NOON.timestamp() - 60]
    reader = UsageReader(sqlite_database, log, NAMED, since=lambda: started[0])
    write(log, line(id="old", kind=OPENED, status=101))
    reader.once()
    assert len(reader.busy("job1").sockets) == 1
    started[0] = None
    reader.once()
    assert len(reader.busy("job1").sockets) == 1
    started[0] = NOON.timestamp() + 10
    write(log, line(id="new", kind=OPENED, status=101, t="2026-03-02T12:00:11.000Z"))
    reader.once()
    assert list(reader.busy("job1").sockets) == ["new"]
    new, old = rows(sqlite_database)
    assert (old.ended_at, new.ended_at) == (NOON + timedelta(seconds=10), None)


def test_many_lines_make_few_statements(reader: UsageReader, sqlite_database: Database, log: Path) -> None:
    write(log, *(line(id=f"s-{number}") for number in range(3000)))
    assert reader.once() == 3000
    write(log, *(line(id=f"s-{number}") for number in range(2000, 4000)))
    assert reader.once() == 2000
    assert len(rows(sqlite_database)) == 4000


def test_garbage_longer_than_any_line_is_skipped_with_one_warning(
    reader: UsageReader, sqlite_database: Database, log: Path
) -> None:
    """As a power cut leaves it: a hole of zeros where lines were to be."""
    write(log, line(id="before"))
    with log.open("ab") as file:
        file.truncate(file.tell() + 3 * CHUNK + 5)
        file.seek(0, os.SEEK_END)
        file.write(b"\n")
    write(log, line(id="after"))
    with capture_logs() as logged:
        counts = [reader.once() for _ in range(5)]
    assert sum(counts) == 2
    assert [row.stream for row in rows(sqlite_database)] == ["after", "before"]
    assert [entry["log_level"] for entry in logged] == ["warning"]


def test_garbage_that_is_still_growing_is_skipped_too(
    reader: UsageReader, sqlite_database: Database, log: Path
) -> None:
    log.write_bytes(b"x" * (CHUNK + 1))
    assert [reader.once(), reader.once()] == [0, 0]
    write(log, "x" * 10, "\n", line(id="after"))
    reader.once()
    assert [row.stream for row in rows(sqlite_database)] == ["after"]


def test_old_rows_are_swept(reader: UsageReader, sqlite_database: Database, log: Path, frozen_clock: Any) -> None:
    today = clock.now().strftime("%Y-%m-%dT%H:%M:%S.000Z")
    write(log, line(id="old", t="2020-01-01T00:00:00.000Z"), line(id="new", t=today))
    reader.once()
    assert sweep(sqlite_database, older_than=timedelta(days=90)) == 1
    assert [row.stream for row in rows(sqlite_database)] == ["new"]


def test_the_oldest_living_envoy_is_found_in_the_supervisors_record(tmp_path: Path) -> None:
    file = tmp_path / "processes.json"
    assert running_since(tmp_path) is None
    file.write_text(json.dumps({"envoy": {"since": 20.0}, "leaving": [{"since": 10.0}]}))
    assert running_since(tmp_path) == 10.0
    file.write_text(json.dumps({"envoy": None, "leaving": []}))
    assert running_since(tmp_path) is None


def test_rows_keep_of_a_person_what_their_stage_allows(database: Database, log: Path) -> None:
    words = {1: "named", 2: "pseudonymous", 3: "counts"}
    path = "/content/x/?mail=amara"
    write(log, *(line(id=f"a-{stage}-{n}", stage=str(stage), path=path) for stage in words for n in (1, 2)))
    UsageReader(database, log, Visitors(words.__getitem__, b"key")).once()
    named, pseudonymous, counts = ([row for row in rows(database) if row.stage_id == stage] for stage in words)
    assert {(row.principal_id, row.pseudonym, row.user_agent, row.path) for row in named} == {(3, None, "Tester", path)}
    (kept,) = {(row.principal_id, row.pseudonym, row.user_agent) for row in pseudonymous}
    assert (kept[0], kept[2]) == (None, "")
    assert kept[1] is not None
    assert {(row.principal_id, row.pseudonym, row.user_agent) for row in counts} == {(None, None, "")}
    assert {(row.kind, row.path, row.status, row.duration_ms) for row in counts} == {("visit", "/content/x/", 200, 250)}


def test_a_change_of_the_word_is_for_rows_to_come(sqlite_database: Database, log: Path) -> None:
    words = {1: "named"}
    reader = UsageReader(sqlite_database, log, Visitors(words.__getitem__, b"key"))
    write(log, line(id="old"), line(id="open", kind=OPENED, status=101))
    reader.once()
    words[1] = "counts"
    write(log, line(id="new"), line(id="open", status=101, ms=5000))
    reader.once()
    kept = {row.stream: (row.principal_id, row.duration_ms) for row in rows(sqlite_database)}
    assert kept == {"old": (3, 250), "open": (3, 5000), "new": (None, 250)}


def test_every_line_is_heard_once_also_when_its_rows_could_not_be_written_at_first(
    sqlite_database: Database, log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[dict[str, Any]] = []
    reader = UsageReader(sqlite_database, log, NAMED, heard=heard.append)
    write(log, line(), granted(id="a-2"), line(id="a-3", cid=None, jid=None, status=404), "no line\n")
    with monkeypatch.context() as away:
        away.setattr(reader, "_keep", lambda tx, lines: (_ for _ in ()).throw(DatabaseDown()))
        with pytest.raises(DatabaseDown):
            reader.once()
    assert heard == []
    reader.once()
    reader.once()
    assert [(said["id"], said["jid"], said["status"]) for said in heard] == [
        ("a-1", "job1", 200), ("a-2", "job1", 200), ("a-3", None, 404),
    ]  # fmt: skip
