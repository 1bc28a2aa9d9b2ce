"""Every sealed column takes part in the rotation of its key."""

from __future__ import annotations

from pilothouse.app.rotation import SEALED
from pilothouse.testing.database import all_tables


def test_every_sealed_column_is_sealed_again_when_the_key_changes() -> None:
    columns = {
        table.name
        for table in all_tables().tables.values()
        if "sealed" in table.columns and str(table.columns["sealed"].type) == "BLOB"
    }
    assert columns == {table.__tablename__ for table in SEALED}
