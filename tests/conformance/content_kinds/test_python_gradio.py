"""The kind keeps the contract."""

from __future__ import annotations

from pathlib import Path

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

    def test_the_usual_name_of_its_object_is_tried_first_and_nobody_is_told_of_its_use(
        self, kind: ContentKind, tmp_path: Path
    ) -> None:
        command = kind.command(self.launch(tmp_path, kind))
        assert "web.site:demo,app,application,create_app,make_app" in command.argv
        assert command.env["GRADIO_ANALYTICS_ENABLED"] == "False"
