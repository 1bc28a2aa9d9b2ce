"""Announcements: a few words of an administrator on top of every page."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime

from sqlalchemy import or_, select

from pilothouse.audit.service import record
from pilothouse.base import clock
from pilothouse.base.access import Permission, Principal, ResourceRef, require
from pilothouse.base.errors import Conflict, Invalid, NotFound
from pilothouse.content.service.prose import prose
from pilothouse.db import Database, DatabaseDown, Tx, Watch
from pilothouse.web.models import Announcement

WORDS_LIMIT, AT_ONCE = 400, 3


class AnnouncementInvalid(Invalid):
    """The end of an announcement must be in the future."""

    code = "web/announcement-invalid"


class AnnouncementUnknown(NotFound):
    """There is no such announcement."""

    code = "web/announcement-unknown"


class TooManyAnnouncements(Conflict):
    """Three announcements are shown already. End one of them first."""

    code = "web/too-many-announcements"


def announce(tx: Tx, actor: Principal, *, words: str, until: datetime | None) -> Announcement:
    """Tell everybody who is signed in. Raises `ProseInvalid`, `AnnouncementInvalid`, `TooManyAnnouncements`."""
    require(actor, Permission.ANNOUNCE)
    said = prose(words, limit=WORDS_LIMIT, needed=True)
    if until is not None and until <= clock.now():
        raise AnnouncementInvalid
    if len(current(tx)) >= AT_ONCE:
        raise TooManyAnnouncements
    made = Announcement(words=said, until=until, created_by_id=actor.id)
    tx.add(made)
    tx.flush()
    after = {"words": said, "until": until}
    record(tx, actor, "web:announcement:created", ResourceRef("announcement", made.id), after=after)
    return made


def end_announcement(tx: Tx, actor: Principal, number: int) -> None:
    """No longer show it; twice is harmless. Raises `AnnouncementUnknown`."""
    require(actor, Permission.ANNOUNCE)
    found = tx.get(Announcement, number)
    if found is None:
        raise AnnouncementUnknown
    if found.ended_at is None:
        found.ended_at = clock.now()
        record(tx, actor, "web:announcement:ended", ResourceRef("announcement", number))


def announcements(tx: Tx, actor: Principal, *, limit: int = 30) -> list[Announcement]:
    """All of them, newest first."""
    require(actor, Permission.ANNOUNCE)
    return list(tx.scalars(select(Announcement).order_by(Announcement.id.desc()).limit(limit)))


def current(tx: Tx) -> list[Announcement]:
    """Those that are shown, oldest first."""
    lasts = or_(Announcement.until.is_(None), Announcement.until > clock.now())
    return list(
        tx.scalars(select(Announcement).where(Announcement.ended_at.is_(None), lasts).order_by(Announcement.id))
    )


class Board:
    """What stands on top of pages, from memory. Safe to call from several threads."""

    def __init__(self, database: Database, watch: Watch) -> None:
        self._database, self._watch = database, watch
        self._known: tuple[int, tuple[tuple[int, str, datetime | None], ...]] = (-1, ())

    def shown(self) -> list[tuple[int, str]]:
        """Number and words of each announcement that holds now; while the database is away, of those known last."""
        with suppress(DatabaseDown):  # the page that says so has them on top as well
            epoch = self._watch.epoch(Announcement.topic)
            if epoch != self._known[0]:
                with self._database.read() as tx:
                    self._known = epoch, tuple((row.id, row.words, row.until) for row in current(tx))
        now = clock.now()
        return [(number, words) for number, words, until in self._known[1] if until is None or until > now]
