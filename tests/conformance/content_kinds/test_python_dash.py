"""The kind keeps the contract."""

from __future__ import annotations

import pytest

from pilothouse.content.contract import ContentKind
from pilothouse.content.kinds.python_dash import PythonDash
from pilothouse.testing.content import ContentKindSuite


class TestPythonDash(ContentKindSuite):
    files = {"web/site.py": "service = 1\n"}
    manifest = {"entrypoint": "web.site:service"}
    broken = {
        "no module": ({"main.py": ""}, {"entrypoint": "app:app"}, "app.py"),
        "outside": ({"app.py": ""}, {"entrypoint": "../app:app"}, "can't be read"),
        "odd": ({"app.py": ""}, {"entrypoint": "app:import os"}, "can't be read"),
    }

    @pytest.fixture
    def kind(self) -> ContentKind:
        return PythonDash()
