"""What differs in one text file between two archives; read by a child without rights, as everything of an archive is."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pilothouse.storage.custody import COMPARE, NOBODY, OWN, Custodian

TIMEOUT_S, AT_ONCE = 20, 2
_places = threading.BoundedSemaphore(AT_ONCE)


@dataclass(frozen=True)
class TextDifference:
    """Lines of a unified difference, each begun by ``@``, ``+``, ``-`` or a blank; ``left_out`` says how many more there are.

    ``why`` is ``binary | large | missing | broken`` where there is none to show.
    """

    lines: Sequence[str] = ()
    left_out: int = 0
    why: str = ""


def text_difference(before: Path | None, after: Path | None, name: str, custodian: Custodian = OWN) -> TextDifference:
    """From the file ``name`` of one tar.gz to that of another; ``None`` where it is added or removed. Never raises for what is in them."""
    with _places:
        fds = [os.open(path, os.O_RDONLY) if path is not None else -1 for path in (before, after)]
        try:
            answer = _run(fds, name, custodian)
        finally:
            for fd in fds:
                if fd >= 0:
                    os.close(fd)
    return TextDifference(answer.get("lines", ()), int(answer.get("left_out", 0)), str(answer.get("why", "")))


def _run(fds: Sequence[int], name: str, custodian: Custodian) -> dict[str, Any]:
    opened = [fd for fd in fds if fd >= 0]
    words = [f"{{{opened.index(fd)}}}" if fd >= 0 else "-1" for fd in fds]
    done = custodian.run(COMPARE, [*words, name], files=opened, uid=NOBODY, timeout_s=TIMEOUT_S)
    if done is None:
        return {"why": "large"}
    code, said = done
    if code != 0 or not said.strip():
        return {"why": "large" if code < 0 else "broken"}  # the limit of processor time ends it by a signal
    return dict(json.loads(said))
