"""The people of the installation as colleagues find them: by name, department, site or title."""

from __future__ import annotations

from sqlalchemy import func, or_, select

from pilothouse.base.access import Permission, Principal, require
from pilothouse.db import Tx
from pilothouse.identity.models import User
from pilothouse.identity.service.users import Found

WORDS_SEARCHED = 6


def directory(
    tx: Tx, actor: Principal, *, words: str = "", department: str = "", page: int = 1, page_size: int = 48
) -> Found[User]:
    """People who may sign in, by their shown name. Every word must stand in a name, the department, site or title. Pages count from 1."""
    require(actor, Permission.USER_LIST)
    chosen = select(User).where(User.deleted_at.is_(None), User.locked.is_(False), User.is_service_account.is_(False))
    for word in words.split()[:WORDS_SEARCHED]:
        searched = (User.username, User.first_name, User.last_name, User.department, User.site, User.title)
        chosen = chosen.where(or_(*(column.icontains(word, autoescape=True) for column in searched)))
    if department:
        chosen = chosen.where(User.department == department)
    total = tx.scalar(select(func.count()).select_from(chosen.subquery())) or 0
    named = func.lower(func.coalesce(func.nullif(User.first_name, ""), User.username))
    rows = tx.scalars(chosen.order_by(named, User.id).offset((page - 1) * page_size).limit(page_size))
    return Found(list(rows), total)


def departments(tx: Tx, actor: Principal) -> list[str]:
    """All departments that somebody belongs to, in alphabetical order."""
    require(actor, Permission.USER_LIST)
    found = select(User.department).where(User.deleted_at.is_(None), User.locked.is_(False)).distinct()
    return sorted((name for name in tx.scalars(found) if name), key=str.lower)
