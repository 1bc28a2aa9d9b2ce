"""The command palette: everything that has a name, and every action, found by typing. Only what the reader may see or do."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from fastapi import APIRouter, Request, Response

from pilothouse.asgi.context import Db, SignedIn, Stage
from pilothouse.asgi.places import ADMINISTRATION_PARTS, places
from pilothouse.asgi.rendering import frame, page
from pilothouse.asgi.texts import catalogue
from pilothouse.base.access import Permission, Principal, may
from pilothouse.content import service as content
from pilothouse.content.pages import reading
from pilothouse.db import Tx
from pilothouse.identity import service as identity
from pilothouse.settings import Settings
from pilothouse.stages import StageRef

router = APIRouter()
CONTENT_SHOWN, OTHERS_SHOWN, QUERY_LIMIT = 6, 5, 100


@dataclass(frozen=True)
class Entry:
    """One line. Choosing it follows ``href``, or sends a POST to ``post``, or picks a look, or opens a dialog of the page."""

    name: str
    icon: str
    href: str = ""
    hint: str = ""
    key: str = ""
    post: str = ""
    look: str = ""
    opens: str = ""


@dataclass(frozen=True)
class EntryGroup:
    name: str
    entries: Sequence[Entry]


@dataclass(frozen=True)
class PaletteView:
    groups: Sequence[EntryGroup]
    query: str
    search: str


#: The heads of the groups of lines.
CONTENT, PEOPLE, GROUPS, GO, DO, SETTINGS = HEADS = ("Content", "People", "Groups", "Go to", "Do", "Settings")

#: What everybody may do anywhere.
ACTIONS = (
    Entry("Make an API key", "key", "/_/account#keys"),
    Entry("Change the password", "lock", "/_/account#secret"),
    Entry("Account", "user-circle", "/_/account"),
    Entry("Use the dark look", "moon", look="dark"),
    Entry("Use the light look", "sun", look="light"),
    Entry("Use the system's look", "device-desktop", look="system"),
    Entry("Show the keys", "info-circle", opens="shortcuts", key="?"),
    Entry("Sign out", "logout", post="/_/sign-out"),
)
OPERATIONS = (
    Entry("Add a user", "plus", "/_/admin/users?new=1"),
    Entry("Make a group", "plus", "/_/admin/groups"),
    Entry("Export the audit trail", "download", "/_/admin/audit/export"),
)


@router.get("/_/palette")
def show(request: Request, db: Db, caller: SignedIn, stage: Stage, q: str = "") -> Response:
    """The lines for what was typed, best ones first; places and actions when nothing was."""
    query = " ".join(q[:QUERY_LIMIT].split())
    with db.read() as tx:
        groups = [*_named(request, tx, caller, stage, query), *_reachable(request, caller, query)]
    shown = [group for group in groups if group.entries]
    return page(request, "web/palette.html", view=PaletteView(shown, query, f"{frame(request).base}/_/search"))


def _named(request: Request, tx: Tx, caller: Principal, stage: StageRef, query: str) -> list[EntryGroup]:
    """What people gave names to: content, people, and for administrators groups and options."""
    base = frame(request).base
    rows = content.list_content(tx, caller, stage, wanted=content.Wanted(search=query), limit=CONTENT_SHOWN)
    cards = reading.cards(tx, rows, base)
    said = catalogue(frame(request).language).gettext
    found = [
        EntryGroup(CONTENT, [Entry(c.title, c.kind.icon, c.href, f"{said(c.kind.label)} · {c.owner}") for c in cards])
    ]
    if not query:
        return found
    people = identity.directory(tx, caller, words=query, page_size=OTHERS_SHOWN).items
    shown = [Entry(u.display_name, "user", f"{base}/_/people/{u.guid}", u.department or u.username) for u in people]
    found.append(EntryGroup(PEOPLE, shown))
    if not may(caller, Permission.USER_CREATE):
        return found
    groups = identity.list_groups(tx, caller, prefix=query, page_size=OTHERS_SHOWN).items
    found.append(
        EntryGroup(
            GROUPS,
            [Entry(g.name, "users-group", f"{base}/_/admin/groups/{g.guid}") for g in groups],
        )
    )
    return found


def _reachable(request: Request, caller: Principal, query: str) -> list[EntryGroup]:
    """Places, stages, actions and options of which every typed word is a part."""
    around = frame(request)
    said, base = catalogue(around.language).gettext, around.base
    is_operator = may(caller, Permission.SETTINGS_READ)
    went = [Entry(said(p.name), p.icon, base + p.path, key=f"g {p.key}") for p in places(caller)]
    went += [Entry(s.title, "versions", s.path, said("Stage")) for s in around.stages if s is not around.stage]
    if is_operator and query:
        went += [Entry(p.name, p.icon, base + p.path, said("Administration")) for p in ADMINISTRATION_PARTS]
    did = [_placed(entry, said(entry.name), base) for entry in (*ACTIONS, *(OPERATIONS if is_operator else ()))]
    found = [EntryGroup(GO, _matching(went, query)), EntryGroup(DO, _matching(did, query))]
    if is_operator and query:
        found.append(EntryGroup(SETTINGS, _matching(_options(base), query)[:OTHERS_SHOWN]))
    return found


def _options(base: str) -> Iterable[Entry]:
    for section, field in Settings.model_fields.items():
        for option in getattr(field.annotation, "model_fields", ()):
            name = f"{section}.{option}"
            yield Entry(name, "settings", f"{base}/_/admin/settings#{name}")


def _placed(entry: Entry, name: str, base: str) -> Entry:
    href, post = (base + path if path else "" for path in (entry.href, entry.post))
    return replace(entry, name=name, href=href, post=post)


def _matching(entries: Iterable[Entry], query: str) -> list[Entry]:
    """Those whose name holds every typed word; names that begin with what was typed come first."""
    words = query.lower().split()
    found = [e for e in entries if all(word in f"{e.name} {e.hint}".lower() for word in words)]
    return sorted(found, key=lambda e: not e.name.lower().startswith(query.lower())) if words else found
