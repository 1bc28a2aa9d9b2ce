"""What a door takes from a request. The app's front puts ``principal``, ``stage`` and ``client`` into the request's state."""

from __future__ import annotations

from typing import Annotated, Any, cast

from fastapi import Depends, Request

from pilothouse.base.access import ANONYMOUS, Principal
from pilothouse.base.errors import NotAuthenticated
from pilothouse.db import Database


def principal(request: Request) -> Principal:
    """Whoever makes the request; ``ANONYMOUS`` for nobody."""
    return cast(Principal, getattr(request.state, "principal", ANONYMOUS))


def signed_in(request: Request) -> Principal:
    """Whoever makes the request. Raises `NotAuthenticated` for nobody."""
    caller = principal(request)
    if not caller.is_authenticated:
        raise NotAuthenticated
    return caller


def database(request: Request) -> Database:
    return cast(Database, request.app.state.database)


def client_address(request: Request) -> str:
    """The visitor's address as the gateway saw it."""
    return str(getattr(request.state, "client", "") or (request.client.host if request.client else ""))


def stage(request: Request) -> Any:
    """The stage of the URL (a ``StageRef``)."""
    return request.state.stage


Caller = Annotated[Principal, Depends(principal)]
SignedIn = Annotated[Principal, Depends(signed_in)]
Db = Annotated[Database, Depends(database)]
ClientAddress = Annotated[str, Depends(client_address)]
Stage = Annotated[Any, Depends(stage)]
