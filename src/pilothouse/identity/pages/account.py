"""One's own account: keys, logins, password, look."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Form, Request, Response
from pydantic import BaseModel

from pilothouse.asgi.context import Db, SignedIn
from pilothouse.asgi.paging import RowId
from pilothouse.asgi.rendering import frame, page, server_url, to
from pilothouse.asgi.texts import Catalogue, catalogue
from pilothouse.base.access import Permission, Principal, may
from pilothouse.base.errors import Invalid
from pilothouse.db import Tx
from pilothouse.identity import service
from pilothouse.identity.contract import Rules, WeakPassword
from pilothouse.identity.models import User
from pilothouse.identity.pages.rules import RulesOf, password_hint, password_refused
from pilothouse.identity.pages.views import AccountView, KeyLine, LoginLine, ProgramLine, browser_name
from pilothouse.identity.service import oauth
from pilothouse.identity.service.passwords import hash_password

router = APIRouter(prefix="/_/account")
PROFILE = ("first_name", "last_name", "email", "title", "department", "site")


@router.get("")
def show(request: Request, caller: SignedIn, db: Db, rules: RulesOf) -> Response:
    with db.read() as tx:
        return page(request, "identity/account.html", view=_view(request, tx, caller, hint=_hint(request, rules)))


class Profile(BaseModel):
    """What people may say about themselves. An empty ``language`` is the browser's; empty ``mails`` leave it as it is."""

    first_name: str = ""
    last_name: str = ""
    email: str = ""
    title: str = ""
    department: str = ""
    site: str = ""
    language: Literal["", "en", "de"] = ""
    mails: Literal["", "yes", "no"] = ""


@router.post("/profile")
def change_profile(
    request: Request, caller: SignedIn, db: Db, rules: RulesOf, form: Annotated[Profile, Form()]
) -> Response:
    """The page that answers speaks the new language."""
    changes = {name: value.strip() for name, value in form.model_dump(exclude={"language", "mails"}).items()}
    try:
        with db.write() as tx:
            user = service.get_user(tx, caller.guid)
            service.update_user(tx, caller, user, changes=changes | {"locale": form.language or None})
            service.want_mail(tx, caller, user, wanted=form.mails == "yes" if form.mails else user.wants_mail)
    except Invalid as error:
        with db.read() as tx:
            view = _view(request, tx, caller, hint=_hint(request, rules), problem=_texts(request).gettext(str(error)))
            return page(request, "identity/account.html", status=422, view=view)
    return to(request, "/_/account")


@router.post("/keys")
def create_key(
    request: Request, caller: SignedIn, db: Db, rules: RulesOf, name: Annotated[str, Form()] = ""
) -> Response:
    """A new key; the page that answers is the only one that ever shows it."""
    hint = _hint(request, rules)
    try:
        with db.write() as tx:
            made = service.create_key(tx, caller, service.get_user(tx, caller.guid), name=name, rules=rules)
    except Invalid as error:
        with db.read() as tx:
            view = _view(request, tx, caller, hint=hint, typed=name, wrong=_texts(request).gettext(str(error)))
            return page(request, "identity/account.html", status=422, view=view)
    with db.read() as tx:
        view = _view(request, tx, caller, hint=hint, fresh=made.plain)
        return page(request, "identity/account.html", view=view)


@router.post("/keys/{key_id}/revoke")
def revoke_key(request: Request, caller: SignedIn, db: Db, key_id: RowId) -> Response:
    with db.write() as tx:
        service.revoke_key(tx, caller, service.get_key(tx, service.get_user(tx, caller.guid), key_id))
    return to(request, "/_/account#keys")


@router.post("/tokens/{name}/revoke")
def revoke_token(request: Request, caller: SignedIn, db: Db, name: str) -> Response:
    with db.write() as tx:
        service.revoke_token(tx, caller, service.get_user(tx, caller.guid), service.get_token(tx, name))
    return to(request, "/_/account#programs")


