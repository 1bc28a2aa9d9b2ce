"""Container images that content may ask for (the wire calls them environments): stored, shared, chosen. Clusters run them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from sqlalchemy import or_, select
from sqlalchemy.exc import IntegrityError

from pilothouse.audit.service import record
from pilothouse.base import clock
from pilothouse.base.access import Permission, Principal, ResourceRef, may, require
from pilothouse.base.errors import Conflict, Invalid, NotAuthenticated, NotFound
from pilothouse.base.ids import is_guid, new_guid
from pilothouse.content.models import Image, ImageAccess
from pilothouse.db import Tx
from pilothouse.identity.models import Group, User

MATCHING = ("any", "exact", "none")
TEXTS = {"title": 1024, "description": 4096, "cluster_name": 255, "name": 1024, "kind": 255, "supervisor": 1024}
LANGUAGES = ("python", "quarto", "r", "tensorflow", "nodejs")
ENTRIES_LIMIT, TEXT_LIMIT = 100, 1024
MOUNT_SOURCE = ("volume_type", "nfs_host", "nfs_export_path", "pvc_name")


class ImageInvalid(Invalid):
    """Send a “title” and the image's “name”; “matching” is any, exact or none, languages are {"installations": [{"path", "version"}]}."""

    code = "content/image-invalid"


class ImageUnknown(NotFound):
    """There is no such environment, or you may not use it."""

    code = "content/image-unknown"


class ImageTaken(Conflict):
    """There is an environment for this image in this cluster. Change that one."""

    code = "content/image-taken"


class ImageShared(Conflict):
    """They may use this environment already."""

    code = "content/image-shared"


def list_images(tx: Tx, actor: Principal) -> list[Image]:
    """Those that ``actor`` may use, in the order they were made; administrators see all."""
    if not actor.is_authenticated:
        raise NotAuthenticated
    chosen = select(Image).order_by(Image.id)
    return list(tx.scalars(chosen if may(actor, Permission.IMAGE_MANAGE) else chosen.where(_usable(actor))))


def get_image(tx: Tx, actor: Principal, guid: str) -> Image:
    """Raises `ImageUnknown` for one that ``actor`` may not use, too."""
    if not actor.is_authenticated:
        raise NotAuthenticated
    chosen = select(Image).where(Image.guid == guid)
    if not may(actor, Permission.IMAGE_MANAGE):
        chosen = chosen.where(_usable(actor))
    image = tx.scalar(chosen) if is_guid(guid) else None
    if image is None:
        raise ImageUnknown(f"There is no environment {guid[:60]}, or you may not use it.")
    return image


def create_image(tx: Tx, actor: Principal, *, fields: Mapping[str, Any]) -> Image:
    """A new one, for everybody until it is shared with somebody. Raises `ImageInvalid`, `ImageTaken`."""
    require(actor, Permission.IMAGE_MANAGE)
    image = Image(guid=new_guid(), title="", name="", document={})
    _set(image, fields)
    tx.add(image)
    _flush(tx, image)
    record(tx, actor, "content:image:created", ResourceRef("image", image.id), after=_facts(image))
    return image


def change_image(tx: Tx, actor: Principal, image: Image, *, fields: Mapping[str, Any]) -> Image:
    """What is not among ``fields`` stays. Raises `ImageInvalid`, `ImageTaken`."""
    require(actor, Permission.IMAGE_MANAGE)
    before = _facts(image)
    _set(image, fields)
    image.updated_at = clock.now()
    _flush(tx, image)
    record(tx, actor, "content:image:updated", ResourceRef("image", image.id), before=before, after=_facts(image))
    return image


def delete_image(tx: Tx, actor: Principal, image: Image) -> None:
    require(actor, Permission.IMAGE_MANAGE)
    record(tx, actor, "content:image:deleted", ResourceRef("image", image.id), before=_facts(image))
    tx.delete(image)
    tx.flush()


def image_access(tx: Tx, actor: Principal, image: Image) -> list[tuple[ImageAccess, User | Group]]:
    """Who may use it, in the order they were named; nobody = everybody."""
    require(actor, Permission.IMAGE_MANAGE)
    rows = tx.scalars(select(ImageAccess).where(ImageAccess.image_id == image.id).order_by(ImageAccess.id)).all()
    found = [(row, tx.get(User, row.user_id) if row.user_id else tx.get(Group, row.group_id)) for row in rows]
    return [(row, who) for row, who in found if who is not None]


