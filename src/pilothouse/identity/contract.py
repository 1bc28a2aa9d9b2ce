"""What a way of signing in owes, and the nouns and errors of signing in."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from pilothouse.base.access import ResourceRef, Role
from pilothouse.base.errors import Conflict, Denied, Invalid, NotAuthenticated, NotFound, Unavailable


class WrongPassword(NotAuthenticated):
    """The user name or the password is wrong. Check both and try again."""

    code = "identity/wrong-password"


class TooManyFailures(NotAuthenticated):
    """Too many failed sign-ins. Wait a few minutes and try again."""

    code = "identity/too-many-failures"


class AccountLocked(NotAuthenticated):
    """This account is locked. Ask an administrator to unlock it."""

    code = "identity/account-locked"


class InvalidKey(NotAuthenticated):
    """The API key is not valid: unknown, expired or revoked. Make a new one on your account page."""

    code = "identity/invalid-key"


class InvalidSignature(InvalidKey):
    """The request is not signed as it should be. Sign in again from the program."""

    code = "identity/invalid-signature"


class TokenInvalid(Invalid):
    """The token or its public key is not valid."""

    code = "identity/token-invalid"


class TokenTaken(Conflict):
    """A token of this name exists already. Make another one."""

    code = "identity/token-taken"


class TokenUnknown(NotFound):
    """This request to sign in is not there any more. Start again from the program."""

    code = "identity/token-unknown"


class ClaimedInBrowser(Denied):
    """Only somebody who is signed in with a browser can let a program sign in."""

    code = "identity/claimed-in-browser"


class TooManyWaiting(Unavailable):
    """Too many programs are waiting to be let in. Try again in an hour."""

    code = "identity/too-many-waiting"


class OAuthRefused(Invalid):
    """A program can't sign in like this. Start again from the program."""

    code = "identity/oauth-refused"

    def __init__(self, message: str | None = None, *, error: str = "invalid_request") -> None:
        """``error`` is the word of RFC 6749 (or 7591, 8628, 8693) for it."""
        super().__init__(message)
        self.error = error


class AuthorizationUnknown(NotFound):
    """This program is not signed in any more."""

    code = "identity/authorization-unknown"


class DeviceCodeUnknown(NotFound):
    """No program waits with this code. Look at the code again; it is good for a few minutes only."""

    code = "identity/device-code-unknown"


class UsernameTaken(Conflict):
    """A user of this name exists already. Choose another name."""

    code = "identity/username-taken"


class GroupNameTaken(Conflict):
    """A group of this name exists already. Choose another name."""

    code = "identity/group-name-taken"


class LastAdministrator(Conflict):
    """This is the last unlocked administrator. Make somebody else administrator first."""

    code = "identity/last-administrator"


class WeakPassword(Invalid):
    """The password is too short. Choose a longer one."""

    code = "identity/weak-password"


class UserInvalid(Invalid):
    """The user's data is not valid."""

    code = "identity/user-invalid"


class UserUnknown(NotFound):
    """There is no such user."""

    code = "identity/user-unknown"


class GroupUnknown(NotFound):
    """There is no such group."""

    code = "identity/group-unknown"


class MemberAlready(Conflict):
    """This is a member of the group already."""

    code = "identity/member-already"


class MemberUnknown(NotFound):
    """This is no member of the group."""

    code = "identity/member-unknown"


class GroupCycle(Conflict):
    """A group can't be in itself, nor in a group that is in it. Choose another one."""

    code = "identity/group-cycle"


class NoDirectory(Conflict):
    """There is no directory to take people or groups from: this server keeps its own. Make them here."""

    code = "identity/no-directory"


class KeyUnknown(NotFound):
    """There is no such API key."""

    code = "identity/key-unknown"


class BootstrapDisabled(NotFound):
    """Bootstrapping is not enabled. Set server.bootstrap_secret and start the server again."""

    code = "identity/bootstrap-disabled"


class AlreadyBootstrapped(Denied):
    """Users exist already, so the first administrator can't be made again. Sign in, or use `pilothouse user` on the server's machine."""

    code = "identity/already-bootstrapped"


@dataclass(frozen=True)
class NewUser:
    """What `create_user` needs. ``password`` may be left out for people who come from a provider."""

    username: str
    email: str = ""
    first_name: str = ""
    last_name: str = ""
    role: Role = Role.VIEWER
    password: str | None = field(default=None, repr=False)
    department: str | None = None
    site: str | None = None
    title: str | None = None
    locale: str | None = None
    timezone: str | None = None
    external_id: str | None = None
    must_set_password: bool = False


@dataclass(frozen=True)
class Bound:
    """What a key belongs to when it is given to a job: it dies with the job and sees one stage."""

    subject: ResourceRef
    job_id: int
    stage_id: int
    expires_at: datetime | None = None


@dataclass(frozen=True)
class Rules:
    """The room's options, see ``settings``."""

    login_lifetime: timedelta = timedelta(hours=12)
    password_min_length: int = 10
    failures_allowed: int = 10
    failures_window: timedelta = timedelta(minutes=15)
    key_lifetime: timedelta | None = None
    access_token_lifetime: timedelta = timedelta(hours=1)
    refresh_token_lifetime: timedelta = timedelta(days=30)


@dataclass(frozen=True)
class Proof:
    """What a provider says after it has checked somebody: the name to find the user by, and what else it knows."""

    provider: str
    username: str
    external_id: str | None = None
    email: str = ""
    groups: tuple[str, ...] = ()


@dataclass(frozen=True)
class Begun:
    """How the browser goes on: to ``redirect``, or (``None``) it shows the provider's own form. ``state`` must come back."""

    redirect: str | None
    state: str


class IdentityProvider(Protocol):
    """One way of proving who somebody is. Knows nothing of our users, logins or cookies."""

    def begin(self, return_to: str) -> Begun:
        """Start a sign-in that ends at our path ``return_to``."""
        ...

    def complete(self, state: str, answer: dict[str, str]) -> Proof:
        """Check what came back. Raises `WrongPassword` (or another `NotAuthenticated`) for anything that does not prove it."""
        ...

    def refresh(self, proof: Proof) -> Proof | None:
        """Ask whether the person is still known; ``None`` = no longer."""
        ...

    def logout_url(self, return_to: str) -> str | None:
        """Where to send the browser after our own login has ended."""
        ...


def cookie_name(installation: str, *, https: bool) -> str:
    """The login cookie's. Cookies ignore ports: the name tells two installations on one host apart."""
    return f"{'__Host-' if https else ''}ph_login_{installation}"
