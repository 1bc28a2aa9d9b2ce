from __future__ import annotations

import json
import subprocess
import sys

import pytest
from pydantic import ValidationError

from pilothouse.app.logs import masked
from pilothouse.settings import Logging

KEY = "ph_Zk3vQm9sT1uVwXyZ0123456789abcdefghijklmnop"


def lines(code: str, **options: str) -> list[str]:
    """What a process writes to standard error that is set up so and then runs ``code``."""
    setup = f"from pilothouse.app.logs import configure, mistakes_logged; from pilothouse.settings import Logging; configure(Logging(**{options}))"
    first = "import logging, structlog; log = structlog.get_logger('x')"
    done = subprocess.run(
        [sys.executable, "-c", f"{setup}\n{first}\n{code}"], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.stdout == ""
    return done.stderr.splitlines()


def test_every_event_is_one_line_of_json_whoever_tells_it() -> None:
    ours, theirs, trace, last = (
        json.loads(line)
        for line in lines(
            "structlog.contextvars.bind_contextvars(request_id='r1')\n"
            "log.info('a job ended', job='k1', code=3)\n"
            "logging.getLogger('some.library').warning('two\\nlines of %s', 'it')\n"
            "try: 1 / 0\n"
            "except ZeroDivisionError: logging.getLogger('some.library').exception('it broke')\n"
            "with mistakes_logged(): raise RuntimeError('the end')\n"
        )
    )
    assert ours | {"timestamp": ""} == {
        "event": "a job ended", "job": "k1", "code": 3, "level": "info", "request_id": "r1", "timestamp": "",
    }  # fmt: skip
    assert (theirs["event"], theirs["logger"], theirs["request_id"]) == ("two\nlines of it", "some.library", "r1")
    assert "ZeroDivisionError" in trace["exception"]
    assert "RuntimeError: the end" in last["exception"]


def test_people_may_have_lines_of_text_instead() -> None:
    (line,) = lines("log.warning('a job ended', job='k1')", format="console")
    assert "a job ended" in line
    assert "job=k1" in line
    assert not line.startswith("{")


def test_nothing_below_the_level_is_written_and_libraries_tell_little() -> None:
    code = "log.info('a'); log.error('b'); logging.getLogger('z').info('c'); logging.getLogger('z').warning('d')"
    assert [json.loads(line)["event"] for line in lines(code, level="info")] == ["a", "b", "d"]
    assert [json.loads(line)["event"] for line in lines(code, level="error")] == ["b"]
    assert [json.loads(line)["event"] for line in lines(code, level="debug")] == ["a", "b", "c", "d"]


def test_only_known_formats_are_accepted() -> None:
    with pytest.raises(ValidationError):
        Logging(format="xml")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("password", "correct horse", "…"),
        ("client_secret", b"bytes", "…"),
        ("error", f"refused {KEY} for amara", "refused ph_… for amara"),
        ("error", "no route to postgresql://ph:hush-hush@db.example/x", "no route to postgresql://ph:…@db.example/x"),
        ("header", "Authorization: Bearer abcdefghijklmnopqrstuvwxyz", "Authorization: Bearer …"),
        ("path", "/content/\x1b[31mred\x07", "/content/\\x1b[31mred\\x07"),
        ("args", ["--key", KEY], "['--key', 'ph_…']"),
        ("task", "k3v9", "k3v9"),
        ("count", 3, 3),
    ],
)
def test_secrets_and_control_characters_do_not_get_into_a_line(name: str, value: object, shown: object) -> None:
    assert masked(None, "info", {name: value}) == {name: shown}
