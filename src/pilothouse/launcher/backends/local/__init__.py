"""Jobs as processes of this machine: a shim for each, bubblewrap around it, cgroups below it.

``launcher.py`` keeps the contract; ``sandbox.py`` is pure and writes command lines; ``shim.py`` is the small program that
outlives us; ``cgroups.py`` and ``freezer.py`` limit and freeze; ``probe.py`` finds out what works here.
"""

from pilothouse.launcher.backends.local.launcher import LocalLauncher
from pilothouse.launcher.backends.local.options import LocalOptions

__all__ = ["LocalLauncher", "LocalOptions"]
