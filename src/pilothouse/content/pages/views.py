"""What the content pages show, decided before a template sees it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType

from pilothouse.asgi.rendering import Badge, Done
from pilothouse.content.pages.comparing import Comparison
from pilothouse.content.pages.drawing import Drawing, drawing
from pilothouse.content.pages.talk import RequestLine


@dataclass(frozen=True)
class KindShown:
    """A kind in people's words, with the icon and tint of its thumbnail and the client's word to deploy one."""

    label: str
    icon: str
    tint: int
    verb: str = ""


KINDS: Mapping[str, KindShown] = MappingProxyType(
    {
        "python-fastapi": KindShown("FastAPI", "api", 0, "fastapi"),
        "python-api": KindShown("Web API", "server", 0, "api"),
        "python-shiny": KindShown("Shiny app", "chart-dots", 1, "shiny"),
        "nodejs": KindShown("Node.js app", "server", 0, "nodejs"),
        "python-streamlit": KindShown("Streamlit app", "chart-line", 1, "streamlit"),
        "python-dash": KindShown("Dash app", "chart-bar", 1, "dash"),
        "python-bokeh": KindShown("Bokeh app", "activity", 1, "bokeh"),
        "python-panel": KindShown("Panel app", "gauge", 1, "panel"),
        "python-gradio": KindShown("Gradio app", "adjustments", 1, "gradio"),
        "static": KindShown("Document", "file-text", 3, "html"),
    }
)
_PIN = KindShown("Dataset", "database", 0, "pin")
_OTHER = KindShown("App", "app-window", 2)
_NOTHING = KindShown("Not deployed", "circle-dashed", 3)


def kind_shown(app_mode: str, category: str = "") -> KindShown:
    """How ``app_mode`` is shown, and pins by their ``category``; kinds that are not ours keep their own name."""
    if category == "pin":
        return _PIN
    if app_mode in ("", "unknown"):
        return _NOTHING
    return KINDS.get(app_mode) or KindShown(app_mode, _OTHER.icon, _OTHER.tint)


@dataclass(frozen=True)
class Card:
    """One content in a list."""

    title: str
    name: str
    href: str
    kind: KindShown
    owner: str
    initials: str
    badge: Badge
    deployed_at: datetime | None
    description: str = ""
    department: str = ""
    tags: Sequence[str] = ()
    picture: str = ""
    is_favourite: bool = False
    endorsed_by: str = ""

    @property
    def drawing(self) -> Drawing:
        """What is shown where nobody chose a ``picture``."""
        return drawing(self.title, icon=self.kind.icon, kind_tint=self.kind.tint, department=self.department)


@dataclass(frozen=True)
class Chip:
    """One choice of a filter."""

    label: str
    href: str
    chosen: bool


@dataclass(frozen=True)
class Filter:
    """One choice in the sentence above the gallery: the words before it, and what may be chosen (value, words)."""

    name: str
    before: str
    label: str
    options: Sequence[tuple[str, str]]
    value: str = ""


@dataclass(frozen=True)
class Gallery:
    """The gallery with its filters. ``sentence`` says how much is shown of how much."""

    cards: Sequence[Card]
    sentence: str
    query: str
    filters: Sequence[Filter]
    only_favourites: bool
    as_table: bool
    cards_href: str
    table_href: str
    filtered: bool
    may_publish: bool
    server: str
    previous: str = ""
    next: str = ""
    only_endorsed: bool = False


@dataclass(frozen=True)
class Tab:
    key: str
    name: str
    href: str
    count: int | None = None


@dataclass(frozen=True)
class Trust:
    """Who endorses the content (empty: nobody), when and with which sentence; where the reader may say so (empty: they may not)."""

    name: str = ""
    words: str = ""
    at: datetime | None = None
    path: str = ""


@dataclass(frozen=True)
class Head:
    """The upper part of every page of one content."""

    card: Card
    stage: str
    ask: str
    address: str
    frame_address: str
    tabs: Sequence[Tab]
    base: str
    may_edit: bool
    trust: Trust | None = None
    problem: str = ""
    done: Done | None = None


@dataclass(frozen=True)
class Granted:
    """One line of the access list."""

    name: str
    initials: str
    is_group: bool
    share: str
    path: str


@dataclass(frozen=True)
class AccessTab:
    """Who may open it, and who may change it. ``candidates`` are the names that may be added.

    Of a list that ``is_long`` only a part stands in ``granted``: of the ``found`` names that hold the text ``find``.
    ``answered`` says what became of the request that somebody came for.
    """

    open_to: str
    owner: str
    owner_initials: str
    granted: Sequence[Granted]
    candidates: Sequence[str]
    typed: str = ""
    wrong: str = ""
    asked: Sequence[RequestLine] = ()
    answered: str = ""
    found: int = 0
    find: str = ""
    is_long: bool = False


@dataclass(frozen=True)
class ServiceChoice:
    """An integration that the item may use; ``acts_as`` says in whose name."""

    guid: str
    name: str
    description: str
    acts_as: str
    chosen: bool


@dataclass(frozen=True)
class Given:
    """What somebody just gave to ``owner``. ``undo`` takes it back; ``href`` is empty for who may not open it any more."""

    title: str
    owner: str
    undo: str
    href: str


@dataclass(frozen=True)
class VariablesTab:
    """Names only: values are sealed and never shown again."""

    names: Sequence[str]
    command: str
    services: Sequence[ServiceChoice] = ()
    typed: str = ""
    wrong: str = ""


@dataclass(frozen=True)
class Version:
    """One bundle. ``action`` is the word of the button that makes it active; empty for the active one."""

    id: int
    active: bool
    badge: Badge
    created_at: datetime
    created_by: str
    size_bytes: int
    runtime: str
    source: str
    action: str
    compare: str = ""


@dataclass(frozen=True)
class VersionsTab:
    versions: Sequence[Version]
    command: str


@dataclass(frozen=True)
class CompareTab:
    """Two versions beside each other; ``numbers`` are those that may be chosen, newest first."""

    numbers: Sequence[int]
    comparison: Comparison
    active: int | None


@dataclass(frozen=True)
class Line:
    """One line of a log. ``tone`` is ``error | warning | step`` or empty; ``is_stderr`` says where it was written."""

    number: int
    at: datetime
    text: str
    tone: str
    is_stderr: bool = False


@dataclass(frozen=True)
class LogTab:
    """A log and how it goes on: ``follow`` is asked for newer lines until it is empty."""

    sources: Sequence[Chip]
    lines: Sequence[Line]
    badge: Badge | None
    caption: str
    follow: str
    empty: str
    download: str = ""


@dataclass(frozen=True)
class Process:
    """One job of the content: what it does and how it ended. ``start`` is how long that took, in words."""

    key: str
    what: str
    badge: Badge
    started_at: datetime | None
    ended_at: datetime | None
    reason: str
    stop: str
    log: str = ""
    start: str = ""


@dataclass(frozen=True)
class Number:
    """One field for a number; ``usual`` is what holds while it is empty."""

    name: str
    label: str
    unit: str
    hint: str
    value: str
    usual: str
    wrong: str = ""


@dataclass(frozen=True)
class GroupChoice:
    """A load group that may be chosen, or only looked at."""

    key: str
    name: str
    holds: str
    is_free: bool


@dataclass(frozen=True)
class RuntimeTab:
    """How its workers run. ``idle`` is empty where the default ``usual_idle`` holds."""

    has_workers: bool
    groups: Sequence[GroupChoice]
    load_group: str
    idle: str
    usual_idle: str
    idle_after: str
    numbers: Mapping[str, Number]


@dataclass(frozen=True)
class Fact:
    """One number that stands large, with what it counts."""

    amount: str
    words: str
    tone: str = ""


@dataclass(frozen=True)
class Row:
    """One moment of a plot and its values; ``None`` where there is none."""

    at: datetime
    values: Sequence[float | None]


@dataclass(frozen=True)
class Series:
    """One line of a plot: its words, the tone of its colour, and its shape (``line``, ``step`` or ``bar``)."""

    label: str
    tone: str
    shape: str


@dataclass(frozen=True)
class PlotShown:
    title: str
    hint: str
    series: Sequence[Series]
    rows: Sequence[Row]


@dataclass(frozen=True)
class VisitorLine:
    name: str
    initials: str
    visits: int
    last_at: datetime


@dataclass(frozen=True)
class UsageTab:
    """How it was used in the chosen span. ``kept`` says what its stage keeps of visitors."""

    spans: Sequence[Chip]
    facts: Sequence[Fact]
    plots: Sequence[PlotShown]
    visitors: Sequence[VisitorLine]
    kept: str
    is_unused: bool


@dataclass(frozen=True)
class SettingsTab:
    """What people call it and find it by, its picture, its owner, and the end of it.

    ``typed`` holds the fields as they stand, or as they were sent when something was wrong. ``featured`` is ``None`` for
    those who don't decide it.
    """

    typed: Mapping[str, str]
    name: str
    wrong: Mapping[str, str]
    departments: Sequence[str] = ()
    known_tags: Sequence[str] = ()
    public_url: str = ""
    may_share: bool = True
    featured: bool | None = None
    locked: bool = False
    locked_message: str = ""
