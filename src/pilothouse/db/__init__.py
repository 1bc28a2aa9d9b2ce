"""The database: engine and transactions, column types, change topics, secrets at rest, migrations. Knows no domain.

Start at ``engine.py``. Rooms declare their tables in their own ``models.py`` on `Row`; ``migrations/`` holds the sum of all.
"""

from pilothouse.db.changes import Watch, touch
from pilothouse.db.engine import Database, DatabaseDown, Tx, on_commit, size_of
from pilothouse.db.listen import Listener
from pilothouse.db.memory import Memory
from pilothouse.db.row import Id, Row, UtcDateTime, insert_into, only_where, stamped
from pilothouse.db.turns import Part, Turn, part_of

__all__ = [
    "Database",
    "DatabaseDown",
    "Id",
    "Listener",
    "Memory",
    "Part",
    "Row",
    "Turn",
    "Tx",
    "UtcDateTime",
    "Watch",
    "insert_into",
    "on_commit",
    "only_where",
    "part_of",
    "size_of",
    "stamped",
    "touch",
]  # fmt: skip
