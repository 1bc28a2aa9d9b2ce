"""The kind keeps the contract, for Core and Express."""

from __future__ import annotations

from pathlib import Path

import pytest

from pilothouse.content.contract import ContentKind
from pilothouse.content.kinds.python_shiny import PythonShiny
from pilothouse.testing.content import ContentKindSuite


class TestPythonShiny(ContentKindSuite):
    files = {"app.py": "app = 1\n"}
    manifest = {"entrypoint": "app:app"}
    broken = {
        "no module": ({"main.py": ""}, {"entrypoint": "app:app"}, "app.py"),
        "no express file": ({"main.py": ""}, {"entrypoint": "shiny.express.app:app_2e_py"}, "app.py"),
    }

    @pytest.fixture
    def kind(self) -> ContentKind:
        return PythonShiny()

    def test_express_files_keep_their_escaped_names(self, kind: ContentKind, tmp_path: Path) -> None:
        kind.validate(
            self.project(tmp_path, kind, {"my-app.py": ""}, {"entrypoint": "shiny.express.app:my_2d_app_2e_py"})
        )
