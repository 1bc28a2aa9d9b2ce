"""One group in the administration: who counts in it, what is open to it, and its end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Request, Response

from pilothouse.asgi.context import Db, SignedIn
from pilothouse.asgi.rendering import Done, frame, page, to
from pilothouse.base.access import Permission, Principal, Share, require
from pilothouse.base.errors import Conflict, Invalid, NotFound
from pilothouse.content import service
from pilothouse.content.pages import reading
from pilothouse.content.pages.views import Card
from pilothouse.db import Database, Tx
from pilothouse.identity import service as identity
from pilothouse.identity.contract import GroupUnknown, UserUnknown
from pilothouse.identity.models import Group, User
from pilothouse.identity.pages.groups import sized
from pilothouse.identity.pages.users import pager
from pilothouse.identity.pages.views import Pager, Part, initials

router = APIRouter(prefix="/_/admin/groups/{guid}")
Text = Annotated[str, Form()]
MEMBERS_SHOWN, CANDIDATES_SHOWN = 50, 200
OPENS = {Share.VIEWER.value: "may open it", Share.EDITOR.value: "may change it"}


@dataclass(frozen=True)
class Member:
    """A person who joined, or a group in this one. ``path`` takes them out."""

    name: str
    initials: str
    href: str
    path: str
    about: str = ""


@dataclass(frozen=True)
class Opened:
    """Content that names the group on its access list."""

    card: Card
    stage: str
    share: str


@dataclass(frozen=True)
class GroupView:
    """One group. ``counting`` says who counts in it, groups in it included; ``around`` are the groups that it is in."""

    name: str
    counting: str
    members: Sequence[Member]
    inner: Sequence[Member]
    around: Sequence[tuple[str, str]]
    opened: Sequence[Opened]
    base: str
    pager: Pager
    here: str = ""
    people: Sequence[str] = ()
    groups: Sequence[str] = ()
    loses: str = ""
    typed: str = ""
    wrong_field: str = ""
    wrong: str = ""
    done: Done | None = None


@dataclass(frozen=True)
class Seen:
    """A page of one group, asked for by somebody; ``part`` is which of its members."""

    request: Request
    db: Database
    caller: Principal
    part: Part
    guid: str

    @property
    def base(self) -> str:
        return f"{frame(self.request).base}/_/admin/groups/{self.guid}"

    def change(self, verb: Callable[[Tx, Group], Done], *, field: str = "above", typed: str = "") -> Response:
        """Do ``verb`` in one transaction and show the group again: with what it did, or why not, beside its ``field``."""
        try:
            with self.db.write() as tx:
                done = verb(tx, identity.get_group(tx, self.guid))
        except (Conflict, Invalid, NotFound) as error:
            with self.db.read() as tx:
                identity.get_group(tx, self.guid)  # the group itself is gone: that is another page
            return self.show(status=422, wrong_field=field, wrong=str(error), typed=typed)
        return self.show(done=done)

    def show(self, *, status: int = 200, **changes: Any) -> Response:
        require(self.caller, Permission.USER_CREATE)
        with self.db.read() as tx:
            view = _view(self, tx, identity.get_group(tx, self.guid), changes)
        return page(self.request, "web/group.html", status=status, view=view)


def seen(request: Request, db: Db, caller: SignedIn, part: Annotated[Part, Depends()], guid: str) -> Seen:
    return Seen(request, db, caller, part, guid)


SeenOf = Annotated[Seen, Depends(seen)]


@router.get("")
def show(seen: SeenOf) -> Response:
    return seen.show()


@router.post("/members")
def add_member(seen: SeenOf, username: Text = "") -> Response:
    def add(tx: Tx, group: Group) -> Done:
        user = identity.find_user(tx, username.strip())
        if user is None:
            raise UserUnknown(f"Nobody has the user name “{username[:80]}”. Choose one from the list.")
        if not identity.add_member(tx, seen.caller, group, user=user):
            return Done(f"{user.display_name} was in {group.name} already.")
        return Done(f"{user.display_name} is in {group.name}.", f"{seen.base}/members/{user.guid}/remove")

    return seen.change(add, field="username", typed=username)


@router.post("/members/{user_guid}/remove")
def remove_member(seen: SeenOf, user_guid: str) -> Response:
    def remove(tx: Tx, group: Group) -> Done:
        user = identity.get_user(tx, user_guid)
        identity.remove_member(tx, seen.caller, group, user=user)
        words = f"{user.display_name} is no longer in {group.name}."
        return Done(words, f"{seen.base}/members{seen.part.here}", {"username": user.username})

    return seen.change(remove)


@router.post("/groups")
def nest(seen: SeenOf, name: Text = "") -> Response:
    """From now on the members of the group of this name count in this one."""

    def add(tx: Tx, group: Group) -> Done:
        inner = identity.find_group(tx, seen.caller, name)
        if inner is None:
            raise GroupUnknown(f"No group is called “{name[:80]}”. Choose one from the list.")
        identity.nest_group(tx, seen.caller, group, inner=inner)
        words = f"Everybody in {inner.name} counts in {group.name} now."
        return Done(words, f"{seen.base}/groups/{inner.guid}/remove")

    return seen.change(add, field="name", typed=name)


@router.post("/groups/{inner_guid}/remove")
def unnest(seen: SeenOf, inner_guid: str) -> Response:
    def remove(tx: Tx, group: Group) -> Done:
        inner = identity.get_group(tx, inner_guid)
        identity.unnest_group(tx, seen.caller, group, inner=inner)
        words = f"Who is in {inner.name} no longer counts in {group.name} by that."
        return Done(words, f"{seen.base}/groups", {"name": inner.name})

    return seen.change(remove)


@router.post("/delete")
def delete(seen: SeenOf, confirmation: Text = "") -> Response:
    """Remove the group for good; its name must be typed first."""
    with seen.db.write() as tx:
        group = identity.get_group(tx, seen.guid)
        name, is_meant = group.name, confirmation.strip() == group.name
        if is_meant:
            identity.delete_group(tx, seen.caller, group)
    if is_meant:
        return to(seen.request, "/_/admin/groups")
    return seen.show(status=422, wrong_field="confirmation", wrong=f"Type {name} exactly, or leave it alone.")


def _view(seen: Seen, tx: Tx, group: Group, changes: dict[str, Any]) -> GroupView:
    caller, base, admin = seen.caller, seen.base, f"{frame(seen.request).base}/_/admin"
    found = identity.list_members(tx, caller, group, page=seen.part.number, page_size=MEMBERS_SHOWN)
    around = [(g.name, f"{admin}/groups/{g.guid}") for g in identity.outer_groups(tx, caller, group)]
    counting, opened = identity.people_in(tx, caller, group), _opened(seen, tx, group)
    return GroupView(
        name=group.name,
        counting=_people(counting),
        members=[_person(user, admin, f"{base}/members/{user.guid}/remove{seen.part.here}") for user in found.items],
        inner=_inner(seen, tx, group, admin),
        around=around,
        opened=opened,
        base=base,
        pager=pager(base, "", seen.part.number, found.total, MEMBERS_SHOWN),
        here=seen.part.here,
        people=identity.usernames(tx, caller, limit=CANDIDATES_SHOWN),
        groups=[g.name for g in identity.list_groups(tx, caller, page_size=CANDIDATES_SHOWN).items if g.id != group.id],
        loses=_loses(counting, len(opened), [name for name, _ in around]),
        **changes,
    )


def _person(user: User, admin: str, path: str) -> Member:
    name = user.display_name
    return Member(name, initials(name), f"{admin}/users/{user.guid}", path, user.department or "")


def _inner(seen: Seen, tx: Tx, group: Group, admin: str) -> list[Member]:
    found = identity.inner_groups(tx, seen.caller, group)
    sizes = identity.group_sizes(tx, [one.id for one in found])
    return [
        Member(
            g.name,
            initials(g.name),
            f"{admin}/groups/{g.guid}",
            f"{seen.base}/groups/{g.guid}/remove",
            sized(sizes[g.id]),
        )
        for g in found
    ]


def _opened(seen: Seen, tx: Tx, group: Group) -> list[Opened]:
    """In all stages, in their order."""
    found = []
    for stage in seen.request.app.state.stages.all():
        rows = service.content_of_group(tx, seen.caller, stage, group)
        cards = reading.cards(tx, [content for content, _ in rows], stage.path.rstrip("/"))
        shares = (OPENS[line.share] for _, line in rows)
        found += [Opened(card, stage.title, share) for card, share in zip(cards, shares, strict=True)]
    return found


def _loses(people: int, items: int, around: Sequence[str]) -> str:
    """What its end means, in a sentence or two."""
    if not people:
        return "Nobody counts in it, so that nobody loses access."
    words = (
        [f"{_people(people)} can no longer open {'1 item' if items == 1 else f'{items} items'} by it."] if items else []
    )
    if around:
        words.append(f"By it they count in {', '.join(around)}; that ends, too.")
    return " ".join(words) or f"{_people(people)} count in it. Nothing is open to it, so that nobody loses access."


def _people(number: int) -> str:
    return "1 person" if number == 1 else f"{number:,} people"
