"""Signing in with a program (OAuth 2.1; connect-wire-api §1.5): discovery, registration, tokens. Pages are in ``identity/pages``.

Errors are those of RFC 6749: ``{"error": word, "error_description": sentence}``.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any
from urllib.parse import parse_qsl

import orjson
from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute

from pilothouse.asgi.context import ClientAddress, Db, Stage
from pilothouse.asgi.patience import apart
from pilothouse.asgi.rendering import server_url
from pilothouse.base.errors import Invalid, PilothouseError, Unavailable
from pilothouse.db import Database
from pilothouse.identity.contract import OAuthRefused, Rules, TooManyWaiting
from pilothouse.identity.service import oauth
from pilothouse.identity.service.exchange import Exchange, Workload
from pilothouse.stages import StageRef

BODY_LIMIT = 64 * 1024
DEVICE = "urn:ietf:params:oauth:grant-type:device_code"
WELL_KNOWN = "/.well-known/oauth-authorization-server"
GRANTS = ("authorization_code", "refresh_token", DEVICE)
EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"
ID_TOKENS = ("urn:ietf:params:oauth:token-type:id_token", "urn:ietf:params:oauth:token-type:jwt")
FRESH = {"Cache-Control": "no-store", "Pragma": "no-cache"}


class _Route(APIRoute):
    """Failures leave in OAuth's shape."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def answered(request: Request) -> Response:
            try:
                return await handle(request)
            except PilothouseError as error:
                return _refusal(error)

        return answered


router = APIRouter(route_class=_Route, include_in_schema=False)


@router.get(WELL_KNOWN)
@router.get(WELL_KNOWN + "/{path:path}")
def metadata(request: Request, path: str = "") -> Response:
    """RFC 8414, for the stage of the address, or of the path behind it: clients build either form."""
    base = server_url(request)
    if path:
        named = next((s for s in request.app.state.stages.all() if s.path.strip("/") == path.strip("/")), None)
        if named is None:
            raise OAuthRefused("There is no such server here.", error="invalid_request")
        base = f"{request.app.state.loaded.public_url}{named.path.rstrip('/')}"
    return JSONResponse({
        "issuer": base,
        "authorization_endpoint": f"{base}/oauth/v1/authorize",
        "token_endpoint": f"{base}/oauth/v1/token",
        "registration_endpoint": f"{base}/oauth/v1/register",
        "device_authorization_endpoint": f"{base}/oauth/v1/device/authorize",
        "revocation_endpoint": f"{base}/oauth/v1/revoke",
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": [*GRANTS, *([EXCHANGE] if request.app.state.exchange.is_open else [])],
        "code_challenge_methods_supported": ["S256"],
        "token_endpoint_auth_methods_supported": ["none"],
        "revocation_endpoint_auth_methods_supported": ["none"],
        "authorization_response_iss_parameter_supported": True,
    })  # fmt: skip


@router.post("/oauth/v1/register")
async def register(request: Request, db: Db, address: ClientAddress) -> Response:
    """RFC 7591. Every client is public: it has no secret, and each person is asked."""
    asked = _registered(await _body(request))
    made = await apart(partial(_register, db, asked, address))
    return JSONResponse(made, status_code=201, headers=FRESH)


@router.post("/oauth/v1/device/authorize")
async def device(request: Request, db: Db, stage: Stage, address: ClientAddress) -> Response:
    form = await _form(request)
    begun = await apart(partial(_begin_device, db, form.get("client_id", ""), stage.id, address))
    return JSONResponse({
        "device_code": begun.device_code, "user_code": begun.user_code, "verification_uri": f"{server_url(request)}/_/device",
        "expires_in": begun.expires_in_s, "interval": begun.interval_s,
    }, headers=FRESH)  # fmt: skip


@router.post("/oauth/v1/token")
async def token(request: Request, db: Db, stage: Stage) -> Response:
    form = await _form(request)
    grant = form.get("grant_type", "")
    if grant == EXCHANGE:
        return await apart(partial(_exchanged, request.app.state.exchange, form, stage, server_url(request)))
    issuing = _ISSUING.get(grant)
    if issuing is None:
        raise OAuthRefused(f"grant_type must be one of {', '.join(GRANTS)}.", error="unsupported_grant_type")
    rules = getattr(request.app.state, "identity_rules", None) or Rules()
    made = await apart(partial(issuing, db, form, rules))
    answer = {"access_token": made.access_token, "token_type": "Bearer", "expires_in": made.expires_in_s}
    return JSONResponse({**answer, "refresh_token": made.refresh_token}, headers=FRESH)


@router.post("/oauth/v1/revoke")
async def revoke(request: Request, db: Db) -> Response:
    """RFC 7009: also of a token that is unknown, all is well."""
    form = await _form(request)
    what = partial(oauth.revoke_token_text, db, client_key=form.get("client_id", ""), token=_needed(form, "token"))
    await apart(what)
    return Response(status_code=200, headers=FRESH)


