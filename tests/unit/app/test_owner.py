"""A home is handed over whole, by nothing that leads elsewhere; and who can't have one is told why."""

from __future__ import annotations

import os
import pwd
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from pilothouse.app import owner
from pilothouse.app.owner import (
    MARK,
    NotPrepared,
    Owner,
    acting_for,
    as_started,
    done_as,
    hand_over,
    owner_of,
    server_user,
)
from pilothouse.app.serving import prepare_home
from pilothouse.base.errors import Conflict
from pilothouse.settings import Loaded, SettingsInvalid, load

SOMEBODY = Owner(199_998, 199_998, 199_999)

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="NOT EXERCISED: handing a home over (only root can)")


@pytest.fixture
def home() -> Iterator[Path]:
    made = Path(tempfile.mkdtemp(prefix="ph-own-", dir="/tmp"))
    made.chmod(0o711)
    yield made / "home"
    shutil.rmtree(made, ignore_errors=True)


@pytest.fixture
def reachable(monkeypatch: pytest.MonkeyPatch) -> None:
    """As where everything is installed to /opt; the tests' own Python may be closed to others."""
    monkeypatch.setattr(owner, "_needed", lambda loaded: ((above, owner.PASS) for above in loaded.home.parents))


def made(home: Path, settings: str = "") -> Loaded:
    home.mkdir(exist_ok=True)
    (home / "pilothouse.toml").write_text(settings)
    loaded = load(home, variables={})
    prepare_home(loaded, SOMEBODY.shared, SOMEBODY)
    return loaded


def uids(folder: Path) -> set[int]:
    return {path.lstat().st_uid for path in (folder, *folder.rglob("*"))}


def test_what_is_in_a_home_becomes_the_owners_and_what_root_runs_stays_roots(home: Path) -> None:
    loaded = made(home)
    assert owner_of(home) is None
    (home / "keys" / "secrets.json").touch(mode=0o600)
    (home / "libraries" / "k" / "lib").mkdir(parents=True)
    (home / "libraries" / "k" / "python").symlink_to("/usr/bin/python3")
    bundle = home / "apps" / "dev" / "guid" / "1"
    bundle.mkdir(parents=True)
    (bundle / "app.py").touch()
    os.chown(bundle, 200_001, 200_001)
    os.chown(bundle / "app.py", 200_001, 200_001)
    older = home / "apps" / "dev" / "guid" / "0"
    older.mkdir()
    (older / "app.py").touch()
    os.chown(older / "app.py", 1000, 1000)
    hand_over(loaded, SOMEBODY)
    assert owner_of(home) == SOMEBODY
    assert uids(home / "keys") == uids(home / "libraries") == uids(home / "db") == {SOMEBODY.uid}
    assert (home / "keys" / "secrets.json").stat().st_mode & 0o777 == 0o600
    assert {(home / "apps" / path).stat().st_uid for path in ("", "dev", "dev/guid")} == {SOMEBODY.uid}
    assert uids(bundle) == {200_001}
    assert uids(older) == {SOMEBODY.uid}
    assert {(home / path).stat().st_uid for path in ("", "run", "logs", "jobs", MARK, "pilothouse.toml")} == {0}
    assert Path("/usr/bin/python3").stat().st_uid == 0


def test_a_try_that_was_killed_is_repeated_and_a_whole_one_is_not(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded, give, given = made(home), owner._give, []

    def killed(folder: Path, to: Owner) -> None:
        if folder.name == "libraries":
            raise KeyboardInterrupt
        give(folder, to)

    os.chown(home / "libraries", 0, 0)
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(owner, "_give", killed)
        hand_over(loaded, SOMEBODY)
    assert owner_of(home) is None
    hand_over(loaded, SOMEBODY)
    assert (home / "libraries").stat().st_uid == SOMEBODY.uid
    monkeypatch.setattr(owner, "_give", lambda folder, to: given.append(folder))
    hand_over(loaded, SOMEBODY)
    assert given == []


def test_links_that_were_planted_lead_nowhere(home: Path, tmp_path: Path) -> None:
    loaded = made(home)
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "file").touch()
    (home / "apps" / "evil").symlink_to(precious)
    (home / "cache" / "evil").symlink_to(precious)
    (home / "blobs" / "file").symlink_to(precious / "file")
    hand_over(loaded, SOMEBODY)
    assert uids(precious) == {0}


