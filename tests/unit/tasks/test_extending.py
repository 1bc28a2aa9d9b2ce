"""The example of docs/extending/add-background-work.md works as written."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path
from typing import Any

from tests.factories.tasks import finished, row, running, until

from pilothouse.base.access import SYSTEM, ResourceRef
from pilothouse.db import Database
from pilothouse.tasks import enqueue

PAGE = Path(__file__).parents[3] / "docs" / "extending" / "add-background-work.md"


def test_the_handler_of_the_guide_does_what_it_says(database: Database) -> None:
    handler, call = (textwrap.dedent(block) for block in re.findall(r" *```python\n(.*?) *```", PAGE.read_text(), re.S))
    names: dict[str, Any] = {}
    exec(handler, names)
    with running(database, {"people.greet": names["greet"]}):
        with database.write() as tx:
            task = eval(call, {"enqueue": enqueue, "tx": tx, "actor": SYSTEM, "ResourceRef": ResourceRef})
            waiting = enqueue(tx, "people.greet", {"name": "nobody"})
        view = finished(database, task.key)
        until(lambda: row(database, waiting.key).attempt == 1 and row(database, waiting.key).state == "queued")
    assert (view.lines, view.result) == (("Greeting Amara …",), {"greeted": "Amara"})
    assert view.subject == ResourceRef("user", 12)
