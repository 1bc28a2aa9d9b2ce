"""Fixtures of all tests; the definitions stand beside what they are about in `pilothouse.testing`."""

from __future__ import annotations

pytest_plugins = ["pilothouse.testing.clock", "pilothouse.testing.database"]
