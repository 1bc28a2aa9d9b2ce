"""PostgreSQL's NOTIFY as callbacks: how replicas hear of each other's commits without asking."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping

from pilothouse.db.engine import Database

ROUND_S = 1.0


class Listener:
    """Calls back, from a thread of its own, when anybody notifies a channel and after each time the connection was lost.

    On SQLite it does nothing: there the process is alone. A notification may be missed, so callers also look by
    themselves from time to time.
    """

    def __init__(self, database: Database, callbacks: Mapping[str, Callable[[], None]]) -> None:
        self._url = database.url.set(drivername="postgresql").render_as_string(hide_password=False)
        self._callbacks, self._stopping = callbacks, threading.Event()
        self._thread = None if database.is_sqlite else threading.Thread(target=self._listen, name="listen", daemon=True)

    def start(self) -> None:
        if self._thread is not None:
            self._thread.start()

    def stop(self) -> None:
        """Returns at once; the thread ends within a second."""
        self._stopping.set()

    def _listen(self) -> None:
        import psycopg  # not needed on SQLite

        while not self._stopping.is_set():
            try:
                self._hear()
            except psycopg.Error:
                self._stopping.wait(ROUND_S)

    def _hear(self) -> None:
        import psycopg

        with psycopg.connect(self._url, autocommit=True, connect_timeout=5) as connection:
            for channel in self._callbacks:
                connection.execute(psycopg.sql.SQL("LISTEN {}").format(psycopg.sql.Identifier(channel)))
            for callback in self._callbacks.values():
                callback()
            while not self._stopping.is_set():
                for notice in connection.notifies(timeout=ROUND_S):
                    self._callbacks[notice.channel]()
