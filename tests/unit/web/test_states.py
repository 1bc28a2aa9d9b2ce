from __future__ import annotations

import base64
import hashlib
import re
from pathlib import Path

import pytest

from pilothouse.settings.branding import Web, contrast
from pilothouse.web.states import StatePages

states = StatePages(Web())
PAGES = {
    "starting": states.starting("Plant <b>monitor</b>"),
    "failed": states.failed("Plant <b>monitor</b>"),
    "failed-owner": states.failed("Plant <b>monitor</b>", reason="<i>No module</i>", log_url="/_/content/x/log"),
    "not_found": states.not_found(),
    "denied": states.denied(owner="Amara <Okoye>", ask_url="mailto:a@veridia.example"),
    "busy": states.busy("Plant <b>monitor</b>"),
    "unavailable": states.unavailable(),
}


@pytest.mark.parametrize("name", PAGES)
def test_a_page_loads_nothing_and_its_style_and_script_are_the_ones_allowed(name: str) -> None:
    html = PAGES[name].decode()
    policy = states.headers["Content-Security-Policy"]
    assert re.search(r"<style>.*</style>", html, re.DOTALL)
    for kind, pattern in (("style", r"<style>(.*)</style>"), ("script", r"<script [^>]*>(.*)</script>")):
        for found in re.findall(pattern, html, re.DOTALL):
            digest = base64.b64encode(hashlib.sha256(found.encode()).digest()).decode()
            assert f"{kind}-src 'sha256-{digest}'" in policy
    assert "src=" not in html and "url(" not in html and policy.startswith("default-src 'none'")


@pytest.mark.parametrize("name", PAGES)
def test_titles_and_reasons_are_text(name: str) -> None:
    html = PAGES[name].decode()
    assert "<b>" not in html and "<Okoye>" not in html and "<i>No" not in html


def test_the_progress_page_looks_again_by_itself() -> None:
    html = PAGES["starting"].decode()
    assert '<script data-wait-s="2">' in html and '<noscript><meta http-equiv="refresh" content="2"></noscript>' in html
    assert "<script" not in PAGES["failed"].decode()


def said(page: bytes) -> list[str]:
    """What its lines of phases say, the present one with an arrow before it."""
    lines = re.findall(r"<li([^>]*)>(.*?)</li>", page.decode())
    return [("→ " if "aria-current" in marks else "") + re.sub(r"<[^>]+>", " ", text).strip() for marks, text in lines]


def test_a_start_shows_its_phases_and_how_long_each_takes() -> None:
    assert said(states.starting("x", {"queued": 7.9})) == ["→ Waiting for its turn 7 s", "Starting", "Ready"]
    going_on = states.starting("x", {"queued": 0.0, "starting": 65.2, "usual": 4.4})
    assert said(going_on) == ["Waiting for its turn 0 s", "→ Starting 1 min 5 s", "Ready last time after 4 s"]
    assert said(PAGES["starting"]) == [], "nothing is made up"


def test_viewers_read_plain_words_and_owners_the_reason_and_where_the_log_is() -> None:
    assert "log" not in re.sub(r"<style>.*</style>", "", PAGES["failed"].decode(), flags=re.DOTALL).replace(
        "in its log", ""
    )
    assert "No module" in PAGES["failed-owner"].decode() and 'href="/_/content/x/log"' in PAGES["failed-owner"].decode()


def test_a_refusal_says_whom_to_ask() -> None:
    assert 'href="mailto:a@veridia.example"' in PAGES["denied"].decode()


def test_they_speak_german_as_well() -> None:
    assert "Das startet gerade" in states.starting("x", language="de").decode()
    phases = said(states.starting("x", {"queued": 1, "starting": 2, "usual": 4}, language="de"))
    assert phases == ["In der Warteschlange 1 s", "→ Startet 2 s", "Bereit beim letzten Mal nach 4 s"]
    assert "sobald ein Platz frei ist" in states.busy("x", language="de").decode()


def test_they_carry_the_companys_name_picture_and_colour(tmp_path: Path) -> None:
    logo = tmp_path / "logo.svg"
    logo.write_text('<svg xmlns="http://www.w3.org/2000/svg"><circle r="4"/></svg>')
    pages = StatePages(Web(title="Veridia <Analytics>", logo=logo, accent="#7a1fa2"))
    html = pages.not_found().decode()
    assert "Veridia &lt;Analytics&gt;" in html and "Pilothouse" not in html
    assert 'src="data:image/svg+xml;base64,' in html and "img-src data:" in pages.headers["Content-Security-Policy"]
    assert "--accent:#7a1fa2" in html
    dark = re.search(r"dark\)\{:root\{--mark:(#\w{6})", html)
    assert dark is not None and contrast(dark[1], "#132230") >= 4.5
    logo.write_bytes(b"x" * 30_000)
    assert "<img" not in StatePages(Web(logo=logo)).not_found().decode()


def test_home_is_where_the_visitor_came_from() -> None:
    for html in (states.not_found(home_url="https://d/prod/"), states.denied(home_url="https://d/prod/")):
        assert 'href="https://d/prod/"' in html.decode()
