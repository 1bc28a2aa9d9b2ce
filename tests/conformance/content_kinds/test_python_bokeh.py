"""The kind keeps the contract."""

from __future__ import annotations

import pytest

from pilothouse.content.contract import ContentKind
from pilothouse.content.kinds.python_bokeh import PythonBokeh
from pilothouse.testing.content import ContentKindSuite


class TestPythonBokeh(ContentKindSuite):
    files = {"board/main.py": "", "board/theme.yaml": ""}
    manifest = {"entrypoint": "board"}
    broken = {
        "no file": ({"main.py": ""}, {"entrypoint": "app"}, "there is main.py"),
        "outside": ({"app.py": ""}, {"entrypoint": "../app"}, "can't be read"),
        "an option": ({"app.py": ""}, {"entrypoint": "--show"}, "can't be read"),
    }

    @pytest.fixture
    def kind(self) -> ContentKind:
        return PythonBokeh()
