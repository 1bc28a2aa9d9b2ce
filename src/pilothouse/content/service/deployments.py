"""Verbs that make a bundle the active one."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Select, select

from pilothouse.audit.service import record
from pilothouse.base.access import Permission, Principal, ResourceRef, require
from pilothouse.content.models import Bundle, Content, Deployment
from pilothouse.content.service.bundles import refuse_if_locked
from pilothouse.content.service.sharing import resource_of
from pilothouse.db import Tx
from pilothouse.launcher.contract import LogLine
from pilothouse.tasks import cancel, enqueue
from pilothouse.tasks.models import Task, TaskLine, TaskState

DEPLOY = "content.deploy"
QUEUE = "builds"
LIST_LIMIT = 200
UNDER_WAY = (TaskState.QUEUED.value, TaskState.RUNNING.value)


@dataclass(frozen=True)
class Build:
    """A task that deployed a bundle or only built it; ``language`` is whose packages it restored, as far as that is known."""

    task: Task
    bundle_id: int
    language: str


def deploy(tx: Tx, actor: Principal, content: Content, *, bundle: Bundle, activate: bool = True) -> Task:
    """Build, verify and (unless ``activate`` is off) activate ``bundle``, as a task. Raises `ContentLocked`.

    A draft that fails never touches what is active. Deploying a bundle that was built before is quick.
    """
    require(actor, Permission.CONTENT_DEPLOY, resource_of(tx, content))
    return _deploy(tx, actor, content, bundle, activate=activate, verify=True)


def build(tx: Tx, actor: Principal, content: Content, *, bundle: Bundle) -> Task:
    """Only unpack ``bundle`` and restore its packages, as a task: nothing starts, what is active stays. Raises `ContentLocked`."""
    require(actor, Permission.CONTENT_DEPLOY, resource_of(tx, content))
    return _deploy(tx, actor, content, bundle, activate=False, verify=False)


def activate(tx: Tx, actor: Principal, content: Content, *, bundle: Bundle) -> Task:
    """Make a bundle the active one: a roll-back when it is older. The same as deploying it again."""
    return deploy(tx, actor, content, bundle=bundle, activate=True)


def deployments(tx: Tx, actor: Principal, content: Content) -> list[Deployment]:
    """What was active when, newest first."""
    require(actor, Permission.CONTENT_VIEW, resource_of(tx, content))
    return list(
        tx.scalars(select(Deployment).where(Deployment.content_id == content.id).order_by(Deployment.id.desc()))
    )


def builds(tx: Tx, actor: Principal, content: Content, *, limit: int = LIST_LIMIT) -> list[Build]:
    """What deployed or built ``content``, newest first, for as long as it is kept."""
    require(actor, Permission.CONTENT_READ, resource_of(tx, content))
    return _read_builds(tx, content, _tasks(content).order_by(Task.id.desc()).limit(limit))


def find_build(tx: Tx, actor: Principal, content: Content, key: str) -> Build | None:
    """The one whose task has this key."""
    require(actor, Permission.CONTENT_READ, resource_of(tx, content))
    return next(iter(_read_builds(tx, content, _tasks(content).where(Task.key == key))), None)


def build_output(tx: Tx, actor: Principal, content: Content, build: Build) -> list[LogLine]:
    """What it printed so far."""
    require(actor, Permission.CONTENT_READ, resource_of(tx, content))
    lines = tx.scalars(select(TaskLine).where(TaskLine.task_id == build.task.id).order_by(TaskLine.number))
    return [LogLine(line.at, "stdout", line.text) for line in lines]


def stop_build(tx: Tx, actor: Principal, content: Content, build: Build) -> None:
    """Ask it to end: at once if it still waits, else after its present step. One that is over is left alone."""
    require(actor, Permission.CONTENT_UPDATE, resource_of(tx, content))
    task = build.task
    if task.state not in UNDER_WAY:
        return
    cancel(tx, task)
    subject, after = ResourceRef("task", task.id), {"key": task.key, "kind": task.kind}
    record(tx, actor, "tasks:task:cancelled", subject, stage_id=content.stage_id, after=after)


def _tasks(content: Content) -> Select[Task]:
    return select(Task).where(Task.kind == DEPLOY, Task.subject_kind == "content", Task.subject_id == content.id)


def _read_builds(tx: Tx, content: Content, chosen: Select[Task]) -> list[Build]:
    tasks = tx.scalars(chosen).all()
    versions = select(Bundle.id, Bundle.py_version, Bundle.r_version).where(Bundle.content_id == content.id)
    languages = {number: "python" if python else "r" if r else "" for number, python, r in tx.execute(versions)}
    return [Build(task, int(task.args["bundle_id"]), languages.get(task.args["bundle_id"], "")) for task in tasks]


def _deploy(tx: Tx, actor: Principal, content: Content, bundle: Bundle, *, activate: bool, verify: bool) -> Task:
    refuse_if_locked(content)
    subject, after = ResourceRef("content", content.id), {"bundle_id": bundle.id, "activate": activate}
    record(tx, actor, "content:content:deployed", subject, stage_id=content.stage_id, after=after)
    args = {"content_id": content.id, "bundle_id": bundle.id, "activate": activate, "verify": verify}
    return enqueue(tx, DEPLOY, args, queue=QUEUE, actor_id=actor.id, subject=subject)