def share_image(tx: Tx, actor: Principal, image: Image, *, principal: User | Group) -> ImageAccess:
    """Let somebody use it; from the first one on, only those who are named. Raises `ImageShared`."""
    require(actor, Permission.IMAGE_MANAGE)
    field = "user_id" if isinstance(principal, User) else "group_id"
    column = getattr(ImageAccess, field)
    if tx.scalar(select(ImageAccess).where(ImageAccess.image_id == image.id, column == principal.id)) is not None:
        raise ImageShared
    row = ImageAccess(guid=new_guid(), image_id=image.id, **{field: principal.id})
    tx.add(row)
    tx.flush()
    record(tx, actor, "content:image:shared", ResourceRef("image", image.id), after={field: principal.id})
    return row


def unshare_image(tx: Tx, actor: Principal, image: Image, *, guid: str) -> None:
    """Raises `ImageUnknown` where there is no such line."""
    require(actor, Permission.IMAGE_MANAGE)
    row = tx.scalar(select(ImageAccess).where(ImageAccess.image_id == image.id, ImageAccess.guid == guid))
    if row is None:
        raise ImageUnknown(f"This environment has no permission {guid[:60]}.")
    before = {"user_id": row.user_id} if row.user_id else {"group_id": row.group_id}
    tx.delete(row)
    tx.flush()
    record(tx, actor, "content:image:unshared", ResourceRef("image", image.id), before=before)


def check_choice(tx: Tx, actor: Principal, fields: Mapping[str, Any]) -> None:
    """Content may only ask for an image that there is and that ``actor`` may use. Raises `ImageInvalid`."""
    guid = fields.get("default_environment_guid")
    if not guid:
        return
    try:
        get_image(tx, actor, str(guid))
    except ImageUnknown as error:
        raise ImageInvalid(f"{error} `GET /v1/environments` lists those that you may choose.") from error


def _usable(actor: Principal) -> Any:
    named = [ImageAccess.user_id == actor.id]
    if actor.groups:
        named.append(ImageAccess.group_id.in_(actor.groups))
    mine = select(ImageAccess.image_id).where(or_(*named))
    return or_(Image.id.in_(mine), Image.id.not_in(select(ImageAccess.image_id)))


def _flush(tx: Tx, image: Image) -> None:
    try:
        tx.flush()
    except IntegrityError as error:
        raise ImageTaken from error


def _facts(image: Image) -> dict[str, Any]:
    names = ("title", "name", "matching", "cluster_name", "description", "document")
    return {name: getattr(image, name) for name in names}


def _set(image: Image, fields: Mapping[str, Any]) -> None:
    document = dict(image.document)
    for name, value in fields.items():
        if name in TEXTS:
            setattr(image, name, _text(name, value))
        elif name == "matching":
            if value is not None and value not in MATCHING:
                raise ImageInvalid(f"“matching” can't be {str(value)[:40]!r}: it is {', '.join(MATCHING)}.")
            image.matching = value or "any"
        elif name in LANGUAGES:
            document[name] = _installations(name, value)
        elif name == "volume_mounts":
            document[name] = list(_mounts(value))
    if not image.title or not image.name:
        raise ImageInvalid
    image.document = document


def _text(name: str, value: Any) -> str | None:
    if value is None:
        return None if name == "supervisor" else ""
    if not isinstance(value, str) or len(value) > TEXTS[name] or "\0" in value:
        raise ImageInvalid(f"“{name}” must be text of at most {TEXTS[name]} characters.")
    return value


def _entries(name: str, value: Any) -> list[Mapping[str, Any]]:
    if not isinstance(value, list) or len(value) > ENTRIES_LIMIT or not all(isinstance(entry, dict) for entry in value):
        raise ImageInvalid(f"“{name}” must be a list of at most {ENTRIES_LIMIT} objects.")
    return value


def _installations(name: str, value: Any) -> dict[str, Any] | None:
    if value is None:
        return None
    listed = value.get("installations") if isinstance(value, dict) else None
    entries = _entries(f"{name}.installations", listed)
    return {"installations": [{field: _part(entry, field) or "" for field in ("path", "version")} for entry in entries]}


def _mounts(value: Any) -> Iterator[dict[str, Any]]:
    for entry in _entries("volume_mounts", value if value is not None else []):
        source, target = entry.get("source"), entry.get("target")
        if not isinstance(source, dict) or not isinstance(target, dict):
            raise ImageInvalid("Each of “volume_mounts” has a “source” and a “target”.")
        yield {
            "source": {field: _part(source, field) for field in MOUNT_SOURCE},
            "target": {"path": _part(target, "path") or "", "read_only": target.get("read_only") is True},
        }


def _part(entry: Mapping[str, Any], field: str) -> str | None:
    value = entry.get(field)
    if value is not None and (not isinstance(value, str) or len(value) > TEXT_LIMIT or "\0" in value):
        raise ImageInvalid(f"“{field}” must be text of at most {TEXT_LIMIT} characters.")
    return value
