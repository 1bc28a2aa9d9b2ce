"""How people get messages."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, model_validator

from pilothouse.settings.options.types import MailAddress, Mailbox, Section


class Notify(Section):
    """Mails to people. Without a channel none are sent; everything else works."""

    channel: str = ""
    """How messages leave: `smtp`. Default: not at all."""
    smtp_host: str = Field("localhost", min_length=1)
    """The mail server."""
    smtp_port: int | None = Field(None, ge=1, le=65535)
    """Its port. Default: 587 with `starttls`, 465 with `tls`, 25 with `none`."""
    smtp_tls: Literal["starttls", "tls", "none"] = "starttls"
    """Encryption on the way there: agreed on after a greeting, from the start, or none."""
    smtp_ca_file: Path | None = None
    """Certificates that may have signed the mail server's, as PEM. Default: those that this machine trusts."""
    smtp_user: str = ""
    """Name to sign in with at the mail server. Default: no sign-in."""
    smtp_password: SecretStr | None = None
    """The password to it. Also `smtp_password_file`."""
    smtp_password_file: Path | None = None
    """A file that holds `smtp_password`."""
    sender: Mailbox = ""
    """Who mails are from, such as `Pilothouse <pilothouse@example.com>`. Needed with a channel."""
    reply_to: MailAddress = ""
    """Where answers go. Default: to the sender."""

    @model_validator(mode="after")
    def _whoever_sends_has_an_address(self) -> Notify:
        if self.channel and not self.sender:
            raise ValueError("a channel needs notify.sender, such as Pilothouse <pilothouse@example.com>")
        return self
