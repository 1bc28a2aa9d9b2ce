"""A Python that a bundle needs is added beside a running server, used, kept while it is needed, and removed."""

from __future__ import annotations

import json
import platform
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.factories import pythons
from tests.factories.installation import BIN, Installation, installed, project
from tests.factories.open_python import open_bin

pytestmark = pytest.mark.skipif(
    not pythons.SYSTEM_PYTHON.exists(), reason="no Python in /usr/bin to make an archive of"
)
APP = "import sys\nfrom flask import Flask\napp = Flask(__name__)\n@app.get('/')\ndef home():\n    return sys.base_prefix\n"


@pytest.fixture
def mirror(tmp_path: Path) -> Iterator[pythons.Mirror]:
    (tmp_path / "mirror").mkdir()
    with pythons.mirror(tmp_path / "mirror") as served:
        yield served


@pytest.fixture
def ph(mirror: pythons.Mirror) -> Iterator[Installation]:
    """Its only Python does not exist. In production, versions must be the same to the last digit."""
    settings = (
        f'[runtimes]\npython = ["/absent/python3"]\npython_downloads = "{mirror.downloads}"\n'
        '[[stages]]\nkey = "dev"\n[[stages]]\nkey = "prod"\npython_matching = "exact"\n'
    )
    with open_bin(otherwise=BIN) as folder, installed(settings, bin=folder) as made:
        yield made


def test_a_python_is_added_used_kept_and_removed_while_the_server_runs(
    ph: Installation, mirror: pythons.Mirror, tmp_path: Path
) -> None:
    minor, where = mirror.version.rpartition(".")[0], ("--home", str(ph.home))
    folder = project(tmp_path / "app", {"app.py": APP, "requirements.txt": "flask\n"})
    refused = ph.deploy("flask", folder, "--entrypoint", "app:app", check=False)
    assert refused.code != 0
    assert f"pilothouse runtime add python {minor}" in refused.output

    added = json.loads(ph.cli("runtime", "add", "python", minor, *where, "--json").stdout)
    assert (added["version"], added["added"]) == (mirror.version, True)
    assert ph.api("GET", "v1/server_settings/python").json()["installations"][0]["version"] == mirror.version
    guid = ph.deploy("flask", folder, "--entrypoint", "app:app").guid
    assert ph.get(f"/content/{guid}/").text.startswith(str(ph.home / "runtimes"))

    listed = json.loads(ph.cli("runtime", "list", *where, "--json").stdout)
    assert [(r["version"], r["added"], r["used_by"]) for r in listed if r["language"] == "python"] == [
        (mirror.version, True, 1)
    ]
    kept = ph.cli("runtime", "remove", "python", mirror.version, *where, check=False)
    assert kept.returncode == 1 and guid in kept.stderr
    assert ph.get(f"/content/{guid}/").status_code == 200

    if mirror.version != platform.python_version():  # which the client writes into the manifest
        words = ("flask", "--server", f"{ph.url}/prod", "--api-key", ph.key, "--entrypoint", "app:app", str(folder))
        exactly = ph.rsconnect("deploy", *words, check=False)
        assert exactly.returncode != 0
        assert f"pilothouse runtime add python {platform.python_version()}" in exactly.stdout
    assert ph.api("DELETE", f"v1/content/{guid}").status_code == 204
    ph.cli("runtime", "remove", "python", mirror.version, *where)
    left = json.loads(ph.cli("runtime", "list", *where, "--json").stdout)
    assert [r for r in left if r["language"] == "python"] == []
