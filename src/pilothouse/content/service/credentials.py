"""Exchanging what an app knows of its visitor, or of itself, for credentials at another service or here (RFC 8693)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import MappingProxyType

from pilothouse.base import clock
from pilothouse.base.access import SYSTEM, Permission, Principal, ResourceRef, Role, may
from pilothouse.base.errors import Denied, Invalid
from pilothouse.base.ids import derived_token
from pilothouse.content.models import Content
from pilothouse.content.service.sharing import resource_of
from pilothouse.db import Tx
from pilothouse.gateway.app_tokens import CONTENT, VISITOR, AppTokenInvalid, AppTokens, Claims
from pilothouse.identity.contract import Bound
from pilothouse.identity.models import ApiKey, Login, User
from pilothouse.identity.service import create_key, principal_of_user
from pilothouse.integrations import service as given
from pilothouse.integrations.contract import AuthType
from pilothouse.integrations.models import Integration
from pilothouse.integrations.service import Tools
from pilothouse.launcher.models import Job

GRANT_TYPE = "urn:ietf:params:oauth:grant-type:token-exchange"
ACCESS_TOKEN, API_KEY = "urn:ietf:params:oauth:token-type:access_token", "urn:posit:connect:api-key"
#: What an app shows → which kind of token that is, and by which integrations it can be exchanged.
SUBJECTS: Mapping[str, tuple[str, frozenset[AuthType]]] = MappingProxyType(
    {
        "urn:posit:connect:user-session-token": (VISITOR, frozenset({AuthType.VIEWER, AuthType.VISITOR_KEY})),
        "urn:posit:connect:content-session-token": (CONTENT, frozenset({AuthType.SERVICE_ACCOUNT})),
    }
)
#: A visitor's key lives at least so long and at most twice: within the hour it is the same one.
KEY_HOUR = timedelta(hours=1)
CAPS = {"Viewer": Role.VIEWER, "Publisher": Role.PUBLISHER}


class ExchangeInvalid(Invalid):
    """This is no exchange of tokens. Send grant_type, subject_token_type and subject_token as a form."""

    code = "content/exchange-invalid"


class NoSuitableIntegration(Invalid):
    """No integration of this content gives such credentials. Its owner chooses integrations in the content's settings."""

    code = "content/no-suitable-integration"


class NotARunningApp(Denied):
    """Only a running app may exchange tokens: send its own CONNECT_API_KEY, which ends with it."""

    code = "content/not-a-running-app"


@dataclass(frozen=True)
class Exchange:
    """What is shown and what is wanted for it; ``audience`` is the GUID of an integration."""

    subject_token_type: str
    subject_token: str = field(repr=False)
    requested_token_type: str | None = None
    audience: str | None = None


@dataclass(frozen=True)
class Credentials:
    """What to act with; ``expires_in`` are seconds, where they are known."""

    access_token: str = field(repr=False)
    issued_token_type: str
    token_type: str
    expires_in: int | None = None


