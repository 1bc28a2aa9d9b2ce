"""Heads and events as messages of RFC 5424 to a log collector, over a unix socket, UDP or TCP.

The text of a message is one JSON object. Nothing can be read back; `pilothouse audit verify --heads` takes the file that the
collector writes.
"""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import ClassVar
from urllib.parse import urlsplit

from pilothouse.audit.contract import Head, Sealed, as_line, head_line
from pilothouse.settings.options import Audit

#: Facility 13, "log audit"; severity 5, "notice" (RFC 5424 §6.2.1).
PRIORITY = 13 * 8 + 5
APP = "pilothouse"
PATIENCE_S = 5.0
#: Longest text of a message. RFC 5424 §6.1: every collector takes 480 bytes and should take 2048; of a longer event the values are left out.
TEXT_LIMIT = 8192
DATAGRAM_LIMIT = 1800


class SyslogSink:
    """``address``: ``unix:/dev/log``, ``udp://host:514`` or ``tcp://host:601``. ``with_events`` sends events, not heads alone."""

    is_local: ClassVar[bool] = False

    def __init__(self, address: str, *, with_events: bool = True) -> None:
        parts = urlsplit(address)
        self._kind, self._path = parts.scheme, parts.path
        self._peer = (parts.hostname or "", parts.port or (514 if parts.scheme == "udp" else 601))
        self._with_events = with_events

    @classmethod
    def from_settings(cls, home: Path, options: Audit) -> SyslogSink:
        return cls(options.syslog, with_events=options.syslog_events)

    def append(self, head: Head, events: Sequence[Sealed] = ()) -> None:
        messages = list(self._messages(head, events))
        if self._kind == "tcp":
            self._stream(messages)
        elif self._kind == "udp":
            self._datagrams(socket.getaddrinfo(*self._peer, type=socket.SOCK_DGRAM)[0][0], self._peer, messages)
        else:
            self._local(messages)

    def heads(self) -> list[Head] | None:
        return None

    def _messages(self, head: Head, events: Sequence[Sealed]) -> Iterator[bytes]:
        limit = DATAGRAM_LIMIT if self._kind == "udp" else TEXT_LIMIT
        for event in events if self._with_events else ():
            text = as_line(event.facts)
            if len(text) > limit:
                text = as_line({**event.facts, "changes": f"left out, {len(text)} bytes"})
            yield message(event.at, "event", text)
        yield message(head.at, "head", head_line(head))

    def _stream(self, messages: Sequence[bytes]) -> None:
        """Octet counting (RFC 6587 §3.4.1). A collector that has read all closes too: only then it is sure that nothing was lost."""
        with socket.create_connection(self._peer, timeout=PATIENCE_S) as peer:
            peer.sendall(b"".join(b"%d %s" % (len(m), m) for m in messages))
            peer.shutdown(socket.SHUT_WR)
            try:
                while peer.recv(1024):
                    pass
            except TimeoutError:
                return  # one that keeps its half open has it as well, as far as TCP can tell

    def _local(self, messages: Sequence[bytes]) -> None:
        try:
            self._datagrams(socket.AF_UNIX, self._path, messages)
        except OSError as error:
            if error.errno != errno.EPROTOTYPE:
                raise
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as peer:  # some collectors listen so, a line each
                peer.settimeout(PATIENCE_S)
                peer.connect(self._path)
                peer.sendall(b"".join(m + b"\n" for m in messages))

    def _datagrams(self, family: int, peer: str | tuple[str, int], messages: Sequence[bytes]) -> None:
        """One each. Of a collector that is not there, UDP learns at best a moment later."""
        with socket.socket(family, socket.SOCK_DGRAM) as out:
            out.settimeout(PATIENCE_S)
            out.connect(peer)
            for each in messages:
                out.send(each)


def message(at: datetime, kind: str, text: str) -> bytes:
    """RFC 5424 §6. ``kind`` is the message's id; ``text`` is ASCII."""
    stamp = at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    host = "".join(c for c in socket.gethostname() if 33 <= ord(c) <= 126)[:255] or "-"
    return f"<{PRIORITY}>1 {stamp} {host} {APP} {os.getpid()} {kind} - {text}".encode("ascii")
