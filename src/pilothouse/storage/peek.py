"""What a pin says of its data, and how the data begins; read by a child without rights, as everything of an archive is."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pilothouse.storage.custody import NOBODY, OWN, PEEK, Custodian

TIMEOUT_S, AT_ONCE = 10, 2
_places = threading.BoundedSemaphore(AT_ONCE)


@dataclass(frozen=True)
class Peek:
    """``facts`` of ``data.txt``; ``rows`` of a table (the first is its head) or a ``text``, where the data is such.

    ``why`` is ``large | missing | broken`` where nothing could be read.
    """

    facts: Mapping[str, Any] = field(default_factory=dict)
    rows: Sequence[Sequence[str]] = ()
    text: str = ""
    is_cut: bool = False
    why: str = ""


def peek(archive: Path, custodian: Custodian = OWN) -> Peek:
    """Of the pin in this tar.gz. Never raises for what is in it."""
    with _places:
        fd = os.open(archive, os.O_RDONLY)
        try:
            done = custodian.run(PEEK, ["{0}"], files=[fd], uid=NOBODY, timeout_s=TIMEOUT_S)
        finally:
            os.close(fd)
    if done is None or done[0] < 0:
        return Peek(why="large")  # the limit of processor time ends it by a signal
    if done[0] != 0 or not done[1].strip():
        return Peek(why="broken")
    said = json.loads(done[1])
    return Peek(
        said.get("facts", {}), said.get("rows", ()), said.get("text", ""), bool(said.get("is_cut")), said.get("why", "")
    )
