"""Who may come in, and what is kept of what they did."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from pydantic import Field

from pilothouse.settings.options.types import Collector, Duration, Network, Section


class Identity(Section):
    """Sign-in, logins and keys."""

    login_lifetime: Duration = timedelta(hours=12)
    """A browser login ends after this long."""
    password_min_length: int = Field(10, ge=8, le=200)
    """Shortest password accepted for a local user."""
    failures_allowed: int = Field(10, ge=1)
    """Failed sign-ins with one name from one address before further ones wait, longer each time; ten times as many from one address, or
    with one name from anywhere. Nobody waits because of what others do elsewhere, if they signed in from their own address before."""
    failures_window: Duration = timedelta(minutes=15)
    """How long failed sign-ins are counted. The longest wait lets as many through in this time as were free before."""
    hash_concurrency: int = Field(2, ge=1, le=64)
    """Passwords checked at the same time; each takes 19 MB for a moment."""
    key_lifetime: Duration | None = None
    """API keys expire after this long. Default: never."""
    access_token_lifetime: Duration = Field(timedelta(hours=1), gt=timedelta(minutes=1), le=timedelta(days=1))
    """What a program gets when somebody signs in with it (`rsconnect login`) is good for this long; then it gets a new one by itself."""
    refresh_token_lifetime: Duration = Field(timedelta(days=30), ge=timedelta(minutes=5), le=timedelta(days=400))
    """A program that was not used for this long has to sign in again."""
    issuer_networks: list[Network] = []
    """Networks where `trusted_issuers` may be although they are this machine's own or link-local, and by plain http. Default: none; addresses
    of a company's own network are no question."""


class Audit(Section):
    """The audit trail."""

    sinks: list[str] = Field(["file"], min_length=1)
    """Where the chain is also kept, outside the database: `file`, `syslog`, or both. An edited or cut trail shows by what is kept there."""
    head_file: Path | None = None
    """File of the signed heads of the chain. Put it on another machine's disk, or copy it away. Default: `logs/audit-head.log`."""
    event_file: Path | None = None
    """File that also gets every event, as a line of JSON, for a log collector. Default: none."""
    syslog: Collector = "unix:/dev/log"
    """The collector of the sink `syslog`: `unix:/dev/log`, `udp://host:514` or `tcp://host:601` (RFC 5424)."""
    syslog_events: bool = True
    """Send every event to `syslog`, as JSON, and not the signed heads alone."""
