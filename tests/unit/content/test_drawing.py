from __future__ import annotations

import re

import pytest

from pilothouse.content.pages.drawing import HEIGHT, WIDTH, drawing


@pytest.mark.parametrize("icon", ["api", "file-text", "chart-dots", "circle-dashed"])
def test_a_drawing_stays_near_its_field_and_leaves_room_for_the_icon(icon: str) -> None:
    for n in range(200):
        for _, path in drawing(f"Report {n}", icon=icon, kind_tint=0, department="").paths:
            for x, y, width, height in re.findall(r"M(\d+) (\d+)h(\d+)v(\d+)h-\d+z", path):
                assert int(x) > 80 and int(x) + int(width) <= WIDTH + 8
                assert int(y) > 20 and int(y) + int(height) <= HEIGHT + 12


def test_the_same_words_give_the_same_picture_and_others_another() -> None:
    def drawn(title: str, department: str = "") -> object:
        return drawing(title, icon="chart-dots", kind_tint=1, department=department)

    assert drawn("Plant monitor") == drawn("Plant monitor")
    assert drawn("Plant monitor") != drawn("Plant monitor 2")
    assert drawing("x", icon="api", kind_tint=3, department="").tint == 3
    assert drawn("x", "Quality") == drawn("x", "quality")
