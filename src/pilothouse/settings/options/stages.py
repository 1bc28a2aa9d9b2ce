"""One stage."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from pilothouse.settings.options.types import Section


class StageOption(Section):
    """One stage: a place content moves through, in the order of the file."""

    key: str = Field(pattern=r"^[a-z][a-z0-9-]{0,31}$")
    """Short name; part of the URL."""
    title: str = ""
    """Name shown to people. Default: the key."""
    path: str | None = None
    """URL prefix, `/` or `/KEY/`. Default: `/` for the first stage, `/KEY/` for the others."""
    host: str | None = None
    """A host name of its own for its dashboard and API. Needs `server.public_url`, whose scheme and port it shares."""
    content_host: str | None = None
    """A host name of its own for its content."""
    load_group: str | None = None
    """The load group of content that names none. Default: `medium`, or the first one."""
    kind_load_groups: dict[str, str] = {}
    """The same for kinds of content, such as `{ python-shiny = "high" }`; stronger than `load_group`."""
    python_matching: Literal["exact", "nearest", "any"] | None = None
    """How versions of Python are matched in this stage. Default: `runtimes.python_matching`."""
    usage: Literal["named", "pseudonymous", "counts"] = "named"
    """What statistics of use keep of a signed-in visitor: who it was, a pseudonym that changes each month, or nothing."""
