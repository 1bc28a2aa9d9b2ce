"""Signing in, for people's browsers and for programs (connect-wire-api §1)."""

from __future__ import annotations

from pilothouse.connect_api.nouns.words import (
    ADDRESS,
    GUID,
    TEXT,
    always,
    array,
    keys,
    noun,
    one_of,
    open_keys,
    such_as,
)
from pilothouse.connect_api.rows.row import Row, at_root, form, row, text

_ASKED = {
    "client_id": TEXT, "redirect_uri": ADDRESS, "response_type": always("code"), "state": TEXT, "code_challenge": TEXT,
    "code_challenge_method": always("S256"), "resource": ADDRESS,
}  # fmt: skip
_CLIENT = such_as(open_keys(
    redirect_uris=array(ADDRESS),
    optional={"client_name": TEXT, "token_endpoint_auth_method": always("none"), "grant_types": array(TEXT), "response_types": array(always("code"))},
), {"client_name": "My program", "redirect_uris": ["http://127.0.0.1/callback"]})  # fmt: skip
_GRANT_TYPES = one_of(
    "authorization_code", "refresh_token", "urn:ietf:params:oauth:grant-type:device_code",
    "urn:ietf:params:oauth:grant-type:token-exchange",
)  # fmt: skip
_TOKEN = {
    "client_id": TEXT, "code": TEXT, "redirect_uri": TEXT, "code_verifier": TEXT, "refresh_token": TEXT, "device_code": TEXT,
    "subject_token": TEXT, "subject_token_type": TEXT, "requested_token_type": TEXT,
}  # fmt: skip

ROWS: tuple[Row, ...] = (
    row("POST /__login__", "Sign in with a password", takes=open_keys(username=TEXT, password=TEXT), gives=keys(guid=GUID, username=TEXT)),
    row("POST /v1/experimental/bootstrap", "Make the first administrator", gives=keys(api_key=TEXT)),
    row("POST /tokens", "Announce a key that signs requests", takes=open_keys(token=TEXT, public_key=TEXT), gives=keys(token_claim_url=ADDRESS)),
    at_root("GET /.well-known/oauth-authorization-server", "Discover how programs sign in", gives=noun("OAuthServer")),
    at_root("GET /oauth/v1/authorize", "Ask a person for access", asks=_ASKED, gives=text("text/html")),
    at_root("POST /oauth/v1/authorize", "Answer a program", takes=form(optional={**_ASKED, "decision": TEXT}), status="303"),
    at_root("POST /oauth/v1/token", "Get or refresh a token", takes=form(grant_type=_GRANT_TYPES, optional=_TOKEN), gives=noun("AccessToken")),
    at_root("POST /oauth/v1/register", "Register a program", takes=_CLIENT, gives=noun("OAuthClient"), status="201"),
    at_root("POST /oauth/v1/device/authorize", "Begin to sign in a device", takes=form(client_id=TEXT), gives=noun("DeviceBegun")),
    at_root("POST /oauth/v1/revoke", "End a token", takes=form(token=TEXT, optional={"client_id": TEXT}), status="200"),
)  # fmt: skip
