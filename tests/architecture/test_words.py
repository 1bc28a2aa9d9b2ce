"""One word for one thing: errors, permissions and names (HOUSE §4), and what our source never contains."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from tests.factories.source import ROOMS, ROOT, SOURCE, files, functions, modules, parameters

from pilothouse.base.access import RULES, Permission
from pilothouse.base.errors import PilothouseError

BANNED = re.compile(
    r"(^|_)(utils?|helpers?|common|misc|managers?)(_|$)|^base_|Impl$|^Abstract|^I[A-Z][a-z]|Manager$|Helper"
)
#: The word has two meanings too many. The wire's own field names and Jinja's class keep it.
ENVIRONMENT = re.compile(r"^environments?$|^Environment")


def errors() -> list[type[PilothouseError]]:
    modules()
    found, wave = [], [PilothouseError]
    while wave:
        found += wave
        wave = [sub for cls in wave for sub in cls.__subclasses__() if sub.__module__.startswith("pilothouse.")]
    return list(dict.fromkeys(found))


def test_every_error_has_a_code_of_its_own_that_begins_with_its_room() -> None:
    codes: dict[str, type] = {}
    for error in errors():
        assert "code" in vars(error), f"{error.__qualname__} has no code of its own"
        room = error.__module__.split(".")[1].replace("_", "-")
        assert re.fullmatch(rf"{room}/[a-z0-9]+(-[a-z0-9]+)*", error.code), f"{error.__qualname__}: {error.code}"
        assert error.code not in codes, f"{error.code} is used by {error} and {codes[error.code]}"
        codes[error.code] = error
    assert len(codes) > 20


def test_every_error_is_a_sentence() -> None:
    for error in errors():
        said = str(error())
        assert error.__doc__, f"{error.__qualname__} has no docstring, which is its message"
        assert re.fullmatch(r"[A-Z“`].{10,300}[.!?]", said), f"{error.__qualname__}: {said}"


def test_every_permission_has_its_rule_and_names_room_thing_and_verb() -> None:
    assert set(RULES) == set(Permission)
    rooms = {room.name for room in ROOMS}
    for permission in Permission:
        assert re.fullmatch(r"[a-z_]+:[a-z]+:[a-z-]+", permission)
        assert permission.split(":")[0] in rooms


#: Permissions that no verb asks for yet, each with the verb that will.
NOT_ASKED_FOR: dict[str, str] = {}


def test_every_permission_is_asked_for_somewhere() -> None:
    text = "\n".join(p.read_text() for p in SOURCE.rglob("*.py") if p.name != "access.py")
    assert {p.name for p in Permission if f"Permission.{p.name}" not in text} == set(NOT_ASKED_FOR)


def test_a_verbs_first_line_is_its_permission() -> None:
    verbs = [(place, node) for place, node in functions() if is_verb(place, node)]
    assert len(verbs) > 30
    unchecked = [place for place, node in verbs if not asks_first(node) and node.name != "record"]
    assert unchecked == []


def is_verb(place: str, node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    return "/service" in place and not node.name.startswith("_") and parameters(node)[:2] == ["tx", "actor"]


def asks_first(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Among the first statements stands ``require`` or a function of our own that asks for this verb."""
    begin = ast.unparse(ast.Module(body=node.body[:4], type_ignores=[]))
    return re.search(r"\brequire|\bmay\b|_may_|\bvisible|get_content\(|_checked|actor\)|actor,", begin) is not None


def test_names_say_what_a_thing_is() -> None:
    found = [str(path) for path in files() if BANNED.search(path.stem)]
    for path, tree in files().items():
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                if BANNED.search(node.name) or ENVIRONMENT.search(node.name):
                    found.append(f"{path}:{node.name}")
                if not isinstance(node, ast.ClassDef):
                    found += [f"{path}:{node.name}({p})" for p in parameters(node) if ENVIRONMENT.search(p)]
    assert found == []


def test_every_file_says_what_it_is() -> None:
    silent = [str(p) for p, tree in files().items() if tree.body and not ast.get_docstring(tree)]
    assert silent == []


#: Run by a plain interpreter in a sandbox, without Pilothouse: small and quick to start.
RUN_ALONE = ("shim.py", "unpack_child.py", "compare_child.py", "peek_child.py", "tree_child.py", "_start.py")


def test_every_file_postpones_its_annotations() -> None:
    plain = [
        str(p)
        for p, tree in files().items()
        if any(not isinstance(n, ast.Expr) for n in tree.body)
        and p.name not in ("__init__.py", "__main__.py", *RUN_ALONE)
        and "from __future__ import annotations" not in (ROOT / p).read_text()
    ]
    assert plain == []


def test_nothing_is_left_for_later() -> None:
    later = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")
    own = Path(__file__)
    texts = [p for top in ("src", "tests", "scripts", "docs") for p in (ROOT / top).rglob("*") if p.suffix in KINDS]
    assert [str(p.relative_to(ROOT)) for p in texts if p != own and later.search(p.read_text())] == []


KINDS = {".py", ".md", ".html", ".lua", ".sh", ".toml"}
#: Beside ``base``: who compares with moments that a file system or a shim stamped, and a spread that is no secret.
OWN_CLOCKS = ("base/clock.py", "base/ids.py", "shim.py", "unpack_child.py", "local/launcher.py", "local/addresses.py",
              "content/tasks/reconcile.py", "supervisor/process.py")  # fmt: skip


def test_time_and_randomness_come_in_by_the_door() -> None:
    word = re.compile(
        r"datetime\.now\(|datetime\.utcnow\(|\btime\.time\(\)|uuid\.uuid|\brandom\.|secrets\.token|date\.today\("
    )
    found = [str(p) for p in files() if word.search((ROOT / p).read_text()) and not str(p).endswith(OWN_CLOCKS)]
    assert found == []
