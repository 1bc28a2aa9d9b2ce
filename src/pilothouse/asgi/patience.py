"""Work that waits, apart from the threads that answer everybody else."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from anyio import CapacityLimiter, to_thread

T = TypeVar("T")
THREADS = 64
_limiter = CapacityLimiter(THREADS)


async def apart(work: Callable[[], T]) -> T:
    """What ``work`` returns, run in one of `THREADS` threads of its own: a crowd of it keeps no other request waiting."""
    return await to_thread.run_sync(work, limiter=_limiter)
