from __future__ import annotations

import re
from html.parser import HTMLParser
from types import SimpleNamespace

import pytest
from tests.factories.page_samples import Sample, samples

from pilothouse.asgi.origins import Origins
from pilothouse.asgi.places import places
from pilothouse.asgi.rendering import PACKAGE, Frame, origins_beside, policy, templates
from pilothouse.base.access import ANONYMOUS, Principal, Role
from pilothouse.stages import StageRef

SOMEONE = Principal(id=1, role=Role.ADMINISTRATOR, username="amara.okoye")
STAGE = SimpleNamespace(key="dev", title="Development", path="/")


def rendered(sample: Sample) -> str:
    caller = sample.reader
    frame = Frame(caller, STAGE, (STAGE,), places(caller), "/", "token", sample.language)
    return templates(sample.language).get_template(sample.template).render(frame=frame, **sample.values)


class Tags(HTMLParser):
    """Every tag with its attributes."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


@pytest.mark.parametrize("sample", samples(), ids=lambda s: s.name)
def test_a_page_obeys_its_own_policy(sample: Sample) -> None:
    html = rendered(sample)
    assert "<style" not in html
    assert not re.search(r"<script(?![^>]*\bsrc=)", html)
    for tag, attributes in Tags(html).found:
        assert "style" not in attributes, tag
        assert not any(name.startswith(("on", "hx-on")) for name in attributes), (tag, attributes)
        trigger = attributes.get("hx-trigger") or ""
        assert "[" not in trigger, "a filter of htmx is evaluated text"


@pytest.mark.parametrize("sample", samples(), ids=lambda s: s.name)
def test_a_page_can_be_used_with_a_keyboard_and_read_aloud(sample: Sample) -> None:
    tags = Tags(rendered(sample)).found
    assert sum(tag == "h1" for tag, _ in tags) == 1
    assert sum(tag == "main" for tag, _ in tags) == 1
    labelled = {a.get("for") for tag, a in tags if tag == "label"}
    for tag, a in tags:
        if tag in ("input", "select") and a.get("type") not in ("hidden", "radio"):
            assert a.get("id") in labelled, a
    ids = [a["id"] for _, a in tags if a.get("id")]
    assert len(ids) == len(set(ids)), [i for i in ids if ids.count(i) > 1]


@pytest.mark.parametrize("sample", samples(), ids=lambda s: s.name)
def test_forms_that_change_something_are_sent_with_the_token(sample: Sample) -> None:
    """By htmx, which adds the header; or as its first field, where the answer may lead to another origin."""
    found = Tags(rendered(sample)).found
    for n, (tag, a) in enumerate(found):
        if tag == "form" and a.get("method") == "post" and a.get("action") != "/__login__":
            assert a.get("hx-post") == a.get("action") or found[n + 1][1].get("name") == "xsrf"


def test_the_policy_names_the_content_origin_for_frames_and_for_going_on_after_signing_in_only() -> None:
    words = policy("http://localhost:3940").split("; ")
    assert "frame-src 'self' http://localhost:3940" in words
    assert "form-action 'self' http://localhost:3940" in words
    assert sum("3940" in word for word in words) == 2
    assert not any("unsafe" in word for word in words)


def test_the_rail_shows_only_what_exists_for_the_reader() -> None:
    assert places(ANONYMOUS) == ()
    assert [p.name for p in places(Principal(id=1, role=Role.PUBLISHER))] == ["Home", "Content", "Data", "People"]
    assert [p.name for p in places(SOMEONE)] == ["Home", "Content", "Data", "People", "Administration"]


def test_templates_never_mark_anything_as_safe() -> None:
    for file in PACKAGE.glob("*/templates/**/*.html"):
        assert "|safe" not in file.read_text().replace(" ", "") and "autoescape" not in file.read_text(), file


def test_content_is_framed_from_the_host_that_the_visitor_uses() -> None:
    stages = SimpleNamespace(all=lambda: [StageRef(1, "dev", "Development", "/", None, 0)])

    def asked(origins: Origins) -> SimpleNamespace:
        app = SimpleNamespace(state=SimpleNamespace(origins=origins, stages=stages))
        return SimpleNamespace(app=app, headers={"host": "127.0.0.1:3939"})

    named = Origins("https://pilot.example", port=3939, content_port=3940, is_fixed=True, content_host="apps.example")
    assert "https://apps.example" in origins_beside(asked(named)).split()  # type: ignore[arg-type]
    by_port = Origins("http://localhost:3939", port=3939, content_port=3940)
    assert origins_beside(asked(by_port)) == "http://127.0.0.1:3940"  # type: ignore[arg-type]
