"""Verbs on variables. Values go in sealed and come out only into a worker's start."""

from __future__ import annotations

import re
from collections.abc import Mapping

from sqlalchemy import select

from pilothouse.audit.service import record
from pilothouse.base import clock
from pilothouse.base.access import Permission, Principal, ResourceRef, require
from pilothouse.content.contract import VariableInvalid
from pilothouse.content.models import Content, Variable
from pilothouse.content.service.sharing import resource_of
from pilothouse.content.service.workers import drain_all
from pilothouse.db import Tx, touch
from pilothouse.db.secrets import Place, Secrets

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,254}")
VALUE_LIMIT = 128 * 1024


def variable_names(tx: Tx, actor: Principal, content: Content) -> list[str]:
    """The names, sorted. Nobody reads values back."""
    require(actor, Permission.CONTENT_READ, resource_of(tx, content))
    return sorted(tx.scalars(select(Variable.name).where(Variable.content_id == content.id)))


def set_variables(
    tx: Tx,
    actor: Principal,
    content: Content,
    *,
    values: Mapping[str, str | None],
    secrets: Secrets,
    replace: bool = False,
) -> list[str]:
    """Set variables; ``None`` removes one, ``replace`` removes all that are not named. Running workers are replaced by new ones.

    Returns all names, sorted. Raises `VariableInvalid`.
    """
    require(actor, Permission.CONTENT_UPDATE, resource_of(tx, content))
    for name, value in values.items():
        _check(name, value)
    have = {row.name: row for row in tx.scalars(select(Variable).where(Variable.content_id == content.id))}
    gone = {name for name, value in values.items() if value is None} | (set(have) - set(values) if replace else set())
    for name, value in values.items():
        if value is None:
            continue
        row = have.get(name)
        if row is None:
            row = Variable(content_id=content.id, name=name)
            tx.add(row)
        row.sealed, row.updated_at = secrets.seal(place_of(content.id, name), value), clock.now()
        record(
            tx, actor, "content:variable:changed", ResourceRef("content", content.id), stage_id=content.stage_id,
            before={"value": ""}, after={"name": name, "value": "new"},
        )  # fmt: skip
    for name in gone & set(have):
        tx.delete(have[name])
        record(
            tx,
            actor,
            "content:variable:changed",
            ResourceRef("content", content.id),
            stage_id=content.stage_id,
            before={"name": name},
        )
    if gone or values:
        touch(tx, "content", content.id)
        drain_all(tx, content)
    tx.flush()
    return variable_names(tx, actor, content)


def variable_values(tx: Tx, content: Content, secrets: Secrets) -> dict[str, str]:
    """The plain values, for starting a worker only: never shown, never logged."""
    rows = tx.scalars(select(Variable).where(Variable.content_id == content.id))
    return {row.name: secrets.open(place_of(content.id, row.name), row.sealed) for row in rows}


def place_of(content_id: int, name: str) -> Place:
    """Where the value of a variable is sealed to."""
    return Place("variable", f"{content_id}:{name}", "sealed")


def _check(name: str, value: str | None) -> None:
    if not NAME.fullmatch(name):
        raise VariableInvalid(
            f"“{name[:80]}” can't be the name of a variable: letters, digits and _ only, not beginning with a digit."
        )
    if value is not None and (len(value) > VALUE_LIMIT or "\0" in value):
        raise VariableInvalid(f"The value of {name} is longer than {VALUE_LIMIT // 1024} kB or holds a NUL character.")
