"""What tests stand on: databases, a clock that stands still, and the suites that prove an implementation keeps its contract.

Shipped, so that authors of plug-ins can prove theirs the same way; nothing in `pilothouse` imports it. Fixtures are in
``database.py`` and ``clock.py``; a test suite asks for them with ``pytest_plugins``.
"""
