"""The settings tab: what people call an item and find it by, its picture, its owner, and its end."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Form, Request, Response

from pilothouse.asgi.rendering import Done, page, server_url, to
from pilothouse.base.access import Permission, may
from pilothouse.content import service
from pilothouse.content.contract import ContentInvalid, ContentUnknown, VanityInvalid, VanityTaken
from pilothouse.content.models import Content
from pilothouse.content.pages.picture import SentPicture
from pilothouse.content.pages.views import Given, SettingsTab
from pilothouse.content.pages.visit import Visit, VisitOf
from pilothouse.content.service.describing import ThumbnailInvalid
from pilothouse.content.service.tags import TagInvalid
from pilothouse.db import Tx
from pilothouse.identity import service as identity
from pilothouse.identity.models import User

router = APIRouter(prefix="/_/content/{guid}")
Text = Annotated[str, Form()]


@router.get("/settings")
def show(visit: VisitOf) -> Response:
    return _show(visit)


@router.post("/settings")
def save(visit: VisitOf, title: Text = "", description: Text = "", department: Text = "", tags: Text = "") -> Response:
    typed = {"title": title, "description": description, "department": department, "tags": tags}
    wrong: dict[str, str] = {}

    def change(tx: Tx, content: Content) -> Done:
        before = _fields(tx, content)
        wanted = {"title": title.strip() or None, "description": description.strip(), "department": department.strip()}
        service.update_content(tx, visit.caller, content, changes=wanted | {"department": wanted["department"] or None})
        try:
            service.set_tags(tx, visit.caller, content, names=tags.split(","))
        except TagInvalid as error:
            wrong["tags"] = str(error)
            raise
        return Done("Saved.", f"{visit.base}/settings", before)

    return visit.change(change, partial(_show, typed=typed, wrong=wrong))


@router.post("/owner")
def hand_over(visit: VisitOf, owner: Text = "") -> Response:
    """Make somebody else the owner; the page that follows takes it back."""
    wrong: dict[str, str] = {}
    name = owner.strip()

    def change(tx: Tx, content: Content) -> str:
        user = identity.find_user(tx, name)
        if user is None:
            wrong["owner"] = (
                f"Nobody is called “{name[:80]}”. Type the user name, such as the one on their account page."
            )
            raise ContentInvalid(wrong["owner"])
        service.hand_over(tx, visit.caller, content, to=user)
        return f"{user.display_name} is the owner now."

    def show_what_is_left(visit: Visit, **changes: Any) -> Response:
        if "done" in changes:
            return to(visit.request, f"/_/content/{visit.guid}/owner")
        return _show(visit, typed={"owner": owner}, wrong=wrong, **changes)

    return visit.change(change, show_what_is_left)


@router.get("/owner")
def given(visit: VisitOf) -> Response:
    """That one gave it away, also for who may not open it any more; once that is old, the page of the item."""
    try:
        with visit.db.read() as tx:
            content = service.given_away(tx, visit.caller, visit.stage, visit.guid)
            owner = tx.get(User, content.owner_id)
            view = Given(
                content.title or content.name,
                owner.display_name if owner else "—",
                f"{visit.base}/owner/undo",
                visit.base if visit.may_view(tx, content) else "",
            )
    except ContentUnknown:
        return to(visit.request, f"/_/content/{visit.guid}")
    return page(visit.request, "content/given.html", view=view)


@router.post("/owner/undo")
def take_back(visit: VisitOf) -> Response:
    """Own it again, for a quarter of an hour."""
    with visit.db.write() as tx:
        content = service.given_away(tx, visit.caller, visit.stage, visit.guid)
        service.take_back(tx, visit.caller, content)
    return to(visit.request, f"/_/content/{visit.guid}/settings")


@router.post("/address")
def address(visit: VisitOf, path: Text = "") -> Response:
    """Give it a path of its own below the stage; an empty one takes it away."""
    wrong: dict[str, str] = {}
    typed = path.strip()

    def change(tx: Tx, content: Content) -> Done:
        before = _path(tx, content)
        try:
            if typed:
                service.set_vanity(tx, visit.caller, content, path=typed)
            else:
                service.clear_vanity(tx, visit.caller, content)
        except (VanityInvalid, VanityTaken) as error:
            wrong["path"] = str(error)
            raise
        words = "It opens under its new address." if typed else "It opens under its first address only."
        return Done(words, f"{visit.base}/address", {"path": before})

    return visit.change(change, partial(_show, typed={"path": path}, wrong=wrong))


@router.post("/lock")
def lock(visit: VisitOf, locked: Text = "", message: Text = "") -> Response:
    """Close it for visitors, who read the message, or open it again."""

    def change(tx: Tx, content: Content) -> Done:
        before = {"locked": "1" if content.locked else "", "message": content.locked_message}
        changes = {"locked": bool(locked), "locked_message": message.strip()}
        service.update_content(tx, visit.caller, content, changes=changes)
        words = "It is closed. Visitors read your message." if locked else "It is open again."
        return Done(words, f"{visit.base}/lock", before)

    return visit.change(change, _show)


@router.post("/feature")
def feature(visit: VisitOf, featured: Text = "") -> Response:
    def change(tx: Tx, content: Content) -> Done:
        service.feature(tx, visit.caller, content, featured=bool(featured))
        words = "It is on the home page of everybody who may open it." if featured else "It is no longer featured."
        return Done(words, f"{visit.base}/feature", {"featured": "" if featured else "1"})

    return visit.change(change, _show)


@router.get("/thumbnail")
def thumbnail(visit: VisitOf, v: str = "") -> Response:
    """The chosen picture. Its address changes with it, so browsers keep it."""
    with visit.db.read() as tx:
        found = service.thumbnail(tx, visit.caller, visit.content(tx))
        if found is None:
            return Response(status_code=404)
        headers = {
            "Cache-Control": "private, max-age=31536000, immutable" if v and found.digest.startswith(v) else "no-cache",
            "X-Content-Type-Options": "nosniff",
            "Content-Security-Policy": "default-src 'none'; sandbox",
        }
        return Response(found.image, media_type=found.media_type, headers=headers)


@router.post("/thumbnail")
def choose_thumbnail(visit: VisitOf, request: Request, image: SentPicture) -> Response:
    """Sent by our script, made small by the browser; answered by a sentence when it can't be taken."""
    try:
        with visit.db.write() as tx:
            service.set_thumbnail(tx, visit.caller, visit.content(tx), image=image)
    except ThumbnailInvalid as error:
        return Response(str(error), 422, media_type="text/plain")
    return Response(status_code=204)


