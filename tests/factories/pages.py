"""Sample view models of the pages: empty, usual, and overfull with very long names."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from datetime import timedelta
from typing import Any

from pilothouse.asgi.rendering import Badge
from pilothouse.audit.pages import ChangeLine, EventLine, EventsView, Wanted
from pilothouse.base import clock
from pilothouse.content.pages import views as content
from pilothouse.identity.pages import views as people
from pilothouse.web import views as web
from pilothouse.web.service import Moment

SERVER = "http://localhost:3939"
GUID = "3f2c1a52-0d3f-4b7e-9d6b-0f6f2f9d8a11"
LONG = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft quarterly viscosity overview (draft, second revision)"
RUNNING, FROZEN, FAILED = Badge("running", "good"), Badge("frozen", "cold"), Badge("failed", "bad")
BUILDING, WAITING, NOT_YET = Badge("building", "busy"), Badge("waiting", "off"), Badge("not deployed", "off")


def _ago(**span: float) -> Any:
    return clock.now() - timedelta(**span)


def card(title: str, mode: str, owner: str, badge: Badge, **span: float) -> content.Card:
    return content.Card(
        title, title.lower().replace(" ", "-")[:40], f"/_/content/{GUID}", content.kind_shown(mode), owner,
        people.initials(owner), badge, _ago(**span) if span else None,
    )  # fmt: skip


def cards() -> list[content.Card]:
    return [
        replace(
            card("Plant monitor", "python-fastapi", "Amara Okoye", RUNNING, minutes=4),
            department="Process engineering",
            description="What the eight reactors of hall 3 do right now, and what they did in the last shift.",
            tags=("plant", "live"),
            is_favourite=True,
        ),
        replace(
            card("Mixing explorer", "python-shiny", "Amara Okoye", FROZEN, hours=3),
            department="Process engineering",
            description="Try viscosity against speed before you book the mixer.",
        ),
        replace(card("Batch quality API", "python-api", "Henrik Dahl", FAILED, days=2), department="Quality"),
        replace(
            card("Handbook of the platform", "static", "Jonas Brandt", RUNNING, days=40), department="IT operations"
        ),
        replace(card("Shelf life forecast", "python-shiny", "Henrik Dahl", FROZEN, days=6), department="Quality"),
        replace(card("Solvent inventory", "python-fastapi", "Ines Ferreira", RUNNING, days=9), department="Logistics"),
    ]


def many_cards() -> list[content.Card]:
    found = [
        replace(
            card(f"{LONG} {n}", "python-shiny", "Maximiliane-Theodora von Hohenlohe-Waldenburg", FROZEN, days=n),
            description=LONG * 2,
            department=LONG,
        )
        for n in range(3)
    ]
    return found + [card(f"Report {n:03}", "static", "Henrik Dahl", RUNNING, days=n) for n in range(57)]


def filters(**values: str) -> list[content.Filter]:
    """The sentence above the gallery with these choices made."""
    made = (
        content.Filter("kind", "Show", "Kind", [("", "everything"), ("python-shiny", "Shiny app")]),
        content.Filter("owner", "from", "Owner", [("", "everyone"), ("me", "me"), ("henrik.dahl", "Henrik Dahl"), (LONG, LONG)]),
        content.Filter("department", "in", "Department", [("", "all departments"), ("Quality", "Quality"), (LONG, LONG)]),
        content.Filter("tag", "about", "Tag", [("", "any topic"), ("viscosity", "viscosity")]),
        content.Filter("updated", "updated", "Updated", [("", "whenever"), ("month", "in the last 30 days")]),
    )  # fmt: skip
    return [replace(one, value=values.get(one.name, "")) for one in made]


def gallery(shown: list[content.Card], **changes: Any) -> content.Gallery:
    made = content.Gallery(
        shown, f"{len(shown)} items", "", filters(), False, False, "/_/content", "/_/content?view=table", False, True, SERVER
    )  # fmt: skip
    return replace(made, **changes)


def head(shown: content.Card, **changes: Any) -> content.Head:
    base = f"/_/content/{GUID}"
    names = (("open", "Open", ""), ("questions", "Questions", "/questions"), ("access", "Access", "/access"), ("variables", "Variables", "/variables"),
             ("versions", "Versions", "/versions"), ("runtime", "Runtime", "/runtime"), ("usage", "Usage", "/usage"), ("log", "Log", "/log"), ("settings", "Settings", "/settings"))  # fmt: skip
    tabs = [content.Tab(key, name, base + path, 3 if key == "versions" else None) for key, name, path in names]
    made = content.Head(
        shown,
        "Development",
        f"{base}/questions",
        f"{SERVER}/content/{GUID}/",
        "/static/mark.svg",
        tabs,
        base,
        True,
    )
    return replace(made, **changes)


def access(**changes: Any) -> content.AccessTab:
    path = f"/_/content/{GUID}/access/1"
    granted = [
        content.Granted("Quality circle", "QC", True, "viewer", path),
        content.Granted("Henrik Dahl", "HD", False, "editor", path),
    ]
    return replace(content.AccessTab("acl", "Amara Okoye", "AO", granted, ["clara.voss", "Data science"]), **changes)


def settings(**changes: Any) -> content.SettingsTab:
    typed = wrong(
        title="Plant monitor", description="What the reactors of hall 3 do.", department="", tags="plant, live"
    )
    made = content.SettingsTab(
        typed,
        "plant-monitor",
        wrong(),
        ["Quality"],
        ["plant", "live"],
        public_url="https://data.veridia.example/prod",
        featured=False,
    )
    return replace(made, **changes)


def versions() -> content.VersionsTab:
    def version(number: int, badge: Badge, action: str, **span: float) -> content.Version:
        return content.Version(
            number, not action, badge, _ago(**span), "amara.okoye", 48_213 * number, "Python 3.12.4", "", action,
            "versions/compare?before=9&after=12" if number > 9 else "",
        )  # fmt: skip

    rows = [
        version(14, Badge("draft", "off"), "Activate", minutes=2),
        version(12, Badge("active", "good"), "", hours=3),
        version(9, Badge("earlier", "off"), "Roll back to 9", days=6),
    ]
    return content.VersionsTab(rows, f"rsconnect deploy fastapi -s {SERVER} -k KEY .")


def log(*, live: bool) -> content.LogTab:
    packages = [f"  Prepared {name}" for name in ("anyio", "certifi", "click", "fastapi", "h11", "idna", "pydantic")]
    texts = [
        ("Bundle 12: unpacking …", "step"), ("  48 kB, 3 files", ""), ("Matching the runtime …", "step"), ("  Python 3.12 wanted, 3.12.4 found", ""),
        ("Locking 4 requirements …", "step"), *((text, "") for text in packages), ("Restoring the library …", "step"),
        ("  warning: `httptools` has no wheel for this platform yet, built from source", "warning"),
        ("Starting a worker …", "step"), ("  INFO:     Uvicorn running on http://127.0.0.1:39171", ""),
        ("  Traceback (most recent call last):", "error"), ("  ModuleNotFoundError: No module named 'numpyy'", "error"),
    ]  # fmt: skip
    lines = [
        content.Line(n + 1, _ago(seconds=60 - n * 2), text, tone, tone == "error")
        for n, (text, tone) in enumerate(texts)
    ]
    sources = [content.Chip("Last deploy", "?of=deploy", True), content.Chip("Newest worker", "?of=worker", False)]
    return content.LogTab(sources, lines, BUILDING if live else FAILED, "ended after 28 s", "", "", "?download")


def processes() -> list[content.Process]:
    return [
        content.Process(
            "k3v9q2m8x4p7",
            "worker",
            RUNNING,
            _ago(minutes=4),
            None,
            "",
            "/stop",
            "#",
            "ready in 4 s, after 2 s in the queue",
        ),
        content.Process(
            "b7t2n5c9w1r6",
            "worker",
            Badge("ended", "off"),
            _ago(hours=5),
            _ago(hours=3),
            "Replaced by version 12.",
            "",
            "#",
        ),
    ]


def now(*, busy: bool) -> web.Now:
    if not busy:
        return web.Now([], "", False)
    builds = [
        web.Build(
            "Handbook of the platform",
            content.kind_shown("static"),
            "Jonas Brandt",
            Badge("live", "good"),
            "Activated version 1",
            "3 s",
            "#",
            "#",
        ),
        web.Build(
            "Mixing explorer",
            content.kind_shown("python-shiny"),
            "Amara Okoye",
            BUILDING,
            "Restoring the library: 31 of 42 packages",
            "41 s",
            "#",
            "#",
        ),
        web.Build(
            "Batch quality API",
            content.kind_shown("python-api"),
            "Henrik Dahl",
            WAITING,
            "Waits for a free place",
            "2 s",
            "#",
            "#",
        ),
    ]
    return web.Now(builds, "1 building, 1 waiting, 1 live", True)


def home(**changes: Any) -> web.HomeView:
    """The home page; the names of shelves go to them, all other changes to the view."""
    usual = {"favourites": cards()[:1], "mine": cards()[1:2], "colleagues": cards()[2:5], "featured": cards()[5:]}
    shelves = web.Shelves(**{name: changes.pop(name, shown) for name, shown in usual.items()})
    made = web.HomeView(
        now(busy=False), shelves, True, False, f"rsconnect add -s {SERVER} -n pilothouse -k KEY",
        "rsconnect deploy fastapi -n pilothouse .", False,
    )  # fmt: skip
    return replace(made, **changes)


def todo() -> list[web.ToDo]:
    return [
        web.ToDo(
            FAILED, "Batch quality API does not start: module 'app' has no attribute 'api'.", "Look at the log", "#"
        )
    ]


def account(**changes: Any) -> people.AccountView:
    keys = [
        people.KeyLine("laptop", "ph_7Kd", _ago(days=20), _ago(hours=2), "/k/1"),
        people.KeyLine("build server", "ph_Zx1", _ago(days=3), None, "/k/2"),
    ]
    logins = [
        people.LoginLine("Firefox on Linux", "192.0.2.14", _ago(hours=1), True, "/l/1"),
        people.LoginLine("Safari on iPhone", "192.0.2.90", _ago(days=2), False, "/l/2"),
    ]
    made = people.AccountView(
        "Amara Okoye", "amara.okoye", "publisher", "amara.okoye@veridia.example", "Process engineering · Ludwigshafen", keys, logins,
        True, f"rsconnect add -s {SERVER} -n pilothouse -k KEY", "At least 10 characters.",
        wrong(first_name="Amara", last_name="Okoye", email="amara.okoye@veridia.example", department="Process engineering", site="Ludwigshafen"),
    )  # fmt: skip
    programs = [
        people.ProgramLine("Posit CLI", "192.0.2.14", _ago(days=3), _ago(minutes=20), "/p/1"),
        people.ProgramLine("rsconnect", "192.0.2.90", _ago(days=40), None, "/p/2"),
    ]
    return replace(made, **({"programs": programs} | changes))


def claim(**changes: Any) -> people.ClaimView:
    return replace(
        people.ClaimView("rsconnect", "192.0.2.14", False, _ago(minutes=1), "amara.okoye", False, "T0"), **changes
    )


def device(**changes: Any) -> people.DeviceView:
    made = people.DeviceView(
        "amara.okoye", "KQ4M-7XZP", program="Posit CLI", address="192.0.2.14", asked_at=_ago(minutes=1)
    )
    return replace(made, **changes)


def users(names: list[str], **changes: Any) -> people.UsersView:
    lines = [
        people.UserLine(name, name.lower().replace(" ", ".")[:60], "", ("viewer", "publisher", "administrator")[n % 3], "Quality · Porto",
                        _ago(hours=n * 7 + 1), n == 3, Badge("locked", "bad") if n == 3 else Badge("active", "good"), f"/u/{n}")
        for n, name in enumerate(names)
    ]  # fmt: skip
    return replace(people.UsersView(lines, "", people.Pager(1, 1), "At least 10 characters."), **changes)


PEOPLE = ["Clara Voss", "Henrik Dahl", "Amara Okoye", "Jonas Brandt", "Ines Ferreira"]


def groups() -> people.GroupsView:
    named = (("Data science", "nobody"), ("Plant Oslo", "2 people, 4 groups"), ("Quality circle", "3 people"))
    return people.GroupsView([people.GroupLine(name, size, _ago(days=40), "#") for name, size in named])


def jobs() -> web.JobsView:
    def job(title: str, badge: Badge, cpu: str, memory: str, share: float) -> web.JobLine:
        return web.JobLine(
            "k3v9q2m8x4p7",
            title,
            "worker",
            "#",
            badge,
            cpu,
            memory,
            "2.0 GB",
            share,
            "4",
            "medium",
            _ago(minutes=12),
            "/stop",
        )

    lines = [
        job("Plant monitor", RUNNING, "12 %", "148 MB", 0.07),
        job("Mixing explorer", FROZEN, "0 %", "310 MB", 0.15),
        job(LONG, RUNNING, "97 %", "1.8 GB", 0.91),
    ]
    now = clock.now()
    history = [
        Moment(
            now - timedelta(minutes=15 * (95 - n)),
            3 + (n * 7 % 23) // 6 + (4 if 30 < n < 70 else 0),
            int(n in (44, 71)),
        )
        for n in range(96)
    ]
    spans = [content.Chip(words, "#", words == "Last day") for words in ("Last hour", "Last day", "Last week")]
    ended = [
        web.EndedLine(
            "Mixing explorer",
            "run shiny app",
            "#",
            Badge("ended", "off"),
            "It was idle.",
            "2 h 4 min",
            _ago(minutes=20),
        ),
        web.EndedLine(
            "Batch quality API",
            "run python api",
            "#",
            FAILED,
            "It used more memory than its limit of 2.0 GB.",
            "12 s",
            _ago(hours=2),
        ),
    ]
    return web.JobsView(lines, "3 jobs run.", history, spans, ended)


def queue() -> web.QueueView:
    def row(what: str, subject: str, badge: Badge, error: str = "", **actions: str) -> web.TaskRow:
        made = web.TaskRow(
            what, subject, "Development", "#", "Amara Okoye", badge, _ago(minutes=3), "28 s", error, 1, "", ""
        )
        return replace(made, **actions)

    rows = [
        row("Deploy", "Plant monitor", Badge("running", "busy"), cancel="/q/1/cancel"),
        row("Start of a worker", "Mixing explorer", WAITING),
        row(
            "Deploy",
            "Batch quality API",
            FAILED,
            "No module named 'numpyy'. Add it to requirements.txt.",
            retry="/q/2/retry",
        ),
        row("Deploy", LONG, Badge("done", "good")),
    ]
    names = ("All", "Waiting and running", "Failed", "Done")
    chips = [content.Chip(words, "#", words == "All") for words in names]
    return web.QueueView(rows, chips, "1 waits, 1 runs. In the last day 40 were done and 1 failed.", "#", "#", False)


def events(count: int) -> EventsView:
    change = [ChangeLine("bundle", "9", "12")]
    lines = [
        EventLine(
            _ago(minutes=n * 9),
            "content:content:deployed",
            "amara.okoye",
            "key",
            "content/4",
            change if n % 2 else [],
            "#",
            "#",
        )
        for n in range(count)
    ]
    return EventsView(
        lines,
        Wanted(),
        ["content:content:deployed", "identity:user:created"],
        "/export?",
        "/older" if count > 20 else "",
    )


def wrong(**fields: str) -> dict[str, str]:
    return defaultdict(str, fields)


def overview(**changes: Any) -> web.OverviewView:
    figures = [
        web.Figure("Jobs", "12", "7 of them frozen", "#"),
        web.Figure("Queue", "2", "1 failed in the last day", "#"),
        web.Figure("People", "148", "61 seen in the last day", "#"),
        web.Figure("Content", "312", "1,904 bundles", "#"),
        web.Figure("Free space", "412 GB", "of 1.0 TB", "#"),
    ]
    facts = [
        ("Version", "0.1.0"),
        ("Database", "PostgreSQL"),
        ("Limits of jobs", "v2"),
        ("Launcher", "Limits by cgroup v2 through systemd"),
    ]
    return replace(web.OverviewView([], [], figures, facts, jobs().history), **changes)


def storage(**changes: Any) -> web.StorageView:
    folders = [
        web.FolderLine("blobs", "Uploaded bundles", "/srv/pilothouse/blobs", "18 GB", "1,204", 0.2),
        web.FolderLine("apps", "Unpacked bundles", "/srv/pilothouse/apps", "26 GB", "88,410", 0.29),
        web.FolderLine(
            "libraries",
            "Restored packages, shared by all that need them",
            "/srv/pilothouse/libraries",
            "41 GB",
            "612,077",
            0.46,
        ),
        web.FolderLine("db", "The database and its copies", "/srv/pilothouse/db", "412 MB", "4", 0.01),
    ]
    apps = [
        web.LargeLine(LONG, "Production", "#", "2.1 GB"),
        web.LargeLine("Plant monitor", "Development", "#", "340 MB"),
    ]
    libraries = [
        web.LargeLine("9f31c2ab77e0…", "Python 3.12.4", "", "1.8 GB"),
        web.LargeLine("04bb19ce2d51…", "needed by no lock", "", "640 MB"),
    ]
    disks = [
        web.DiskLine("/srv/pilothouse", "412 GB", "1.0 TB", 0.6, False),
        web.DiskLine("libraries", "1.2 GB", "120 GB", 0.99, True),
    ]
    database = [("Size", "412 MB"), ("Bundles", "1,904, together 18 GB"), ("Audit events", "48,213")]
    return replace(web.StorageView(disks, folders, apps, libraries, database, _ago(minutes=4), False), **changes)
