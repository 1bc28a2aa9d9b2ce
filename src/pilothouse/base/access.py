"""Who may do what: every permission, every rule, and ``require``, which all verbs call first.

A room describes the thing that is acted on as a `Resource`; ``identity`` builds the `Principal`. The rules below are the
whole of role-based access; policy beyond roles (quota, approval) belongs to ``governance``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

from pilothouse.base.errors import Denied, NotAuthenticated


class Role(StrEnum):
    """What a person may be in the whole installation, weakest first."""

    VIEWER = "viewer"
    PUBLISHER = "publisher"
    ADMINISTRATOR = "administrator"


class Share(StrEnum):
    """What a person is to one thing, weakest first. An owner has every right an editor has."""

    NONE = "none"
    VIEWER = "viewer"
    EDITOR = "editor"
    OWNER = "owner"


class OpenTo(StrEnum):
    """Who may open a thing beyond those named on its access list (the wire's ``access_type``)."""

    ALL = "all"
    LOGGED_IN = "logged_in"
    ACL = "acl"


class Permission(StrEnum):
    """Every permission, named ``room:thing:verb``."""

    USER_LIST = "identity:user:list"
    USER_CREATE = "identity:user:create"
    USER_UPDATE = "identity:user:update"
    USER_SET_ROLE = "identity:user:set-role"
    USER_LOCK = "identity:user:lock"
    USER_RESET_PASSWORD = "identity:user:reset-password"
    USER_EXPORT = "identity:user:export"
    USER_ERASE = "identity:user:erase"
    GROUP_LIST = "identity:group:list"
    GROUP_CREATE = "identity:group:create"
    GROUP_UPDATE = "identity:group:update"
    GROUP_DELETE = "identity:group:delete"
    KEY_CREATE = "identity:key:create"
    KEY_REVOKE = "identity:key:revoke"
    LOGIN_END = "identity:login:end"
    LOGIN_ENTER = "identity:login:enter"
    MAIL_TEST = "notify:mail:test"
    AUDIT_READ = "audit:event:read"
    CONTENT_CREATE = "content:content:create"
    CONTENT_VIEW = "content:content:view"
    CONTENT_READ = "content:content:read"
    CONTENT_UPDATE = "content:content:update"
    CONTENT_SHARE = "content:content:share"
    CONTENT_DEPLOY = "content:content:deploy"
    CONTENT_DELETE = "content:content:delete"
    CONTENT_FEATURE = "content:content:feature"
    CONTENT_ENDORSE = "content:content:endorse"
    CONTENT_REASSIGN = "content:content:reassign"
    ANNOUNCE = "web:announcement:make"
    STEWARD_NAME = "content:steward:name"
    REQUEST_MAKE = "content:request:make"
    THREAD_OPEN = "content:thread:open"
    TAG_MANAGE = "content:tag:manage"
    IMAGE_MANAGE = "content:image:manage"
    CACHE_CLEAR = "content:cache:clear"
    USAGE_LIST = "content:usage:list"
    INTEGRATION_LIST = "integrations:integration:list"
    INTEGRATION_MANAGE = "integrations:integration:manage"
    DELEGATION_BEGIN = "integrations:delegation:begin"
    DELEGATION_LIST = "integrations:delegation:list"
    DELEGATION_END = "integrations:delegation:end"
    JOB_LIST = "launcher:job:list"
    TASK_LIST = "tasks:task:list"
    TASK_RETRY = "tasks:task:retry"
    TASK_CANCEL = "tasks:task:cancel"
    SETTINGS_READ = "settings:option:read"


@dataclass(frozen=True)
class Rule:
    """A permission is given by an installation role of at least ``role``, or by a share of at least ``share``.

    ``also`` demands an installation role *in addition* to the share (a viewer who owns a thing cannot deploy it).
    ``secrets`` marks what a key bound to a job may never do (SECURITY 16).
    """

    role: Role | None = None
    share: Share | None = None
    also: Role | None = None
    secrets: bool = False


_ADMIN = Rule(role=Role.ADMINISTRATOR, secrets=True)
_OWN_OR_ADMIN = Rule(role=Role.ADMINISTRATOR, share=Share.OWNER, secrets=True)
_EDIT = Rule(role=Role.ADMINISTRATOR, share=Share.EDITOR, also=Role.PUBLISHER)

RULES: Mapping[Permission, Rule] = MappingProxyType(
    {
        Permission.USER_LIST: Rule(role=Role.VIEWER, secrets=True),
        Permission.USER_CREATE: _ADMIN,
        Permission.USER_UPDATE: _OWN_OR_ADMIN,
        Permission.USER_SET_ROLE: _ADMIN,
        Permission.USER_LOCK: _ADMIN,
        Permission.USER_RESET_PASSWORD: _OWN_OR_ADMIN,
        Permission.USER_EXPORT: _OWN_OR_ADMIN,
        Permission.USER_ERASE: _ADMIN,
        Permission.GROUP_LIST: Rule(role=Role.VIEWER, secrets=True),
        Permission.GROUP_CREATE: Rule(role=Role.PUBLISHER, secrets=True),
        Permission.GROUP_UPDATE: _OWN_OR_ADMIN,
        Permission.GROUP_DELETE: _OWN_OR_ADMIN,
        Permission.KEY_CREATE: _OWN_OR_ADMIN,
        Permission.KEY_REVOKE: _OWN_OR_ADMIN,
        Permission.LOGIN_END: _OWN_OR_ADMIN,
        Permission.LOGIN_ENTER: Rule(role=Role.VIEWER, secrets=True),
        Permission.MAIL_TEST: _ADMIN,
        Permission.AUDIT_READ: _ADMIN,
        Permission.CONTENT_CREATE: Rule(role=Role.PUBLISHER),
        Permission.CONTENT_VIEW: Rule(role=Role.ADMINISTRATOR, share=Share.VIEWER),
        Permission.CONTENT_READ: Rule(role=Role.ADMINISTRATOR, share=Share.EDITOR),
        Permission.CONTENT_UPDATE: _EDIT,
        Permission.CONTENT_SHARE: Rule(role=Role.ADMINISTRATOR, share=Share.EDITOR, also=Role.PUBLISHER, secrets=True),
        Permission.CONTENT_DEPLOY: _EDIT,
        Permission.CONTENT_DELETE: _EDIT,
        Permission.CONTENT_FEATURE: Rule(role=Role.ADMINISTRATOR),
        Permission.CONTENT_ENDORSE: Rule(role=Role.ADMINISTRATOR, share=Share.EDITOR, secrets=True),
        Permission.CONTENT_REASSIGN: _ADMIN,
        Permission.STEWARD_NAME: _ADMIN,
        Permission.ANNOUNCE: _ADMIN,
        Permission.REQUEST_MAKE: Rule(role=Role.VIEWER, secrets=True),
        Permission.THREAD_OPEN: Rule(role=Role.ADMINISTRATOR, share=Share.VIEWER, also=Role.VIEWER, secrets=True),
        Permission.TAG_MANAGE: Rule(role=Role.ADMINISTRATOR),
        Permission.IMAGE_MANAGE: _ADMIN,
        Permission.CACHE_CLEAR: _ADMIN,
        Permission.USAGE_LIST: Rule(role=Role.PUBLISHER),
        Permission.INTEGRATION_LIST: Rule(role=Role.PUBLISHER),
        Permission.INTEGRATION_MANAGE: _ADMIN,
        Permission.DELEGATION_BEGIN: Rule(role=Role.VIEWER, secrets=True),
        Permission.DELEGATION_LIST: _ADMIN,
        Permission.DELEGATION_END: _OWN_OR_ADMIN,
        Permission.JOB_LIST: _ADMIN,
        Permission.TASK_LIST: _ADMIN,
        Permission.TASK_RETRY: _ADMIN,
        Permission.TASK_CANCEL: _ADMIN,
        Permission.SETTINGS_READ: _ADMIN,
    }
)

_ROLES = list(Role)
_SHARES = list(Share)


@dataclass(frozen=True)
class ResourceRef:
    """The name of one thing: ``ResourceRef("content", 12)``. What audit, jobs, keys and usage rows hold instead of a foreign key."""

    kind: str
    id: int

    def __str__(self) -> str:
        return f"{self.kind}/{self.id}"


@dataclass(frozen=True)
class Principal:
    """Whoever acts, already resolved: a person, a service account, a job's key, the system itself, or nobody.

    ``role`` is the effective role (a key may cap it). ``login`` is the public id of the browser login, ``key`` the id of the
    API key that was used, ``token`` that of the token that signed the request, if any. ``bound_to`` is set for a key that
    belongs to one job: such a principal may never touch users, keys, roles, sharing, secrets or audit. ``stage_id`` is set for
    what was given for one stage only. ``language`` is the one the person chose, empty for what their browser asks for.
    """

    id: int | None
    role: Role | None
    username: str = ""
    guid: str = ""
    groups: frozenset[int] = frozenset()
    group_names: tuple[str, ...] = ()
    login: str | None = None
    key: int | None = None
    token: int | None = None
    bound_to: ResourceRef | None = None
    stage_id: int | None = None
    system: bool = False
    language: str = ""

    @property
    def is_authenticated(self) -> bool:
        return self.system or self.id is not None

    @property
    def is_program(self) -> bool:
        """Whether it came with credentials that only programs send, and no page of another site can make a browser send."""
        return self.key is not None or self.token is not None

    def has_role(self, role: Role) -> bool:
        return self.system or (self.role is not None and _ROLES.index(self.role) >= _ROLES.index(role))


ANONYMOUS = Principal(id=None, role=None)
SYSTEM = Principal(id=None, role=Role.ADMINISTRATOR, username="system", system=True)


@dataclass(frozen=True)
class Resource:
    """What ``require`` needs to know of a thing: whose it is, to whom it is open, and who is named on its list."""

    ref: ResourceRef | None = None
    owner_id: int | None = None
    open_to: OpenTo = OpenTo.ACL
    users: Mapping[int, Share] = field(default_factory=dict)
    groups: Mapping[int, Share] = field(default_factory=dict)

    def share_of(self, principal: Principal) -> Share:
        """The strongest share that ``principal`` has in this thing, by ownership, name, group or openness."""
        found = Share.NONE
        if self.open_to is OpenTo.ALL or (self.open_to is OpenTo.LOGGED_IN and principal.is_authenticated):
            found = Share.VIEWER
        if principal.id is None:
            return found
        if principal.id == self.owner_id:
            return Share.OWNER
        named = [
            self.users.get(principal.id, Share.NONE),
            *(s for g, s in self.groups.items() if g in principal.groups),
        ]
        return max([found, *named], key=_SHARES.index)


NOTHING = Resource()


def may(principal: Principal, permission: Permission, resource: Resource = NOTHING) -> bool:
    """Whether ``principal`` has ``permission`` on ``resource``. Pure: no database, no clock."""
    rule = RULES[permission]
    if principal.system:
        return True
    if principal.bound_to is not None and rule.secrets:
        return False
    if rule.role is not None and principal.has_role(rule.role):
        return True
    if rule.share is None or _SHARES.index(resource.share_of(principal)) < _SHARES.index(rule.share):
        return False
    return rule.also is None or principal.has_role(rule.also)


def require(principal: Principal, permission: Permission, resource: Resource = NOTHING) -> None:
    """Return if ``principal`` has ``permission`` on ``resource``; else raise `NotAuthenticated` (nobody is signed in) or `Denied`."""
    if may(principal, permission, resource):
        return
    if not principal.is_authenticated:
        raise NotAuthenticated(permission=str(permission))
    raise Denied(
        f"You may not do this: it needs the permission {permission}. {_remedy(permission)}", permission=str(permission)
    )


def _remedy(permission: Permission) -> str:
    rule = RULES[permission]
    if rule.also is not None:
        return f"It is given to {rule.also.value}s who are {rule.share} of the item, and to administrators."
    if rule.share is not None:
        return f"Ask the owner to make you {rule.share}, or ask an administrator."
    return f"It is given to the role {rule.role}. Ask an administrator."
