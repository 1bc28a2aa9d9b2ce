"""Mails of a whole installation through a real mail server: what they say, where they lead, and that each goes out once."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from tests.doubles.mail_server import MailServer, Post, mail_server
from tests.factories.installation import Installation, installed, project, until

PASSWORD = "harbour-light-7"
SETTINGS = """[notify]
channel = "smtp"
smtp_host = "127.0.0.1"
smtp_port = {port}
smtp_tls = "none"
sender = "Pilothouse <pilothouse@veridia.example>"
"""


class Browser(httpx.Client):
    """One person's, without scripts: a form is sent with the token of the page it stands on."""

    def __init__(self, ph: Installation, name: str) -> None:
        super().__init__(base_url=ph.url, timeout=60, follow_redirects=True, headers={"origin": ph.url})
        self.name = name

    def follow(self, link: str) -> httpx.Response:
        """Open a mailed link: the sign-in stands before it, once, and leads on to it."""
        page = self.get(link)
        if page.url.path == "/__login__":
            assert page.url.params["url"] == httpx.URL(link).path
            form = {"username": self.name, "password": PASSWORD, "url": page.url.params["url"]}
            page = self.post("/__login__", data=form)
        assert page.url.path == httpx.URL(link).path, page.url
        return page

    def submit(self, page: httpx.Response, path: str, **fields: str) -> httpx.Response:
        found = re.search(r'<meta name="xsrf" content="([^"]+)"', page.text)
        assert found is not None
        answer = self.post(path, data=fields, headers={"x-rsc-xsrf": found[1]})
        assert answer.status_code == 200, answer.text
        return answer


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MailServer]:
    with mail_server(tmp_path_factory.mktemp("mail"), "none") as server:
        yield server


@pytest.fixture(scope="module")
def ph(server: MailServer) -> Iterator[Installation]:
    with installed(SETTINGS.format(port=server.port)) as made:
        made.add_person("amara", PASSWORD, "--role", "publisher", "--first-name", "Amara")
        made.add_person("clara", PASSWORD, "--first-name", "Clara")
        yield made


@pytest.fixture(scope="module")
def report(ph: Installation, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str, str]:
    """Its folder, the owner's key and its GUID."""
    made = ph.cli("key", "create", "--user", "amara", "--name", "laptop", "--home", str(ph.home), "--json").stdout
    key, folder = json.loads(made)["key"], project(tmp_path_factory.mktemp("apps") / "report", {"index.html": "1"})
    return folder, key, ph.deploy("html", folder, "--title", "Sales report", key=key).guid


def arrived(server: MailServer, count: int = 1) -> list[Post]:
    """The mails since the last call, once there are so many; and no more than that."""
    until(lambda: len(server.posts) >= count, 60)
    found, server.posts[:] = list(server.posts), []
    assert len(found) == count, [post.message.subject for post in found]
    return found


def link_of(post: Post) -> str:
    return re.findall(r"https?://\S+", post.message.text)[0]


def test_a_request_for_access_is_mailed_answered_from_the_mail_and_told(
    ph: Installation, server: MailServer, report: tuple[Path, str, str]
) -> None:
    guid, clara, amara = report[2], Browser(ph, "clara"), Browser(ph, "amara")
    page = clara.follow(f"{ph.url}/_/content/{guid}/ask")
    clara.submit(page, f"/_/content/{guid}/ask", words="For the audit\n<b>of</b> May")

    (post,) = arrived(server)
    assert post.to == ["amara@veridia.example"] and post.message.subject == "Clara asks to open Sales report"
    assert "> For the audit\n> <b>of</b> May" in post.message.text and "&lt;b&gt;" in post.message.html
    link = link_of(post)
    page = amara.follow(link)
    assert "Who asks for access" in page.text and f'action="{httpx.URL(link).path}"' in page.text
    amara.submit(page, httpx.URL(link).path, share="viewer", words="Welcome")

    (post,) = arrived(server)
    assert post.to == ["clara@veridia.example"] and post.message.subject == "You may open Sales report"
    assert "> Welcome" in post.message.text and "Sales report" in clara.follow(link_of(post)).text
    assert "Amara let Clara in." in amara.follow(link).text, "whoever comes later reads who was faster"


def test_who_reported_a_problem_hears_when_the_promised_fix_is_live(
    ph: Installation, server: MailServer, report: tuple[Path, str, str]
) -> None:
    folder, key, guid = report
    clara, amara = Browser(ph, "clara"), Browser(ph, "amara")
    ph.api("PATCH", f"v1/content/{guid}", key=key, json={"access_type": "logged_in"})
    base = f"/_/content/{guid}/questions"
    clara.submit(clara.follow(f"{ph.url}{base}"), base, kind="problem", words="May is missing")
    (post,) = arrived(server)
    assert post.to == ["amara@veridia.example"] and post.message.subject == "A problem with Sales report"

    link = link_of(post)
    amara.submit(amara.follow(link), httpx.URL(link).path, words="I see it.", promise="1")
    (post,) = arrived(server)
    assert post.to == ["clara@veridia.example"] and "The next version brings the fix." in post.message.text

    (folder / "index.html").write_text("2")
    ph.deploy("html", folder, "--app-id", guid, key=key)
    (post,) = arrived(server)
    assert post.to == ["clara@veridia.example"] and post.message.subject == "Fixed: Sales report"
    assert ">fixed<" in re.sub(r"</svg>|\s", lambda m: ">" if m[0] != " " else " ", clara.get("/").text)
    assert "The fix went live with a new version." in clara.follow(link_of(post)).text


def test_a_mail_server_that_is_away_delays_mails_and_nothing_else(
    ph: Installation, server: MailServer, report: tuple[Path, str, str]
) -> None:
    ph.api("PATCH", f"v1/content/{report[2]}", key=report[1], json={"access_type": "logged_in"})
    server.stop()
    try:
        found = json.loads(ph.cli("doctor", "--home", str(ph.home), "--json", check=False).stdout)
        row = next(row for row in found if row["what"] == "mail")
        assert row["state"] == "weak" and "can't be used" in row["finding"]
        refused = ph.cli("notify", "test", "jonas@veridia.example", "--home", str(ph.home), check=False)
        assert refused.returncode == 1 and "can't be used" in refused.stderr
        clara, base = Browser(ph, "clara"), f"/_/content/{report[2]}/questions"
        clara.submit(clara.follow(f"{ph.url}{base}"), base, words="Is anybody there?")
    finally:
        server.start()
    (post,) = arrived(server)
    assert post.to == ["amara@veridia.example"] and "Is anybody there?" in post.message.text
    ph.cli("notify", "test", "jonas@veridia.example", "--home", str(ph.home))
    assert arrived(server)[0].message.subject == "A test mail from Pilothouse"
    log = (ph.home / "logs" / "server.log").read_text()
    assert "veridia.example" not in log, "addresses never reach a log"
