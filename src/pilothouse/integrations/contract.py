"""What an integration can be: its templates, the ways of signing in, and what is wrong with one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from pilothouse.base.errors import Conflict, Denied, Invalid, NotFound, Unavailable


class IntegrationUnknown(NotFound):
    """There is no such integration."""

    code = "integrations/integration-unknown"


class DelegationUnknown(NotFound):
    """There is no such session at an integration; it may have ended."""

    code = "integrations/delegation-unknown"


class IntegrationInvalid(Invalid):
    """The integration is not valid."""

    code = "integrations/integration-invalid"


class IntegrationNamed(Conflict):
    """An integration of this name exists already. Choose another name."""

    code = "integrations/name-taken"


class LoginAtProviderInvalid(Denied):
    """This sign-in was not begun here by you, or too long ago. Begin it again from the app."""

    code = "integrations/login-invalid"


class ProviderRefused(Invalid):
    """The other service refused. Ask the administrator who set up the integration."""

    code = "integrations/provider-refused"


class SignInNeeded(Denied):
    """The visitor has not signed in at the other service yet, or must again. Send them to the integration's login page."""

    code = "integrations/sign-in-needed"


class ProviderBusy(Unavailable):
    """New tokens are being fetched from the other service. Try again in a moment."""

    code = "integrations/provider-busy"


class AuthType(StrEnum):
    """As whom content acts there, in the protocol's words."""

    VIEWER = "Viewer"
    SERVICE_ACCOUNT = "Service Account"
    VISITOR_KEY = "Visitor API Key"


#: The same in people's words.
ACTS_AS: Mapping[AuthType, str] = {
    AuthType.VIEWER: "acts as its visitor there",
    AuthType.SERVICE_ACCOUNT: "acts there by an account of its own",
    AuthType.VISITOR_KEY: "acts as its visitor at this server",
}


@dataclass(frozen=True)
class Field:
    """One word of an integration's configuration. With ``values`` it is one of them, and ``default`` where none is given."""

    name: str
    label: str
    description: str
    values: tuple[str, ...] = ()
    default: str = ""
    is_needed: bool = False
    is_secret: bool = False


@dataclass(frozen=True)
class Template:
    """What integrations of one make have to say."""

    id: str
    name: str
    description: str
    fields: tuple[Field, ...]


@dataclass(frozen=True)
class Terms:
    """A checked configuration. ``secret`` are the words that nobody reads back."""

    template: str
    auth_type: AuthType
    public: Mapping[str, str]
    secret: Mapping[str, str] = field(repr=False)


CONFIDENTIAL, PUBLIC = "Confidential", "Public"
BASIC, POST = "client_secret_basic", "client_secret_post"
TEMPLATES: Mapping[str, Template] = {
    "custom": Template(
        "custom",
        "Custom",
        "Any service that speaks OAuth 2.0: visitors sign in there (authorization code with PKCE), or content has an account of its own.",
        (
            Field("auth_type", "Acts as", "The visitor, or an account of the content's own.",
                  (AuthType.VIEWER, AuthType.SERVICE_ACCOUNT), AuthType.VIEWER),
            Field("auth_mode", "Client type", "Confidential clients have a secret.", (CONFIDENTIAL, PUBLIC), CONFIDENTIAL),
            Field("token_endpoint_auth_method", "Secret is sent", "How the secret reaches the token endpoint.", (BASIC, POST), BASIC),
            Field("use_pkce", "PKCE", "Always used here, whatever is chosen.", ("true", "false"), "true"),
            Field("authorization_uri", "Authorization URI", "Where visitors are sent to sign in."),
            Field("token_uri", "Token URI", "Where codes and secrets are exchanged for tokens.", is_needed=True),
            Field("client_id", "Client ID", "What the service calls this server.", is_needed=True),
            Field("client_secret", "Client secret", "Kept sealed and never shown.", is_secret=True),
            Field("scopes", "Scopes", "What is asked for, separated by spaces."),
        ),
    ),
    "connect": Template(
        "connect",
        "This server",
        "Content acts at this server's own API as its visitor, with a key that lives shortly.",
        (Field("max_role", "At most", "No key has more rights than this role.", ("Viewer", "Publisher"), "Publisher"),),
    ),
}  # fmt: skip
#: Makes that others offer templates for.
OTHERS = frozenset({
    "aws", "azure", "azure-openai", "bigquery", "databricks", "drive", "github", "msgraph", "salesforce", "sharepoint", "sheets",
    "snowflake", "vertex-ai",
})  # fmt: skip


def checked(template: str, config: Mapping[str, object]) -> Terms:
    """Raises `IntegrationInvalid` for a word that is missing, unknown or none of those that can be."""
    made = TEMPLATES.get(template)
    if made is None:
        remedy = "Set it up with the template “custom” and the addresses of its OAuth endpoints."
        known = (
            f"There is no template for “{template}” here."
            if template in OTHERS
            else f"“{template[:40]}” is no template."
        )
        raise IntegrationInvalid(f"{known} {remedy}")
    unknown = sorted(set(config) - {word.name for word in made.fields})
    if unknown:
        names = ", ".join(word.name for word in made.fields)
        raise IntegrationInvalid(f"The template {template} has no “{unknown[0][:60]}”. It has {names}.")
    words = {word.name: _word(word, config.get(word.name)) for word in made.fields}
    secret = {word.name: words.pop(word.name) for word in made.fields if word.is_secret}
    auth_type = AuthType(words.get("auth_type") or AuthType.VISITOR_KEY)
    _check_together(auth_type, words, secret)
    given = {name: value for name, value in words.items() if value}
    return Terms(template, auth_type, given, {name: value for name, value in secret.items() if value})


def _word(word: Field, value: object) -> str:
    if isinstance(value, bool) and word.values == ("true", "false"):
        value = "true" if value else "false"
    if value is None or value == "":
        if word.is_needed:
            raise IntegrationInvalid(f"“{word.name}” is missing in the configuration: {word.description}")
        return word.default
    if not isinstance(value, str) or len(value) > 4096 or not value.isprintable():
        raise IntegrationInvalid(f"“{word.name}” must be one line of text.")
    if word.values and value not in word.values:
        raise IntegrationInvalid(f"“{word.name}” can't be “{value[:60]}”. Choose {' or '.join(word.values)}.")
    return value


def _check_together(auth_type: AuthType, words: Mapping[str, str], secret: Mapping[str, str]) -> None:
    if auth_type is AuthType.VISITOR_KEY:
        return
    if auth_type is AuthType.VIEWER and not words["authorization_uri"]:
        raise IntegrationInvalid(
            "“authorization_uri” is missing in the configuration: where visitors are sent to sign in."
        )
    needs_secret = auth_type is AuthType.SERVICE_ACCOUNT or words["auth_mode"] == CONFIDENTIAL
    if needs_secret and not secret["client_secret"]:
        raise IntegrationInvalid(
            "“client_secret” is missing in the configuration. Only public clients of visitors have none."
        )
