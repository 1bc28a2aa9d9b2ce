"""Logs of the control plane: one event a line, of ours and of the libraries, with the request's id and without secrets."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any

import structlog
from structlog.stdlib import ProcessorFormatter
from structlog.types import Processor

from pilothouse.base.errors import PilothouseError
from pilothouse.settings import Logging

#: Libraries tell much that only who looks for a fault in them wants to read.
LIBRARIES = logging.WARNING
MASK = "…"
SECRET_NAME = re.compile(r"(?i)password|secret|token|cookie|credential|authorization|api_?key")
SECRETS = (
    (re.compile(r"\bph_[A-Za-z0-9_-]{20,}"), f"ph_{MASK}"),  # our API keys
    (re.compile(r"(?<=://)([^/\s:@]*):[^/\s@]+@"), rf"\1:{MASK}@"),  # in addresses of databases, indexes and proxies
    (re.compile(r"(?i)\b(key|bearer|basic|token|password)([ =:]+)['\"]?[A-Za-z0-9+/_.~=-]{16,}['\"]?"), rf"\1\2{MASK}"),
)
#: What could steer a terminal, but not line ends: a trace has many.
CONTROLS = {n: f"\\x{n:02x}" for n in (*range(9), 11, 12, *range(13, 32), *range(127, 160))}


def configure(options: Logging) -> None:
    """Send events to standard error, which the supervisor keeps in ``logs/server.log`` and rotates."""
    level = logging.getLevelNamesMapping()[options.level.upper()]
    before: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        masked,
    ]
    shown: Processor = (
        structlog.processors.JSONRenderer()
        if options.format == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    structlog.configure(
        processors=[*before, shown],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *before],
            processors=[ProcessorFormatter.remove_processors_meta, shown],
        )
    )
    logging.basicConfig(level=max(level, LIBRARIES) if level > logging.DEBUG else level, handlers=[handler], force=True)


@contextmanager
def mistakes_logged() -> Iterator[None]:
    """What ends the process is an event like others, not text between them; the process then ends with status 1."""
    try:
        yield
    except PilothouseError as error:
        structlog.get_logger(__name__).error("the server can't go on", error=str(error))
        sys.exit(1)
    except Exception as error:
        structlog.get_logger(__name__).error("the server can't go on", exc_info=error)
        sys.exit(1)


def masked(logger: Any, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """The last line of defence: values that are secrets by their name or their looks go, control characters are escaped."""
    for name, value in event.items():
        if SECRET_NAME.search(name):
            event[name] = MASK
        elif isinstance(value, str):
            event[name] = _masked(value)
        elif not isinstance(value, int | float | None) and not name.startswith("_"):
            event[name] = _masked(repr(value))
    return event


def _masked(text: str) -> str:
    for secret, instead in SECRETS:
        text = secret.sub(instead, text)
    return text.translate(CONTROLS)
