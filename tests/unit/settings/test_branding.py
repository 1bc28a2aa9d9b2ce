"""The company's look: what is refused at start, and with which words."""

from __future__ import annotations

from pathlib import Path

import pytest

from pilothouse.settings import SettingsInvalid, load
from pilothouse.settings.branding import DARK_CARD, WHITE, contrast, readable


def refused(tmp_path: Path, **options: str) -> str:
    with pytest.raises(SettingsInvalid) as error:
        load(tmp_path, flags={f"web.{name}": value for name, value in options.items()}, variables={})
    return str(error.value)


def test_contrast_is_that_of_the_standard() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


def test_an_accent_that_cannot_be_read_is_refused_with_a_better_one(tmp_path: Path) -> None:
    said = refused(tmp_path, accent="#ffcc00")
    assert "web.accent" in said and "1.5 to 1 with white text" in said and "such as #" in said
    better = said.rpartition("such as ")[2][:7]
    assert load(tmp_path, flags={"web.accent": better}, variables={}).settings.web.accent == better


def test_the_dark_look_is_checked_on_its_own_ground(tmp_path: Path) -> None:
    said = refused(tmp_path, accent_dark="#12395b")
    assert "web.accent_dark" in said and "dark look" in said
    assert contrast(readable("#12395b", DARK_CARD, WHITE), DARK_CARD) >= 4.5


@pytest.mark.parametrize("colour", ["red", "#12", "#gggggg", "0f8f83"])
def test_a_colour_has_six_digits(tmp_path: Path, colour: str) -> None:
    assert "such as #0f8f83" in refused(tmp_path, accent=colour)


def test_a_logo_is_a_small_picture_that_is_there(tmp_path: Path) -> None:
    (tmp_path / "big.png").write_bytes(b"x" * 300_000)
    (tmp_path / "logo.gif").write_bytes(b"x")
    assert "there is no file" in refused(tmp_path, logo=str(tmp_path / "none.svg"))
    assert "larger than 256 kB" in refused(tmp_path, logo=str(tmp_path / "big.png"))
    assert "must be a picture" in refused(tmp_path, logo=str(tmp_path / "logo.gif"))


def test_the_way_to_help_is_no_script(tmp_path: Path) -> None:
    assert "web.help_url" in refused(tmp_path, help_url="javascript:alert(1)")
