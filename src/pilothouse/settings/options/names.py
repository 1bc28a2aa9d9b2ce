"""Whether the host names of origins fit together: each stands for one thing, and a browser can keep them apart. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from urllib.parse import urlsplit

from pilothouse.settings.options.serving import Server
from pilothouse.settings.options.stages import StageOption

#: A host name of at least one label (RFC 1123); no address, no port.
NAME = re.compile(
    r"(?=.{1,253}\Z)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?", re.ASCII
)
LOOPBACK = frozenset({"localhost"})


def check_names(server: Server, stages: Sequence[StageOption]) -> None:
    """Raise ``ValueError`` with a sentence for the first name that does not fit."""
    named = list(_named(server, stages))
    if not named:
        return
    public = urlsplit(server.public_url or "").hostname
    if not public:
        raise ValueError(
            f"{named[0][0]} needs server.public_url, whose scheme and port all names share; set it as well"
        )
    taken = {public: "server.public_url", server.host.lower(): "server.host"}
    taken |= dict.fromkeys(LOOPBACK, "this machine") | {name.lower(): "server.hosts" for name in server.hosts}
    for option, name in named:
        _check_name(option, name, apps=(server.apps_host or "").lower().removeprefix("*"))
        if (other := taken.setdefault(name, option)) != option and not _may_share(other, option):
            raise ValueError(f"{option} is {name}, which is a name of {other}; each origin needs a name of its own")
    if server.apps_host and public.endswith(server.apps_host.lower().removeprefix("*")):
        raise ValueError(f"server.apps_host covers {public}, the name of server.public_url; choose another domain")
    _check_content(server, stages)


def _named(server: Server, stages: Sequence[StageOption]) -> Iterator[tuple[str, str]]:
    """Options with names, and what they name, in lower case."""
    for option in ("content_host", "apps_host", "session_host"):
        if name := getattr(server, option):
            yield f"server.{option}", name.lower()
    for stage in stages:
        for option in ("host", "content_host"):
            if name := getattr(stage, option):
                yield f"{option} of the stage {stage.key}", name.lower()


def _check_name(option: str, name: str, *, apps: str) -> None:
    bare = name.removeprefix("*.") if option == "server.apps_host" else name
    if option == "server.apps_host" and (bare == name or not NAME.fullmatch(bare)):
        raise ValueError("server.apps_host must be a domain behind an asterisk, such as *.apps.example.com")
    if not NAME.fullmatch(bare):
        raise ValueError(f"{option} must be a bare host name without scheme, port or path, such as content.example.com")
    if apps and bare == name and name.endswith(apps):
        raise ValueError(f"{option} is {name}, which server.apps_host covers: names there belong to items")


def _may_share(one: str, other: str) -> bool:
    """Two stages may have the same name for the same thing; their paths tell them apart, or `stages` refuses them."""
    first, _, owner = one.partition(" of the stage ")
    second, _, other_owner = other.partition(" of the stage ")
    return bool(owner and other_owner) and first == second


def _check_content(server: Server, stages: Sequence[StageOption]) -> None:
    """Content of every stage must have a place of its own."""
    if server.single_origin and (server.content_host or server.apps_host or any(s.content_host for s in stages)):
        raise ValueError(
            "server.single_origin puts content on the dashboard's origin; leave out its names, or unset it"
        )
    for stage in stages:
        if stage.content_host and server.apps_host:
            raise ValueError(
                f"content_host of the stage {stage.key} has no use beside server.apps_host, which names all content; leave one out"
            )
        if stage.host and not stage.content_host and server.content_host and not server.apps_host:
            raise ValueError(
                f"the stage {stage.key} has a host, and its content none: server.content_host is for the stages without one; "
                "give the stage a content_host too, or set server.apps_host"
            )
