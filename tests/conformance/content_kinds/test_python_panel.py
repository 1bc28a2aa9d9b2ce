"""The kind keeps the contract."""

from __future__ import annotations

import pytest

from pilothouse.content.contract import ContentKind
from pilothouse.content.kinds.python_panel import PythonPanel
from pilothouse.testing.content import ContentKindSuite


class TestPythonPanel(ContentKindSuite):
    files = {"plant/board.py": ""}
    manifest = {"entrypoint": "plant.board"}
    broken = {
        "no file": ({"main.py": ""}, {"entrypoint": "app"}, "there is main.py"),
        "outside": ({"app.py": ""}, {"entrypoint": "../app"}, "can't be read"),
        "an option": ({"app.py": ""}, {"entrypoint": "--show"}, "can't be read"),
    }

    @pytest.fixture
    def kind(self) -> ContentKind:
        return PythonPanel()
