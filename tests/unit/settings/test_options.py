"""Every option is typed, documented and closed; the example file is valid."""

from __future__ import annotations

import pytest
from pydantic import BaseModel, SecretStr, ValidationError

from pilothouse.settings import Settings
from pilothouse.settings.layers import SECTIONS
from pilothouse.settings.options import Gateway, LoadGroup, StageOption, TrustedIssuer

MODELS: list[type[BaseModel]] = [*SECTIONS.values(), LoadGroup, StageOption, TrustedIssuer]


@pytest.mark.parametrize("model", MODELS, ids=lambda m: m.__name__)
def test_every_option_says_what_it_does(model: type[BaseModel]) -> None:
    assert model.__doc__
    for name, field in model.model_fields.items():
        assert field.description, f"{model.__name__}.{name} has no sentence"
        assert field.description.rstrip().endswith((".", "?")), f"{model.__name__}.{name}: {field.description}"


@pytest.mark.parametrize("model", MODELS, ids=lambda m: m.__name__)
def test_no_section_takes_unknown_options_or_can_be_changed(model: type[BaseModel]) -> None:
    assert model.model_config.get("extra") == "forbid"
    assert model.model_config.get("frozen") is True


def test_every_secret_may_also_be_given_as_a_file() -> None:
    for room, section in SECTIONS.items():
        for name, field in section.model_fields.items():
            if SecretStr in getattr(field.annotation, "__args__", (field.annotation,)):
                assert f"{name}_file" in section.model_fields, f"{room}.{name}"


def test_settings_can_not_be_changed_after_they_were_read() -> None:
    with pytest.raises(ValidationError):
        Settings().server.port = 1


def test_settings_survive_a_round_trip() -> None:
    assert Settings.model_validate_json(Settings().model_dump_json()) == Settings()


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("10.0.0.0/8", "10.0.0.0/8"),
        (" 192.0.2.7 ", "192.0.2.7/32"),
        ("2001:DB8::/32", "2001:db8::/32"),
        ("::1", "::1/128"),
    ],
)
def test_a_trusted_proxy_is_an_address_or_a_network(given: str, kept: str) -> None:
    assert Gateway(trusted_proxies=[given]).trusted_proxies == [kept]


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ("proxy.example", "address or a network"),
        ("10.0.0.0/33", "address or a network"),
        ("10.0.0.1,10.0.0.2", "address or a network"),
        ("", "address or a network"),
        ("fe80::1%eth0", "address or a network"),
        ("10.0.0.1/8", "bits behind its mask"),
        ("0.0.0.0/0", "every address"),
        ("::/0", "every address"),
        ("::ffff:10.0.0.1", "written as such"),
    ],
)
def test_a_wrong_trusted_proxy_is_refused_with_what_to_write(given: str, why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        Gateway(trusted_proxies=["10.0.0.0/8", given])


@pytest.mark.parametrize(
    "address",
    [
        "unix:/dev/log",
        "udp://10.1.2.3:514",
        "tcp://logs.veridia.example:601",
        "tcp://[2001:db8::1]:601",
        "udp://collector",
    ],
)
def test_a_log_collector_is_a_path_or_an_address(address: str) -> None:
    assert Settings.model_validate({"audit": {"syslog": address}}).audit.syslog == address


@pytest.mark.parametrize(
    "address",
    ["", "/dev/log", "unix:dev/log", "unix://host/log", "http://logs", "tcp://", "tcp://host:0", "tcp://host:70000", "tcp://host:x",
     "udp://host/path", "tcp://user:password@host", "tcp://host?x", "unix:/a\nb", "tcp://[::1"],
)  # fmt: skip
def test_what_is_no_log_collector_is_refused_with_an_example(address: str) -> None:
    with pytest.raises(ValidationError, match="such as unix:/dev/log"):
        Settings.model_validate({"audit": {"syslog": address}})


@pytest.mark.parametrize("version", ["2024.01.0", "2026.06.0", "2099.12", "2026", "1.2.3.4"])
def test_a_version_that_clients_read_alike_is_taken(version: str) -> None:
    assert Settings.model_validate({"connect_api": {"version": version}}).connect_api.version == version


@pytest.mark.parametrize(
    "version",
    ["", "2026.06.0-dev", "v2026.06", "2026.06.0+x", "2026..1", "2026.06.0\n", "٢.٣", "1!2.3", "1.2.3.4.5"],
)
def test_a_version_that_they_read_differently_is_refused_with_a_sentence(version: str) -> None:
    with pytest.raises(ValidationError, match=r"numbers with dots between them, as 2026\.06\.0"):
        Settings.model_validate({"connect_api": {"version": version}})


ISSUER = {"key": "ci", "issuer": "https://ci.example", "claims": {"repository": "acme/models"}, "username": "ci.robot"}


@pytest.mark.parametrize(
    ("rules", "words"),
    [
        ([ISSUER, ISSUER], "no key twice"),
        ([ISSUER | {"stages": ["nowhere"]}], "names the stage nowhere"),
        ([ISSUER | {"claims": {}}], "at least 1 item"),
        ([ISSUER | {"issuer": "ci.example"}], "must be an address"),
        ([ISSUER | {"jwks_uri": "file:///etc/passwd"}], "must be an address"),
        ([ISSUER | {"role": "administrator"}], "viewer"),
        ([ISSUER | {"lifetime": "25h"}], "less than or equal"),
    ],
)
def test_a_trusted_issuer_that_trusts_too_much_or_nobody_is_refused(rules: list[dict[str, object]], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        Settings.model_validate({"trusted_issuers": rules})
