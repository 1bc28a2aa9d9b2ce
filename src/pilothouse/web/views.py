"""What home, the administration console and refusals show, decided before a template sees it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from markupsafe import Markup

from pilothouse.asgi.rendering import Badge
from pilothouse.content.pages.talk import RequestLine
from pilothouse.content.pages.views import Card, Chip, KindShown
from pilothouse.web.service import Moment


@dataclass(frozen=True)
class Build:
    """One deploy that runs, waits or just ended."""

    title: str
    kind: KindShown
    owner: str
    badge: Badge
    step: str
    took: str
    href: str
    log: str


@dataclass(frozen=True)
class Now:
    """What is being built. ``busy`` makes the page look again sooner."""

    builds: Sequence[Build]
    sentence: str
    busy: bool


@dataclass(frozen=True)
class ToDo:
    """One thing that asks for an operator, with its cause in one line."""

    badge: Badge
    words: str
    action: str
    href: str


@dataclass(frozen=True)
class AskedForAccess:
    """Somebody asks to open what the reader shares."""

    line: RequestLine
    title: str
    href: str


@dataclass(frozen=True)
class Asked:
    """A question or a problem that waits for the reader."""

    icon: str
    who: str
    title: str
    words: str
    at: datetime
    href: str


@dataclass(frozen=True)
class Told:
    """What became of something the reader asked. ``away`` puts it away, or takes it back while it ``is_open``."""

    icon: str
    title: str
    badge: Badge
    words: str
    at: datetime | None
    href: str
    away: str = ""
    is_open: bool = False


@dataclass(frozen=True)
class Waiting:
    """What people wait for from each other."""

    access: Sequence[AskedForAccess] = ()
    questions: Sequence[Asked] = ()
    told: Sequence[Told] = ()


@dataclass(frozen=True)
class Shelves:
    """Content on the home page, by why it stands there."""

    favourites: Sequence[Card] = ()
    mine: Sequence[Card] = ()
    featured: Sequence[Card] = ()
    colleagues: Sequence[Card] = ()


@dataclass(frozen=True)
class Shelf:
    """One heading of the composed home page, with the cards below it."""

    heading: str
    cards: Sequence[Card]


@dataclass(frozen=True)
class HomeView:
    now: Now
    shelves: Shelves
    may_publish: bool
    first_steps: bool
    add_command: str
    deploy_command: str
    operator: bool
    todo: Sequence[ToDo] = ()
    waiting: Waiting = Waiting()
    landing: Sequence[Shelf] = ()


@dataclass(frozen=True)
class NowView:
    """The part of the home page that looks again by itself."""

    now: Now


@dataclass(frozen=True)
class JobLine:
    key: str
    title: str
    what: str
    href: str
    badge: Badge
    cpu: str
    memory: str
    limit: str
    share: float
    processes: str
    load_group: str
    started_at: datetime | None
    stop: str


@dataclass(frozen=True)
class EndedLine:
    """One job that is over, and why."""

    title: str
    what: str
    href: str
    badge: Badge
    reason: str
    ran: str
    ended_at: datetime | None


@dataclass(frozen=True)
class JobsView:
    jobs: Sequence[JobLine]
    sentence: str
    history: Sequence[Moment] = ()
    spans: Sequence[Chip] = ()
    ended: Sequence[EndedLine] = ()
    problem: str = ""
    done: str = ""


@dataclass(frozen=True)
class TaskRow:
    """One task. ``retry`` and ``cancel`` are empty where that makes no sense."""

    what: str
    subject: str
    stage: str
    href: str
    asked_by: str
    badge: Badge
    at: datetime
    took: str
    error: str
    tries: int
    retry: str
    cancel: str


@dataclass(frozen=True)
class QueueView:
    """One page of tasks, newest first; it ``follows`` what happens while it shows the newest."""

    rows: Sequence[TaskRow]
    chips: Sequence[Chip]
    sentence: str
    older: str
    address: str
    follows: bool
    problem: str = ""
    done: str = ""


@dataclass(frozen=True)
class Figure:
    """One number of the overview; ``href`` leads to the page behind it."""

    name: str
    number: str
    words: str
    href: str


@dataclass(frozen=True)
class OverviewView:
    """``todo`` is what asks for somebody now, ``weak`` what is not protected in this set-up."""

    todo: Sequence[ToDo]
    weak: Sequence[str]
    figures: Sequence[Figure]
    facts: Sequence[tuple[str, str]]
    history: Sequence[Moment] = ()


@dataclass(frozen=True)
class FolderLine:
    """What one folder of the installation takes. ``share`` is its part of all of them, from 0 to 1."""

    name: str
    words: str
    path: str
    size: str
    files: str
    share: float


@dataclass(frozen=True)
class DiskLine:
    """One file system that holds folders of ours."""

    holds: str
    free: str
    total: str
    used: float
    is_low: bool


@dataclass(frozen=True)
class LargeLine:
    """One of the largest things on disk."""

    title: str
    words: str
    href: str
    size: str


@dataclass(frozen=True)
class StorageView:
    """``measured_at`` is ``None`` until the folders were measured for the first time."""

    disks: Sequence[DiskLine]
    folders: Sequence[FolderLine]
    apps: Sequence[LargeLine]
    libraries: Sequence[LargeLine]
    database: Sequence[tuple[str, str]]
    measured_at: datetime | None
    busy: bool


@dataclass(frozen=True)
class OptionLine:
    name: str
    words: str
    value: str
    origin: str


@dataclass(frozen=True)
class OptionSection:
    name: str
    words: str
    options: Sequence[OptionLine]


@dataclass(frozen=True)
class SettingsView:
    where: str
    sections: Sequence[OptionSection]
    query: str = ""
    changed: bool = False


@dataclass(frozen=True)
class Action:
    label: str
    href: str


@dataclass(frozen=True)
class Refusal:
    """A page that says no: what was tried and why not, what to do now, whom to ask, and the id to name to them."""

    title: str
    words: str
    actions: Sequence[Action]
    detail: str = ""
    request_id: str = ""
    facts: Sequence[tuple[str, str]] = ()


@dataclass(frozen=True)
class Parameter:
    """One of an endpoint's, where it stands (path, query), what it may be and what it means."""

    name: str
    place: str
    kind: str
    words: str
    is_needed: bool = False


@dataclass(frozen=True)
class Endpoint:
    """One row as the page shows it. ``takes`` and ``gives`` are schemas in short; empty where there is nothing to say, as is
    ``status`` where nothing succeeds.
    """

    id: str
    method: str
    path: Markup
    title: str
    words: Markup
    needs: str
    parameters: list[Parameter]
    takes: Markup
    gives: Markup
    status: str
    command: str


@dataclass(frozen=True)
class ApiView:
    """The whole page: chapters with endpoints, and the nouns that they name, each with words about its keys."""

    server: str
    version: str
    chapters: list[tuple[str, list[Endpoint]]]
    nouns: list[tuple[str, Markup, Markup]]
