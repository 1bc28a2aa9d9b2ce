"""What `pilothouse doctor` says about settings that work, but weakly."""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from pilothouse.app.doctor import TO_ADD, examine
from pilothouse.app.house import build
from pilothouse.app.serving import prepare_home
from pilothouse.audit.service import record
from pilothouse.base.access import SYSTEM, ResourceRef
from pilothouse.content import content_kinds
from pilothouse.db.schema import prepare
from pilothouse.runtimes.matching import TITLES
from pilothouse.settings import load


@pytest.mark.parametrize(
    ("settings", "is_weak"),
    [
        ('[server]\npublic_url = "https://pilot.example"\n', True),
        ('[server]\npublic_url = "https://pilot.example"\n[gateway]\ntrusted_proxies = ["10.0.0.5"]\n', False),
        ("", False),
    ],
)
def test_a_tls_proxy_that_is_not_named_is_a_weak_point(tmp_path: Path, settings: str, is_weak: bool) -> None:
    (tmp_path / "pilothouse.toml").write_text(settings)
    weak = [found.finding for found in examine(load(tmp_path, variables={})) if found.state == "weak"]
    assert any("gateway.trusted_proxies" in sentence for sentence in weak) is is_weak


@pytest.mark.parametrize(
    ("settings", "is_weak"),
    [("", True), ('[audit]\nhead_file = "/mnt/elsewhere/heads"\n', False), ('[audit]\nsinks = ["syslog"]\n', False)],
)
def test_heads_that_are_kept_on_this_machine_alone_are_a_weak_point(
    tmp_path: Path, settings: str, is_weak: bool
) -> None:
    (tmp_path / "pilothouse.toml").write_text(settings)
    weak = [found.finding for found in examine(load(tmp_path, variables={})) if found.state == "weak"]
    assert any("kept on this machine alone" in sentence for sentence in weak) is is_weak


def test_a_sink_that_lacks_events_is_a_weak_point_until_it_has_them(tmp_path: Path) -> None:
    (tmp_path / "pilothouse.toml").write_text(f'[audit]\nsinks = ["file"]\nhead_file = "{tmp_path}/away/heads"\n')
    loaded = load(tmp_path, variables={})
    prepare_home(loaded)
    (tmp_path / "away").write_text("a file where the folder should be")
    house = build(loaded)
    prepare(house.database)
    with house.database.write() as tx:
        for number in range(150):
            record(tx, SYSTEM, "identity:group:created", ResourceRef("group", number), after={"name": "some"})
    house.sealer.run()
    assert [f.state for f in examine(loaded) if "lacks the newest 150 events" in f.finding] == ["weak"]
    (tmp_path / "away").unlink()
    build(loaded).sealer.run()
    assert [f.state for f in examine(loaded) if "has the audit trail" in f.finding] == ["good"]
    house.database.close()


def test_numbers_that_apps_can_read_are_a_weak_point(tmp_path: Path) -> None:
    for readers, is_weak in (("loopback", True), ("token", False), ("off", False)):
        found = examine(load(tmp_path, variables={"PILOTHOUSE_METRICS__READERS": readers}))
        assert any(f.state == "weak" and "metrics.readers" in f.finding for f in found) is is_weak


def test_without_a_python_the_doctor_names_the_line_that_brings_one(tmp_path: Path) -> None:
    found = examine(load(tmp_path, variables={"PILOTHOUSE_RUNTIMES__PYTHON": '["/absent/python3"]'}))
    (broken,) = (f for f in found if f.what == "runtimes" and f.state == "broken")
    assert broken.finding.endswith("Run: pilothouse runtime add python 3.13")


def test_every_language_of_a_kind_has_a_line_and_one_that_lacks_says_how_it_comes(tmp_path: Path) -> None:
    spoken = {content_kinds.load(name).language for name in content_kinds.names()} & TITLES.keys()
    assert spoken >= {"python", "nodejs"} and spoken <= TO_ADD.keys()

    def lines(**node: str) -> list[tuple[str, str]]:
        found = examine(load(tmp_path, variables={f"PILOTHOUSE_RUNTIMES__{k}": v for k, v in node.items()}))
        return [(f.state, f.finding) for f in found if f.what == "runtimes" and "Node.js" in f.finding]

    [(state, words)] = lines(NODE='["/absent/node"]')
    assert (
        state == "weak" and words.startswith("No Node.js that content can use.") and "apt install nodejs npm" in words
    )
    with TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)  # jobs run as other users, who must be able to read it
        node = Path(folder, "node")
        node.write_text(f'#!/bin/sh\necho \'["20.1.0", "{node}", "115 x64"]\'\n')
        node.chmod(0o755)
        good, lacks = lines(NODE=f'["{node}"]')
        assert good == ("good", "Node.js 20.1.0") and lacks[0] == "weak" and "has no npm beside" in lacks[1]
        node.with_name("npm").touch()
        assert lines(NODE=f'["{node}"]') == [good]


def test_the_doctor_says_who_the_server_runs_as_and_why(tmp_path: Path) -> None:
    """The tests' own folder is closed to other users."""
    found = [f for f in examine(load(tmp_path, variables={})) if f.what == "server"]
    if os.geteuid() != 0:
        assert found == []
        return
    assert [f.state for f in found] == ["weak"]
    assert (
        found[0].finding.startswith("The control plane runs as root: ") and "closed to other users" in found[0].finding
    )
