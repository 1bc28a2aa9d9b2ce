"""Pilothouse: one server that gives a company its central data-science platform.

Start reading at ``ARCHITECTURE.md``; ``app.py`` is the one place where the rooms are put together.
"""

__version__ = "0.1.0.dev0"
