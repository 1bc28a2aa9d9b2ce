"""The kind keeps the contract."""

from __future__ import annotations

import pytest

from pilothouse.content.contract import ContentKind
from pilothouse.content.kinds.python_gradio import PythonGradio
from pilothouse.testing.content import ContentKindSuite


class TestPythonGradio(ContentKindSuite):
    files = {"web/site.py": "service = 1\n"}
    manifest = {"entrypoint": "web.site"}
    broken = {
        "no module": ({"main.py": ""}, {"entrypoint": "app:app"}, "app.py"),
        "outside": ({"app.py": ""}, {"entrypoint": "../app:app"}, "can't be read"),
        "odd": ({"app.py": ""}, {"entrypoint": "app:import os"}, "can't be read"),
    }

    @pytest.fixture
    def kind(self) -> ContentKind:
        return PythonGradio()
