"""``python -I -m pilothouse.launcher.backends.runner PLAN``: exit code 3 when it can't begin, with one sentence on stderr."""

from __future__ import annotations

import sys
from pathlib import Path

from pilothouse.base.errors import PilothouseError
from pilothouse.launcher import runner_plan
from pilothouse.launcher.backends.runner.serve import Runner

CANNOT_BEGIN = 3


def main() -> int:
    try:
        Runner(runner_plan.read(Path(sys.argv[1]))).run()
    except (PilothouseError, OSError, ValueError, KeyError, TypeError) as error:
        sys.stderr.write(f"pilothouse runner: {error}\n")
    return CANNOT_BEGIN


if __name__ == "__main__":
    sys.exit(main())
