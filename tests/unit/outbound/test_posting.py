"""What is posted goes to the address that was checked, under the name that was given, and nowhere else (SECURITY 22)."""

from __future__ import annotations

import contextlib
import http.server
import threading
from collections.abc import Iterator
from ipaddress import ip_address, ip_network

import pytest

from pilothouse.outbound import AddressRefused, Outbound, Unreachable, check_address
from pilothouse.outbound.addresses import is_in, is_inside

LOOPBACK = "127.0.0.0/8"


@pytest.mark.parametrize("address", ["100.100.100.200", "::127.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe"])
def test_further_forms_of_what_is_inside(address: str) -> None:
    assert is_inside(ip_address(address))


def test_a_network_holds_an_address_in_every_form() -> None:
    networks = [ip_network(LOOPBACK)]
    assert is_in(ip_address("127.0.0.1"), networks) and is_in(ip_address("::ffff:127.0.0.1"), networks)
    assert not is_in(ip_address("::1"), networks)


@pytest.mark.parametrize(
    "url",
    ["ftp://x.example/", "https:///path", "//x.example", "https://user:word@x.example/", "https://x.example:0/", "https://x.exa mple/",
     "https://x.example:99999/", "javascript:alert(1)", "", "https://x.example/\r\nhost:y"],
)  # fmt: skip
def test_what_is_no_plain_address_is_refused(url: str) -> None:
    with pytest.raises(AddressRefused):
        check_address(url)
    with pytest.raises(AddressRefused):
        Outbound(resolve=lambda host, port: ["93.184.216.34"]).post(url, b"")


def test_a_name_with_one_bad_address_is_refused() -> None:
    with pytest.raises(AddressRefused):
        Outbound(resolve=lambda host, port: ["93.184.216.34", "127.0.0.1"]).post("https://rebind.example/", b"")


@contextlib.contextmanager
def serving(status: int, fields: dict[str, str], body: bytes) -> Iterator[tuple[int, list[str]]]:
    heard: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            size = int(self.headers.get("content-length") or 0)
            heard.append(f"{self.headers['host']}{self.path} {self.rfile.read(size).decode()}")
            self.send_response(status)
            for name, value in {**fields, "content-length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            with contextlib.suppress(OSError):
                self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_port, heard
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_the_address_that_was_checked_is_called_under_the_name_that_was_given() -> None:
    asked: list[str] = []

    def resolve(host: str, port: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"]

    with serving(400, {}, b'{"error": "x"}') as (port, heard):
        answer = Outbound([LOOPBACK], resolve=resolve).post(f"http://provider.example:{port}/x?a=1", b"a=b")
    assert (answer.status, answer.json(), asked) == (400, {"error": "x"}, ["provider.example"])
    assert heard == [f"provider.example:{port}/x?a=1 a=b"]


def test_what_is_posted_is_not_carried_on_by_a_redirect() -> None:
    with serving(307, {"location": "/b"}, b"") as (port, heard):
        assert Outbound([LOOPBACK]).post(f"http://127.0.0.1:{port}/token", b"secret").status == 307
    assert len(heard) == 1


def test_no_end_of_an_answer_is_waited_for() -> None:
    with serving(200, {}, b"x" * (1024 * 1024 + 1)) as (port, _), pytest.raises(Unreachable):
        Outbound([LOOPBACK]).post(f"http://127.0.0.1:{port}/", b"")
    with serving(200, {}, b"<") as (port, _), pytest.raises(Unreachable):
        Outbound([LOOPBACK]).post(f"http://127.0.0.1:{port}/", b"").json()
