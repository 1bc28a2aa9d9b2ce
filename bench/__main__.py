"""`python -m bench`: every subject, one table, and what machine it was."""

from __future__ import annotations

import logging
import os
import platform
import sys
from collections.abc import Iterator, Sequence
from importlib import import_module
from pathlib import Path

import structlog

from bench.rows import Row, pace, show

#: Each is a module here with a function ``rows``.
SUBJECTS = ("door", "gateway", "sockets", "deploys", "starts", "content_list", "company")


def machine() -> str:
    """What figures depend on, in one line."""
    model = next(
        (line.partition(":")[2].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")),
        platform.machine(),
    )
    memory = next((int(line.split()[1]) // 2**20 for line in _lines("/proc/meminfo") if line.startswith("MemTotal")), 0)
    return (
        f"{len(os.sched_getaffinity(0))} × {model}, {memory} GB, Linux {platform.release()}, "
        f"Python {platform.python_version()}, load before {os.getloadavg()[0]:.1f}"
    )


def rows(subjects: Sequence[str]) -> Iterator[Row]:
    for name in subjects:
        yield pace()
        yield from import_module(f"bench.{name}").rows()
    yield pace()


def _lines(file: str) -> list[str]:
    return Path(file).read_text().splitlines()


if __name__ == "__main__":
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    chosen = [name for name in SUBJECTS if name in sys.argv[1:]] or SUBJECTS
    print(machine(), end="\n\n")
    show(rows(chosen))
