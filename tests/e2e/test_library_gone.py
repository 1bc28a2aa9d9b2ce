"""A library that is gone: whoever opens the app is told what to do, and the next deploy of the same lock brings it back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.factories.installation import Installation, installed, project, until

from pilothouse.runtimes.restorers import tidy

APP = "from flask import Flask\napp = Flask(__name__)\n@app.get('/')\ndef a(): return 'flask'\n"


@pytest.fixture
def ph() -> Iterator[Installation]:
    with installed("[content]\ninit_timeout = 8\n") as made:
        yield made


def test_a_start_without_its_library_says_so_and_a_deploy_restores_it(ph: Installation, tmp_path: Path) -> None:
    folder = project(tmp_path, {"app.py": APP, "requirements.txt": "flask\n"})
    guid = ph.deploy("flask", folder, "--entrypoint", "app:app").guid
    assert ph.get(f"/content/{guid}/").text == "flask"
    ph.stop()
    (library,) = (path for path in (ph.home / "libraries").iterdir() if not path.name.startswith("."))
    tidy.remove(library)
    ph.start()
    said = "Its packages are not on this server any more. Deploy the bundle again to restore them."
    until(lambda: said in ph.get(f"/content/{guid}/", headers={"Accept": "text/html"}).text, 60)
    again = ph.deploy("flask", folder, "--entrypoint", "app:app", "--app-id", guid)
    assert "Using the lock made for the same requirements" in again.output
    assert "Installing" in again.output
    assert ph.get(f"/content/{guid}/").text == "flask"
    assert library.exists()
