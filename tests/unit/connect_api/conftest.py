"""The control plane of an empty installation, on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.factories.control_plane import Asked, control_plane

from pilothouse.db import Database


@pytest.fixture
def server(database: Database, tmp_path: Path) -> Iterator[Asked]:
    """Composed as the real one, with a launcher that keeps everything in memory."""
    made = control_plane(tmp_path / "home", database)
    yield made
    made.database.close()
