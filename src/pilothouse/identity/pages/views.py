"""What the pages about people show, decided before a template sees it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import urlencode

from pydantic import BaseModel

from pilothouse.asgi.rendering import Badge, Done
from pilothouse.asgi.texts import NAMES as LANGUAGE_NAMES
from pilothouse.base.access import Role
from pilothouse.identity.models import User

PAGES_LIMIT = 1_000_000
ROLES = tuple((role.value, role.value.capitalize()) for role in Role)


def initials(name: str) -> str:
    """Up to two letters that stand for a person or group."""
    parts = [p for p in name.replace(".", " ").replace("_", " ").split() if p]
    return "".join(p[0] for p in (parts[:1] + parts[1:][-1:])) or "?"


def nothing_wrong() -> defaultdict[str, str]:
    return defaultdict(str)


@dataclass(frozen=True)
class LoginView:
    """The sign-in form. ``towards`` is where the person goes afterwards: a path of this server."""

    towards: str = ""
    username: str = ""
    wrong: str = ""


@dataclass(frozen=True)
class KeyLine:
    name: str
    prefix: str
    created_at: datetime
    used_at: datetime | None
    path: str


@dataclass(frozen=True)
class LoginLine:
    browser: str
    address: str
    created_at: datetime
    is_this: bool
    path: str


@dataclass(frozen=True)
class ProgramLine:
    """A program that signed in as the person, and how to end that."""

    name: str
    address: str
    since: datetime
    used_at: datetime | None
    path: str


@dataclass(frozen=True)
class ClaimView:
    """A program that asks to act as the reader: what and where it is, and whether its address is not the reader's own."""

    program: str
    address: str
    is_elsewhere: bool
    asked_at: datetime
    username: str
    is_done: bool
    name: str


@dataclass(frozen=True)
class ConsentView:
    """A program that asks to act as the reader, where it waits for the answer, and what the answer carries back."""

    program: str
    waits_at: str
    is_here: bool
    username: str
    fields: Mapping[str, str]


@dataclass(frozen=True)
class DeviceView:
    """The form for a code that a program shows; with ``program`` the question that it leads to."""

    username: str
    code: str = ""
    wrong: str = ""
    program: str = ""
    address: str = ""
    is_elsewhere: bool = False
    asked_at: datetime | None = None


@dataclass(frozen=True)
class AccountView:
    """One's own account. ``fresh`` is a key just made, shown this once; ``add_command`` makes it known to the client.

    ``sends_mail``: this installation has a way to send mails.
    """

    name: str
    username: str
    role: str
    email: str
    place: str
    keys: Sequence[KeyLine]
    logins: Sequence[LoginLine]
    may_publish: bool
    add_command: str
    password_hint: str
    profile: Mapping[str, str] = field(default_factory=nothing_wrong)
    language: str = ""
    languages: Sequence[tuple[str, str]] = tuple(LANGUAGE_NAMES.items())
    wants_mail: bool = True
    sends_mail: bool = True
    fresh: str = ""
    typed: str = ""
    wrong: str = ""
    password_wrong: str = ""
    problem: str = ""
    done: str = ""
    programs: Sequence[ProgramLine] = ()


@dataclass(frozen=True)
class UserLine:
    name: str
    username: str
    email: str
    role: str
    department: str
    active_at: datetime | None
    locked: bool
    badge: Badge
    path: str


@dataclass(frozen=True)
class Pager:
    """Where one is among the pages of a list."""

    page: int
    pages: int
    previous: str = ""
    next: str = ""


class Part(BaseModel):
    """Which part of a long list the address asks for: names that begin so, and the number of the page."""

    prefix: str = ""
    p: int = 1

    @property
    def number(self) -> int:
        return min(max(self.p, 1), PAGES_LIMIT)

    @property
    def here(self) -> str:
        """What leads to this part again, behind any path of the list."""
        asked = {name: value for name, value in (("prefix", self.prefix), ("p", self.number)) if value not in ("", 1)}
        return f"?{urlencode(asked)}" if asked else ""


@dataclass(frozen=True)
class UsersView:
    """``here`` is what a change adds to its address, so that the list stays where it was."""

    users: Sequence[UserLine]
    prefix: str
    pager: Pager
    password_hint: str
    roles: Sequence[tuple[str, str]] = ROLES
    opens: bool = False
    typed: Mapping[str, str] = field(default_factory=nothing_wrong)
    wrong: Mapping[str, str] = field(default_factory=nothing_wrong)
    problem: str = ""
    done: Done | None = None
    here: str = ""


@dataclass(frozen=True)
class GroupLine:
    """``size`` in words."""

    name: str
    size: str
    created_at: datetime
    href: str


@dataclass(frozen=True)
class GroupsView:
    groups: Sequence[GroupLine]
    prefix: str = ""
    pager: Pager = Pager(1, 1)
    typed: str = ""
    wrong: str = ""


def user_line(user: User, base: str) -> UserLine:
    """One row of the list of users."""
    if user.locked:
        badge = Badge("locked", "bad")
    elif not user.confirmed:
        badge = Badge("invited", "busy")
    else:
        badge = Badge("active", "good")
    return UserLine(
        name=user.display_name,
        username=user.username,
        email=user.email,
        role=user.role,
        department=" · ".join(p for p in (user.department, user.site) if p),
        active_at=user.active_at,
        locked=user.locked,
        badge=badge,
        path=f"{base}/_/admin/users/{user.guid}",
    )


def browser_name(user_agent: str) -> str:
    """Like "Firefox on Linux", from a User-Agent header; the first word of anything else."""
    browsers = (
        ("Edg/", "Edge"),
        ("OPR/", "Opera"),
        ("Firefox/", "Firefox"),
        ("Chrome/", "Chrome"),
        ("Safari/", "Safari"),
    )
    systems = (
        ("Android", "Android"),
        ("iPhone", "iPhone"),
        ("iPad", "iPad"),
        ("Windows", "Windows"),
        ("Mac OS", "macOS"),
        ("Linux", "Linux"),
    )
    browser = next((name for mark, name in browsers if mark in user_agent), "")
    system = next((name for mark, name in systems if mark in user_agent), "")
    if browser and system:
        return f"{browser} on {system}"
    return browser or user_agent.split("/")[0].strip()[:40] or "Unknown browser"
