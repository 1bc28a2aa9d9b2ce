"""A program that signs its requests, as the R client and Publisher do (connect-wire-api §1.4)."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime
from functools import cache
from urllib.parse import urlsplit

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from fastapi.testclient import TestClient

from pilothouse.base import clock


@cache
def private_key(which: int = 0) -> rsa.RSAPrivateKey:
    """Making one takes a moment, so tests share a few."""
    return rsa.generate_private_key(65537, 2048)


@dataclass(frozen=True)
class Program:
    """One token and its key. ``base`` is cut off the path before it is signed, as Publisher does; R cuts off nothing."""

    name: str = "T" + "0123456789abcdef" * 2
    which: int = 0
    base: str = ""

    @property
    def public_key(self) -> str:
        public = private_key(self.which).public_key()
        return base64.b64encode(public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()

    @property
    def announced(self) -> dict[str, object]:
        """What it posts to ``/tokens``."""
        return {"token": self.name, "public_key": self.public_key, "user_id": 0}

    def headers(self, method: str, url: str, body: bytes = b"", *, at: datetime | None = None) -> dict[str, str]:
        """The four headers of one request."""
        date = format_datetime(at or clock.now(), usegmt=True)
        checksum = base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode()
        path = urlsplit(url).path.removeprefix(self.base)
        text = "\n".join((method, path, date, checksum)).encode()
        signature = private_key(self.which).sign(text, padding.PKCS1v15(), hashes.SHA1())
        return {
            "Date": date,
            "X-Auth-Token": self.name,
            "X-Auth-Signature": base64.b64encode(signature).decode(),
            "X-Content-Checksum": checksum,
        }

    def ask(self, client: TestClient, method: str, url: str, body: bytes = b"") -> tuple[int, dict[str, object]]:
        """The status and the JSON of a signed request."""
        answer = client.request(method, url, content=body, headers=self.headers(method, url, body))
        return answer.status_code, answer.json()
