"""The company's look on pages."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from fastapi import FastAPI
from tests.factories.pages_app import Visitor

from pilothouse.asgi.branding import branding, style_sheet
from pilothouse.settings.branding import Web, contrast


def test_name_picture_notice_and_help_stand_on_the_pages(app: FastAPI, visitor: Visitor, tmp_path: Path) -> None:
    logo = tmp_path / "logo.svg"
    logo.write_text('<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>')
    options = Web(
        title="Veridia Analytics",
        logo=logo,
        accent="#7a1fa2",
        login_notice="For <staff> only.",
        help_url="https://help.example/",
    )
    app.state.branding = branding(options)
    page = visitor.get("/__login__").text
    assert "<title>Sign in · Veridia Analytics</title>" in page and "For &lt;staff&gt; only." in page
    assert 'href="https://help.example/"' in page and "Pilothouse" not in page
    picture = visitor.get(re.findall(r'src="(/static/branding-logo[^"]*)"', page)[0])
    assert (
        picture.headers["content-type"].startswith("image/svg+xml")
        and "sandbox" in picture.headers["content-security-policy"]
    )
    sheet = visitor.get(re.findall(r'href="(/static/branding.css[^"]*)"', page)[0])
    assert "--ph-accent-fill: #7a1fa2" in sheet.text and "immutable" in sheet.headers["cache-control"]


def test_without_options_nothing_is_added(visitor: Visitor) -> None:
    page = visitor.get("/__login__").text
    assert "branding" not in page and "· Pilothouse</title>" in page


@pytest.mark.parametrize("accent", ["#7a1fa2", "#0b5fff", "#b32a24", "#000000", "#757575", "#0b7a70"])
def test_text_in_any_allowed_accent_can_be_read_on_its_soft_ground_in_both_looks(accent: str) -> None:
    sheet = style_sheet(Web(accent=accent))
    pairs = re.findall(r"--ph-accent-ink: (#\w+); --ph-accent-soft: (#\w+)", sheet)
    assert len(pairs) == 2
    for ink, soft in pairs:
        assert contrast(ink, soft) >= 4.5
    light, dark = pairs
    assert contrast(light[0], "#f7f9fb") >= 4.5 and contrast(dark[0], "#132230") >= 4.5
