"""The syslog sink keeps the contract over all three transports, with real sockets, and speaks RFC 5424."""

from __future__ import annotations

import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from pilothouse.audit.contract import AuditSink
from pilothouse.audit.sinks.syslog import SyslogSink
from pilothouse.testing.audit import AuditSinkSuite, head, sealed

#: <PRI>1 TIMESTAMP HOSTNAME APP-NAME PROCID MSGID SD MSG (RFC 5424 §6)
FORM = re.compile(r"<109>1 \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z [!-~]{1,255} pilothouse \d+ (event|head) - (\{.*\})")


class Collector:
    """Takes messages as a log collector does; can go away and come back at the same address."""

    def __init__(self, kind: str, folder: Path) -> None:
        self.kind, self.messages, self.path = kind, list[str](), str(folder / "log.sock")
        self.port = 0
        self.open()
        self.address = f"unix:{self.path}" if kind.startswith("unix") else f"{kind}://127.0.0.1:{self.port}"

    def open(self) -> None:
        family = socket.AF_UNIX if self.kind.startswith("unix") else socket.AF_INET
        is_stream = self.kind in ("tcp", "unix-stream")
        self.socket = socket.socket(family, socket.SOCK_STREAM if is_stream else socket.SOCK_DGRAM)
        if family is socket.AF_UNIX:
            Path(self.path).unlink(missing_ok=True)
            self.socket.bind(self.path)
        else:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self.socket.bind(("127.0.0.1", self.port))
            self.port = self.socket.getsockname()[1]
        if is_stream:
            self.socket.listen()
        self.thread = threading.Thread(target=self._stream if is_stream else self._datagrams, daemon=True)
        self.thread.start()

    def close(self) -> None:
        self.socket.shutdown(socket.SHUT_RDWR) if self.kind in ("tcp", "unix-stream") else self._wake()
        self.socket.close()
        self.thread.join(10)

    def lines(self, count: int) -> list[str]:
        """All messages, once there are so many; those with events come before heads, as they were sent."""
        deadline = time.monotonic() + 10
        while len(self.messages) < count and time.monotonic() < deadline:
            time.sleep(0.01)
        return list(self.messages)

    def _wake(self) -> None:
        self._going = True
        with socket.socket(self.socket.family, socket.SOCK_DGRAM) as knock:
            knock.sendto(b"", self.socket.getsockname())
        self.thread.join(10)

    def _datagrams(self) -> None:
        while data := self.socket.recv(65536):
            self.messages.append(data.decode("ascii"))

    def _stream(self) -> None:
        while True:
            try:
                peer, _ = self.socket.accept()
            except OSError:
                return
            with peer, peer.makefile("rb") as file:
                if self.kind == "unix-stream":
                    self.messages += [line.decode("ascii").rstrip("\n") for line in file]
                    continue
                while size := b"".join(iter(lambda: file.read(1).strip(), b"")):
                    self.messages.append(file.read(int(size)).decode("ascii"))


class TestSyslog(AuditSinkSuite):
    @pytest.fixture(params=["unix", "unix-stream", "udp", "tcp"])
    def collector(self, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Collector]:
        collector = Collector(request.param, tmp_path)
        yield collector
        collector.close()

    @pytest.fixture
    def sink(self, collector: Collector) -> AuditSink:
        return SyslogSink(collector.address)

    @pytest.fixture
    def again(self, collector: Collector) -> Callable[[], AuditSink]:
        return lambda: SyslogSink(collector.address)

    @pytest.fixture
    def kept(self, collector: Collector) -> Callable[[int], list[str]]:
        return collector.lines

    @pytest.fixture
    def away(self, collector: Collector) -> AbstractContextManager[object]:
        @contextmanager
        def gone() -> Iterator[None]:
            collector.close()
            yield
            collector.open()

        return gone()

    def test_messages_have_the_form_of_the_standard(self, sink: AuditSink, kept: Callable[[int], list[str]]) -> None:
        sink.append(head(1), [sealed(1)])
        assert [found[1] for line in kept(2) if (found := FORM.fullmatch(line))] == ["event", "head"]

    def test_heads_alone_are_sent_where_events_are_not_wished(
        self, collector: Collector, kept: Callable[[int], list[str]]
    ) -> None:
        sink = SyslogSink(collector.address, with_events=False)
        sink.append(head(1), [sealed(1)])
        sink.append(head(2), [sealed(2)])
        assert [FORM.fullmatch(line)[1] for line in kept(2)] == ["head", "head"]  # type: ignore[index]


def test_a_collector_that_takes_the_connection_and_nothing_more_is_given_up_in_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It keeps its half of the connection open: the sealer goes on after its patience."""
    monkeypatch.setattr("pilothouse.audit.sinks.syslog.PATIENCE_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        begin = time.monotonic()
        SyslogSink(f"tcp://127.0.0.1:{listening.getsockname()[1]}").append(head(1), [])
    assert time.monotonic() - begin < 5
