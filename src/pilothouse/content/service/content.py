"""Verbs on content itself."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import Select, and_, false, or_, select

from pilothouse.audit.service import record
from pilothouse.base import clock
from pilothouse.base.access import OpenTo, Permission, Principal, ResourceRef, Role, Share, may, require
from pilothouse.base.errors import Denied, NotAuthenticated
from pilothouse.base.ids import is_guid, new_guid, new_key
from pilothouse.content.contract import ContentInvalid, ContentUnknown, NameTaken
from pilothouse.content.models import Access, Content
from pilothouse.content.service import terms
from pilothouse.content.service.endorsing import end_endorsement
from pilothouse.content.service.images import check_choice
from pilothouse.content.service.sharing import resource_of
from pilothouse.content.service.telling import tell_new_owner
from pilothouse.content.service.terms import WorkerRules
from pilothouse.content.service.vanity import clear_vanity
from pilothouse.content.service.workers import drain_all
from pilothouse.db import Tx
from pilothouse.identity.models import User
from pilothouse.integrations.service import forget_content
from pilothouse.stages import StageRef

NAME = re.compile(r"[A-Za-z0-9_-]{3,64}")
TEXTS = {"title": 1024, "description": 4096, "locked_message": 4096, "run_as": 80, "service_account_name": 255, "default_image_name": 255,
         "default_environment_guid": 36, "load_group": 40, "department": 255}  # fmt: skip
WHOLE = ("connection_timeout", "read_timeout", "init_timeout", "idle_timeout", "max_processes", "min_processes", "max_conns_per_process",
         "requests_per_minute", "memory_request", "memory_limit", "amd_gpu_limit", "nvidia_gpu_limit")  # fmt: skip
REAL = ("load_factor", "cpu_request", "cpu_limit")
FLAGS = ("locked", "run_as_current_user", "default_r_environment_management", "default_py_environment_management")
NEVER_NULL = {
    "description": "",
    "locked_message": "",
    "locked": False,
    "run_as_current_user": False,
    "access_type": OpenTo.ACL.value,
}
#: Who content would run as. There is nobody to choose from.
ACCOUNTS = ("run_as", "run_as_current_user")
RESTARTING = frozenset({"memory_request", "memory_limit", "cpu_request", "cpu_limit", "load_group", "run_as"})


def create_content(
    tx: Tx,
    actor: Principal,
    stage: StageRef,
    *,
    name: str | None = None,
    fields: Mapping[str, Any] | None = None,
    rules: WorkerRules | None = None,
) -> Content:
    """New content without a bundle, owned by ``actor``. A missing or empty name is invented.

    ``rules`` are needed where ``fields`` say how workers run. Raises `ContentInvalid`, `LimitExceeded`, `NameTaken`.
    """
    require(actor, Permission.CONTENT_CREATE)
    if actor.id is None:
        raise Denied("Content needs an owner: sign in as a person.")
    chosen = name or f"content-{new_key(10)}"
    _check_name(tx, chosen, stage.id, actor.id)
    guid = new_guid()
    checked = _checked(fields or {})
    check_choice(tx, actor, checked)
    content = Content(guid=guid, lineage_id=guid, stage_id=stage.id, owner_id=actor.id, name=chosen)
    _set(actor, content, checked, rules)
    tx.add(content)
    tx.flush()
    after = {"name": chosen, "title": content.title, "access_type": content.access_type}
    record(tx, actor, "content:content:created", ResourceRef("content", content.id), stage_id=stage.id, after=after)
    return content


def update_content(
    tx: Tx, actor: Principal, content: Content, *, changes: Mapping[str, Any], rules: WorkerRules | None = None
) -> Content:
    """Change fields; ``None`` puts a field back to its default, an empty name means unchanged.

    Who may open it, and the owner, need the right to share; ``rules`` are needed where ``changes`` say how workers run.
    Raises `ContentInvalid`, `LimitExceeded`, `NameTaken`.
    """
    resource = resource_of(tx, content)
    require(actor, Permission.CONTENT_UPDATE, resource)
    if {"access_type", "owner_id"} & set(changes):
        require(actor, Permission.CONTENT_SHARE, resource)
    owner_id = content.owner_id
    make_changes(tx, actor, content, changes, rules)
    if content.owner_id != owner_id:
        tell_new_owner(tx, content, by_id=actor.id)
    return content


def make_changes(
    tx: Tx, by: Principal, content: Content, changes: Mapping[str, Any], rules: WorkerRules | None = None
) -> Content:
    """Change fields, with all that follows: part of what ``by`` was allowed to do. Raises as `update_content`."""
    wanted = dict(changes)
    name, owner_id = wanted.pop("name", None), wanted.pop("owner_id", None)
    new = _checked(wanted)
    check_choice(tx, by, new)
    if owner_id is not None and owner_id != content.owner_id:
        new["owner_id"] = _new_owner(tx, owner_id).id
    if (name and name != content.name) or "owner_id" in new:
        _check_name(
            tx, name or content.name, content.stage_id, new.get("owner_id", content.owner_id), besides=content.id
        )
        new["name"] = name or content.name
    before = _set(by, content, new, rules)
    if "owner_id" in new:
        end_endorsement(tx, by, content)
    if "owner_id" in new or RESTARTING & {f for f in new if before[f] != new[f]}:
        drain_all(tx, content)
    record(
        tx,
        by,
        "content:content:updated",
        ResourceRef("content", content.id),
        stage_id=content.stage_id,
        before=before,
        after=new,
    )
    return content


def _set(actor: Principal, content: Content, new: Mapping[str, Any], rules: WorkerRules | None) -> dict[str, Any]:
    """Give ``content`` these values, if its workers may run so; returns what it had."""
    before = {field: getattr(content, field) for field in new}
    for field, value in new.items():
        setattr(content, field, value)
    if terms.FIELDS & set(new):
        assert rules is not None, "what says how workers run is checked against the rules"
        rules.check(actor, content, before=before)
    return before


def delete_content(tx: Tx, actor: Principal, content: Content) -> None:
    """Remove content: its URL is gone, its workers end, its name and path are free again. A tombstone keeps the id from being used twice."""
    require(actor, Permission.CONTENT_DELETE, resource_of(tx, content))
    clear_vanity(tx, actor, content)
    end_endorsement(tx, actor, content)
    forget_content(tx, content.id)
    content.deleted_at = clock.now()
    drain_all(tx, content, at_once=True)
    record(
        tx,
        actor,
        "content:content:deleted",
        ResourceRef("content", content.id),
        stage_id=content.stage_id,
        before={"name": content.name},
    )


def get_content(
    tx: Tx, actor: Principal, stage: StageRef, guid: str, permission: Permission = Permission.CONTENT_VIEW
) -> Content:
    """The content of this GUID in this stage, if ``actor`` may see it; else `ContentUnknown`, as if it did not exist.

    With a stronger ``permission``, lacking it raises `Denied` where it may be seen.
    """
    content = tx.scalar(select(Content).where(Content.guid == guid)) if is_guid(guid) else None
    return _visible(tx, actor, stage, content, permission, guid)


def content_of_id(
    tx: Tx, actor: Principal, stage: StageRef, number: int, permission: Permission = Permission.CONTENT_VIEW
) -> Content:
    """The same by its integer id."""
    return _visible(tx, actor, stage, tx.get(Content, number), permission, str(number))


def visible(actor: Principal, stage: StageRef, share: Share = Share.VIEWER, *, few: bool = False) -> Select[Any]:
    """The query of all content in this stage that ``actor`` has at least this share in; administrators have every share.

    ``few``: the caller narrows it to a handful by something else. SQLite then does not go through the whole stage for them: it
    knows of no other index here than that of lists, and guesses that a stage is small.
    """
    in_stage = (Content.stage_id + 0 if few else Content.stage_id) == stage.id
    alive = select(Content).where(in_stage, Content.deleted_at.is_(None))
    if actor.has_role(Role.ADMINISTRATOR) and actor.bound_to is None:
        return alive
    if actor.id is None:
        return alive.where(Content.access_type == OpenTo.ALL.value) if share is Share.VIEWER else alive.where(false())
    if share is Share.OWNER:
        return alive.where(Content.owner_id == actor.id)
    named = [Access.user_id == actor.id]
    if actor.groups:
        named.append(Access.group_id.in_(actor.groups))
    listed = select(Access.content_id).where(or_(*named))  # a set made once, not a look for each row
    if share is Share.EDITOR:
        editors = listed.where(Access.share == Share.EDITOR.value)
        return alive.where(or_(Content.owner_id == actor.id, Content.id.in_(editors)))
    is_open = Content.access_type.in_([OpenTo.ALL.value, OpenTo.LOGGED_IN.value])
    return alive.where(or_(Content.owner_id == actor.id, is_open, Content.id.in_(listed)))


def visible_of(actor: Principal, stage: StageRef, ids: Collection[int | None] | Select[int]) -> Select[Any]:
    """The query of what ``actor`` may see of the content with these ids."""
    return visible(actor, stage, few=True).where(Content.id.in_(ids))


def _visible(
    tx: Tx, actor: Principal, stage: StageRef, content: Content | None, permission: Permission, asked: str
) -> Content:
    outside = actor.stage_id is not None and actor.stage_id != stage.id
    if content is None or content.deleted_at is not None or content.stage_id != stage.id or outside:
        raise ContentUnknown(f"There is no content {asked} here.")
    resource = resource_of(tx, content)
    if not may(actor, Permission.CONTENT_VIEW, resource):
        if not actor.is_authenticated:
            raise NotAuthenticated
        raise ContentUnknown(f"There is no content {asked} here, or you may not see it.")
    require(actor, permission, resource)
    return content


def _check_name(tx: Tx, name: str, stage_id: int, owner_id: int, besides: int | None = None) -> None:
    if not NAME.fullmatch(name):
        raise ContentInvalid(f"“{name[:80]}” can't be a name: 3 to 64 letters, digits, - and _.")
    same = and_(
        Content.stage_id == stage_id, Content.owner_id == owner_id, Content.name == name, Content.deleted_at.is_(None)
    )
    found = tx.scalar(select(Content.id).where(same))
    if found is not None and found != besides:
        raise NameTaken(
            f"You have content of the name “{name}” already. Choose another name, or deploy to the one that is there."
        )


def _new_owner(tx: Tx, owner_id: int) -> User:
    owner = tx.get(User, owner_id)
    if owner is None or owner.deleted_at is not None:
        raise ContentInvalid("The new owner does not exist.")
    if owner.role == Role.VIEWER:
        raise Denied(f"{owner.username} is a viewer and can't own content. Make them publisher first.")
    return owner


def _checked(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _field(name, value) for name, value in fields.items()}


def _field(name: str, value: Any) -> Any:
    if name in ACCOUNTS and (value == "" or value is False):
        return NEVER_NULL.get(name)
    if name in ACCOUNTS and isinstance(value, str if name == "run_as" else bool):
        raise ContentInvalid(
            f"“{name}” can't be {str(value)[:60]!r}: content runs under an account of its own here. Leave it out."
        )
    if value is None and (
        name in TEXTS or name in WHOLE or name in REAL or name in FLAGS or name in ("access_type", "idle")
    ):
        return NEVER_NULL.get(name)
    if name in TEXTS and isinstance(value, str) and len(value) <= TEXTS[name] and "\0" not in value:
        return value
    if name in WHOLE and isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**53:
        return value
    if name in REAL and isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1e6:
        return float(value)
    if name in FLAGS and isinstance(value, bool):
        return value
    if name == "access_type" and value in list(OpenTo):
        return value
    if name == "idle" and value in ("freeze", "stop", "keep"):
        return value
    known = name in TEXTS or name in WHOLE or name in REAL or name in FLAGS or name in ("access_type", "idle")
    raise ContentInvalid(f"“{name}” can't be {str(value)[:60]!r}." if known else f"Content has no field “{name}”.")
