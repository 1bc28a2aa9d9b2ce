"""As many workers as the load asks for: more are thawed or started, and which may rest is said."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence

from sqlalchemy import literal_column, select

from pilothouse.base.errors import PilothouseError
from pilothouse.content import content_kinds
from pilothouse.content.models import Content, Worker, WorkerState
from pilothouse.content.service.scaling import Activity, wanted
from pilothouse.content.service.workers import more_workers
from pilothouse.content.tasks.engines import ContentEngines
from pilothouse.content.tasks.rouse import thaw
from pilothouse.launcher.models import Job

#: A worker that is not ended, its job if it has one yet, its content.
Running = tuple[Worker, Job | None, Content]


class Crew:
    """The live workers of one content's active bundle, as one look found them, and how many of them are wanted."""

    def __init__(
        self, engines: ContentEngines, content: Content, running: Iterable[Running], activity: Callable[[str], Activity]
    ) -> None:
        self.content, self._engines = content, engines
        self.live = [(w, job) for w, job, _ in running if w.state != WorkerState.DRAINING]
        self.awake = sum(w.state != WorkerState.FROZEN for w, _ in self.live)
        self.terms = engines.rules.terms(content)
        load = sum(activity(job.key).load for w, job in self.live if job is not None and w.state == WorkerState.READY)
        self.wanted = 0 if content.locked else wanted(self.terms, load)

    @property
    def has_spare(self) -> bool:
        """Whether more are awake than it takes; the last one may rest, but is not spare."""
        return self.awake > max(self.wanted, 1)

    @property
    def may_rest(self) -> bool:
        return self.awake > (0 if self.content.locked else self.terms.min_processes)

    def grow(self, *, is_short: bool) -> None:
        """Thaw what is frozen, then start new ones, until as many are awake as are wanted; for as long as memory is short,
        no more than content always wants.
        """
        bundle_id = self.content.bundle_id
        if self.awake >= self.wanted or bundle_id is None:
            return
        frozen = [(w, job) for w, job in self.live if w.state == WorkerState.FROZEN and job is not None]
        for worker, job in frozen[: self.wanted - self.awake]:
            thaw(self._engines, worker.id, job.key)
        most = min(self.wanted, self.terms.min_processes) if is_short else self.wanted
        if len(self.live) < most:
            more_workers(self._engines.database, self.content, bundle_id, most)


def crews(engines: ContentEngines, running: Sequence[Running], activity: Callable[[str], Activity]) -> dict[int, Crew]:
    """By active bundle: of all content that has live workers, or is never to be without."""
    of_bundle: dict[int, list[Running]] = defaultdict(list)
    contents: dict[int, Content] = {}
    for row in running:
        worker, content = row[0], row[2]
        if worker.bundle_id == content.bundle_id and content.deleted_at is None:
            of_bundle[worker.bundle_id].append(row)
            contents[worker.bundle_id] = content
    for content in _never_without(engines):
        if content.bundle_id is not None:
            contents.setdefault(content.bundle_id, content)
    return {bundle: Crew(engines, content, of_bundle[bundle], activity) for bundle, content in contents.items()}


def _never_without(engines: ContentEngines) -> list[Content]:
    """The index of these rows serves only queries that say its condition word for word."""
    asks = (Content.min_processes > literal_column("0"), Content.deleted_at.is_(None), Content.locked.is_(False))
    with engines.database.read() as tx:
        found = tx.scalars(select(Content).where(*asks, Content.bundle_id.is_not(None))).all()
    return [content for content in found if not _serves_files(content.app_mode)]


def _serves_files(app_mode: str) -> bool:
    try:
        return content_kinds.load(app_mode).serves_files
    except PilothouseError:
        return True
