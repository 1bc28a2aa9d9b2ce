"""Verbs that make a bundle the active one."""

from __future__ import annotations

from sqlalchemy import select

from pilothouse.audit.service import record
from pilothouse.base.access import Permission, Principal, ResourceRef, require
from pilothouse.content.models import Bundle, Content, Deployment
from pilothouse.content.service.bundles import refuse_if_locked
from pilothouse.content.service.sharing import resource_of
from pilothouse.db import Tx
from pilothouse.tasks import enqueue
from pilothouse.tasks.models import Task

DEPLOY = "content.deploy"
QUEUE = "builds"


def deploy(tx: Tx, actor: Principal, content: Content, *, bundle: Bundle, activate: bool = True) -> Task:
    """Build, verify and (unless ``activate`` is off) activate ``bundle``, as a task. Raises `ContentLocked`.

    A draft that fails never touches what is active. Deploying a bundle that was built before is quick.
    """
    require(actor, Permission.CONTENT_DEPLOY, resource_of(tx, content))
    refuse_if_locked(content)
    after = {"bundle_id": bundle.id, "activate": activate}
    record(
        tx,
        actor,
        "content:content:deployed",
        ResourceRef("content", content.id),
        stage_id=content.stage_id,
        after=after,
    )
    args = {"content_id": content.id, "bundle_id": bundle.id, "activate": activate}
    return enqueue(tx, DEPLOY, args, queue=QUEUE, actor_id=actor.id, subject=ResourceRef("content", content.id))


def activate(tx: Tx, actor: Principal, content: Content, *, bundle: Bundle) -> Task:
    """Make a bundle the active one: a roll-back when it is older. The same as deploying it again."""
    return deploy(tx, actor, content, bundle=bundle, activate=True)


def deployments(tx: Tx, actor: Principal, content: Content) -> list[Deployment]:
    """What was active when, newest first."""
    require(actor, Permission.CONTENT_VIEW, resource_of(tx, content))
    return list(
        tx.scalars(select(Deployment).where(Deployment.content_id == content.id).order_by(Deployment.id.desc()))
    )
