"""Secrets at rest: AES-256-GCM, each value bound to the place it is stored in, with keys that can be rotated."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
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


@dataclass(frozen=True)
class Keys:
    """``by_id`` maps key ids to 32 bytes; new values use ``current``."""

    by_id: Mapping[str, bytes] = field(repr=False)
    current: str


class KeyFile:
    """The keys in a file (format in `rotation.py`), read again when the file was replaced: a rotation needs no restart."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[int, int, int] | None = None
        self._keys = Keys({}, "")

    def __call__(self) -> Keys:
        found = self._path.stat()
        seen = (found.st_ino, found.st_mtime_ns, found.st_size)
        if seen != self._seen:
            document = json.loads(self._path.read_text())
            by_id = {kid: base64.b64decode(key) for kid, key in document["keys"].items()}
            self._keys, self._seen = Keys(by_id, document["current"]), seen
        return self._keys


class Secrets:
    """Seals and opens small secrets, each with the keys that ``keys`` gives at that moment."""

    def __init__(self, keys: Callable[[], Keys]) -> None:
        self._keys = keys

    def seal(self, place: Place, plain: str) -> bytes:
        keys = self._keys()
        nonce, kid = os.urandom(_NONCE_BYTES), keys.current.encode()
        sealed = AESGCM(keys.by_id[keys.current]).encrypt(nonce, plain.encode(), place.as_bytes())
        return _FORMAT + bytes([len(kid)]) + kid + nonce + sealed

    def open(self, place: Place, sealed: bytes) -> str:
        """The plain text. Raises `SecretUnreadable`."""
        if len(sealed) < 2 or sealed[:1] != _FORMAT:
            raise SecretUnreadable
        kid_end = 2 + sealed[1]
        key = self._keys().by_id.get(key_id(sealed))
        if key is None or len(sealed) < kid_end + _NONCE_BYTES:
            raise SecretUnreadable
        nonce, rest = sealed[kid_end : kid_end + _NONCE_BYTES], sealed[kid_end + _NONCE_BYTES :]
        try:
            return AESGCM(key).decrypt(nonce, rest, place.as_bytes()).decode()
        except InvalidTag as error:
            raise SecretUnreadable from error

    def is_current(self, sealed: bytes) -> bool:
        """Whether ``sealed`` was made with the current key."""
        return key_id(sealed) == self._keys().current


def key_id(sealed: bytes) -> str:
    """The id of the key that a value was sealed with."""
    return sealed[2 : 2 + sealed[1]].decode(errors="replace")


def load_keys(path: Path) -> KeyFile:
    """The key file, made (mode 0600) with a first key if there is none. Also works when two processes start at once."""
    if not path.exists():
        kid = new_key(8)
        _create(path, {"current": kid, "keys": {kid: base64.b64encode(os.urandom(32)).decode()}})
    return KeyFile(path)


def load_secrets(path: Path) -> Secrets:
    """What seals with the keys in ``path``; see `load_keys`."""
    return Secrets(load_keys(path))


def load_key(path: Path, size_bytes: int = 32) -> bytes:
    """A single random key kept in a 0600 file, made at first use."""
    if not path.exists():
        _create(path, {"key": base64.b64encode(os.urandom(size_bytes)).decode()})
    return base64.b64decode(json.loads(path.read_text())["key"])


def _create(path: Path, document: object) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = write_draft(path, document)
    try:
        os.link(draft, path)  # the first one wins; a second process uses the winner's file
        settle_folder(path.parent)
    except FileExistsError:
        pass
    finally:
        draft.unlink()


def write_draft(path: Path, document: object) -> Path:
    """A 0600 file beside ``path`` that holds ``document`` and has reached the disk."""
    draft = path.with_name(f".{path.name}.{new_key()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump(document, file)
        file.flush()
        os.fsync(file.fileno())
    return draft


def settle_folder(folder: Path) -> None:
    """The new name survives a power cut: what is sealed with a lost key is lost."""
    descriptor = os.open(folder, os.O_RDONLY)
    os.fsync(descriptor)
    os.close(descriptor)
