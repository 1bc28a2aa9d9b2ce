"""Sample values of the pages on which people meet: requests, questions, people, what is shared."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from tests.factories.pages import GUID, LONG, SERVER, card, cards

from pilothouse.asgi.rendering import Badge
from pilothouse.base import clock
from pilothouse.content.pages import data, talk
from pilothouse.content.pages import views as content
from pilothouse.content.pages.api import ApiTab
from pilothouse.identity.pages.views import Pager, initials
from pilothouse.web import announcements, integrations, search
from pilothouse.web import content_overview as overview
from pilothouse.web import people_views as people
from pilothouse.web import views as web
from pilothouse.web.group import GroupView, Member, Opened
from pilothouse.web.landing import LandingView
from pilothouse.web.member import MemberView, Owned

BASE = f"/_/content/{GUID}"
OPEN, ANSWERED, SOLVED = (talk.THREAD_BADGES[state] for state in ("open", "answered", "solved"))
NEED = "The auditors come on Monday, and I am to show them the readings of hall 3."


def ago(**span: float) -> Any:
    return clock.now() - timedelta(**span)


def asks() -> list[talk.RequestLine]:
    path = f"{BASE}/access/requests/"
    return [
        talk.RequestLine("Clara Voss", "CV", "Quality · Porto", NEED, ago(minutes=12), f"{path}1"),
        talk.RequestLine("Ines Ferreira", "IF", "", "", ago(days=1), f"{path}2"),
    ]


def ask(**changes: Any) -> talk.AskView:
    return talk.AskView(
        **{"owner": "Amara Okoye", "mail": "amara.okoye@veridia.example", "path": f"{BASE}/ask"} | changes
    )


def questions(*, empty: bool = False, **changes: Any) -> talk.QuestionsTab:
    def line(kind: str, words: str, who: str, badge: Badge, messages: int, **span: float) -> talk.ThreadLine:
        icon = talk.KIND_ICONS[kind]
        return talk.ThreadLine(
            talk.KIND_NAMES[kind], icon, words, who, badge, f"{messages} messages", ago(**span), f"{BASE}/questions/1"
        )

    lines = [
        line("problem", "Since this morning the curve of reactor 5 ends at 07:40.", "Clara Voss", OPEN, 1, minutes=20),
        line(
            "question",
            "Which of the two viscosities is the one from the laboratory?",
            "Henrik Dahl",
            ANSWERED,
            3,
            days=2,
        ),
        line("problem", LONG, "Maximiliane-Theodora von Hohenlohe-Waldenburg", SOLVED, 12, days=40),
    ]
    return talk.QuestionsTab([] if empty else lines, **{"owner": "Amara Okoye", "is_owner": True} | changes)


def thread(**changes: Any) -> talk.ThreadTab:
    messages = [
        talk.Message("Clara Voss", "CV", True, "Since this morning the curve of reactor 5 ends at 07:40.\n\nThe others go on.", ago(hours=5)),
        talk.Message("Amara Okoye", "AO", False, "You are right: its sensor got a new name. I change the query.", ago(hours=4)),
    ]  # fmt: skip
    usual = {
        "kind": "Problem", "icon": "alert-triangle", "badge": ANSWERED, "messages": messages, "path": f"{BASE}/questions/1",
        "back": f"{BASE}/questions", "may_promise": True, "is_solved": False, "promised_at": ago(hours=4), "fixed_at": None,
    }  # fmt: skip
    return talk.ThreadTab(**usual | changes)


def persons(*, long: bool = False) -> list[people.PersonCard]:
    rows = [
        ("Amara Okoye", "Process engineer", "Process engineering · Ludwigshafen", 12),
        ("Clara Voss", "Auditor", "Quality · Porto", 0),
        ("Henrik Dahl", "Data scientist", "Quality · Aarhus", 1),
        ("Ines Ferreira", "", "Logistics", 4),
        ("Jonas Brandt", "", "", 0),
    ]
    rows += [("Maximiliane-Theodora von Hohenlohe-Waldenburg", LONG, LONG, 1904)] * 3 if long else []
    return [
        people.PersonCard(n, "".join(w[0] for w in n.split()[:2]), t, p, "#", f"publishes {c} items")
        for n, t, p, c in rows
    ]


def colleagues(**changes: Any) -> people.PeopleView:
    choices = content.Filter("department", "in", "Department", [("", "all departments"), ("Quality", "Quality")])
    return people.PeopleView(**{"people": persons(), "sentence": "5 people", "query": "", "departments": choices, "filtered": False} | changes)  # fmt: skip


def news(count: int = 4) -> list[people.NewsLine]:
    rows = [
        (
            "python-shiny",
            "Mixing explorer",
            "Amara Okoye",
            "brought 3 new versions of",
            "Process engineering",
            ("viscosity", "mixing"),
            2,
        ),
        ("static", "Handbook of the platform", "Jonas Brandt", "published", "IT operations", (), 5),
        ("python-api", LONG, "", "brought a new version of", "", ("api",), 30),
        ("python-fastapi", "Plant monitor", "Amara Okoye", "brought a new version of", "Process engineering", (), 31),
    ]
    return [
        people.NewsLine(content.kind_shown(m), t, "#", w, "#" if w else "", v, d, g, ago(hours=h))
        for m, t, w, v, d, g, h in rows
    ][:count]


def activity(**changes: Any) -> people.ActivityView:
    choices = [content.Filter("tag", "about", "Tag", [("", "any topic"), ("viscosity", "viscosity")])]
    days = [people.Day("Today", news(2)), people.Day("Yesterday", news()[2:])]
    return people.ActivityView(**{"days": days, "filters": choices, "filtered": False, "older": "#"} | changes)


def person(**changes: Any) -> people.PersonView:
    usual = {
        "name": "Amara Okoye", "initials": "AO", "username": "amara.okoye", "title": "Process engineer", "department": "Process engineering",
        "site": "Ludwigshafen", "mail": "amara.okoye@veridia.example", "is_self": False, "cards": cards()[:2], "all_href": "", "news": news(2),
    }  # fmt: skip
    return people.PersonView(**usual | changes)


def pins() -> list[data.DataLine]:
    def line(title: str, owner: str, versions: str, size: str, readers: str, **facts: Any) -> data.DataLine:
        made = card(title, "static", owner, Badge("ready", "good"), hours=5)
        return data.DataLine(replace(made, kind=content.kind_shown("static", "pin"), **facts), versions, size, readers)

    return [
        line("Reactor readings", "Amara Okoye", "148 versions", "3.4 MB", "12 readers", description="Every ten minutes, hall 3.", endorsed_by="Clara Voss"),
        line("Suppliers", "Ines Ferreira", "1 version", "48 kB", "0 readers", tags=("logistics",)),
        line(LONG, "Maximiliane-Theodora von Hohenlohe-Waldenburg", "1,904 versions", "2.1 GB", "1,204 readers", description=LONG),
    ]  # fmt: skip


def shelf(**changes: Any) -> data.ShelfView:
    command = f'pins.board_connect(server_url="{SERVER}", api_key=KEY).pin_write(frame, "NAME", type="csv")'
    return data.ShelfView(**{"lines": pins(), "sentence": "3 datasets", "query": "", "command": command} | changes)


def pin(**changes: Any) -> data.PinView:
    rows = [
        [f"2026-11-30 {n:02}:00", str(n % 8 + 1), f"{71.2 + n / 10:.1f}", f"{1.02 + n / 100:.2f}"] for n in range(14)
    ]
    usual = {
        "facts": [("Type", "csv"), ("File", "readings.csv"), ("Written", "20261130T070000Z"), ("Hash", "9f31c2ab77e04bb1")],
        "head": ["at", "reactor", "temperature", "pressure"], "rows": rows, "text": "", "is_cut": False, "why": "",
        "python": f'pins.board_connect(server_url="{SERVER}", api_key=KEY).pin_read("amara.okoye/readings")',
        "r": f'pins::pin_read(pins::board_connect(server = "{SERVER}", key = KEY), "amara.okoye/readings")',
        "readers": [content.VisitorLine("Henrik Dahl", "HD", 412, ago(hours=1)), content.VisitorLine("Clara Voss", "CV", 3, ago(days=4))],
        "download": "#",
    }  # fmt: skip
    return data.PinView(**usual | changes)


def found(**changes: Any) -> search.SearchView:
    usual = {
        "query": "quality",
        "content": cards()[:3],
        "data": pins()[:1],
        "people": persons()[:2],
        "all_content": "#",
        "sentence": "41 finds",
    }
    return search.SearchView(**usual | changes)


def api(**changes: Any) -> ApiTab:
    address = f"{SERVER}/content/{GUID}/"
    usual = {
        "curl": f'curl -H "Authorization: Key $KEY" {address}',
        "python": f'httpx.get("{address}", headers={{"Authorization": f"Key {{KEY}}"}}).json()',
        "r": f'httr2::request("{address}") |> httr2::req_headers(Authorization = paste("Key", KEY)) |> httr2::req_perform()',
        "document": f"{address}openapi.json", "docs": f"{address}docs", "is_open": False, "limit": 600,
    }  # fmt: skip
    return ApiTab(**usual | changes)


def announced(**changes: Any) -> announcements.AnnouncementsView:
    lines = [
        announcements.AnnouncementLine("On Saturday from 8 to 10 the server is upgraded. Apps go on.", Badge("shown", "good"), "Jonas Brandt", ago(hours=2), None, "/end"),
        announcements.AnnouncementLine(LONG, Badge("ended", "off"), "Jonas Brandt", ago(days=9), ago(days=2), ""),
    ]  # fmt: skip
    return announcements.AnnouncementsView(**{"lines": lines} | changes)


def landing(*, empty: bool = False) -> LandingView:
    shelves = [web.Shelf("Start here", cards()[:2]), web.Shelf("Quality", [cards()[4]]), web.Shelf("Later", [])]
    return LandingView([] if empty else shelves, [(GUID, "Plant monitor")], "Development")


def member(*, owns: bool = True, **changes: Any) -> MemberView:
    usual = {
        "name": "Amara Okoye", "initials": "AO", "username": "amara.okoye",
        "facts": [("Role", "publisher"), ("Mail", "amara.okoye@veridia.example"), ("Department", "Process engineering")],
        "badge": Badge("active", "good"), "active_at": ago(hours=3), "is_steward": False, "base": "/_/admin/users/1", "account": "#", "page": "#",
        "owned": [Owned(c, "Development" if n else "Production", GUID) for n, c in enumerate(cards()[:3])] if owns else [], "candidates": ["henrik.dahl"],
    }  # fmt: skip
    return MemberView(**usual | changes)


def group(*, is_new: bool = False, many: bool = False) -> GroupView:
    """A usual one whose circle was refused; a new one; or one with far too much of everything."""
    names, titles = (["Clara Voss", "Henrik Dahl", "Amara Okoye"], cards()[:3])
    if many:
        names, titles = [f"{LONG} {n}" for n in range(50)], [replace(cards()[0], title=LONG)] * 40
    members = [Member(n, initials(n), "#", "/m", "Process engineering") for n in names]
    inner = [Member(n, initials(n), "#", "/g", "12 people") for n in (names if many else ["Line 1", "Line 2"])]
    usual = GroupView(
        name=LONG if many else "Plant Oslo",
        counting="26 people",
        members=members,
        inner=inner,
        around=[("Norway", "#"), ("Company", "#")],
        opened=[Opened(one, "Production", "may change it" if n else "may open it") for n, one in enumerate(titles)],
        base="/_/admin/groups/1",
        pager=Pager(1, 1600, "", "#") if many else Pager(1, 1),
        loses="26 people can no longer open 3 items by it. By it they count in Norway, Company; that ends, too.",
        typed="" if many else "Company",
        wrong_field="" if many else "name",
        wrong="A group can't be in itself, nor in a group that is in it. Choose another one.",
    )
    if not is_new:
        return usual
    lost = "Nobody counts in it, so that nobody loses access."
    bare = {"members": [], "inner": [], "around": [], "opened": [], "wrong_field": "", "typed": ""}
    return replace(usual, name="Data science", counting="0 people", loses=lost, **bare)


def content_overview() -> overview.ContentOverview:
    def line(one: content.Card, words: str) -> overview.ContentLine:
        return overview.ContentLine(one.title, one.kind, "#", one.owner, "Production", words)

    used = [
        line(one, f"{900 // (n + 1):,} page loads by {40 // (n + 1)} people, 38 % from other departments")
        for n, one in enumerate(cards()[:4])
    ]
    facts = [
        content.Fact("38 %", "of page loads come from outside the owner's department"),
        content.Fact("4,108", "page loads whose departments are known"),
        content.Fact("10+", "items were opened"),
    ]
    return overview.ContentOverview(facts, used, [line(cards()[3], "last deployed 2026-02-01")], [line(cards()[2], "Python 3.9.18")], [])  # fmt: skip


def waiting(*, asked_only: bool = False) -> web.Waiting:
    told = [
        web.Told("alert-triangle", "Plant monitor", Badge("fixed", "good"), "", ago(minutes=8), f"{BASE}/questions/1"),
        web.Told(
            "lock",
            "Something of Henrik Dahl",
            Badge("waiting", "off"),
            NEED,
            ago(hours=2),
            f"{BASE}/ask",
            "/away",
            True,
        ),
        web.Told(
            "lock-open", "Shelf life forecast", Badge("you may open it", "good"), "Welcome.", ago(days=1), BASE, "/away"
        ),
    ]
    if asked_only:
        return web.Waiting(told=told)
    questions = [web.Asked("alert-triangle", "Clara Voss", "Plant monitor", "The curve of reactor 5 ends at 07:40.", ago(minutes=20), f"{BASE}/questions/1")]  # fmt: skip
    return web.Waiting([web.AskedForAccess(asks()[0], "Plant monitor", BASE)], questions, told[:1])


def integrated(**changes: Any) -> integrations.IntegrationsView:
    lines = [
        integrations.IntegrationLine("Batch warehouse", "Records of all batches since 2014; ask plant IT", "acts as its visitor there", "https://warehouse.example.com/oauth2/token", 12, "/remove"),
        integrations.IntegrationLine("Mail of the laboratory", "", "acts there by an account of its own", "https://mail.example.com/token", 1, "/remove"),
        integrations.IntegrationLine(LONG, LONG, "acts as its visitor at this server", "", 0, "/remove"),
    ]  # fmt: skip
    choices = [(kind.value, words) for kind, words in integrations.ACTS_AS.items()]
    callback = "https://science.example.com/__oauth__/integrations/callback"
    return integrations.IntegrationsView(**{"lines": lines, "callback": callback, "choices": choices} | changes)


def services() -> list[content.ServiceChoice]:
    return [
        content.ServiceChoice("g1", "Batch warehouse", "Records of all batches since 2014; ask plant IT", "acts as its visitor there", True),
        content.ServiceChoice("g2", LONG, LONG, "acts there by an account of its own", False),
    ]  # fmt: skip
