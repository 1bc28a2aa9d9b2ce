"""The access log: one JSON object a line, for operators and for the reader that turns it into usage rows.

A WebSocket writes a line of kind ``DownstreamTunnelSuccessfullyEstablished`` when it opens and one of kind ``DownstreamEnd``
when it closes, both with the same ``id``. Everything the door did not say is null. For a request that went on by a grant
the door said nothing: then ``granted`` is its path and ``use`` what the door had said before (see `merged`).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from pilothouse.gateway import grants, headers
from pilothouse.gateway.envoy.blocks import AUTHZ, GRANTED_PATH, what_was_granted
from pilothouse.gateway.envoy.clients import CLIENT_ADDRESS

#: Made by Envoy for each request, whatever its client says. Error pages show it, and the answer carries it as ``X-Request-Id``.
REQUEST_ID = "%STREAM_ID%"


def _said(header: str) -> str:
    return f"%DYNAMIC_METADATA({AUTHZ}:{header})%"


#: Key in the log → Envoy's command. ``path`` is the client's canonical path, before the mount was cut off.
FIELDS = {
    "t": "%START_TIME(%Y-%m-%dT%H:%M:%E3SZ)%",
    "kind": "%ACCESS_LOG_TYPE%",
    "id": REQUEST_ID,
    "origin": "%METADATA(VIRTUAL_HOST:ph:origin)%",
    "method": "%REQ(:METHOD)%",
    "host": "%REQ(:AUTHORITY)%",
    "path": "%DYNAMIC_METADATA(ph:asked)%",
    "status": "%RESPONSE_CODE%",
    "flags": "%RESPONSE_FLAGS%",
    "details": "%RESPONSE_CODE_DETAILS%",
    "ms": "%DURATION%",
    "in": "%BYTES_RECEIVED%",
    "out": "%BYTES_SENT%",
    "upstream": "%UPSTREAM_HOST%",
    "client": CLIENT_ADDRESS,
    "agent": "%REQ(USER-AGENT):400%",
    "to": _said(headers.TO),
    "sub": _said(headers.PRINCIPAL),
    "jid": _said(headers.JOB),
    "cid": _said(headers.SUBJECT),
    "stage": _said(headers.STAGE),
    "bundle": _said(headers.BUNDLE),
    "page": _said(headers.PAGE_LOAD),
    "granted": GRANTED_PATH,
    "use": what_was_granted(grants.USE),
}
OPENED, ENDED = "DownstreamTunnelSuccessfullyEstablished", "DownstreamEnd"


def merged(line: dict[str, Any]) -> dict[str, Any]:
    """A line in which it no longer matters whether the door was asked or a grant spoke for it."""
    if not (path := line.get("granted")):
        return line  # with ``use`` or without: a grant that was not taken says nothing
    words = (None if word == grants.NONE else word for word in str(line.get("use")).split(" "))
    return {**line, "path": path, **dict(zip(("sub", "jid", "cid", "stage", "bundle"), words, strict=False))}


def moment_of(line: Mapping[str, Any]) -> datetime | None:
    """When the request of a line began; nothing where the line does not say."""
    try:
        moment = datetime.fromisoformat(str(line["t"]))
    except (KeyError, ValueError):
        return None
    return moment if moment.tzinfo is not None else None


def access_log(path: Path) -> list[dict[str, Any]]:
    """Envoy's access logger that writes the lines to ``path``."""
    kind = "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog"
    config = {"@type": kind, "path": str(path), "log_format": {"json_format": FIELDS}}
    return [{"name": "envoy.access_loggers.file", "typed_config": config}]
