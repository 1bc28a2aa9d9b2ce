"""The kind keeps the contract."""

from __future__ import annotations

import pytest
from tests.factories.bundles import BROKEN_MODULES

from pilothouse.content.contract import ContentKind
from pilothouse.content.kinds.python_dash import PythonDash
from pilothouse.testing.content import ContentKindSuite


class TestPythonDash(ContentKindSuite):
    files = {"web/site.py": "service = 1\n"}
    manifest = {"entrypoint": "web.site:service"}
    broken = BROKEN_MODULES

    @pytest.fixture
    def kind(self) -> ContentKind:
        return PythonDash()
