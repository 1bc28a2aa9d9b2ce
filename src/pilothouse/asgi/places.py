"""Where one can go: the entries of the rail, and the parts of the administration."""

from __future__ import annotations

from dataclasses import dataclass

from pilothouse.base.access import Permission, Principal, may


@dataclass(frozen=True)
class Place:
    """One entry. ``key`` goes there after ``g``; ``path`` begins behind the stage's prefix."""

    name: str
    path: str
    icon: str
    key: str
    section: str


HOME = Place("Home", "/", "home", "h", "home")
CONTENT = Place("Content", "/_/content", "apps", "c", "content")
DATA = Place("Data", "/_/data", "database", "d", "data")
PEOPLE = Place("People", "/_/people", "users", "p", "people")
ADMINISTRATION = Place("Administration", "/_/admin", "adjustments", "a", "admin")

#: The parts of the administration, in the order of its tabs; no key of their own, the palette finds them.
ADMINISTRATION_PARTS = tuple(
    Place(name, f"/_/admin{path}", icon, "", section)
    for section, name, path, icon in (
        ("overview", "Overview", "", "gauge"),
        ("jobs", "Jobs", "/jobs", "activity"),
        ("queue", "Queue", "/queue", "list"),
        ("content", "Content", "/content", "apps"),
        ("home", "Home page", "/home", "home"),
        ("announcements", "Announcements", "/announcements", "bell"),
        ("users", "Users", "/users", "users"),
        ("groups", "Groups", "/groups", "users-group"),
        ("tags", "Tags", "/tags", "tag"),
        ("integrations", "Integrations", "/integrations", "link"),
        ("storage", "Storage", "/storage", "database"),
        ("audit", "Audit", "/audit", "history"),
        ("settings", "Settings", "/settings", "settings"),
    )
)


def places(caller: Principal) -> tuple[Place, ...]:
    """Where this person can go: only what exists for them."""
    if not caller.is_authenticated:
        return ()
    return (
        (HOME, CONTENT, DATA, PEOPLE, ADMINISTRATION)
        if may(caller, Permission.JOB_LIST)
        else (HOME, CONTENT, DATA, PEOPLE)
    )
