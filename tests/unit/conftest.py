"""An app with all pages and a visitor of it, for the tests of every room's pages."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI
from tests.factories.pages_app import BASE, Visitor, add_people, pages_app

from pilothouse.db import Database


@pytest.fixture
def app(sqlite_database: Database, tmp_path: Path) -> FastAPI:
    """All pages over an empty database with four people in it."""
    app = pages_app(sqlite_database, tmp_path)
    add_people(app)
    return app


@pytest.fixture
def visitor(app: FastAPI) -> Iterator[Visitor]:
    """A browser without scripts, not signed in."""
    with Visitor(app, base_url=BASE) as found:
        yield found
