"""Runtimes (installed Pythons and Node.js) and libraries: from what a bundle wants to read-only packages. Knows no domain.

Read in this order: ``contract.py`` (nouns), ``discover.py``, ``discover_node.py`` and ``matching.py`` (which interpreter),
``requirements.py`` (what a bundle may ask for), ``restorers/uv.py`` and ``restorers/npm.py`` (resolve, then restore).
"""

from __future__ import annotations

from pilothouse.base.seam import Seam
from pilothouse.runtimes.contract import Restorer

#: Not called ``restorers``: importing the folder of that name would replace it.
library_restorers = Seam("pilothouse.restorers", Restorer, {
    "npm": "pilothouse.runtimes.restorers.npm:NpmRestorer",
    "uv": "pilothouse.runtimes.restorers.uv:UvRestorer",
    "memory": "pilothouse.runtimes.restorers.memory:MemoryRestorer",
})  # fmt: skip
