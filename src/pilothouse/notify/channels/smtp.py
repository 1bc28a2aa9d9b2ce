"""Mail through the company's mail server (RFC 5321), one connection a message: with STARTTLS, TLS from the start, or none."""

from __future__ import annotations

import smtplib
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, parseaddr

from pilothouse.base import clock
from pilothouse.notify.contract import ChannelDown, Message, MessageRefused, one_line
from pilothouse.settings.options import Notify

PATIENCE_S = 15.0
PORTS = {"starttls": 587, "tls": 465, "none": 25}
#: From here on a reply says that trying again does not help (RFC 5321 §4.2.1).
FOR_GOOD = 500
REPLY_LIMIT = 300


class SmtpChannel:
    """Speaks with ``notify.smtp_host``. The certificate must be valid for that name."""

    def __init__(self, options: Notify) -> None:
        self._options = options
        self._port = options.smtp_port or PORTS[options.smtp_tls]

    @classmethod
    def from_settings(cls, options: Notify) -> SmtpChannel:
        return cls(options)

    def send(self, message: Message) -> None:
        mail, sender = mail_of(message, self._options), parseaddr(self._options.sender)[1]
        needs_utf8 = not (message.to + sender).isascii()
        with self._session() as server:
            server.ehlo_or_helo_if_needed()
            if needs_utf8 and not server.has_extn("smtputf8"):
                raise MessageRefused("The mail server takes no addresses with letters beyond ASCII (RFC 6531).")
            raw = mail.as_bytes(
                policy=SMTP.clone(utf8=needs_utf8)
            )  # smtplib's own way puts ">" before lines with "From"
            try:
                server.sendmail(sender, [message.to], raw, ["SMTPUTF8", "BODY=8BITMIME"] if needs_utf8 else [])
            except smtplib.SMTPRecipientsRefused as error:
                ((code, reply),) = error.recipients.values()
                raise self._refusal(code, reply) from error
            except smtplib.SMTPResponseException as error:
                raise self._refusal(error.smtp_code, error.smtp_error) from error

    def check(self) -> None:
        with self._session():
            pass

    @contextmanager
    def _session(self) -> Iterator[smtplib.SMTP]:
        try:
            server = self._open()
            try:
                yield server
                with suppress(smtplib.SMTPException, OSError):
                    server.quit()  # the message is theirs already
            finally:
                server.close()
        except (smtplib.SMTPException, OSError) as error:
            raise ChannelDown(
                f"{self._who} can't be used: {_cause(error)}. Check the settings below notify."
            ) from error

    def _open(self) -> smtplib.SMTP:
        options, name = self._options, socket.gethostname()
        if options.smtp_tls == "tls":
            server: smtplib.SMTP = smtplib.SMTP_SSL(
                options.smtp_host, self._port, name, timeout=PATIENCE_S, context=self._trust()
            )
        else:
            server = smtplib.SMTP(options.smtp_host, self._port, name, timeout=PATIENCE_S)
        try:
            if options.smtp_tls == "starttls":
                server.starttls(context=self._trust())
            if options.smtp_user:
                password = options.smtp_password
                server.login(options.smtp_user, password.get_secret_value() if password else "")
        except BaseException:
            server.close()
            raise
        return server

    def _trust(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self._options.smtp_ca_file)

    def _refusal(self, code: int, reply: object) -> Exception:
        kind = MessageRefused if code >= FOR_GOOD else ChannelDown
        return kind(f"{self._who} did not take the message: {code} {_printable(reply)}")

    @property
    def _who(self) -> str:
        return f"The mail server {self._options.smtp_host}:{self._port}"


def mail_of(message: Message, options: Notify) -> EmailMessage:
    """The mail as it goes out. No text of ``message`` can become a header."""
    name, sender = parseaddr(options.sender)
    mail = EmailMessage(policy=SMTP)
    mail["From"] = _address(sender, one_line(name))
    mail["To"] = _address(message.to)
    mail["Subject"] = message.subject
    mail["Date"] = format_datetime(clock.now())
    mail["Message-ID"] = f"<{message.id}@{sender.rpartition('@')[2]}>"
    mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: no machine answers it
    if options.reply_to:
        mail["Reply-To"] = _address(options.reply_to)
    mail.set_content(message.text, charset="utf-8", cte="quoted-printable")
    mail.add_alternative(message.html, subtype="html", charset="utf-8", cte="quoted-printable")
    return mail


def _address(address: str, name: str = "") -> Address:
    """In its two parts: parsing it refuses letters beyond ASCII."""
    user, _, domain = address.rpartition("@")
    return Address(name, user, domain)


def _cause(error: OSError) -> str:
    if isinstance(error, smtplib.SMTPResponseException):
        return f"{error.smtp_code} {_printable(error.smtp_error)}"
    return _printable(error.strerror or str(error)) or type(error).__name__


def _printable(reply: object) -> str:
    text = reply.decode("utf-8", "replace") if isinstance(reply, bytes) else str(reply)
    return one_line(text)[:REPLY_LIMIT].rstrip(".")
