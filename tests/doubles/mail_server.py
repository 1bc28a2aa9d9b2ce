"""A real mail server (aiosmtpd) on loopback, with certificates made for the test. It keeps what it takes and sends nothing on."""

from __future__ import annotations

import socket
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword

from pilothouse.notify.contract import Message

NOBODY, LATER = "nobody@example.com", "later@example.com"
USER, PASSWORD = "pilothouse", "sea-shanty-of-nine"


@dataclass
class Post:
    """What one delivery brought: to whom, by which sender, over TLS or not, and the bytes."""

    to: list[str]
    sender: str
    is_encrypted: bool
    raw: bytes

    @property
    def mail(self) -> EmailMessage:
        return message_from_bytes(self.raw, policy=policy.default)  # type: ignore[return-value]

    @property
    def message(self) -> Message:
        """As it was given to the channel."""
        mail = self.mail
        parts = {part.get_content_type(): part.get_content().replace("\r\n", "\n") for part in mail.iter_parts()}  # type: ignore[attr-defined]
        (to,) = self.to
        number = str(mail["Message-ID"]).strip("<>").partition("@")[0]
        return Message(to, str(mail["Subject"]), parts["text/plain"], parts["text/html"], number)


@dataclass
class MailServer:
    """``mode`` is ``starttls``, ``tls`` or ``none``. Stop and start it to be away for a while, at the same port."""

    folder: Path
    mode: str = "starttls"
    needs_login: bool = False
    utf8: bool = False
    posts: list[Post] = field(default_factory=list)
    port: int = 0

    def __post_init__(self) -> None:
        self.certificate = certificate(self.folder)
        self.start()

    def start(self) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, self.folder / "key.pem")
        self.controller = _Controller(self, context if self.mode == "tls" else None)
        self.controller.starttls = context if self.mode == "starttls" else None
        self.controller.start()
        self.port = self.controller.server.sockets[0].getsockname()[1]  # type: ignore[union-attr]

    def stop(self) -> None:
        self.controller.stop()

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: list[str]) -> str:
        if address == NOBODY:
            return "550 5.1.1 no such mailbox"
        if address == LATER:
            return "451 4.7.1 greylisted, come again"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        is_encrypted = self.mode == "tls" or session.ssl is not None
        self.posts.append(Post(envelope.rcpt_tos, envelope.mail_from, is_encrypted, envelope.original_content))
        return "250 taken"


class _Controller(Controller):
    starttls: ssl.SSLContext | None = None

    def __init__(self, owner: MailServer, context: ssl.SSLContext | None) -> None:
        self.owner = owner
        super().__init__(owner, hostname="127.0.0.1", port=owner.port, ssl_context=context)

    def factory(self) -> SMTP:
        return SMTP(
            self.handler,
            hostname="localhost",
            enable_SMTPUTF8=self.owner.utf8,
            tls_context=self.starttls,
            require_starttls=self.starttls is not None,
            authenticator=_authenticate,
            auth_required=self.owner.needs_login,
            auth_require_tls=self.owner.mode == "starttls",
        )

    def _trigger_server(self) -> None:
        """The usual one wants to shake hands, and knows no certificate of ours: a knock is enough."""
        socket.create_connection(("127.0.0.1", self.server.sockets[0].getsockname()[1])).close()  # type: ignore[union-attr]


def _authenticate(server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
    is_right = isinstance(data, LoginPassword) and (data.login, data.password) == (USER.encode(), PASSWORD.encode())
    return AuthResult(success=is_right, handled=False)


def certificate(folder: Path) -> Path:
    """A certificate for ``localhost`` that is its own authority; its key lies beside it."""
    folder.mkdir(exist_ok=True)
    found = folder / "cert.pem"
    if not found.exists():
        names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
        made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *names]
        subprocess.run([*made, "-keyout", folder / "key.pem", "-out", found], check=True, capture_output=True)
    return found


@contextmanager
def mail_server(
    folder: Path, mode: str = "starttls", *, needs_login: bool = False, utf8: bool = False
) -> Iterator[MailServer]:
    server = MailServer(folder, mode, needs_login, utf8)
    try:
        yield server
    finally:
        server.stop()
