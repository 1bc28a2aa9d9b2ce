"""Where the server goes when it asks another one, and where it does not (SECURITY 22)."""

from __future__ import annotations

from ipaddress import ip_address

import pytest
from tests.factories.issuer import issuer

from pilothouse.outbound import AddressRefused, Outbound, Unreachable
from pilothouse.outbound.addresses import is_inside
from pilothouse.outbound.client import SIZE_LIMIT

INSIDE = [
    "127.0.0.1", "127.8.9.1", "0.0.0.0", "0.1.2.3", "169.254.169.254", "224.0.0.1", "255.255.255.255", "::1", "::", "fe80::1", "ff02::1",
    "::ffff:127.0.0.1", "::ffff:169.254.169.254", "fd00:ec2::254", "2002:7f00:1::",
]  # fmt: skip


@pytest.mark.parametrize("text", INSIDE)
def test_addresses_of_this_machine_are_inside_in_every_form(text: str) -> None:
    assert is_inside(ip_address(text))


@pytest.mark.parametrize(
    "text", ["10.1.2.3", "192.168.1.1", "140.82.112.3", "2606:50c0:8000::153", "::ffff:140.82.112.3"]
)
def test_others_are_not(text: str) -> None:
    assert not is_inside(ip_address(text))


@pytest.mark.parametrize(
    "url",
    [
        "https://127.0.0.1/", "http://127.0.0.1:1/", "https://localhost/", "https://[::1]/", "https://2130706433/", "http://10.1.2.3/", "ftp://10.1.2.3/",
        "file:///etc/passwd", "https://", "https://user@10.1.2.3/", "https://10.1.2.3:99999/",
    ],
)  # fmt: skip
def test_it_does_not_go_where_it_must_not(url: str) -> None:
    with pytest.raises(AddressRefused):
        Outbound().get_json(url)


def test_it_goes_where_the_settings_allow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    with issuer() as found:
        allowed = Outbound(["127.0.0.0/8"])
        assert allowed.get_json(f"{found.url}/keys") == {"keys": found.keys}
        with pytest.raises(AddressRefused):
            Outbound(["10.0.0.0/8"]).get_json(f"{found.url}/keys")
        with pytest.raises(Unreachable):
            allowed.get_json(f"{found.url}/nothing")
        found.document = "x" * SIZE_LIMIT
        with pytest.raises(Unreachable):
            allowed.get_json(f"{found.url}/.well-known/openid-configuration")
    with pytest.raises(Unreachable):
        allowed.get_json(f"{found.url}/keys")
