"""Every page with sample values: what tests render and `make screens` photographs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from types import SimpleNamespace
from typing import Any, cast

from tests.factories import tag_pages
from tests.factories import together_pages as together
from tests.factories.item_pages import comparison, deploys, effects, runtime, usage
from tests.factories.pages import (
    FAILED,
    GUID,
    LONG,
    NOT_YET,
    PEOPLE,
    RUNNING,
    SERVER,
    access,
    account,
    card,
    cards,
    claim,
    device,
    events,
    filters,
    gallery,
    groups,
    head,
    home,
    jobs,
    log,
    many_cards,
    now,
    overview,
    processes,
    queue,
    settings,
    storage,
    todo,
    users,
    versions,
    wrong,
)

from pilothouse.asgi.rendering import Done
from pilothouse.base.access import ANONYMOUS, Principal, Role
from pilothouse.connect_api.application import application
from pilothouse.connect_api.context import Wire
from pilothouse.connect_api.described import document as protocol_document
from pilothouse.content.pages import views as content
from pilothouse.identity.pages import views as people
from pilothouse.settings.branding import Web
from pilothouse.web import views as web
from pilothouse.web.api_words import chapters, nouns
from pilothouse.web.states import StatePages

TAG_WRONG = "A tag is 1 to 60 printable characters, and content has at most 12 of them."
WEAK = "Apps can reach each other's ports: without root there is no address filter. Run the server as root."


@dataclass(frozen=True)
class Sample:
    """One picture: a template with the values a door would give it, and who looks at it."""

    name: str
    template: str
    values: dict[str, Any]
    signed_in: bool = True
    role: Role = Role.ADMINISTRATOR
    language: str = "en"

    @property
    def reader(self) -> Principal:
        if not self.signed_in:
            return replace(ANONYMOUS, language=self.language)
        name = "clara.voss" if self.role is Role.VIEWER else "amara.okoye"
        return Principal(id=1, role=self.role, username=name, language=self.language)


def samples() -> list[Sample]:
    """Every page in its states."""
    item = card("Plant monitor", "python-fastapi", "Amara Okoye", RUNNING, minutes=4)
    usual = head(item)
    crowded = head(replace(item, title=LONG, owner="Maximiliane-Theodora von Hohenlohe-Waldenburg", badge=FAILED))
    deploy = f"rsconnect deploy fastapi -s {SERVER} -k KEY ."
    return [
        Sample("login", "identity/login.html", {"view": people.LoginView()}, False),
        Sample(
            "login-wrong",
            "identity/login.html",
            {
                "view": people.LoginView(
                    "/_/content", "amara.okoye", "The user name or the password is not right. Try again."
                )
            },
            False,
        ),
        Sample("home-usual", "web/home.html", {"view": home(now=now(busy=True))}),
        Sample(
            "home-first",
            "web/home.html",
            {"view": home(favourites=[], mine=[], colleagues=[], featured=[], first_steps=True)},
        ),
        Sample("home-viewer", "web/home.html", {"view": home(mine=[], colleagues=cards()[2:5], may_publish=False)}),
        Sample("home-operator", "web/home.html", {"view": home(operator=True, todo=todo())}),
        Sample(
            "home-overfull",
            "web/home.html",
            {"view": home(mine=many_cards()[:6], colleagues=many_cards()[2:8], now=now(busy=True))},
        ),
        Sample("gallery-usual", "content/gallery.html", {"view": gallery(cards())}),
        Sample("gallery-table", "content/gallery.html", {"view": gallery(cards(), as_table=True)}),
        Sample(
            "gallery-narrowed",
            "content/gallery.html",
            {
                "view": gallery(
                    [cards()[4]],
                    filters=filters(kind="python-shiny", department="Quality", updated="month"),
                    filtered=True,
                )
            },
        ),
        Sample("gallery-empty", "content/gallery.html", {"view": gallery([])}),
        Sample("gallery-nothing", "content/gallery.html", {"view": gallery([], filtered=True, query="viscosty")}),
        Sample(
            "gallery-overfull",
            "content/gallery.html",
            {
                "view": gallery(
                    many_cards(),
                    next="/_/content?after=60",
                    sentence="Items 1 to 60 of 10,000",
                    filters=filters(department=LONG, owner=LONG),
                    filtered=True,
                )
            },
        ),
        Sample(
            "content-open",
            "content/open.html",
            {"head": replace(usual, card=cards()[0]), "command": ""},
        ),
        Sample(
            "content-empty",
            "content/open.html",
            {
                "head": head(
                    replace(item, badge=NOT_YET, kind=content.kind_shown("unknown"), deployed_at=None), frame_address=""
                ),
                "command": f"{deploy[:-1]}--app-id {GUID} .",
            },
        ),
        Sample("content-access", "content/access.html", {"head": usual, "view": access()}),
        Sample("content-access-long", "content/access.html", {"head": usual, "view": access(found=312, is_long=True)}),
        Sample(
            "content-access-wrong",
            "content/access.html",
            {
                "head": crowded,
                "view": access(typed="clara.fos", wrong="Nobody is called clara.fos. Choose a name from the list."),
            },
        ),
        Sample(
            "content-variables",
            "content/variables.html",
            {"head": usual, "view": content.VariablesTab(["DATABASE_URL", "LIMS_TOKEN"], deploy, together.services())},
        ),
        Sample(
            "content-variables-empty",
            "content/variables.html",
            {"head": usual, "view": content.VariablesTab([], deploy + " -E NAME=VALUE")},
        ),
        Sample("content-versions", "content/versions.html", {"head": usual, "view": versions()}),
        Sample(
            "content-versions-empty", "content/versions.html", {"head": usual, "view": content.VersionsTab([], deploy)}
        ),
        Sample("content-compare", "content/compare.html", {"head": usual, "view": comparison()}),
        Sample("content-compare-same", "content/compare.html", {"head": usual, "view": comparison(same=True)}),
        Sample("content-compare-overfull", "content/compare.html", {"head": crowded, "view": comparison(many=True)}),
        Sample(
            "content-log",
            "content/log.html",
            {"head": usual, "view": log(live=False), "deploys": deploys(), "processes": processes()},
        ),
        Sample(
            "content-log-empty",
            "content/log.html",
            {
                "head": usual,
                "view": replace(log(live=False), lines=[], badge=None, empty="Nothing was deployed yet."),
                "deploys": [],
                "processes": [],
            },
        ),
        Sample(
            "content-settings",
            "content/settings.html",
            {
                "head": replace(usual, card=cards()[0], done=Done("Saved.", "/settings", {"title": "Plant monitor"})),
                "view": settings(),
            },
        ),
        Sample(
            "content-settings-wrong",
            "content/settings.html",
            {
                "head": crowded,
                "view": settings(
                    featured=None,
                    typed=wrong(tags="a, " * 13),
                    wrong=wrong(
                        tags=TAG_WRONG,
                        owner="Nobody is called that.",
                        path="“static” is a word of our own. Choose another one.",
                    ),
                ),
            },
        ),
        Sample(
            "content-runtime",
            "content/runtime.html",
            {"head": usual, "view": runtime(), "effects": effects(), "problem": ""},
        ),
        Sample(
            "content-runtime-wrong",
            "content/runtime.html",
            {
                "head": replace(crowded, problem="Some of it can't be. Nothing was saved."),
                "view": runtime(load_group="low", idle="keep"),
                "effects": effects(max_processes=40, idle="keep", timeout=None, min_processes=2),
                "problem": "“Memory of one worker” of 4096 MB is more than the load group “low” allows: 512 MB.",
            },
        ),
        Sample("content-usage", "content/usage.html", {"head": usual, "view": usage()}),
        Sample("content-usage-counts", "content/usage.html", {"head": crowded, "view": usage(kept="counts")}),
        Sample("content-usage-unused", "content/usage.html", {"head": usual, "view": usage(unused=True)}),
        Sample("account-usual", "identity/account.html", {"view": account()}),
        Sample(
            "account-new-key",
            "identity/account.html",
            {"view": account(fresh="ph_Vq7XcKx0Jr2cQxWw3m1ZkU9n5bT8sLdE4fGhYpAoRi", done="Made the key “laptop”.")},
        ),
        Sample("account-empty", "identity/account.html", {"view": account(keys=[], programs=[])}),
        Sample("claim", "identity/claim.html", {"view": claim()}),
        Sample("claim-elsewhere", "identity/claim.html", {"view": claim(program=LONG, is_elsewhere=True)}),
        Sample("claim-done", "identity/claim.html", {"view": claim(is_done=True)}),
        Sample(
            "consent",
            "identity/consent.html",
            {"view": people.ConsentView("Posit CLI", "127.0.0.1:49152", True, "amara.okoye", {})},
        ),
        Sample(
            "consent-elsewhere",
            "identity/consent.html",
            {"view": people.ConsentView(LONG, "apps.example", False, "amara.okoye", {})},
        ),
        Sample("device-code", "identity/device.html", {"view": device(program="")}),
        Sample("device-question", "identity/device.html", {"view": device(is_elsewhere=True)}),
        Sample("signed-in", "identity/signed_in.html", {"username": "amara.okoye"}),
        Sample("admin-users", "identity/users.html", {"view": users(PEOPLE)}),
        Sample(
            "admin-users-wrong",
            "identity/users.html",
            {
                "view": users(
                    PEOPLE,
                    opens=True,
                    typed=wrong(username="clara.voss", role="publisher"),
                    wrong=wrong(username="This name is taken. Choose another one."),
                )
            },
        ),
        Sample(
            "admin-users-overfull",
            "identity/users.html",
            {"view": users([f"{LONG} {n}" for n in range(25)], pager=people.Pager(2, 400, "#", "#"))},
        ),
        Sample("admin-groups", "identity/groups.html", {"view": groups()}),
        Sample(
            "admin-groups-overfull",
            "identity/groups.html",
            {
                "view": people.GroupsView(
                    [
                        people.GroupLine(f"{LONG} {n}", "312 people, 12 groups", together.ago(days=9), "#")
                        for n in range(50)
                    ],
                    pager=people.Pager(2, 40, "#", "#"),
                )
            },
        ),
        Sample("content-given", "content/given.html", {"view": content.Given("Plant monitor", "Henrik Dahl", "#", "")}),
        Sample("admin-group", "web/group.html", {"view": together.group()}),
        Sample("admin-group-empty", "web/group.html", {"view": together.group(is_new=True)}),
        Sample("admin-group-overfull", "web/group.html", {"view": together.group(many=True)}),
        Sample(
            "admin-tags", "content/tags.html", {"view": tag_pages.tags(editor=tag_pages.editor(), done=tag_pages.DONE)}
        ),
        Sample(
            "admin-tags-bare",
            "content/tags.html",
            {
                "view": tag_pages.tags(
                    editor=tag_pages.editor(""),
                    problem="There is a tag “Sales” at the same place. Choose another name.",
                )
            },
        ),
        Sample("admin-tags-many", "content/tags.html", {"view": tag_pages.many()}),
        Sample("admin-tags-empty", "content/tags.html", {"view": tag_pages.tags(nodes=[])}),
        Sample("admin-groups-empty", "identity/groups.html", {"view": people.GroupsView([])}),
        Sample("admin-jobs", "web/jobs.html", {"view": jobs()}),
        Sample("admin-queue", "web/queue.html", {"view": queue()}),
        Sample(
            "admin-queue-empty",
            "web/queue.html",
            {"view": replace(queue(), rows=[], sentence="0 wait, 0 run.", older="")},
        ),
        Sample("admin-jobs-empty", "web/jobs.html", {"view": web.JobsView([], "")}),
        Sample("admin-audit", "audit/events.html", {"view": events(8)}),
        Sample("admin-audit-overfull", "audit/events.html", {"view": events(100)}),
        Sample("admin-overview", "web/overview.html", {"view": overview()}),
        Sample(
            "admin-overview-todo",
            "web/overview.html",
            {"view": overview(todo=[*todo(), replace(todo()[0], words=f"{LONG} does not start.")], weak=[WEAK])},
        ),
        Sample("admin-storage", "web/storage.html", {"view": storage()}),
        Sample(
            "admin-storage-empty",
            "web/storage.html",
            {"view": storage(folders=[], apps=[], libraries=[], measured_at=None, busy=True)},
        ),
        Sample(
            "admin-settings",
            "web/settings.html",
            {
                "view": web.SettingsView(
                    "Read from pilothouse.toml. Change it there and restart.",
                    [
                        web.OptionSection(
                            "server",
                            "Addresses and names of this installation.",
                            [
                                web.OptionLine("server.port", "Port of the dashboard and the API.", "3939", "flag"),
                                web.OptionLine("server.host", "The address the gateway binds.", "127.0.0.1", "default"),
                            ],
                        )
                    ],
                )
            },
        ),
        *reader_samples(),
        *together_samples(),
    ]


def together_samples() -> list[Sample]:
    """Pages on which people ask each other, and answer."""
    item = replace(cards()[0], owner="Amara Okoye")
    owned = head(item)
    looked_at = head(item, tabs=owned.tabs[:2], may_edit=False)
    viewer = {"role": Role.VIEWER}
    return [
        Sample("home-asked", "web/home.html", {"view": home(waiting=together.waiting())}, role=Role.PUBLISHER),
        Sample("viewer-home-told-german", "web/home.html", {"view": home(mine=[], colleagues=cards()[2:5], may_publish=False, waiting=together.waiting(asked_only=True))}, language="de", **viewer),
        Sample("content-access-asked", "content/access.html", {"head": owned, "view": access(asked=together.asks())}),
        Sample("ask", "content/ask.html", {"view": together.ask()}, **viewer),
        Sample("ask-asked-german", "content/ask.html", {"view": together.ask(asked_at=together.ago(minutes=3), typed=together.NEED)}, language="de", **viewer),
        Sample("content-questions", "content/questions.html", {"head": owned, "view": together.questions()}),
        Sample("content-questions-empty", "content/questions.html", {"head": owned, "view": together.questions(empty=True)}),
        Sample("viewer-questions-german", "content/questions.html", {"head": looked_at, "view": together.questions(empty=True, is_owner=False, wrong="Schreiben Sie zuerst einen Satz.")}, language="de", **viewer),
        Sample("content-thread", "content/thread.html", {"head": owned, "view": together.thread()}),
        Sample("content-endorsed", "content/open.html", {"head": replace(owned, trust=content.Trust("Clara Voss", "Checked against the laboratory's own figures, to be relied on for audits.", together.ago(days=3), "/endorse")), "command": ""}),
        Sample("gallery-endorsed", "content/gallery.html", {"view": gallery([replace(c, endorsed_by="Clara Voss") for c in cards()], only_endorsed=True)}),
        Sample("data", "content/data.html", {"view": together.shelf()}),
        Sample("data-empty", "content/data.html", {"view": together.shelf(lines=[], sentence="0 datasets")}, role=Role.PUBLISHER),
        Sample("data-empty-german", "content/data.html", {"view": together.shelf(lines=[], sentence="0 Datensätze")}, language="de", **viewer),
        Sample("pin", "content/pin.html", {"head": replace(owned, card=together.pins()[0].card), "view": together.pin()}),
        Sample("pin-json-german", "content/pin.html", {"head": replace(looked_at, card=together.pins()[0].card), "view": together.pin(head=[], rows=[], text='{"hall": 3}', is_cut=True, readers=[])}, language="de", **viewer),
        Sample("pin-other", "content/pin.html", {"head": replace(looked_at, card=together.pins()[0].card), "view": together.pin(head=[], rows=[], facts=[("Type", "parquet")], readers=[])}, **viewer),
        Sample("search", "web/search.html", {"view": together.found()}),
        Sample("search-nothing-german", "web/search.html", {"view": together.found(content=[], data=[], people=[], query="zzz", sentence="0 Treffer")}, language="de", **viewer),
        Sample("search-begin", "web/search.html", {"view": together.found(query="", content=[], data=[], people=[])}, **viewer),
        Sample("content-api", "content/api.html", {"head": owned, "view": together.api()}),
        Sample("content-api-german", "content/api.html", {"head": looked_at, "view": together.api(docs="", document="", is_open=True)}, language="de", **viewer),
        Sample("home-composed", "web/home.html", {"view": home(landing=together.landing().shelves[:2], favourites=[], featured=[])}, **viewer),
        Sample("admin-announcements", "web/announcements.html", {"view": together.announced(wrong="Three announcements are shown already. End one of them first.")}),
        Sample("admin-integrations", "web/integrations.html", {"view": together.integrated(wrong="“client_secret” is missing in the configuration. Only public clients of visitors have none.")}),
        Sample("admin-integrations-empty", "web/integrations.html", {"view": together.integrated(lines=[])}),
        Sample("admin-announcements-empty", "web/announcements.html", {"view": together.announced(lines=[])}),
        Sample("admin-home", "web/landing.html", {"view": together.landing()}),
        Sample("admin-home-empty", "web/landing.html", {"view": together.landing(empty=True)}),
        Sample("admin-member", "web/member.html", {"view": together.member()}),
        Sample("admin-member-nothing", "web/member.html", {"view": together.member(owns=False, is_steward=True)}),
        Sample("admin-content", "web/content_overview.html", {"view": together.content_overview()}),
        Sample("people", "web/people.html", {"view": together.colleagues()}, **viewer),
        Sample("people-overfull", "web/people.html", {"view": together.colleagues(people=together.persons(long=True), sentence="80,000 people", next="#")}),
        Sample("people-nobody-german", "web/people.html", {"view": together.colleagues(people=[], sentence="0 Personen", query="zzz", filtered=True)}, language="de", **viewer),
        Sample("person", "web/person.html", {"view": together.person(manage="#")}),
        Sample("person-nothing-german", "web/person.html", {"view": together.person(cards=[], news=[])}, language="de", **viewer),
        Sample("activity", "web/activity.html", {"view": together.activity()}, **viewer),
        Sample("activity-empty-german", "web/activity.html", {"view": together.activity(days=[], filters=[], older="")}, language="de", **viewer),
        Sample("viewer-thread-german", "content/thread.html", {"head": looked_at, "view": together.thread(may_promise=False, is_solved=True, badge=together.SOLVED, promised_at=None, fixed_at=together.ago(minutes=3))}, language="de", **viewer),
    ]  # fmt: skip


def reader_samples() -> list[Sample]:
    """Pages that people without rights of their own meet: as viewers, in German, where something is refused or broken."""
    shared = [replace(c, is_favourite=False) for c in cards()[2:5]]
    item = replace(cards()[0], owner="Amara Okoye")
    looked_at = head(item, tabs=head(item).tabs[:1], may_edit=False)
    long_named = replace(many_cards()[0], tags=("Qualitätssicherung", "Donaudampfschifffahrt"))
    return [
        Sample("viewer-home-german", "web/home.html", {"view": home(mine=[], colleagues=shared, may_publish=False)}, role=Role.VIEWER, language="de"),
        Sample("viewer-home-empty-german", "web/home.html", {"view": home(favourites=[], mine=[], colleagues=[], featured=[], may_publish=False)}, role=Role.VIEWER, language="de"),
        Sample("viewer-gallery-german", "content/gallery.html", {"view": gallery(cards(), sentence="6 Einträge", filters=german_filters(), may_publish=False)}, role=Role.VIEWER, language="de"),
        Sample("viewer-gallery-table-german", "content/gallery.html", {"view": gallery([*cards(), long_named], sentence="7 Einträge", as_table=True, filters=german_filters(), may_publish=False)}, role=Role.VIEWER, language="de"),
        Sample("viewer-content", "content/open.html", {"head": looked_at, "command": ""}, role=Role.VIEWER),
        Sample("viewer-content-german", "content/open.html", {"head": replace(looked_at, card=replace(long_named, owner="Amara Okoye")), "command": ""}, role=Role.VIEWER, language="de"),
        Sample("account-german", "identity/account.html", {"view": account(role="viewer", may_publish=False)}, role=Role.VIEWER, language="de"),
        Sample("login-german", "identity/login.html", {"view": people.LoginView("/_/content")}, False, language="de"),
        Sample("refusal", "web/refusal.html", {"view": refused()}),
        Sample("api-docs", "web/api_docs.html", {"view": api_docs()}),
        Sample("nothing-here", "web/refusal.html", {"view": web.Refusal("Nothing here", "There is no such page. Check the address.", [web.Action("Home", "/")], request_id="7c1f0a52")}),
        Sample("mistake-german", "web/refusal.html", {"view": web.Refusal("Das ging schief", "Der Server hat einen Fehler gemacht.", [web.Action("Start", "/")], request_id="7c1f0a52")}, role=Role.VIEWER, language="de"),
    ]  # fmt: skip


def refused() -> web.Refusal:
    return web.Refusal(
        "You may not do this",
        "You may not do this: it needs the permission content:content:update. "
        "It is given to publishers who are editor of the item, and to administrators.",
        [web.Action("Ask Amara Okoye", f"/_/content/{GUID}/questions"), web.Action("Home", "/")],
        facts=[
            ("What was tried", f"/_/content/{GUID}/settings"),
            ("Which rule", "content:content:update"),
            ("Who decides", "Amara Okoye"),
        ],
    )


@cache
def api_docs() -> web.ApiView:
    """The protocol as an installation shows it."""
    app = application(cast(Wire, SimpleNamespace(database=None)))  # asked for its routes only
    document = protocol_document(app, server=SERVER, version="2026.10.0")
    return web.ApiView(SERVER, document["info"]["version"], chapters(document), nouns(document))


def german_filters() -> list[content.Filter]:
    """The sentence above the gallery as `gallery` says it in German."""
    return [
        content.Filter("kind", "Zeige", "Art", [("", "alles"), ("python-shiny", "Shiny-App")]),
        content.Filter("owner", "von", "Besitz", [("", "allen"), ("me", "mir")]),
        content.Filter("department", "aus", "Abteilung", [("", "allen Abteilungen"), (LONG, LONG)], LONG),
        content.Filter("tag", "zu", "Schlagwort", [("", "jedem Thema")]),
        content.Filter("updated", "geändert", "Aktualisiert", [("", "irgendwann"), ("month", "in den letzten 30 Tagen")]),
    ]  # fmt: skip


def state_pages() -> dict[str, bytes]:
    """What stands in place of an app, as the door sends it."""
    pages = StatePages(Web())
    reason = "ModuleNotFoundError: No module named 'numpyy'"
    return {
        "state-starting": pages.starting("Plant monitor", {"queued": 0.4, "starting": 6.2, "usual": 8.0}),
        "state-starting-german": pages.starting(LONG, {"queued": 75.0, "usual": 8.0}, language="de"),
        "state-busy": pages.busy("Plant monitor"),
        "state-failed": pages.failed("Plant monitor"),
        "state-failed-owner": pages.failed("Plant monitor", reason=reason, log_url="/_/content/x/log"),
        "state-denied": pages.denied(owner="Amara Okoye", ask_url=f"{SERVER}/_/content/{GUID}/ask"),
        "state-denied-german": pages.denied(owner="Amara Okoye", ask_url=f"{SERVER}/_/content/{GUID}/ask", language="de"),
        "state-locked": pages.locked("Plant monitor", "We count the stock until Friday noon."),
        "state-locked-german": pages.locked(LONG, "", language="de"),
        "state-not-found": pages.not_found(),
        "state-unavailable": pages.unavailable(),
        "state-not-entered": pages.not_entered("/_/enter?url=%2Fcontent%2Fx%2F"),
        "state-not-entered-german": pages.not_entered("/_/enter?url=%2Fcontent%2Fx%2F", language="de"),
    }  # fmt: skip