def _code(db: Database, form: dict[str, str], rules: Rules) -> oauth.Issued:
    names = ("client_id", "code", "redirect_uri", "code_verifier")
    client, code, uri, verifier = (_needed(form, name) for name in names)
    return oauth.redeem_code(db, client_key=client, code=code, redirect_uri=uri, verifier=verifier, rules=rules)


def _refresh(db: Database, form: dict[str, str], rules: Rules) -> oauth.Issued:
    client, old = _needed(form, "client_id"), _needed(form, "refresh_token")
    return oauth.refresh(db, client_key=client, token=old, rules=rules)


def _device(db: Database, form: dict[str, str], rules: Rules) -> oauth.Issued:
    client, code = _needed(form, "client_id"), _needed(form, "device_code")
    return oauth.redeem_device(db, client_key=client, code=code, rules=rules)


def _exchanged(exchange: Exchange, form: dict[str, str], stage: StageRef, address: str) -> Response:
    """The word of a trusted issuer for a key: clients use the access token as an API key."""
    if form.get("subject_token_type") not in ID_TOKENS:
        raise OAuthRefused(f"subject_token_type must be {ID_TOKENS[0]}.")
    if form.get("requested_token_type", ACCESS_TOKEN) != ACCESS_TOKEN:
        raise OAuthRefused(f"requested_token_type must be {ACCESS_TOKEN}.")
    made = exchange.exchange(Workload(_needed(form, "subject_token"), stage.id, stage.key, address))
    answer = {"access_token": made.key, "issued_token_type": ACCESS_TOKEN, "token_type": "Bearer"}
    return JSONResponse({**answer, "expires_in": made.expires_in_s}, headers=FRESH)


_ISSUING: dict[str, Callable[[Database, dict[str, str], Rules], oauth.Issued]] = {
    "authorization_code": _code,
    "refresh_token": _refresh,
    DEVICE: _device,
}


def _register(db: Database, asked: oauth.ClientAsked, address: str) -> dict[str, Any]:
    with db.write() as tx:
        client = oauth.register_client(tx, asked=asked, address=address)
        return {
            "client_id": client.key,
            "client_id_issued_at": int(client.created_at.timestamp()),
            "client_name": client.title,
            "redirect_uris": client.redirect_uris,
            "token_endpoint_auth_method": "none",
            "grant_types": list(GRANTS),
            "response_types": ["code"],
        }


def _begin_device(db: Database, client_key: str, stage_id: int, address: str) -> oauth.DeviceBegun:
    with db.write() as tx:
        return oauth.begin_device(tx, client_key=client_key, stage_id=stage_id, address=address)


def _registered(body: bytes) -> oauth.ClientAsked:
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        document = None
    if not isinstance(document, dict):
        raise OAuthRefused("The body must be a JSON object.", error="invalid_client_metadata")
    method, title = document.get("token_endpoint_auth_method", "none"), document.get("client_name") or ""
    if method != "none":
        raise OAuthRefused(
            "Programs have no secret here: token_endpoint_auth_method must be none.", error="invalid_client_metadata"
        )
    uris = document.get("redirect_uris")
    if not isinstance(title, str) or not isinstance(uris, list):
        raise OAuthRefused("client_name must be text, redirect_uris a list.", error="invalid_client_metadata")
    for name, known in (("grant_types", GRANTS), ("response_types", ("code",))):
        asked = document.get(name, [])
        if not isinstance(asked, list) or not all(one in known for one in asked):
            raise OAuthRefused(f"{name} may hold {', '.join(known)}.", error="invalid_client_metadata")
    return oauth.ClientAsked(title, uris)


async def _body(request: Request) -> bytes:
    parts, size = [], 0
    async for part in request.stream():
        parts.append(part)
        if (size := size + len(part)) > BODY_LIMIT:
            raise OAuthRefused("The body is larger than 64 kB.")
    return b"".join(parts)


async def _form(request: Request) -> dict[str, str]:
    """The fields of a form; none may stand there twice (RFC 6749, 3.2)."""
    try:
        fields = parse_qsl((await _body(request)).decode(), keep_blank_values=True, max_num_fields=40, errors="strict")
    except ValueError:
        raise OAuthRefused("The body must be a form (application/x-www-form-urlencoded) in UTF-8.") from None
    if len(found := dict(fields)) != len(fields):
        raise OAuthRefused("A parameter stands there twice.")
    return found


def _needed(form: dict[str, str], name: str) -> str:
    if not form.get(name):
        raise OAuthRefused(f"The parameter {name} is missing.")
    return form[name]


def _refusal(error: PilothouseError) -> JSONResponse:
    """401 for a client that is not known is what clients expect; 400 otherwise (RFC 6749, 5.2)."""
    headers = dict(FRESH)
    if isinstance(error, OAuthRefused):
        word, status = error.error, 401 if error.error == "invalid_client" else 400
    elif isinstance(error, TooManyWaiting):
        word, status = "temporarily_unavailable", 429
        headers["Retry-After"] = "600"
    elif isinstance(error, Unavailable):
        word, status = "temporarily_unavailable", 503
    else:
        word, status = "invalid_request" if isinstance(error, Invalid) else "access_denied", 400
    return JSONResponse({"error": word, "error_description": str(error)}, status_code=status, headers=headers)
