"""The administration's list of integrations: the services where content may act, who uses each, and a form for one more."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from sqlalchemy import func, select

from pilothouse.asgi.context import Db, SignedIn
from pilothouse.asgi.rendering import page
from pilothouse.base.access import Permission, Principal, require
from pilothouse.base.errors import Conflict, Invalid
from pilothouse.db import Database, Tx
from pilothouse.integrations import service
from pilothouse.integrations.contract import ACTS_AS, AuthType
from pilothouse.integrations.models import Association
from pilothouse.integrations.pages import callback_address

router = APIRouter(prefix="/_/admin/integrations")
#: What a form holds: facts of the integration, words of its configuration.
FACTS = ("name", "description")
WORDS = ("authorization_uri", "token_uri", "client_id", "client_secret", "scopes")
NAMES = ("auth_type", "max_role", *FACTS, *WORDS)


@dataclass(frozen=True)
class IntegrationLine:
    """``address`` is where it gets its tokens; ``used_by`` how many items chose it."""

    name: str
    description: str
    acts_as: str
    address: str
    used_by: int
    remove: str


@dataclass(frozen=True)
class IntegrationsView:
    """``callback`` is the address that the other service has to know; ``typed`` never holds a secret."""

    lines: Sequence[IntegrationLine]
    callback: str
    choices: Sequence[tuple[str, str]]
    typed: Mapping[str, str] = field(default_factory=lambda: dict.fromkeys(NAMES, ""))
    wrong: str = ""
    done: str = ""


async def _form(request: Request) -> Mapping[str, str]:
    sent = await request.form()
    return {name: str(sent.get(name, "")).strip() for name in NAMES}


Form = Annotated[Mapping[str, str], Depends(_form)]


@router.get("")
def show(request: Request, db: Db, caller: SignedIn) -> Response:
    return _show(request, db, caller)


@router.post("")
def add(request: Request, db: Db, caller: SignedIn, form: Form) -> Response:
    is_here = form["auth_type"] == AuthType.VISITOR_KEY
    words = ("max_role",) if is_here else ("auth_type", *WORDS)
    facts = {name: form[name] for name in FACTS} | {"template": "connect" if is_here else "custom"}
    try:
        with db.write() as tx:
            secrets = request.app.state.secrets
            config = {name: form[name] for name in words}
            made = service.create_integration(tx, caller, facts=facts, config=config, secrets=secrets)
            done = f"Owners can choose “{made.name}” for their content now, on its Variables tab."
    except (Conflict, Invalid) as error:
        return _show(request, db, caller, status=422, typed={**form, "client_secret": ""}, wrong=str(error))
    return _show(request, db, caller, done=done)


@router.post("/{guid}/remove")
def remove(request: Request, db: Db, caller: SignedIn, guid: str) -> Response:
    with db.write() as tx:
        integration = service.get_integration(tx, caller, guid)
        name = integration.name
        service.delete_integration(tx, caller, integration)
    return _show(request, db, caller, done=f"“{name}” is gone, with every token it gave.")


def _show(request: Request, db: Database, caller: Principal, *, status: int = 200, **changes: Any) -> Response:
    with db.read() as tx:
        lines = _lines(tx, caller)
    view = IntegrationsView(lines, callback_address(request), [(kind.value, words) for kind, words in ACTS_AS.items()], **changes)  # fmt: skip
    return page(request, "web/integrations.html", status=status, view=view)


def _lines(tx: Tx, caller: Principal) -> list[IntegrationLine]:
    require(caller, Permission.INTEGRATION_MANAGE)
    chosen = select(Association.integration_id, func.count()).group_by(Association.integration_id)
    uses = Counter(dict(tx.execute(chosen).tuples().all()))
    return [
        IntegrationLine(
            one.name,
            one.description,
            ACTS_AS[AuthType(one.auth_type)],
            str(one.config.get("token_uri", "")),
            uses[one.id],
            f"/_/admin/integrations/{one.guid}/remove",
        )
        for one in service.integrations(tx, caller)
    ]
