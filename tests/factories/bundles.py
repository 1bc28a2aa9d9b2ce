"""Bundles that no kind may accept, by how the kind names its entry point: files, manifest fields, a word of the refusal."""

from __future__ import annotations

#: For kinds whose entry point is ``module:object``.
BROKEN_MODULES = {
    "no module": ({"main.py": ""}, {"entrypoint": "app:app"}, "app.py"),
    "outside": ({"app.py": ""}, {"entrypoint": "../app:app"}, "can't be read"),
    "odd": ({"app.py": ""}, {"entrypoint": "app:import os"}, "can't be read"),
}
#: For kinds whose entry point is a file.
BROKEN_FILES = {
    "no file": ({"main.py": ""}, {"entrypoint": "app"}, "there is main.py"),
    "outside": ({"app.py": ""}, {"entrypoint": "../app"}, "can't be read"),
    "an option": ({"app.py": ""}, {"entrypoint": "--show"}, "can't be read"),
}
