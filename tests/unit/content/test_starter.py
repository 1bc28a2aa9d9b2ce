"""The start script by itself: what it says about the commonest mistakes, and what apps are told about their mount."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from pilothouse.content.kinds import _start as starter

BROKEN = {
    "a module that is not there": ("import not_there\n", "the module not_there is not installed"),
    "part of one": ("from not_there.deep import x\n", "the module not_there is not installed"),
    "a syntax error": ("x = (\n", "line 1"),
}


def started(interface: str, what: str, folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-S", starter.__file__, interface, what, "127.0.0.1", "1"]
    return subprocess.run(command, cwd=folder, text=True, capture_output=True, timeout=60, check=False)


@pytest.mark.parametrize("case", BROKEN)
@pytest.mark.parametrize("interface", ["asgi", "streamlit"])
def test_what_would_fail_for_every_visitor_ends_the_start_with_a_sentence(
    tmp_path: Path, interface: str, case: str
) -> None:
    text, sentence = BROKEN[case]
    (tmp_path / "app.py").write_text(text)
    done = started(interface, "app:app" if interface == "asgi" else str(tmp_path / "app.py"), tmp_path)
    assert done.returncode == 3
    assert sentence in done.stderr.splitlines()[-1]


def test_a_script_finds_its_neighbours_and_is_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "near.py").write_text("")
    (tmp_path / "app.py").write_text(
        "import near, json, os.path\nfrom . import self\ntry:\n import not_there\nexcept ImportError: pass\n1 / 0\n"
    )
    starter.check_script(str(tmp_path / "app.py"))


@pytest.mark.parametrize(
    ("text", "what", "expected"),
    [
        ("application = 5\n", "mod_a:app,application", 5),
        ("def make_app(): return 7\n", "mod_b:app,make_app", 7),
        ("def make_app(): return 7\n", "mod_c:make_app", None),
    ],
)
def test_names_are_tried_in_order_and_factories_called_only_if_none_was_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, what: str, expected: object
) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.chdir(tmp_path)
    (tmp_path / f"{what[:5]}.py").write_text(text)
    found = starter.load(what)
    assert callable(found) if expected is None else found == expected


async def dash_app(scope: Any, receive: Any, send: Any) -> None:
    """Answers with a link made at import, in the two ways that Dash writes a slash; in two parts."""
    link = f"/{starter.STAND_IN}/one \\u002f{starter.STAND_IN}\\u002ftwo".encode()
    kind = scope["path"].removeprefix("/")
    headers = [(b"content-type", kind.encode()), (b"content-length", str(len(link)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": link[:10], "more_body": True})
    await send({"type": "http.response.body", "body": link[10:]})


@pytest.mark.parametrize(("prefix", "expected"), [("/content/g", "/content/g/one /content/g/two"), ("", "/one /two")])
def test_links_made_at_import_lead_below_the_mount_of_the_visitor(prefix: str, expected: str) -> None:
    client = TestClient(starter.with_real_links(dash_app), headers={"X-Forwarded-Prefix": prefix})
    for kind in ("application/json", "text/html; charset=utf-8"):
        assert client.get(f"/{kind}").text == expected
    assert starter.STAND_IN in client.get("/image/png").text, "other answers stay as they are"


def test_dash_looks_at_the_mount_of_the_visitor_and_at_import_at_the_stand_in() -> None:
    class Config(dict[str, str]):
        pass

    config = Config(requests_pathname_prefix=f"/{starter.STAND_IN}/", title="x")
    starter.look_at_visitor(config)
    token = starter.MOUNT.set("/content/g")
    assert (config["requests_pathname_prefix"], config["title"]) == ("/content/g/", "x")
    starter.MOUNT.reset(token)
    assert config["requests_pathname_prefix"] == f"/{starter.STAND_IN}/"


def test_the_token_of_an_app_is_in_a_file_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    variables = {"CONNECT_CONTENT_SESSION_TOKEN": "own"}
    starter.keep_token(variables)
    file = Path(variables["CONNECT_CONTENT_SESSION_TOKEN_FILE"])
    assert (file.read_text(), file.parent, file.stat().st_mode & 0o777) == ("own", tmp_path, 0o600)
    none = dict[str, str]()
    starter.keep_token(none)
    assert none == {}
