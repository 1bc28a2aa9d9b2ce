"""Size budgets (HOUSE §1): what makes a codebase feared is its tail. They only ratchet down."""

from __future__ import annotations

import ast
import statistics
from pathlib import Path

from tests.factories.source import ROOT, SOURCE, files, functions, parameters

FILE_LINES, FUNCTION_LINES, PARAMETERS = 400, 50, 6
TASK_ENGINE_LINES = 300
CONFTEST_LINES = 150

#: Functions with more parameters, each with its reason. A command's parameters are its options, a route's its query.
WIDE = {
    "src/pilothouse/audit/service/events.py:record": "an event has that many facts",
    "src/pilothouse/gateway/door.py:__init__": "made once, in the composition root",
    "src/pilothouse/app/front.py:__init__": "made once, in the composition root",
    "src/pilothouse/identity/service/keys.py:create_key": "the facts of a key",
    "src/pilothouse/tasks/enqueue.py:enqueue": "the facts of a task",
}
DOORS = ("cli", "api.py", "pages", "connect_api")


def is_door(place: str) -> bool:
    return any(part in DOORS for part in Path(place.split(":")[0]).parts)


def is_written_by_a_tool(path: Path) -> bool:
    return "versions" in path.parts


def test_files_stay_short() -> None:
    long = {str(p): n for p in files() if (n := lines(p)) > FILE_LINES and not is_written_by_a_tool(p)}
    assert long == {}


def test_functions_stay_short() -> None:
    long = {
        place: n
        for place, node in functions()
        if (n := (node.end_lineno or 0) - node.lineno + 1) > FUNCTION_LINES and "versions" not in place
    }
    assert long == {}


def test_functions_take_few_parameters() -> None:
    wide = {p for p, node in functions() if len(parameters(node)) > PARAMETERS and not is_door(p)}
    assert wide - set(WIDE) == set(), "one frozen spec instead of a parade of arguments"
    assert set(WIDE) - wide == set(), "no longer needed: take it off the list"


def test_the_usual_file_and_function_are_small() -> None:
    assert statistics.median(lines(p) for p in files() if lines(p) > 1) <= 120
    assert statistics.median((n.end_lineno or 0) - n.lineno + 1 for _, n in functions()) <= 10


def test_the_queue_keeps_its_promise_to_stay_small() -> None:
    engine = [SOURCE / "tasks" / name for name in ("queue.py", "attempt.py", "recurrence.py")]
    assert sum(code_lines(p) for p in engine) <= TASK_ENGINE_LINES


def test_conftest_stays_short() -> None:
    assert all(len(p.read_text().splitlines()) <= CONFTEST_LINES for p in (ROOT / "tests").rglob("conftest.py"))


def lines(path: Path) -> int:
    return len((ROOT / path).read_text().splitlines())


def code_lines(path: Path) -> int:
    """Lines that are neither empty nor comment nor docstring."""
    text = path.read_text()
    prose = set[int]()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            prose.update(range(node.lineno, (node.end_lineno or 0) + 1))
    numbered = enumerate(text.splitlines(), 1)
    return sum(1 for n, line in numbered if line.strip() and not line.strip().startswith("#") and n not in prose)