@router.post("/thumbnail/remove")
def remove_thumbnail(visit: VisitOf) -> Response:
    def change(tx: Tx, content: Content) -> str:
        service.set_thumbnail(tx, visit.caller, content, image=None)
        return "The picture is drawn again."

    return visit.change(change, _show)


@router.post("/favourite")
def favourite(visit: VisitOf, kept: Text = "") -> Response:
    with visit.db.write() as tx:
        service.keep_at_hand(tx, visit.caller, visit.content(tx), kept=bool(kept))
    return Response(status_code=204)


@router.post("/delete")
def delete(visit: VisitOf, confirmation: Text = "") -> Response:
    """Remove the item for good; its name must be typed first."""
    with visit.db.write() as tx:
        content = visit.content(tx, Permission.CONTENT_DELETE)
        is_meant = confirmation.strip() == content.name
        if is_meant:
            service.delete_content(tx, visit.caller, content)
        name = content.name
    if not is_meant:
        return _show(visit, status=422, wrong={"confirmation": f"Type {name} exactly, or leave it alone."})
    return to(visit.request, "/_/content")


def _fields(tx: Tx, content: Content) -> dict[str, str]:
    return {
        "title": content.title or "",
        "description": content.description,
        "department": content.department or "",
        "tags": ", ".join(service.tags_of(tx, [content])[content.id]),
    }


def _path(tx: Tx, content: Content) -> str:
    return service.vanity_paths(tx, [content]).get(content.id, "").strip("/")


def _show(
    visit: Visit,
    *,
    typed: Mapping[str, str] | None = None,
    wrong: Mapping[str, str] | None = None,
    problem: str = "",
    **changes: Any,
) -> Response:
    """What was typed stands again only where something was wrong; a reason that stands beside its field stands nowhere else."""

    def shown(tx: Tx, content: Content) -> dict[str, Any]:
        is_wrong = bool(problem or wrong)
        stands = _fields(tx, content) | {"path": _path(tx, content)}
        filled = defaultdict(str, stands | (dict(typed or {}) if is_wrong else {}))
        found = service.choices(tx, visit.caller, visit.stage)
        tab = SettingsTab(
            typed=filled,
            name=content.name,
            wrong=defaultdict(str, wrong or {}),
            departments=found.departments,
            known_tags=found.tags,
            public_url=server_url(visit.request),
            may_share=may(visit.caller, Permission.CONTENT_SHARE, service.resource_of(tx, content)),
            locked=content.locked,
            locked_message=content.locked_message,
            featured=content.featured if may(visit.caller, Permission.CONTENT_FEATURE) else None,
        )
        return {"view": tab}

    above = "" if wrong else problem
    return visit.show("content/settings.html", shown, permission=Permission.CONTENT_UPDATE, problem=above, **changes)
