"""Public addresses: which host name and port a browser finds the dashboard, each stage and each item under (SECURITY 1). Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import quote, urlsplit

from pilothouse.base.ids import is_guid

#: Where every origin but the dashboard's gets its login from, see ``identity.pages.enter``.
ENTER = "/_/enter"


class HasNames(Protocol):
    """What a stage says of its addresses. ``path`` begins and ends in ``/``; the names are None where it has none of its own."""

    @property
    def path(self) -> str: ...
    @property
    def host(self) -> str | None: ...
    @property
    def content_host(self) -> str | None: ...


@dataclass(frozen=True)
class Origins:
    """The addresses of one installation, without trailing slashes.

    ``public_url`` is the dashboard's. ``is_fixed``: it was given; else each visitor stays at the host name they came by, and
    content is at ``content_port`` there. Names have scheme and port of ``public_url``: ``content_host`` for content of all
    stages that have none of their own, ``apps_domain`` for an origin of its own for each item, ``{guid}.apps_domain``.
    """

    public_url: str
    port: int
    content_port: int
    is_fixed: bool = False
    is_single: bool = False
    content_host: str = ""
    session_host: str = ""
    apps_domain: str = ""

    def dashboard(self, host: str, stage: HasNames) -> str:
        """The dashboard's base URL for a visitor who used the name ``host``; what follows is the stage's path."""
        if stage.host:
            return self.named(stage.host)
        return self.public_url if self.is_fixed else _on_port(host, self.port)

    def content(self, host: str, stage: HasNames, guid: str) -> str:
        """The origin on which a visitor who used the name ``host`` meets one item."""
        if self.is_single:
            return self.dashboard(host, stage)
        if name := self.content_name(stage, guid):
            return self.named(name)
        if not self.is_fixed:
            return _on_port(host, self.content_port)
        public = urlsplit(self.public_url)
        return f"{public.scheme}://{_bracketed(stage.host or public.hostname or '')}:{self.content_port}"

    def content_name(self, stage: HasNames, guid: str) -> str:
        """The host name that an item is met under; empty where content has the dashboard's, on another port."""
        return f"{guid}.{self.apps_domain}" if self.apps_domain else stage.content_host or self.content_host

    def opened(self, host: str, stage: HasNames, guid: str, path: str) -> str:
        """The address of an item's page for somebody who is signed in here: under another name it learns of that on the way."""
        base = self.content(host, stage, guid)
        if self.is_single or not self.content_name(stage, guid):
            return base + path
        return f"{base}{ENTER}?url={quote(path, safe='')}"

    def stage_url(self, stage: HasNames | None) -> str:
        """A stage's base URL as clients are told it."""
        if stage is None:
            return self.public_url
        return (self.named(stage.host) if stage.host else self.public_url) + stage.path.rstrip("/")

    def named(self, name: str) -> str:
        """The origin of a host name of its own."""
        public = urlsplit(self.public_url)
        return f"{public.scheme}://{name}" + (f":{public.port}" if public.port else "")

    @property
    def home(self) -> str:
        """The origin that people sign in on."""
        public = urlsplit(self.public_url)
        return f"{public.scheme}://{public.netloc}"

    def item_of(self, host: str) -> str | None:
        """Whose origin a name is: the item's GUID, empty where it can be none's; ``None`` for all other names."""
        label, _, domain = name_of(host).partition(".")
        if not self.apps_domain or not name_of(host).endswith(f".{self.apps_domain}"):
            return None
        return label if domain == self.apps_domain and is_guid(label) else ""

    def is_entered(self, host: str, stages: Iterable[HasNames]) -> bool:
        """Whether logins on the name ``host`` come from the dashboard."""
        name = name_of(host)
        if name == (urlsplit(self.public_url).hostname or ""):
            return False
        of_stages = {own for stage in stages for own in (stage.host, stage.content_host)}
        return bool(self.item_of(name)) or name in (of_stages | {self.content_host, self.session_host}) - {None, ""}

    def dashboards(self, stages: Iterable[HasNames]) -> tuple[str, ...]:
        """The origins with names of their own that the dashboard is found on."""
        return tuple(dict.fromkeys((self.home, *(self.named(s.host) for s in stages if s.host))))

    def beside(self, host: str, stages: Iterable[HasNames]) -> str:
        """Every other origin that a page of the dashboard may show in a frame or lead to, as a content security policy names them."""
        stages = tuple(stages)
        if self.is_single:
            return " ".join(self.dashboards(stages)) if any(s.host for s in stages) else ""
        found = [self.content(host, s, "*") for s in stages]
        if any(s.host for s in stages) or any(self.content_name(s, "*") for s in stages):
            found += self.dashboards(stages)
        return " ".join(dict.fromkeys(found))


def name_of(host: str) -> str:
    """The name in a ``Host`` header, in lower case: without its port, and with the brackets of an IPv6 address."""
    return (host if host.endswith("]") else host.rsplit(":", 1)[0]).lower()


def _on_port(host: str, port: int) -> str:
    return f"http://{host if host.endswith(']') else host.rsplit(':', 1)[0]}:{port}"


def _bracketed(name: str) -> str:
    return f"[{name}]" if ":" in name else name
