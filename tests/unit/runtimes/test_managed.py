"""Real installs with uv, from a mirror on loopback."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.factories import pythons

from pilothouse.runtimes.discover import discover
from pilothouse.runtimes.managed import (
    ManagedPythons,
    RuntimeNotInstalled,
    RuntimeNotManaged,
    RuntimeVersionInvalid,
)

pytestmark = pytest.mark.skipif(
    not pythons.SYSTEM_PYTHON.exists(), reason="no Python in /usr/bin to make an archive of"
)


@pytest.fixture(scope="module")
def mirror(tmp_path_factory: pytest.TempPathFactory) -> Iterator[pythons.Mirror]:
    with pythons.mirror(tmp_path_factory.mktemp("mirror")) as served:
        yield served


@pytest.fixture
def managed(tmp_path: Path, mirror: pythons.Mirror) -> ManagedPythons:
    return ManagedPythons(tmp_path / "runtimes", tmp_path / "cache" / "uv", downloads=mirror.downloads)


def quiet(line: str) -> None:
    pass


def test_a_python_of_the_mirror_is_installed_and_discovered(managed: ManagedPythons, mirror: pythons.Mirror) -> None:
    assert managed.add(mirror.version.rpartition(".")[0], quiet, for_all=False) == mirror.version
    path = managed.installed()[mirror.version]
    found = discover([path])
    assert [r.version for r in found] == [mirror.version]
    assert found[0].prefix == str(path.parent.parent)
    assert managed.folder.stat().st_mode & 0o777 == 0o755
    assert all(p.is_symlink() or p.stat().st_mode & 0o004 for p in path.parent.parent.rglob("*"))


def test_adding_twice_downloads_once(managed: ManagedPythons, mirror: pythons.Mirror) -> None:
    managed.add(mirror.version, quiet, for_all=False)
    mirror.asked.clear()
    assert managed.add(mirror.version, quiet, for_all=False) == mirror.version
    assert not any(pythons.ARCHIVE in path for path in mirror.asked)


def test_what_is_set_aside_is_found_no_more(managed: ManagedPythons, mirror: pythons.Mirror) -> None:
    managed.add(mirror.version, quiet, for_all=False)
    with managed.set_aside(mirror.version):
        assert managed.installed() == {}
    assert managed.installed() == {}
    assert [p.name for p in managed.folder.iterdir() if p.is_dir() and p.name != ".temp"] == []


def test_what_is_set_aside_comes_back_if_the_block_fails(managed: ManagedPythons, mirror: pythons.Mirror) -> None:
    managed.add(mirror.version, quiet, for_all=False)
    with pytest.raises(ValueError, match="no"), managed.set_aside(mirror.version):
        raise ValueError("no")
    assert list(managed.installed()) == [mirror.version]


def test_the_mirror_is_asked_in_place_of_the_internet_and_by_the_same_paths(
    managed: ManagedPythons, mirror: pythons.Mirror
) -> None:
    public = replace(managed, downloads=mirror.public_list, mirror=mirror.base)
    mirror.asked.clear()
    assert public.add(mirror.version, quiet, for_all=False) == mirror.version
    assert mirror.asked[-1] == f"/20260101/{pythons.RELEASED.format(version=mirror.version)}"


def test_an_archive_with_another_hash_than_listed_is_refused(managed: ManagedPythons, mirror: pythons.Mirror) -> None:
    with pytest.raises(RuntimeNotInstalled, match=r"[Hh]ash"):
        replace(managed, downloads=mirror.wrong_list).add(mirror.version, quiet, for_all=False)
    assert managed.installed() == {}


def test_nothing_of_an_installation_stays_in_the_cache(managed: ManagedPythons, mirror: pythons.Mirror) -> None:
    managed.add(mirror.version, quiet, for_all=False)
    assert list(managed.cache.iterdir()) == []


def test_a_version_that_the_list_lacks_is_refused_in_words(managed: ManagedPythons) -> None:
    with pytest.raises(RuntimeNotInstalled, match="No download found"):
        managed.add("3.9", quiet, for_all=False)
    assert managed.installed() == {}


def test_credentials_of_a_mirror_are_never_shown(managed: ManagedPythons, mirror: pythons.Mirror) -> None:
    wrong = replace(managed, downloads=mirror.downloads.replace("//", "//reader:hidden@").replace("list", "absent"))
    with pytest.raises(RuntimeNotInstalled) as refused:
        wrong.add("3.12", quiet, for_all=False)
    assert "hidden" not in str(refused.value)


@pytest.mark.parametrize("text", ["", "3", "--help", "../3.12", "3.12.1; true", "pypy", "2.7"])
def test_only_versions_of_python_3_are_taken(managed: ManagedPythons, text: str) -> None:
    with pytest.raises(RuntimeVersionInvalid):
        managed.add(text, quiet, for_all=False)


def test_only_what_was_added_can_be_removed(managed: ManagedPythons) -> None:
    with pytest.raises(RuntimeNotManaged, match="was not installed by"):
        managed.home_of("3.1.4")


def test_a_folder_that_other_users_cannot_reach_is_refused_before_anything_is_downloaded(
    managed: ManagedPythons, mirror: pythons.Mirror
) -> None:
    managed.folder.parent.chmod(0o700)
    mirror.asked.clear()
    with pytest.raises(RuntimeNotInstalled, match="chmod o\\+x"):
        managed.add(mirror.version, quiet, for_all=True)
    assert mirror.asked == []
