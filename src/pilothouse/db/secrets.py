"""Secrets at rest: AES-256-GCM, each value bound to the place it is stored in, with keys that can be rotated."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from pilothouse.base.errors import PilothouseError
from pilothouse.base.ids import new_key

_FORMAT = b"\x01"
_NONCE_BYTES = 12


class SecretUnreadable(PilothouseError):
    """A stored secret can't be read: its key is missing from the key file, or its bytes were changed. Restore the key file."""

    code = "db/secret-unreadable"


@dataclass(frozen=True)
class Place:
    """Where a secret lives. A sealed value moved to another place can't be opened."""

    table: str
    row: str
    column: str

    def as_bytes(self) -> bytes:
        return "\0".join((self.table, self.row, self.column)).encode()


class Secrets:
    """Seals and opens small secrets. ``keys`` maps key ids to 32 bytes; new values use ``current``."""

    def __init__(self, keys: Mapping[str, bytes], current: str) -> None:
        self._keys, self._current = dict(keys), current

    def seal(self, place: Place, plain: str) -> bytes:
        nonce, kid = os.urandom(_NONCE_BYTES), self._current.encode()
        sealed = AESGCM(self._keys[self._current]).encrypt(nonce, plain.encode(), place.as_bytes())
        return _FORMAT + bytes([len(kid)]) + kid + nonce + sealed

    def open(self, place: Place, sealed: bytes) -> str:
        """The plain text. Raises `SecretUnreadable`."""
        if len(sealed) < 2 or sealed[:1] != _FORMAT:
            raise SecretUnreadable
        kid_end = 2 + sealed[1]
        key = self._keys.get(sealed[2:kid_end].decode(errors="replace"))
        if key is None or len(sealed) < kid_end + _NONCE_BYTES:
            raise SecretUnreadable
        nonce, rest = sealed[kid_end : kid_end + _NONCE_BYTES], sealed[kid_end + _NONCE_BYTES :]
        try:
            return AESGCM(key).decrypt(nonce, rest, place.as_bytes()).decode()
        except InvalidTag as error:
            raise SecretUnreadable from error

    def is_current(self, sealed: bytes) -> bool:
        """Whether ``sealed`` was made with the current key."""
        return sealed[2 : 2 + sealed[1]] == self._current.encode()


def load_secrets(path: Path) -> Secrets:
    """Read the key file, or make one (mode 0600) with a first key. Also works when two processes start at once."""
    if not path.exists():
        kid = new_key(8)
        _create(path, {"current": kid, "keys": {kid: base64.b64encode(os.urandom(32)).decode()}})
    document = json.loads(path.read_text())
    return Secrets({k: base64.b64decode(v) for k, v in document["keys"].items()}, document["current"])


def load_key(path: Path, size_bytes: int = 32) -> bytes:
    """A single random key kept in a 0600 file, made at first use."""
    if not path.exists():
        _create(path, {"key": base64.b64encode(os.urandom(size_bytes)).decode()})
    return base64.b64decode(json.loads(path.read_text())["key"])


def _create(path: Path, document: object) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{new_key()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump(document, file)
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(draft, path)  # the first one wins; a second process uses the winner's file
        _settle_folder(path.parent)
    except FileExistsError:
        pass
    finally:
        draft.unlink()


def _settle_folder(folder: Path) -> None:
    """The new name survives a power cut: what is sealed with a lost key is lost."""
    descriptor = os.open(folder, os.O_RDONLY)
    os.fsync(descriptor)
    os.close(descriptor)
