"""The kind keeps the contract."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.factories.bundles import BROKEN_FILES

from pilothouse.content.contract import ContentKind
from pilothouse.content.kinds.python_panel import PythonPanel
from pilothouse.testing.content import ContentKindSuite


class TestPythonPanel(ContentKindSuite):
    files = {"plant/board.py": ""}
    manifest = {"entrypoint": "plant.board"}
    broken = BROKEN_FILES

    @pytest.fixture
    def kind(self) -> ContentKind:
        return PythonPanel()

    def test_what_its_pages_hand_to_their_socket_is_signed_with_the_contents_secret(
        self, kind: ContentKind, tmp_path: Path
    ) -> None:
        launch = self.launch(tmp_path, kind)
        assert kind.command(launch).env == {"BOKEH_SIGN_SESSIONS": "yes", "BOKEH_SECRET_KEY": launch.secret}
        assert launch.secret not in repr(launch)
