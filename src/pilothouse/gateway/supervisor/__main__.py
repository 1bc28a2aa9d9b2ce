"""``python -I -m pilothouse.gateway.supervisor PLAN``: exit code 3 when it can't begin, with one sentence on stderr."""

from __future__ import annotations

import sys
from pathlib import Path

from pilothouse.gateway.supervisor.listening import SocketUnusable
from pilothouse.gateway.supervisor.loop import AlreadyRunning, Supervisor
from pilothouse.gateway.supervisor.plan import PlanUnreadable
from pilothouse.gateway.supervisor.ports import PortTaken

CANNOT_BEGIN = 3


def main() -> int:
    try:
        return Supervisor(Path(sys.argv[1])).run()
    except (AlreadyRunning, PlanUnreadable, PortTaken, SocketUnusable) as error:
        sys.stderr.write(f"pilothouse: {error}\n")
        return CANNOT_BEGIN


if __name__ == "__main__":
    sys.exit(main())
