"""Secrets at rest: opened only with their key and in their place."""

from __future__ import annotations

import base64
import json
import os
import stat
import threading
from pathlib import Path

import pytest

from pilothouse.db.secrets import Keys, Place, Secrets, SecretUnreadable, load_key, load_secrets

HERE = Place("variable", "12", "sealed")


def secrets_of(keys: dict[str, bytes], current: str) -> Secrets:
    return Secrets(lambda: Keys(keys, current))


@pytest.fixture
def secrets() -> Secrets:
    return secrets_of({"one": os.urandom(32)}, "one")


def test_what_was_sealed_opens(secrets: Secrets) -> None:
    for plain in ("", "geheim", "ä€😀" * 1000):
        assert secrets.open(HERE, secrets.seal(HERE, plain)) == plain


def test_the_same_secret_never_looks_the_same(secrets: Secrets) -> None:
    first, second = secrets.seal(HERE, "geheim"), secrets.seal(HERE, "geheim")
    assert first != second
    assert b"geheim" not in first


@pytest.mark.parametrize(
    "place", [Place("variable", "13", "sealed"), Place("api_key", "12", "sealed"), Place("variable", "12", "other")]
)
def test_a_value_moved_to_another_place_can_not_be_opened(secrets: Secrets, place: Place) -> None:
    with pytest.raises(SecretUnreadable, match="Restore the key file"):
        secrets.open(place, secrets.seal(HERE, "geheim"))


def test_any_changed_or_missing_byte_is_noticed(secrets: Secrets) -> None:
    sealed = secrets.seal(HERE, "geheim")
    broken = [sealed[:n] for n in range(len(sealed))]
    broken += [sealed[:n] + bytes([sealed[n] ^ 1]) + sealed[n + 1 :] for n in range(len(sealed))]
    for value in broken:
        with pytest.raises(SecretUnreadable):
            secrets.open(HERE, value)


def test_a_rotated_key_still_opens_what_is_old() -> None:
    keys = {"one": os.urandom(32), "two": os.urandom(32)}
    old, new = secrets_of(keys, "one"), secrets_of(keys, "two")
    sealed = old.seal(HERE, "geheim")
    assert new.open(HERE, sealed) == "geheim"
    assert (old.is_current(sealed), new.is_current(sealed)) == (True, False)
    with pytest.raises(SecretUnreadable):
        secrets_of({"two": keys["two"]}, "two").open(HERE, sealed)


def test_a_key_file_is_made_once_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    file = tmp_path / "keys" / "secrets.json"
    sealed = load_secrets(file).seal(HERE, "geheim")
    assert load_secrets(file).open(HERE, sealed) == "geheim"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert [f.name for f in file.parent.iterdir()] == ["secrets.json"]


def test_processes_that_start_at_once_agree_on_the_key(tmp_path: Path) -> None:
    found: list[bytes] = []
    threads = [threading.Thread(target=lambda: found.append(load_key(tmp_path / "grant.key"))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len(set(found)) == 1
    assert base64.b64decode(json.loads((tmp_path / "grant.key").read_text())["key"]) == found[0]
