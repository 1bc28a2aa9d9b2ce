"""The kind keeps the contract."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.factories.bundles import BROKEN_MODULES

from pilothouse.content.contract import ContentKind
from pilothouse.content.kinds.python_gradio import PythonGradio
from pilothouse.testing.content import ContentKindSuite


class TestPythonGradio(ContentKindSuite):
    files = {"web/site.py": "service = 1\n"}
    manifest = {"entrypoint": "web.site"}
    broken = BROKEN_MODULES

    @pytest.fixture
    def kind(self) -> ContentKind:
        return PythonGradio()

    def test_the_usual_name_of_its_object_is_tried_first_and_nobody_is_told_of_its_use(
        self, kind: ContentKind, tmp_path: Path
    ) -> None:
        command = kind.command(self.launch(tmp_path, kind))
        assert "web.site:demo,app,application,create_app,make_app" in command.argv
        assert command.env["GRADIO_ANALYTICS_ENABLED"] == "False"
