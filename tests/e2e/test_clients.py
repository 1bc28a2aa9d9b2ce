"""Programs written for the publishing protocol, as they are shipped, against one installation: at its root and below a path prefix."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.factories.clients import CLIENTS, OLD_CLIENTS, venv_of
from tests.factories.installation import Installation, installed, project

SCRIPTS = Path(__file__).parent / "clients"
PAGE = "<!doctype html><title>Report</title><p>Batch 12 is fine."


@dataclass(frozen=True)
class Site:
    """Where clients find the server: one stage of an installation."""

    ph: Installation
    path: str

    @property
    def url(self) -> str:
        return f"{self.ph.url}{self.path}"

    def run(self, *command: str, **variables: str) -> str:
        """A program with the address and an administrator's key in its variables; what it printed."""
        env = {k: v for k, v in os.environ.items() if not k.startswith(("CONNECT_", "PILOTHOUSE_"))}
        folder = self.ph.root / "client" / (self.path.strip("/") or "root")
        env |= {
            "HOME": str(folder),
            "XDG_CONFIG_HOME": str(folder / ".config"),
            "PINS_CACHE_DIR": str(folder / "pins"),
            "NO_COLOR": "1",
        }
        env |= {"CONNECT_SERVER": self.url, "CONNECT_API_KEY": self.ph.key} | variables
        folder.mkdir(parents=True, exist_ok=True)  # some clients leave records where they run
        done = subprocess.run(
            command,
            cwd=folder,
            env=env,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=280,
            check=False,
        )
        assert done.returncode == 0, done.stdout + self.ph.log()
        return done.stdout


@pytest.fixture(scope="module")
def ph() -> Iterator[Installation]:
    with installed() as made:
        made.add_person("lena.fischer", "correct horse battery")
        yield made


@pytest.fixture(scope="module", params=["", "/prod"], ids=["at the root", "below a prefix"])
def site(ph: Installation, request: pytest.FixtureRequest) -> Site:
    return Site(ph, request.param)


@pytest.fixture(scope="module")
def viewer_key(ph: Installation) -> str:
    lena = ph.api("GET", "v1/users?prefix=lena").json()["results"][0]["guid"]
    return str(ph.api("POST", f"v1/users/{lena}/keys", json={"name": "pins"}).json()["key"])


def test_posit_sdk(site: Site) -> None:
    site.run(venv_of(CLIENTS).python, str(SCRIPTS / "use_posit_sdk.py"))


def test_pins(site: Site, viewer_key: str) -> None:
    site.run(venv_of(CLIENTS).python, str(SCRIPTS / "use_pins.py"), VIEWER_API_KEY=viewer_key)


def test_posit_cli(site: Site, tmp_path: Path) -> None:
    posit = venv_of(CLIENTS).program("posit")
    assert site.run(posit, "connect", "api", "v1/user", "-q", ".username").strip().strip('"') == "admin"
    made = json.loads(site.run(posit, "connect", "api", "v1/content", "-X", "POST", "-f", "title=By hand"))
    assert f"{site.url}/content/{made['guid']}/" == made["content_url"]
    everything = json.loads(site.run(posit, "connect", "api", "v1/users?page_size=1", "--paginate"))
    assert len(everything) >= 2
    folder = project(tmp_path, {"index.html": PAGE})
    done = site.run(posit, "connect", "deploy", "html", "--title", "Handbook", str(folder))
    assert f"{site.url}/content/" in done
    assert "Handbook" in site.run(posit, "connect", "content", "search", "--title-contains", "Handbook")


def test_rsconnect_builds_content_anew(site: Site, tmp_path: Path) -> None:
    rsconnect = venv_of(CLIENTS).program("rsconnect")
    folder = project(tmp_path, {"index.html": PAGE})
    done = site.run(rsconnect, "deploy", "html", "--title", "Built again", str(folder))
    guid = done.rsplit("/content/", 1)[1][:36]
    site.run(rsconnect, "content", "build", "add", "--guid", guid)
    site.run(rsconnect, "content", "build", "run")
    assert "task_id" in site.run(rsconnect, "content", "build", "history", "--guid", guid)
    assert "nothing was started" in site.run(rsconnect, "content", "build", "logs", "--guid", guid)


def test_an_old_rsconnect_deploys_by_the_unversioned_endpoints(site: Site, tmp_path: Path) -> None:
    rsconnect = venv_of(OLD_CLIENTS).program("rsconnect")
    folder = project(tmp_path, {"index.html": PAGE})
    first = site.run(
        rsconnect, "deploy", "html", "--new", "--title", "From an old client", "-E", "COLOUR=teal", str(folder)
    )
    guid = first.rsplit("/content/", 1)[1][:36]
    assert site.ph.get(f"{site.path}/content/{guid}/").text == PAGE
    (folder / "index.html").write_text(f"{PAGE} Again.")
    site.run(rsconnect, "deploy", "html", str(folder))
    assert site.ph.get(f"{site.path}/content/{guid}/").text == f"{PAGE} Again."
    assert guid in site.run(rsconnect, "content", "search", "--title-contains", "old client")


@pytest.mark.skipif(shutil.which("Rscript") is None, reason="no R here: apt install r-cran-rsconnect")
def test_r_rsconnect(site: Site, tmp_path: Path) -> None:
    folder = project(tmp_path, {"report.html": PAGE, "more/data.csv": "batch,viscosity\n12,4.25\n"})
    done = site.run("Rscript", "--vanilla", str(SCRIPTS / "use_rsconnect.R"), str(folder))
    url = done.rsplit("URL ", 1)[1].split()[0]
    path = url.removeprefix(site.ph.url)
    assert path.startswith(f"{site.path}/content/")
    assert site.ph.get(path).text == PAGE
    assert site.ph.get(f"{path}more/data.csv").text.startswith("batch")
