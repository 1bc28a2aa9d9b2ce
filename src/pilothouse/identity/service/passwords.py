"""Hashing and checking passwords: argon2id, a few at a time, and never while a database transaction is open."""

from __future__ import annotations

import threading

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

#: The second of the settings that OWASP's Password Storage Cheat Sheet calls equally strong: a seventh of the processor time of
#: argon2-cffi's own, which let seven people a second sign in to a machine of two cores and left nothing for anybody else.
_hasher = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
_slots = threading.Semaphore(2)
#: A hash of nothing anybody knows: checking against it takes as long as checking a real one.
_DUMMY = "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$Zm9yIHRpbWluZyBvbmx5LCBtYXRjaGVzIG5vdGhpbmc"


def set_concurrency(count: int) -> None:
    """How many passwords are hashed at the same time; each takes 19 MB."""
    global _slots  # noqa: PLW0603 - one cap for the whole process
    _slots = threading.Semaphore(count)


def hash_password(password: str) -> str:
    with _slots:
        return _hasher.hash(_bytes(password))


def renewed(password: str, hashed: str | None) -> str | None:
    """A hash of today's settings for a password that was hashed by others; ``None`` where there is nothing to renew.

    So every account costs the same to check before long, whether it is there or not.
    """
    try:
        return hash_password(password) if hashed and _hasher.check_needs_rehash(hashed) else None
    except InvalidHashError:
        return None


def matches(password: str, hashed: str | None) -> bool:
    """Whether the password fits; takes as long when there is no hash to compare with."""
    with _slots:
        try:
            return _hasher.verify(hashed or _DUMMY, _bytes(password)) and hashed is not None
        except (VerificationError, InvalidHashError):
            return False


def _bytes(password: str) -> bytes:
    """Also of text that is no text (JSON can say half a character): it is a wrong password, not a mistake of ours."""
    return password.encode(errors="surrogatepass")
