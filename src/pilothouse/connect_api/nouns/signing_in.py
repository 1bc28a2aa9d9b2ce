"""What signing in takes and gives, and how every endpoint says no (connect-wire-api §1)."""

from __future__ import annotations

from pilothouse.connect_api import errors
from pilothouse.connect_api.nouns.words import ADDRESS, COUNT, TEXT, Schema, always, array, keys, noun, one_of

#: The numbers of ``code``, in words. Two of them come from the gateway only.
CODES = {
    errors.MALFORMED_ID: "an id is malformed; the message holds it",
    errors.NO_OBJECT: "there is no such thing, or no such endpoint",
    errors.NO_THUMBNAIL: "the content has no picture",
    19: "you may not open this content",
    errors.NO_PERMISSION: "you may not do this",
    errors.BAD_CREDENTIALS: "not signed in, or the credentials don't hold",
    errors.DELETE_ACTIVE_BUNDLE: "the active bundle can't be deleted",
    errors.INTERNAL: "the server made a mistake",
    errors.INVALID: "the request is not valid",
    errors.CONFLICT: "it collides with what is there",
    errors.UNAVAILABLE: "not now; ask again",
    104: "too many requests; `Retry-After` says when to go on",
    errors.NO_INTEGRATION: "no integration of the content gives what is wanted",
}
OAUTH_ERRORS = (
    "invalid_request", "invalid_client", "invalid_grant", "invalid_client_metadata", "invalid_redirect_uri", "invalid_target",
    "unauthorized_client", "unsupported_grant_type", "unsupported_response_type", "authorization_pending", "slow_down",
    "expired_token", "access_denied", "temporarily_unavailable",
)  # fmt: skip
GRANTS = array(TEXT)

NOUNS: dict[str, Schema] = {
    "Error": keys(
        code={
            "type": "integer",
            "enum": sorted(CODES),
            "description": "\n".join(f"{number}: {words}" for number, words in sorted(CODES.items())),
        },
        error=TEXT,
        payload=always(None),
    ),
    "OAuthError": keys(error=one_of(*OAUTH_ERRORS), error_description=TEXT),
    "OAuthServer": keys(
        issuer=ADDRESS, authorization_endpoint=ADDRESS, token_endpoint=ADDRESS, registration_endpoint=ADDRESS,
        device_authorization_endpoint=ADDRESS, revocation_endpoint=ADDRESS, response_types_supported=always(["code"]),
        response_modes_supported=always(["query"]), grant_types_supported=GRANTS, code_challenge_methods_supported=always(["S256"]),
        token_endpoint_auth_methods_supported=always(["none"]), revocation_endpoint_auth_methods_supported=always(["none"]),
        authorization_response_iss_parameter_supported=always(True),
    ),
    "OAuthClient": keys(
        client_id=TEXT, client_id_issued_at=COUNT, client_name=TEXT, redirect_uris=array(TEXT),
        token_endpoint_auth_method=always("none"), grant_types=GRANTS, response_types=always(["code"]),
    ),
    "DeviceBegun": keys(device_code=TEXT, user_code=TEXT, verification_uri=ADDRESS, expires_in=COUNT, interval=COUNT),
    "AccessToken": keys(
        access_token=TEXT, token_type=always("Bearer"), expires_in=COUNT,
        optional={"refresh_token": TEXT, "issued_token_type": TEXT},
    ),
}  # fmt: skip

ERROR, OAUTH_ERROR = noun("Error"), noun("OAuthError")