def test_a_mark_that_somebody_else_made_counts_nothing(home: Path) -> None:
    loaded = made(home)
    hand_over(loaded, SOMEBODY)
    os.chown(home / MARK, SOMEBODY.uid, SOMEBODY.gid)
    assert owner_of(home) is None


def test_work_inside_is_done_without_our_rights() -> None:
    def ids() -> list[int]:
        return [*os.getresuid(), *os.getresgid(), *os.getgroups()]

    assert done_as(SOMEBODY, ids) == [SOMEBODY.uid] * 3 + [SOMEBODY.gid] * 3 + [SOMEBODY.shared]
    assert done_as(None, os.getuid) == 0

    def refuses() -> None:
        raise Conflict("The schema is newer than this version.")

    with pytest.raises(NotPrepared, match="The schema is newer"):
        done_as(SOMEBODY, refuses)
    with pytest.raises(NotPrepared):
        done_as(SOMEBODY, lambda: os._exit(3))


def test_root_acts_as_the_owner_for_a_while(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(owner, "__file__", "/usr/bin/env")
    monkeypatch.setattr(sys, "executable", "/usr/bin/env")
    hand_over(made(home), SOMEBODY)
    before = (os.getresuid(), os.getresgid(), os.getgroups())
    with acting_for(home):
        (home / "db" / "made").touch()
        with pytest.raises(PermissionError):
            (home / "made").touch()
        with as_started():
            assert os.geteuid() == 0
        assert os.geteuid() == SOMEBODY.uid
    assert (home / "db" / "made").stat().st_uid == SOMEBODY.uid
    assert (os.getresuid(), os.getresgid(), os.getgroups()) == before


def test_who_can_not_read_our_program_can_not_be_acted_for(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hand_over(made(home), SOMEBODY)
    monkeypatch.setattr(owner, "__file__", "/etc/shadow")
    with pytest.raises(owner.OwnerCannotRead, match="user 199998"), acting_for(home):
        raise AssertionError("not reached")
    assert os.geteuid() == 0


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ("", ""),
        ("[server]\nuser = 'root'\n", "server.user is root"),
        ("[launcher]\nbackend = 'memory'\n", "has no runner"),
        ("[audit]\nhead_file = '/root/heads.log'\n", "heads.log can't be written by the server's user"),
        ("[audit]\nevent_file = '/root/not/there/events.log'\n", "events.log can't be written by the server's user"),
        ("[db]\nurl = 'postgresql://me@/name?host=/root/pg'\n", "/root is closed to other users"),
        ("[db]\nurl = 'sqlite:////root/ph.sqlite'\n", "ph.sqlite can't be written"),
        ("[launcher]\nuid_base = 1000\n[server]\nuser = 'nobody'\n", "among the users of content"),
    ],
)
def test_what_stands_in_the_way_is_named(home: Path, reachable: None, settings: str, why: str) -> None:
    found, said = server_user(made(home, settings))
    assert why in said
    assert (found is None) is bool(why)
    if not why:
        assert (found, said) == (SOMEBODY, "")


def test_a_closed_folder_is_named_with_the_remedy(home: Path, reachable: None) -> None:
    loaded = made(home)
    home.parent.chmod(0o700)
    assert server_user(loaded) == (None, f"{home.parent} is closed to other users. {owner.REMEDY}")


def test_a_folder_that_its_user_could_change_under_root_is_named(home: Path, reachable: None) -> None:
    loaded = made(home)
    os.chown(home.parent, SOMEBODY.uid, SOMEBODY.gid)
    found, said = server_user(loaded)
    assert found is None and said.startswith(f"{home.parent} can be changed by the server's user")


def test_a_settings_file_elsewhere_must_be_readable(home: Path, reachable: None, tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    file.write_text("")
    file.chmod(0o600)
    home.mkdir()
    found, said = server_user(load(home, file=file, variables={}))
    assert found is None and f"{file} can't be read by the server's user" in said


def test_an_account_that_there_is_not_is_a_mistake(home: Path, reachable: None) -> None:
    with pytest.raises(SettingsInvalid, match=r"server\.user names nemo"):
        server_user(made(home, "[server]\nuser = 'nemo'\n"))


def test_an_account_is_taken_with_its_group(home: Path, reachable: None) -> None:
    found, said = server_user(made(home, "[server]\nuser = 'nobody'\n"))
    assert said == "" and found == Owner(65_534, pwd.getpwnam("nobody").pw_gid, 199_999)