@dataclass(frozen=True)
class Exchanger:
    """What an exchange needs. Keys of visitors are derived from ``jobs_key``."""

    tools: Tools
    tokens: AppTokens
    jobs_key: bytes = field(repr=False)

    def exchange(self, caller: Principal, wanted: Exchange) -> Credentials:
        """For an app that is ``caller`` by its own key. Opens its own transactions: other services may be slow.

        Raises `NotARunningApp`, `AppTokenInvalid`, `NoSuitableIntegration`, `ExchangeInvalid`, and what `tokens_of_person` raises.
        """
        with self.tools.database.read() as tx:
            content, job = _running(tx, caller)
            claims = self._claims(content, job, wanted)
            visitor = _visitor(tx, claims, content) if claims.user_id is not None else None
            integration = _chosen(tx, content, wanted)
        kind = AuthType(integration.auth_type)
        if kind is AuthType.VISITOR_KEY:
            assert visitor is not None
            return self._visitor_key(content, job, visitor, integration)
        if kind is AuthType.VIEWER:
            assert visitor is not None and visitor.id is not None
            tokens = given.tokens_of_person(self.tools, visitor.id, integration)
        else:
            terms = given.terms_of(self.tools.secrets, integration)
            tokens = given.tokens_of_account(self.tools.outbound, terms)
        return Credentials(tokens.access, ACCESS_TOKEN, tokens.kind, given.seconds_left(tokens.expires_at))

    def _claims(self, content: Content, job: Job, wanted: Exchange) -> Claims:
        known = SUBJECTS.get(wanted.subject_token_type)
        if known is None:
            raise ExchangeInvalid(
                f"“{wanted.subject_token_type[:80]}” can't be exchanged here. Send one of {', '.join(SUBJECTS)}."
            )
        claims = self.tokens.read(wanted.subject_token, known[0])
        if (claims.content_id, claims.job_key) != (content.id, job.key):
            raise AppTokenInvalid
        return claims

    def _visitor_key(self, content: Content, job: Job, visitor: Principal, integration: Integration) -> Credentials:
        """A key that acts as the visitor, within what any key of a job may (SECURITY 16), and ends with the job."""
        hour = int(clock.now().timestamp() // KEY_HOUR.total_seconds())
        ends = datetime.fromtimestamp((hour + 2) * KEY_HOUR.total_seconds(), UTC)
        bound = Bound(ResourceRef("content", content.id), job.id, content.stage_id, ends)
        cap = CAPS[str(integration.config.get("max_role") or "Publisher")]
        name = f"{job.key} visitor {visitor.id} {cap} {hour}"
        with self.tools.database.write() as tx:
            live, user = tx.get(Job, job.id, with_for_update=True), tx.get(User, visitor.id)
            if live is None or live.ended_at is not None or user is None:
                raise NotARunningApp
            made = create_key(
                tx, SYSTEM, user, name=f"visitor of job {job.key}", role_cap=cap, bound=bound,
                token=derived_token(self.jobs_key, name),
            )  # fmt: skip
        return Credentials(made.plain, API_KEY, "Key", given.seconds_left(ends))


def _running(tx: Tx, caller: Principal) -> tuple[Content, Job]:
    """Whose key it is: the content's that a job of it runs with, acting as its owner."""
    key = tx.get(ApiKey, caller.key) if caller.key is not None else None
    if caller.bound_to is None or caller.bound_to.kind != "content" or key is None or key.job_id is None:
        raise NotARunningApp
    content, job = tx.get(Content, caller.bound_to.id), tx.get(Job, key.job_id)
    if content is None or content.deleted_at is not None or job is None or job.ended_at is not None:
        raise NotARunningApp
    if caller.id != content.owner_id:
        raise NotARunningApp
    return content, job


def _visitor(tx: Tx, claims: Claims, content: Content) -> Principal:
    """The visitor as they are now. Who signed out, or may not open the content any more, is nobody's visitor."""
    user = tx.get(User, claims.user_id)
    if user is None or user.locked or user.deleted_at is not None or not _is_still_there(tx, claims):
        raise AppTokenInvalid("The visitor has signed out, or was locked out. Ask them to load the page again.")
    visitor = principal_of_user(tx, user)
    if not may(visitor, Permission.CONTENT_VIEW, resource_of(tx, content)):
        raise AppTokenInvalid("The visitor may not open this content any more. Its owner decides who may.")
    return visitor


def _is_still_there(tx: Tx, claims: Claims) -> bool:
    if claims.login is not None:
        login = tx.get(Login, claims.login)
        return login is not None and login.ended_at is None and login.expires_at > clock.now()
    key = tx.get(ApiKey, claims.key_id) if claims.key_id is not None else None
    return key is not None and key.revoked_at is None and (key.expires_at is None or key.expires_at > clock.now())


def _chosen(tx: Tx, content: Content, wanted: Exchange) -> Integration:
    """The one integration that can give what is wanted."""
    if wanted.requested_token_type not in (None, "", ACCESS_TOKEN, API_KEY):
        raise NoSuitableIntegration(f"No integration of this content gives “{str(wanted.requested_token_type)[:80]}”.")
    kinds = SUBJECTS[wanted.subject_token_type][1]
    if wanted.requested_token_type:
        kinds = frozenset(k for k in kinds if (k is AuthType.VISITOR_KEY) == (wanted.requested_token_type == API_KEY))
    associated = [line.integration for line in given.associations_of(tx, [content.id])]
    found = [one for one in associated if AuthType(one.auth_type) in kinds and wanted.audience in (None, "", one.guid)]
    if not found:
        raise NoSuitableIntegration
    if len(found) > 1:
        names = ", ".join(f"{one.name} ({one.guid})" for one in found)
        raise ExchangeInvalid(
            f"The request is ambiguous: several integrations could answer it. Name one as audience: {names}."
        )
    return found[0]
