"""Published content: bundles, deployments, workers, access, variables.

Read ``contract.py`` (what a kind owes), ``models/`` (nouns), ``service/`` (verbs), then the doors: ``api.py``, ``pages/``,
``tasks/``. ``kinds/`` holds one file for each kind of content.
"""

from __future__ import annotations

from pilothouse.base.seam import Seam
from pilothouse.content.contract import ContentKind

content_kinds = Seam("pilothouse.content_kinds", ContentKind, {
    "nodejs": "pilothouse.content.kinds.nodejs:Nodejs",
    "python-api": "pilothouse.content.kinds.python_api:PythonApi",
    "python-bokeh": "pilothouse.content.kinds.python_bokeh:PythonBokeh",
    "python-dash": "pilothouse.content.kinds.python_dash:PythonDash",
    "python-fastapi": "pilothouse.content.kinds.python_fastapi:PythonFastapi",
    "python-gradio": "pilothouse.content.kinds.python_gradio:PythonGradio",
    "python-panel": "pilothouse.content.kinds.python_panel:PythonPanel",
    "python-shiny": "pilothouse.content.kinds.python_shiny:PythonShiny",
    "python-streamlit": "pilothouse.content.kinds.python_streamlit:PythonStreamlit",
    "static": "pilothouse.content.kinds.static:Static",
})  # fmt: skip
