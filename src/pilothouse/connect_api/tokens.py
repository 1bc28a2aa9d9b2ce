"""A program that signs its requests announces its key (connect-wire-api §1.4); a person then claims it in the browser."""

from __future__ import annotations

from fastapi import APIRouter, Request

from pilothouse.asgi.context import ClientAddress
from pilothouse.connect_api.body import JsonObject, text_or_none
from pilothouse.connect_api.context import StageOf, WireOf
from pilothouse.identity import service as people

router = APIRouter()


@router.post("/tokens")
def announce(
    body: JsonObject, request: Request, address: ClientAddress, stage: StageOf, wire: WireOf
) -> dict[str, str]:
    """Open to everybody. What else clients send (``user_id``) says nothing: whoever claims it is the user."""
    with wire.database.write() as tx:
        token = people.announce_token(
            tx,
            name=text_or_none(body, "token") or "",
            public_key=text_or_none(body, "public_key") or "",
            address=address,
            user_agent=request.headers.get("user-agent", ""),
        )
        return {"token_claim_url": f"{wire.public_url(stage.id)}/_/claim/{token.name}"}
