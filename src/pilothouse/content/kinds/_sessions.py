"""Sessions of Bokeh and Panel: what the page hands to its WebSocket is signed."""

from __future__ import annotations

from collections.abc import Mapping

from pilothouse.content.contract import Launch


def signed(launch: Launch) -> Mapping[str, str]:
    """Variables with which a page's token can't be forged: it holds the headers that say who the visitor is."""
    return {"BOKEH_SIGN_SESSIONS": "yes", "BOKEH_SECRET_KEY": launch.secret}
