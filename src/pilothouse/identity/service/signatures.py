"""Requests that a program signs with an RSA key (connect-wire-api §1.4): what is signed, and whether it was. Pure.

The signature covers method, path, date and the digest of the body, so it is good for one request, for as long as its date
is near: whoever sees it could send the very same request again in that time, with another query at most. TLS keeps it from sight.
Only public values are compared here, so the time it takes tells nothing.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import lru_cache
from urllib.parse import unquote

from cryptography.exceptions import InvalidSignature as NotSigned
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_der_public_key

from pilothouse.base.access import Principal
from pilothouse.identity.contract import InvalidSignature, TokenInvalid

#: How far the client's clock may be from ours, either way.
WINDOW = timedelta(minutes=5)
READING = frozenset({"GET", "HEAD"})
#: The digest of no body.
NO_BODY = base64.b64encode(hashlib.md5(b"", usedforsecurity=False).digest()).decode()
KEY_BITS = range(2048, 4097)
KEY_LIMIT = 4096
EXPONENT_LIMIT = 2**32


@dataclass(frozen=True)
class RequestLine:
    """What is asked for: ``path`` as it arrived, without the query; ``stage_path`` is its beginning, ends in ``/``.

    ``outside`` is the path of the public address that a proxy in front cut off; empty where none does.
    """

    method: str
    path: str
    stage_path: str = "/"
    outside: str = ""

    def paths(self) -> tuple[str, ...]:
        """The forms that clients sign: the whole path, the one after the server's address, each also decoded."""
        inner = "/" + self.path.removeprefix(self.stage_path).lstrip("/")
        forms = (self.path, inner, self.outside + self.path)
        return tuple(dict.fromkeys((*forms, *map(unquote, forms))))


def verify(public_key: str, headers: Mapping[str, str], line: RequestLine, *, now: datetime) -> None:
    """Return if ``headers`` (lower-case names) sign this request. Raises `InvalidSignature`."""
    date, checksum = headers.get("date", ""), headers.get("x-content-checksum", "")
    _check_date(date, now)
    try:
        signature = base64.b64decode(headers.get("x-auth-signature", ""), validate=True)
    except binascii.Error:
        raise InvalidSignature("X-Auth-Signature is not base64.") from None
    key = load_key(public_key)
    if not checksum or not any(
        _is_signed(key, signature, "\n".join((line.method, path, date, checksum))) for path in line.paths()
    ):
        raise InvalidSignature(
            "The signature does not fit the request: method, path, Date and X-Content-Checksum are signed."
        )


def check_content(principal: Principal, method: str, headers: Mapping[str, str]) -> None:
    """Return if content may be asked so: signed requests only read, since nobody compares their body on the way to an app.

    Raises `InvalidSignature`.
    """
    if principal.token is None or (method in READING and headers.get("x-content-checksum") == NO_BODY):
        return
    raise InvalidSignature(
        "Content takes signed requests without a body that read (GET, HEAD). Send an API key instead."
    )


@lru_cache(maxsize=1024)
def load_key(public_key: str) -> RSAPublicKey:
    """The key behind base64 of a DER SubjectPublicKeyInfo. Raises `TokenInvalid` for one that is not RSA, or too small or large."""
    refused = TokenInvalid("The public key must be an RSA key of 2048 to 4096 bits, as base64 of its DER form.")
    if len(public_key) > KEY_LIMIT:
        raise refused
    try:
        key = load_der_public_key(base64.b64decode(public_key, validate=True))
    except (ValueError, UnsupportedAlgorithm):
        raise refused from None
    if not isinstance(key, RSAPublicKey) or key.key_size not in KEY_BITS:
        raise refused
    if key.public_numbers().e > EXPONENT_LIMIT:
        raise refused
    return key


def _check_date(text: str, now: datetime) -> None:
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        raise InvalidSignature(
            "A signed request needs the header Date, as in “Mon, 02 Mar 2026 09:00:00 GMT”."
        ) from None
    date = date.replace(tzinfo=UTC) if date.tzinfo is None else date
    if abs(now - date) > WINDOW:
        raise InvalidSignature(
            f"The Date of the request is more than 5 minutes away from this server's clock ({now:%H:%M:%S} UTC). "
            "Correct the clock of your machine."
        )


def _is_signed(key: RSAPublicKey, signature: bytes, text: str) -> bool:
    try:
        key.verify(signature, text.encode(), padding.PKCS1v15(), hashes.SHA1())  # noqa: S303 - the protocol's choice
    except NotSigned:
        return False
    return True
