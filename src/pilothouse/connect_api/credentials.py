"""An app exchanges a token about its visitor, or about itself, for credentials (connect-wire-api §5.3, RFC 8693)."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import parse_qsl

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool

from pilothouse.asgi.context import Caller
from pilothouse.base.errors import NotAuthenticated
from pilothouse.connect_api.context import StageOf, WireOf
from pilothouse.content.service.credentials import API_KEY, GRANT_TYPE, Credentials, Exchange, ExchangeInvalid
from pilothouse.identity.service.exchange import Workload
from pilothouse.integrations.contract import SignInNeeded

router = APIRouter()
SIZE_LIMIT = 64 * 1024
ID_TOKEN = "urn:ietf:params:oauth:token-type:id_token"
WORDS = ("grant_type", "subject_token_type", "subject_token", "requested_token_type", "audience")


async def _form(request: Request) -> dict[str, str]:
    parts, size = [], 0
    async for part in request.stream():
        parts.append(part)
        if (size := size + len(part)) > SIZE_LIMIT:
            raise ExchangeInvalid("The form is longer than 64 kB. Send the five words of an exchange only.")
    return _words(b"".join(parts))


def _words(body: bytes) -> dict[str, str]:
    try:
        pairs = parse_qsl(body.decode("ascii"), keep_blank_values=True, max_num_fields=50)
    except ValueError:
        raise ExchangeInvalid from None
    words = [name for name, _ in pairs if name in WORDS]
    if len(set(words)) != len(words):
        raise ExchangeInvalid("A word of the form is there twice. Send each once.")
    return dict(pairs)


Form = Annotated[dict[str, str], Depends(_form)]


@router.post("/v1/oauth/integrations/credentials")
async def exchange(form: Form, caller: Caller, stage: StageOf, wire: WireOf) -> JSONResponse:
    """Refused with code 212 where no integration of the content gives what is wanted.

    A program without credentials, for which a trusted issuer vouches, gets a key here as well.
    """
    if form.get("grant_type") != GRANT_TYPE:
        raise ExchangeInvalid(f"“grant_type” must be {GRANT_TYPE}.")
    if not caller.is_authenticated:
        if form.get("subject_token_type") != ID_TOKEN or form.get("requested_token_type") != API_KEY:
            raise NotAuthenticated
        vouched = Workload(form.get("subject_token", ""), stage.id, stage.key, wire.public_url(stage.id))
        key = await run_in_threadpool(wire.exchange.exchange, vouched)
        return _answer(Credentials(key.key, API_KEY, "Key", key.expires_in_s))
    wanted = Exchange(
        form.get("subject_token_type", ""),
        form.get("subject_token", ""),
        form.get("requested_token_type"),
        form.get("audience"),
    )
    try:
        found = await run_in_threadpool(wire.exchanger.exchange, caller, wanted)
    except SignInNeeded as error:
        base, guid = wire.public_url(stage.id), error.facts.get("integration")
        raise SignInNeeded(f"{error} It is {base}/__oauth__/integrations/{guid}/login") from None
    return _answer(found)


def _answer(found: Credentials) -> JSONResponse:
    answer: dict[str, Any] = {
        "access_token": found.access_token,
        "issued_token_type": found.issued_token_type,
        "token_type": found.token_type,
    }
    if found.expires_in is not None:
        answer["expires_in"] = found.expires_in
    return JSONResponse(answer, headers={"Cache-Control": "no-store", "Pragma": "no-cache"})