@router.post("/programs/{authorization_id}/end")
def end_program(request: Request, caller: SignedIn, db: Db, authorization_id: RowId) -> Response:
    with db.write() as tx:
        given = oauth.get_authorization(tx, service.get_user(tx, caller.guid), authorization_id)
        oauth.revoke_authorization(tx, caller, given)
    return to(request, "/_/account#programs")


@router.post("/logins/{login_id}/end")
def end_login(request: Request, caller: SignedIn, db: Db, login_id: str) -> Response:
    with db.write() as tx:
        service.end_login(tx, caller, service.get_login(tx, login_id))
    return to(request, "/_/account")


@router.post("/password")
def change_password(
    request: Request, caller: SignedIn, db: Db, rules: RulesOf, password: Annotated[str, Form()] = ""
) -> Response:
    """All logins end, this one too: the next page asks for the new password."""
    hashed = hash_password(password)
    try:
        with db.write() as tx:
            user = service.get_user(tx, caller.guid)
            service.reset_password(tx, caller, user, password=password, rules=rules, password_hash=hashed)
    except WeakPassword as error:
        refused = password_refused(error, rules, _texts(request))
        with db.read() as tx:
            view = _view(request, tx, caller, hint=_hint(request, rules), password_wrong=refused)
            return page(request, "identity/account.html", status=422, view=view)
    return Response(status_code=204, headers={"HX-Redirect": f"{frame(request).base}/__login__"})


def _texts(request: Request) -> Catalogue:
    return catalogue(frame(request).language)


def _hint(request: Request, rules: Rules) -> str:
    return password_hint(rules, _texts(request))


def _view(request: Request, tx: Tx, caller: Principal, *, hint: str, **changes: Any) -> AccountView:
    base = f"{frame(request).base}/_/account"
    user = service.get_user(tx, caller.guid)
    keys, logins = service.keys(tx, caller, user), service.logins(tx, caller, user)
    used = service.last_used(tx, "key", (k.id for k in keys))
    stage, this = frame(request).stage, service.first_login(tx, caller)
    return AccountView(
        name=user.display_name,
        username=user.username,
        role=user.role,
        email=user.email,
        place=" · ".join(p for p in (user.title, user.department, user.site) if p),
        keys=[KeyLine(k.name, k.prefix, k.created_at, used.get(str(k.id)), f"{base}/keys/{k.id}/revoke") for k in keys],
        logins=[
            LoginLine(
                browser_name(entry.user_agent),
                entry.address,
                entry.created_at,
                entry.id == this,
                f"{base}/logins/{entry.id}/end",
            )
            for entry in logins
        ],
        programs=_programs(tx, caller, user, base),
        profile={name: getattr(user, name) or "" for name in PROFILE},
        language=user.locale or "",
        wants_mail=user.wants_mail,
        sends_mail=bool(request.app.state.loaded.settings.notify.channel),
        may_publish=may(caller, Permission.CONTENT_CREATE),
        add_command=f"rsconnect add -s {server_url(request)} -n {stage.key if stage else 'pilothouse'} -k {changes.get('fresh') or 'KEY'}",
        password_hint=hint,
        **changes,
    )


def _programs(tx: Tx, caller: Principal, user: User, base: str) -> list[ProgramLine]:
    """What signed in as the person from a program, not with a key."""
    found, given = service.tokens(tx, caller, user), oauth.authorizations(tx, caller, user)
    used = service.last_used(tx, "token", (t.id for t in found))
    used_keys = service.last_used(tx, "key", (key.id for _, key in given))
    signed_in = [
        ProgramLine(key.name, a.network, a.created_at, used_keys.get(str(key.id)), f"{base}/programs/{a.id}/end")
        for a, key in given
    ]
    return signed_in + [
        ProgramLine(
            browser_name(t.user_agent),
            t.network,
            t.claimed_at or t.created_at,
            used.get(str(t.id)),
            f"{base}/tokens/{t.name}/revoke",
        )
        for t in found
    ]
