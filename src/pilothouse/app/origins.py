"""From the settings to the addresses of this installation, and to the host names that Envoy knows."""

from __future__ import annotations

from dataclasses import dataclass

from pilothouse.app.server import host_names
from pilothouse.asgi.origins import ENTER, Origins
from pilothouse.gateway.envoy import Listener, Origin, Site, dashboard
from pilothouse.settings import Loaded

#: What the control plane answers on origins that are not its own.
BESIDE = ("__ping__", ENTER.strip("/"))


def origins_of(loaded: Loaded) -> Origins:
    server = loaded.settings.server
    return Origins(
        public_url=loaded.public_url,
        port=loaded.port,
        content_port=loaded.content_port,
        is_fixed=server.public_url is not None,
        is_single=server.single_origin,
        content_host=(server.content_host or "").lower(),
        session_host=(server.session_host or "").lower(),
        apps_domain=(server.apps_host or "").lower().removeprefix("*."),
    )


@dataclass(frozen=True)
class Hosts:
    """Host names by what lives there; ``content`` may begin in ``*.``. Where it is empty, content is met under the dashboard's."""

    dashboard: tuple[str, ...]
    content: tuple[str, ...]
    session: tuple[str, ...]
    shares_content: bool

    @classmethod
    def of(cls, loaded: Loaded) -> Hosts:
        server, stages = loaded.settings.server, loaded.settings.stages
        content = [server.content_host, server.apps_host, *(stage.content_host for stage in stages)]
        named = tuple(dict.fromkeys(name.lower() for name in content if name))
        session = (server.session_host.lower(),) if server.session_host else ()
        taken = {*named, *session}
        ours = tuple(name for name in host_names(loaded) if name not in taken)
        return cls(ours, named, session, shares_content=not (server.content_host or server.apps_host))


def listeners(loaded: Loaded) -> tuple[Listener, ...]:
    """Three ports, one for each origin. Content with names of its own is on the dashboard's port as well, so that a proxy in
    front needs one address for both. Sessions have a port of their own always, because their paths are read differently.
    """
    hosts = Hosts.of(loaded)
    main = [dashboard(hosts.dashboard, sandboxed=not loaded.settings.server.single_origin)]
    if hosts.content:
        main.append(Site(Origin.CONTENT, hosts.content, own=BESIDE))
    contents = (*hosts.content, *(hosts.dashboard if hosts.shares_content else ()))
    return (
        Listener(loaded.port, tuple(main)),
        Listener(loaded.content_port, (Site(Origin.CONTENT, contents, own=BESIDE),)),
        Listener(
            loaded.session_port,
            (Site(Origin.SESSION, hosts.session or hosts.dashboard, own=BESIDE),),
            keeps_slashes=True,
        ),
    )
