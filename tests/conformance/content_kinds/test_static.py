"""The kind keeps the contract."""

from __future__ import annotations

import pytest

from pilothouse.content.contract import ContentKind
from pilothouse.content.kinds.static import Static
from pilothouse.testing.content import ContentKindSuite


class TestStatic(ContentKindSuite):
    files = {"report.html": "<p>"}
    manifest = {"primary_html": "report.html"}
    broken = {
        "no page": ({"readme.txt": ""}, {}, "index.html"),
        "another page": ({"index.html": ""}, {"primary_html": "gone.html"}, "gone.html"),
        "outside": ({"index.html": ""}, {"primary_html": "../../etc/passwd"}, "not in the bundle"),
    }

    @pytest.fixture
    def kind(self) -> ContentKind:
        return Static()
