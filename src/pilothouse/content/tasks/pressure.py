"""When the machine is short of memory, frozen workers make room: to swap first, the longest frozen before others; then they end."""

from __future__ import annotations

from collections.abc import Sequence

import structlog

from pilothouse.content.models import Worker
from pilothouse.content.tasks.engines import ContentEngines
from pilothouse.launcher.contract import LooksAfterMemory
from pilothouse.launcher.models import Job

log = structlog.get_logger(__name__)
#: Of what the machine has, where the settings name no reserve.
RESERVED_SHARE = 10
#: Moving less than this made no room.
WORTH = 1024 * 1024


class Pressure:
    """Remembers which frozen jobs were moved already. Launchers that run jobs elsewhere are never short here."""

    def __init__(self, engines: ContentEngines) -> None:
        self._engines = engines
        self._moved: set[str] = set()

    @property
    def is_short(self) -> bool:
        launcher = self._engines.launcher
        if not isinstance(launcher, LooksAfterMemory):
            return False
        memory = launcher.memory()
        reserve = self._engines.memory_reserve
        return memory.available < (memory.total // RESERVED_SHARE if reserve is None else reserve)

    def make_room(self, frozen: Sequence[tuple[Worker, Job]]) -> Worker | None:
        """One step while memory is short: a job of ``frozen`` (longest first) goes to swap, or the worker to end is returned."""
        self._moved &= {job.key for _, job in frozen}
        launcher = self._engines.launcher
        if not frozen or not isinstance(launcher, LooksAfterMemory) or not self.is_short:
            return None
        for worker, job in frozen if launcher.memory().swap_free else ():
            if job.key in self._moved:
                continue
            self._moved.add(job.key)
            freed = launcher.reclaim(job.key)
            if freed >= WORTH:
                log.info("a frozen worker was moved to swap", worker=worker.id, bytes=freed)
                return None
        return frozen[0][0]
