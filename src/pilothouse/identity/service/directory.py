"""The people of the installation as colleagues find them: by name, department, site or title."""

from __future__ import annotations

from sqlalchemy import func, select

from pilothouse.base.access import Permission, Principal, require
from pilothouse.db import Tx
from pilothouse.identity.models import User, shown_name
from pilothouse.identity.service.users import Found, found_people, speaks_of

WORDS_SEARCHED = 6


def directory(
    tx: Tx, actor: Principal, *, words: str = "", department: str = "", page: int = 1, page_size: int = 48
) -> Found[User]:
    """People who may sign in, by their shown name. Every word must stand in a name, the department, site or title. Pages count from 1."""
    require(actor, Permission.USER_LIST)
    chosen = select(User).where(User.deleted_at.is_(None), User.locked.is_(False), User.is_service_account.is_(False))
    if words.split():
        chosen = chosen.where(speaks_of(words.split()[:WORDS_SEARCHED]))
    if department:
        chosen = chosen.where(User.department == department)
    ordered = chosen.order_by(shown_name(User.first_name, User.username), User.id)
    return found_people(tx, ordered, page=page, page_size=page_size, is_narrowed=bool(words or department))


def departments(tx: Tx, actor: Principal) -> list[str]:
    """All departments that somebody belongs to, in alphabetical order."""
    require(actor, Permission.USER_LIST)
    alive = (User.deleted_at.is_(None), User.locked.is_(False), User.department.is_not(None))
    known = select(func.min(User.department).label("name")).where(*alive).cte("known", recursive=True)
    later = select(func.min(User.department)).where(*alive, User.department > known.c.name).correlate(known)
    known = known.union_all(select(later.scalar_subquery()).where(known.c.name.is_not(None)))  # from one to the next
    return sorted((name for name in tx.scalars(select(known.c.name)) if name), key=str.lower)
