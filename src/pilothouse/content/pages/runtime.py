"""The runtime tab: how many workers, how large, how patient; each choice with its effect in words while it is typed."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response

from pilothouse.asgi.formats import duration, size
from pilothouse.asgi.rendering import Done, page
from pilothouse.base.access import Permission, Role
from pilothouse.base.errors import PilothouseError
from pilothouse.content import service
from pilothouse.content.contract import ContentInvalid
from pilothouse.content.models import Content
from pilothouse.content.pages.effect import Effect, Machine, effects
from pilothouse.content.pages.views import GroupChoice, Number, RuntimeTab
from pilothouse.content.pages.visit import Visit, VisitOf
from pilothouse.db import Tx

router = APIRouter(prefix="/_/content/{guid}/runtime")
MB = 1024 * 1024
PATIENCE = ("init_timeout", "idle_timeout", "connection_timeout", "read_timeout")
#: Field → (label, unit, hint).
NUMBERS: Mapping[str, tuple[str, str, str]] = {
    "max_processes": ("At most this many workers", "", "More workers serve more people at once."),
    "min_processes": ("Always keep this many", "", "With one, nobody waits for a start."),
    "max_conns_per_process": ("Connections of one worker", "", "Most apps are used by one connection for each visitor."),
    "load_factor": ("Start another from this share on", "0 to 1", "The share of those connections that every worker has."),
    "memory_limit": ("Memory of one worker", "MB", "A worker that needs more is ended."),
    "cpu_limit": ("Cores of one worker", "cores", "A worker that wants more is slowed down."),
    "idle_timeout": ("Idle after", "seconds", "Without a visitor for this long."),
    "init_timeout": ("A start may take", "seconds", "A worker that does not listen by then has failed."),
    "connection_timeout": ("Silent connections may last", "seconds", "Rounded up to 1 minute, 5 minutes, 1 hour or for ever; 0 is for ever."),
    "read_timeout": ("With a silent visitor", "seconds", "The longer of both counts."),
    "requests_per_minute": ("Calls in a minute", "", "With API keys, of all programs together. 0 is as many as they like."),
}  # fmt: skip
CHOICES = ("load_group", "idle")


@dataclass(frozen=True)
class Typed:
    """What a form held: fields as text, what they mean, and what is wrong with which."""

    texts: Mapping[str, str]
    changes: Mapping[str, Any]
    wrong: Mapping[str, str]


async def typed(request: Request) -> Mapping[str, str]:
    """The fields of the form, sent as a form or in the address."""
    sent = await request.form() if request.method == "POST" else request.query_params
    return {name: str(sent.get(name, "")).strip() for name in (*NUMBERS, *CHOICES)}


Fields = Annotated[Mapping[str, str], Depends(typed)]


@router.get("")
def show(visit: VisitOf) -> Response:
    return _show(visit)


@router.get("/effect")
def preview(visit: VisitOf, fields: Fields) -> Response:
    """What would happen if this were saved; nothing is."""
    read = _read(fields)
    with visit.db.read() as tx:
        content = visit.content(tx, Permission.CONTENT_UPDATE)
        problem, told = _judged(visit, content, read)
    return page(visit.request, "content/effect.html", effects=told, problem=problem)


@router.post("")
def save(visit: VisitOf, fields: Fields) -> Response:
    read = _read(fields)
    wrong = dict(read.wrong)

    def change(tx: Tx, content: Content) -> Done:
        before = _texts(content)
        if wrong:
            raise ContentInvalid("Some of it can't be. Nothing was saved.")
        try:
            service.update_content(tx, visit.caller, content, changes=read.changes, rules=visit.worker_rules)
        except (ContentInvalid, service.LimitExceeded) as error:
            wrong.update(_field_of(error))
            raise
        after = _texts(content)
        moved = any(before[name] != after[name] for name in ("memory_limit", "cpu_limit", "load_group"))
        words = "New workers take over, those that run drain." if moved else "Workers that run go on as they are."
        return Done(f"Saved. {words}", f"{visit.base}/runtime", before)

    return visit.change(change, partial(_show, texts=read.texts, wrong=wrong))


def machine() -> Machine:
    """The machine this server runs on."""
    return Machine(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"), os.cpu_count() or 1)


def _read(texts: Mapping[str, str]) -> Typed:
    changes: dict[str, Any] = {name: texts[name] or None for name in CHOICES}
    wrong = {}
    for name, text in texts.items():
        if name not in NUMBERS:
            continue
        try:
            changes[name] = _number(name, text)
        except ValueError:
            wrong[name] = "Type a number, or leave it empty for the default."
    return Typed(texts, changes, wrong)


def _number(name: str, text: str) -> int | float | None:
    if not text:
        return None
    if name in ("cpu_limit", "load_factor"):
        return float(text.replace(",", "."))
    return int(text) * (MB if name == "memory_limit" else 1)


def _texts(content: Content) -> dict[str, str]:
    found = {name: getattr(content, name) for name in (*NUMBERS, *CHOICES)}
    if found["memory_limit"] is not None:
        found["memory_limit"] = found["memory_limit"] // MB
    return {name: "" if value is None else f"{value:g}" if isinstance(value, float) else str(value) for name, value in found.items()}  # fmt: skip


def _judged(visit: Visit, content: Content, read: Typed) -> tuple[str, list[Effect]]:
    """Why it would be refused, and what it would mean. Asks the same rules as saving does, about a copy that is never kept."""
    if read.wrong:
        return next(f"{NUMBERS[name][0]}: {words}" for name, words in read.wrong.items()), []
    copy = Content(id=content.id, stage_id=content.stage_id, app_mode=content.app_mode, **read.changes)
    before = {name: getattr(content, name) for name in read.changes}
    try:
        visit.worker_rules.check(visit.caller, copy, before=before)
    except PilothouseError as error:
        return next(iter(_field_of(error).values()), str(error)), []
    return "", effects(visit.worker_rules.terms(copy), machine())


def _field_of(error: PilothouseError) -> dict[str, str]:
    """The field that a refusal is about, with its words for people; nothing where it names none."""
    words = str(error)
    name = words.split(" ", 1)[0]
    if name not in NUMBERS:
        return {}
    for field, (label, _, _) in NUMBERS.items():
        words = words.replace(field, f"“{label}”")
    return {name: words}


def _show(
    visit: Visit, *, texts: Mapping[str, str] | None = None, wrong: Mapping[str, str] | None = None, **changes: Any
) -> Response:
    def shown(tx: Tx, content: Content) -> dict[str, Any]:
        is_wrong = bool(changes.get("problem"))
        filled = dict(texts or {}) if is_wrong and texts else _texts(content)
        problem, told = _judged(visit, content, _read(filled))
        return {"view": _tab(visit, content, filled, dict(wrong or {}) if is_wrong else {}), "effects": told, "problem": problem}  # fmt: skip

    return visit.show("content/runtime.html", shown, permission=Permission.CONTENT_UPDATE, **changes)


def _tab(visit: Visit, content: Content, filled: Mapping[str, str], wrong: Mapping[str, str]) -> RuntimeTab:
    rules = visit.worker_rules
    usual = _usual(rules, content)
    return RuntimeTab(
        has_workers=content.app_mode != "static",
        groups=_groups(visit, content, filled["load_group"]),
        load_group=filled["load_group"],
        idle=filled["idle"],
        usual_idle=rules.defaults.idle,
        idle_after=duration(rules.defaults.idle_timeout),
        numbers={
            name: Number(name, label, unit, hint, filled[name], usual[name], wrong.get(name, ""))
            for name, (label, unit, hint) in NUMBERS.items()
        },
    )


def _groups(visit: Visit, content: Content, chosen: str) -> list[GroupChoice]:
    rules, is_admin = visit.worker_rules, visit.caller.has_role(Role.ADMINISTRATOR)
    usual = rules.default_group(content.stage_id, content.app_mode)
    groups = [GroupChoice("", f"As usual for its kind here: {usual.key}", "", True)]
    for group in rules.groups.values():
        cores = f"{group.cpu:g} {'core' if group.cpu == 1 else 'cores'}"
        holds = f"{cores}, {size(group.memory)} and {group.processes} processes for a worker, {group.workers} workers"
        is_free = is_admin or group.given_by == "publishers" or group.key == chosen
        groups.append(GroupChoice(group.key, group.key, holds, is_free))
    return groups


def _usual(rules: service.WorkerRules, content: Content) -> dict[str, str]:
    """What holds where a field is empty."""
    plain = Content(id=content.id, stage_id=content.stage_id, app_mode=content.app_mode, load_group=content.load_group)
    terms = rules.terms(plain)
    found: dict[str, float] = {
        "max_processes": terms.max_processes,
        "min_processes": 0,
        "max_conns_per_process": terms.connections,
        "load_factor": terms.load_factor,
        "memory_limit": (terms.resources.memory_limit or 0) // MB,
        "cpu_limit": terms.resources.cpu_limit or 0,
        "requests_per_minute": terms.requests_per_minute,
    }
    found |= {name: getattr(rules.defaults, name).total_seconds() for name in PATIENCE}
    return {name: f"{amount:g}" for name, amount in found.items()}
