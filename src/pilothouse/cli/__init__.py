"""The ``pilothouse`` command: argument parsing only. Each file holds the commands of one noun.

``main`` is the entry point. Commands import what they need when they run, so that ``pilothouse --help`` stays quick.
"""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line; errors of the house end as one sentence on stderr and exit code 1."""
    from pilothouse.base.errors import PilothouseError
    from pilothouse.cli.commands import program

    _quiet()
    try:
        program()
    except PilothouseError as error:
        print(f"pilothouse: {error}", file=sys.stderr)  # noqa: T201 - a command line talks to its user
        sys.exit(1)


def _quiet() -> None:
    """Commands print what they are asked for; events of the rooms below matter to them from warnings on."""
    import logging

    import structlog

    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
