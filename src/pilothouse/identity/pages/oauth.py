"""``/oauth/v1/authorize`` and ``/_/device``: a program wants to act as the reader, and they say yes or no (OAuth 2.1, RFC 8628)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated
from urllib.parse import parse_qsl, urlencode, urlsplit

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import RedirectResponse
from pydantic import BaseModel

from pilothouse.asgi.context import ClientAddress, Db, SignedIn, Stage
from pilothouse.asgi.rendering import frame, page, server_url, to
from pilothouse.asgi.texts import catalogue
from pilothouse.base.errors import NotFound
from pilothouse.db import Tx
from pilothouse.identity.contract import DeviceCodeUnknown, OAuthRefused
from pilothouse.identity.models import OAuthClient
from pilothouse.identity.pages.views import ConsentView, DeviceView
from pilothouse.identity.service import oauth
from pilothouse.identity.service.attempts import network_of
from pilothouse.identity.service.oauth.grants import CHALLENGE

router = APIRouter()
DENIED = "access_denied"


class ProgramRefused(NotFound):
    """This is not how a program signs in: its name or the address to go back to is not known here. Start again from the program."""

    code = "identity/program-refused"


@dataclass(frozen=True)
class _Asked:
    """What the program asks for, after everything that must not be answered by a redirect was checked."""

    client: OAuthClient
    redirect_uri: str
    state: str
    challenge: str
    fields: dict[str, str]

    def back(self, issuer: str, **facts: str) -> Response:
        """To the program, with an answer."""
        said = {**facts, **({"state": self.state} if self.state else {}), "iss": issuer}
        joint = "&" if urlsplit(self.redirect_uri).query else "?"
        return RedirectResponse(f"{self.redirect_uri}{joint}{urlencode(said)}", 303, {"Cache-Control": "no-store"})


@router.get("/oauth/v1/authorize")
def ask(request: Request, caller: SignedIn, db: Db) -> Response:
    """Every program asks every time. Who is not signed in signs in first, and comes back."""
    issuer, pairs = server_url(request), parse_qsl(request.url.query, keep_blank_values=True)
    with db.read() as tx:
        asked = _asked(tx, dict(pairs))
        try:
            _check(asked, issuer, is_plain=len(dict(pairs)) == len(pairs))
        except OAuthRefused as error:
            return asked.back(issuer, error=error.error, error_description=str(error))
        view = ConsentView(
            asked.client.title, urlsplit(asked.redirect_uri).netloc, _is_here(asked), caller.username, asked.fields
        )
    return _leading(page(request, "identity/consent.html", view=view), asked.redirect_uri)


class Decision(BaseModel):
    """The question's parameters once more, and what the reader says to it."""

    client_id: str = ""
    redirect_uri: str = ""
    response_type: str = ""
    state: str = ""
    code_challenge: str = ""
    code_challenge_method: str = ""
    resource: str = ""
    decision: str = ""


@router.post("/oauth/v1/authorize")
def answer(request: Request, caller: SignedIn, db: Db, stage: Stage, form: Annotated[Decision, Form()]) -> Response:
    fields, issuer = form.model_dump(exclude_unset=True), server_url(request)
    with db.write() as tx:
        asked = _asked(tx, fields)
        if fields.get("decision") != "allow":
            return asked.back(issuer, error=DENIED, error_description="The person said no.")
        try:
            _check(asked, issuer)
        except OAuthRefused as error:
            return asked.back(issuer, error=error.error, error_description=str(error))
        code = oauth.allow(
            tx, caller, asked.client, stage_id=stage.id, redirect_uri=asked.redirect_uri, challenge=asked.challenge
        )
    return asked.back(issuer, code=code)


@router.get("/_/device")
def show_device(request: Request, caller: SignedIn) -> Response:
    return page(request, "identity/device.html", view=DeviceView(caller.username))


class Typed(BaseModel):
    """A code as it was typed, and what the reader says to what waits with it."""

    code: str = ""
    decision: str = ""


@router.post("/_/device")
def type_code(
    request: Request, caller: SignedIn, db: Db, stage: Stage, address: ClientAddress, form: Annotated[Typed, Form()]
) -> Response:
    """First the code, then what waits with it; the answer carries the code again."""
    code = form.code[:40]
    try:
        with db.write() as tx:
            waiting = oauth.find_device(tx, code, stage_id=stage.id)
            if form.decision == "allow":
                oauth.allow_device(tx, caller, waiting)
                return to(request, "/_/signed-in")
            if form.decision == "deny":
                oauth.deny_device(tx, caller, waiting)
                return to(request, "/_/device")
            view = DeviceView(
                caller.username, code, program=waiting.client.title, address=waiting.network,
                is_elsewhere=waiting.network != network_of(address), asked_at=waiting.created_at,
            )  # fmt: skip
    except DeviceCodeUnknown as error:
        wrong = catalogue(frame(request).language).gettext(str(error))
        view = DeviceView(caller.username, code, wrong=wrong)
        return page(request, "identity/device.html", status=422, view=view)
    return page(request, "identity/device.html", view=view)


def _asked(tx: Tx, fields: dict[str, str]) -> _Asked:
    """Raises `ProgramRefused` where no address is known that the browser may be sent back to."""
    try:
        client = oauth.get_client(tx, fields.get("client_id", ""))
    except OAuthRefused as error:
        raise ProgramRefused from error
    uri = fields.get("redirect_uri", "")
    if not oauth.redirect_fits(client, uri):
        raise ProgramRefused
    named = (
        "client_id",
        "redirect_uri",
        "response_type",
        "state",
        "code_challenge",
        "code_challenge_method",
        "resource",
    )
    kept = {name: fields[name] for name in named if name in fields}
    return _Asked(client, uri, fields.get("state", ""), fields.get("code_challenge", ""), kept)


def _check(asked: _Asked, issuer: str, *, is_plain: bool = True) -> None:
    """Raise `OAuthRefused` for what the program is told by a redirect."""
    fields = asked.fields
    if not is_plain:
        raise OAuthRefused("A parameter stands there twice.")
    if fields.get("response_type") != "code":
        raise OAuthRefused("response_type must be code.", error="unsupported_response_type")
    if fields.get("code_challenge_method") != "S256" or not CHALLENGE.fullmatch(asked.challenge):
        raise OAuthRefused("PKCE is needed: a code_challenge, with code_challenge_method S256.")
    if len(asked.state) > 2000:
        raise OAuthRefused("state is longer than 2000 characters.")
    if fields.get("resource", issuer).rstrip("/") != issuer:
        raise OAuthRefused(f"Tokens of this server are for {issuer} only.", error="invalid_target")


def _is_here(asked: _Asked) -> bool:
    """Whether the program runs on the reader's own machine, as far as its address says."""
    return urlsplit(asked.redirect_uri).scheme == "http"


def _leading(answer: Response, uri: str) -> Response:
    """A form's policy counts its redirects as well, so that of this page names where the program waits."""
    parts = urlsplit(uri)
    own = answer.headers["Content-Security-Policy"]
    answer.headers["Content-Security-Policy"] = own.replace(
        "form-action 'self'", f"form-action 'self' {parts.scheme}://{parts.netloc}"
    )
    return answer
