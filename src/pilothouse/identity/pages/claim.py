"""``/_/claim/{token}``: a program asks to act as whoever opens the page, and they say yes."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from pilothouse.asgi.context import Caller, ClientAddress, Db, SignedIn
from pilothouse.asgi.rendering import page, to
from pilothouse.base.access import Principal
from pilothouse.identity import service
from pilothouse.identity.models import SigningToken
from pilothouse.identity.pages.views import ClaimView, browser_name
from pilothouse.identity.service.attempts import network_of

router = APIRouter(prefix="/_/claim")


@router.get("/{name}")
def show(name: str, request: Request, caller: SignedIn, db: Db, address: ClientAddress) -> Response:
    """Who is not signed in is sent to sign in, and comes back."""
    with db.read() as tx:
        view = _view(service.get_token(tx, name), caller, network_of(address))
    return page(request, "identity/claim.html", view=view)


@router.post("/{name}")
def claim(name: str, request: Request, caller: SignedIn, db: Db) -> Response:
    with db.write() as tx:
        service.claim_token(tx, caller, service.get_token(tx, name))
    return to(request, "/_/signed-in")


done_router = APIRouter()


@done_router.get("/_/signed-in")
def done(request: Request, caller: Caller) -> Response:
    """Where a program that has its credentials sends the browser."""
    return page(request, "identity/signed_in.html", username=caller.username)


def _view(token: SigningToken, caller: Principal, network: str) -> ClaimView:
    return ClaimView(
        program=browser_name(token.user_agent),
        address=token.network,
        is_elsewhere=token.network != network,
        asked_at=token.created_at,
        username=caller.username,
        is_done=token.user_id is not None and token.user_id == caller.id,
        name=token.name,
    )
