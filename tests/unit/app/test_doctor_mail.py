"""What `pilothouse doctor` and `pilothouse notify test` say about the mail server; a real one on loopback answers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.doubles.mail_server import NOBODY, PASSWORD, USER, MailServer, mail_server
from typer.testing import CliRunner

from pilothouse.app.doctor import examine
from pilothouse.cli.commands import program
from pilothouse.settings import load

OPTIONS = """[notify]
channel = "smtp"
smtp_host = "localhost"
smtp_port = {port}
smtp_ca_file = "{certificate}"
smtp_user = "{user}"
smtp_password_file = "{home}/password"
sender = "Pilothouse <pilothouse@example.com>"
"""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[MailServer]:
    with mail_server(tmp_path / "mail", needs_login=True) as server:
        yield server


def settings(home: Path, server: MailServer, password: str = PASSWORD) -> Path:
    home.mkdir(exist_ok=True)
    (home / "password").write_text(password)
    (home / "password").chmod(0o600)
    text = OPTIONS.format(port=server.port, certificate=server.certificate, user=USER, home=home)
    (home / "pilothouse.toml").write_text(text)
    return home


def mail_row(home: Path) -> tuple[str, str]:
    [found] = [f for f in examine(load(home, variables={})) if f.what == "mail"]
    return found.state, found.finding


def notify(home: Path, address: str) -> tuple[int, str]:
    done = CliRunner().invoke(program, ["notify", "test", address, "--home", str(home)])
    return done.exit_code, f"{done.output}{done.exception or ''}"


def test_without_a_channel_none_is_sent_and_that_is_fine(tmp_path: Path) -> None:
    assert mail_row(tmp_path) == (
        "good",
        "None is sent. Set notify.channel if people should hear of requests and answers.",
    )
    code, words = notify(tmp_path, "amara@example.com")
    assert code == 1 and "notify.channel is not set" in words


def test_a_mail_server_that_lets_us_in_is_good_and_takes_a_test_mail(tmp_path: Path, server: MailServer) -> None:
    home = settings(tmp_path / "home", server)
    assert mail_row(home) == ("good", "The mail server lets us in.")
    assert server.posts == [], "the doctor sends nothing"
    assert notify(home, "amara@example.com") == (0, "mail: The mail server took it.\n")
    assert [post.message.subject for post in server.posts] == ["A test mail from Pilothouse"]


def test_one_that_refuses_us_is_weak_with_what_it_said_but_without_the_password(
    tmp_path: Path, server: MailServer
) -> None:
    home = settings(tmp_path / "home", server, "not-the-password")
    state, words = mail_row(home)
    assert state == "weak" and "535" in words and "not-the-password" not in words
    code, words = notify(home, "amara@example.com")
    assert code == 1 and "535" in words and "not-the-password" not in words


def test_one_that_is_away_is_weak(tmp_path: Path, server: MailServer) -> None:
    home = settings(tmp_path / "home", server)
    server.stop()
    try:
        state, words = mail_row(home)
        assert state == "weak" and f"localhost:{server.port} can't be used" in words
    finally:
        server.start()


@pytest.mark.parametrize(
    ("address", "words"), [(NOBODY, "550"), ("nobody", "not a mail address"), ("a@b\nBcc: c@d", "not a mail address")]
)
def test_an_address_that_takes_no_mail_is_told(tmp_path: Path, server: MailServer, address: str, words: str) -> None:
    code, said = notify(settings(tmp_path / "home", server), address)
    assert code == 1 and words in said and server.posts == []
