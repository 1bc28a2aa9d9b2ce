"""A new key takes over while others use the file; an old one goes only when nothing can need it."""

from __future__ import annotations

import json
import stat
import threading
from pathlib import Path

import pytest

from pilothouse.db.rotation import add_key, drop_keys, renew, rotating
from pilothouse.db.secrets import Place, SecretUnreadable, key_id, load_keys, load_secrets
from pilothouse.testing.clock import FrozenClock

HERE = Place("variable", "12", "sealed")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    load_secrets(tmp_path / "keys" / "secrets.json")
    return tmp_path / "keys" / "secrets.json"


def test_a_running_server_uses_the_new_key_at_its_next_secret(file: Path) -> None:
    server, other = load_secrets(file), load_secrets(file)
    old = server.seal(HERE, "geheim")
    kid = add_key(file)
    new = server.seal(HERE, "geheim")
    assert (key_id(new), key_id(old) != kid) == (kid, True)
    assert [other.open(HERE, value) for value in (old, new)] == ["geheim", "geheim"]
    assert (server.is_current(old), server.is_current(new)) == (False, True)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [f.name for f in file.parent.iterdir()] == ["secrets.json"], "no draft stays"


def test_a_key_goes_when_it_was_replaced_long_ago_and_nothing_names_it(file: Path, frozen_clock: FrozenClock) -> None:
    server = load_secrets(file)
    sealed = server.seal(HERE, "geheim")
    first, second = key_id(sealed), add_key(file)
    assert drop_keys(file, in_use=set) == ([], [first]), "a transaction may still be on its way"
    frozen_clock.advance(minutes=61)
    assert drop_keys(file, in_use=lambda: {first}) == ([], [first]), "a row needs it"
    assert server.open(HERE, sealed) == "geheim"
    third = add_key(file)
    assert drop_keys(file, in_use=lambda: {third}) == ([first], [second]), "the second was replaced just now"
    with pytest.raises(SecretUnreadable):
        server.open(HERE, sealed)


def test_two_rotations_wait_for_each_other(file: Path) -> None:
    def rotate() -> None:
        with rotating(file):
            add_key(file)

    threads = [threading.Thread(target=rotate) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(json.loads(file.read_text())["keys"]) == 9


def test_of_keys_that_sign_what_lives_shortly_the_last_two_stay(file: Path) -> None:
    first = load_keys(file)().current
    second = renew(file)
    assert set(load_keys(file)().by_id) == {first, second}
    third = renew(file)
    keys = load_keys(file)()
    assert (set(keys.by_id), keys.current) == ({second, third}, third)
    assert set(json.loads(file.read_text())["retired"]) == {second}
