"""Writing to people: a verb asks for a mail in its own transaction; the queue sends it (``identity/tasks.py``)."""

from __future__ import annotations

from collections.abc import Mapping

from pilothouse.audit.service import record
from pilothouse.base.access import Permission, Principal, ResourceRef, require
from pilothouse.base.errors import Invalid
from pilothouse.db import Tx
from pilothouse.identity.models import User
from pilothouse.identity.service.users import resource_of_user
from pilothouse.settings.options.types import is_mail_address
from pilothouse.tasks import enqueue
from pilothouse.tasks.models import Task

SEND = "notify.send"
TEST = "notify.test"


class AddressInvalid(Invalid):
    """This is not a mail address. Write one such as amara@example.com."""

    code = "identity/address-invalid"


def mail(
    tx: Tx, user: User, letter: str, facts: Mapping[str, int | str | None], *, about: ResourceRef | None = None
) -> bool:
    """Write to ``user`` once this transaction commits; whether there is somebody to write to, who wants it.

    ``letter`` names what is written (``app/letters.py`` has all of them). ``facts`` are ids: what they lead to is read when the
    mail is written, in the reader's language, so that the queue holds neither names nor secrets.
    """
    if not is_reachable(user):
        return False
    enqueue(tx, SEND, {"letter": letter, "user_id": user.id, "facts": dict(facts)}, queue="mail", subject=about)
    return True


def send_test_mail(tx: Tx, actor: Principal, *, to: str) -> Task:
    """A mail to any address that shows whether mails arrive; the task says what went wrong. Raises `AddressInvalid`."""
    require(actor, Permission.MAIL_TEST)
    if not is_mail_address(to):
        raise AddressInvalid
    record(tx, actor, "notify:mail:tested", None)
    args: dict[str, object] = {"letter": TEST, "user_id": actor.id, "facts": {}, "to": to}
    return enqueue(tx, SEND, args, queue="mail", actor_id=actor.id)


def want_mail(tx: Tx, actor: Principal, user: User, *, wanted: bool) -> None:
    """Whether this person is written to from now on; what waits in the queue minds it as well."""
    require(actor, Permission.USER_UPDATE, resource_of_user(user))
    if user.wants_mail is wanted:
        return
    user.wants_mail = wanted
    before, after = {"wants_mail": not wanted}, {"wants_mail": wanted}
    record(tx, actor, "identity:user:updated", ResourceRef("user", user.id), before=before, after=after)


def is_reachable(user: User) -> bool:
    """Whether mails to this person have an address and a reader who wants them. Who is locked or gone reads none."""
    return user.wants_mail and not user.locked and user.deleted_at is None and is_mail_address(user.email)
