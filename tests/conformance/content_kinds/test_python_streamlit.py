"""The kind keeps the contract."""

from __future__ import annotations

import pytest

from pilothouse.content.contract import ContentKind
from pilothouse.content.kinds.python_streamlit import PythonStreamlit
from pilothouse.testing.content import ContentKindSuite


class TestPythonStreamlit(ContentKindSuite):
    files = {"pages of mine/app.py": "import streamlit\n"}
    manifest = {"entrypoint": "pages of mine/app.py"}
    broken = {
        "no file": ({"main.py": ""}, {"entrypoint": "app.py"}, "there is main.py"),
        "outside": ({"app.py": ""}, {"entrypoint": "../app.py"}, "can't be read"),
        "an option": ({"app.py": ""}, {"entrypoint": "--server.port=1"}, "can't be read"),
    }

    @pytest.fixture
    def kind(self) -> ContentKind:
        return PythonStreamlit()
