"""The whole configuration: listeners with their chain of filters, and the two clusters."""

from __future__ import annotations

import ipaddress
import re
from importlib.resources import files
from pathlib import Path

from pilothouse.gateway import grants, headers
from pilothouse.gateway.envoy import blocks, clients
from pilothouse.gateway.envoy.accesslog import access_log
from pilothouse.gateway.envoy.blocks import AUTHZ, FILE_SERVER, GRANTED, HEADERS, Json, exactly, extension
from pilothouse.gateway.envoy.grants import PAYLOAD, verifier
from pilothouse.gateway.envoy.plan import EnvoyPlan, Listener
from pilothouse.gateway.envoy.replies import local_replies
from pilothouse.gateway.envoy.routes import APPS, APPS_GRANTED, CONTROL_PLANE, gateway_headers, routes, unknown_host

#: A job is frozen 5 s after its last answer at the soonest. By then no connection is left that would be reset at its thaw.
JOB_IDLE = "3s"
#: No request or WebSocket lives longer: the bound within which somebody who lost access is really out.
STREAM_LIFE = "28800s"
#: Shorter than the control plane keeps a silent connection: else it might close one just as we use it.
CONTROL_PLANE_IDLE = "60s"
#: An empty list would mean all private networks, whose clients Envoy then believes more. No peer has this address.
NOBODY_IS_INTERNAL: Json = {"cidr_ranges": [{"address_prefix": "255.255.255.255", "prefix_len": 32}]}
#: Envoy's own log, with the same names as ours.
LOG_LINE: Json = {"timestamp": "%Y-%m-%dT%H:%M:%S.%e", "level": "%l", "logger": "%n", "event": "%j"}
#: The paths of many stages make one long expression; Envoy's own limit is meant for expressions from outside.
REGEX_LIMIT = "re2.max_program_size.error_level"


def config(plan: EnvoyPlan, *, admin: Path | None = None) -> Json:
    """Envoy's bootstrap configuration. ``admin`` is its admin socket, which needs a name of its own for each process."""
    connections = extension(
        "envoy.resource_monitors.global_downstream_max_connections",
        "resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig",
        max_active_downstream_connections=plan.max_connections,
    )
    return {
        "admin": {"address": {"pipe": {"path": str(admin or plan.run / "envoy.sock"), "mode": 0o600}}},
        "application_log_config": {"log_format": {"json_format": LOG_LINE}},
        "overload_manager": {"resource_monitors": [connections]},
        "layered_runtime": {"layers": [{"name": "static", "static_layer": {REGEX_LIMIT: 2000}}]},
        "static_resources": {
            "listeners": [_listener(plan, listener) for listener in plan.listeners],
            "clusters": [_control_plane(plan), _apps(APPS), _apps(APPS_GRANTED)],
        },
    }


def _listener(plan: EnvoyPlan, listener: Listener) -> Json:
    address = {"address": plan.bind, "port_value": listener.port, "ipv4_compat": plan.bind == "::"}
    return {
        "name": f"port-{listener.port}",
        "address": {"socket_address": address},
        "per_connection_buffer_limit_bytes": 1024 * 1024,
        "filter_chains": _filter_chains(plan, listener),
    }


def _filter_chains(plan: EnvoyPlan, listener: Listener) -> list[Json]:
    """The first is for trusted proxies, if there are any; the last one for everybody else."""
    direct = {"filters": [_connection(plan, listener)]}
    if not plan.trusted_proxies:
        return [direct]
    match = clients.from_proxies(plan)
    return [{"filter_chain_match": match, "filters": [_connection(plan, listener, proxied=True)]}, direct]


def _connection(plan: EnvoyPlan, listener: Listener, *, proxied: bool = False) -> Json:
    return extension(
        "http",
        "filters.network.http_connection_manager.v3.HttpConnectionManager",
        stat_prefix=listener.sites[0].origin.value,
        server_name="pilothouse",
        always_set_request_id_in_response=True,
        **clients.detection(plan, proxied=proxied),
        internal_address_config=NOBODY_IS_INTERNAL,
        normalize_path=True,
        merge_slashes=True,
        path_with_escaped_slashes_action="KEEP_UNCHANGED" if listener.keeps_slashes else "REJECT_REQUEST",
        common_http_protocol_options={
            "headers_with_underscores_action": "DROP_HEADER",
            "idle_timeout": "3600s",
            "max_stream_duration": STREAM_LIFE,
        },
        http_protocol_options={"accept_http_10": True},  # what some proxies in front of us still speak
        http2_protocol_options=_http2(),
        request_headers_timeout="10s",
        stream_idle_timeout="300s",
        upgrade_configs=[{"upgrade_type": "websocket"}],
        access_log=access_log(plan.access_log),
        access_log_options={"flush_log_on_tunnel_successfully_established": True},
        local_reply_config=local_replies(plan.grants),
        http_filters=_chain(plan),
        route_config={
            "name": f"port-{listener.port}",
            "ignore_port_in_host_matching": True,
            "request_headers_to_add": [clients.client_header()],
            "virtual_hosts": [*_sites(plan, listener), unknown_host()],
        },
    )


def _http2() -> Json:
    """Envoy's advice for edges: bounds on what one connection may hold."""
    return {
        "max_concurrent_streams": 100,
        "initial_stream_window_size": 64 * 1024,
        "initial_connection_window_size": 1024 * 1024,
    }


def _sites(plan: EnvoyPlan, listener: Listener) -> list[Json]:
    return [
        {
            "name": site.origin.value,
            "domains": list(dict.fromkeys(site.hosts)),
            "routes": routes(plan, site),
            "metadata": {"filter_metadata": {"ph": {"origin": site.origin.value}}},
        }
        for site in listener.sites
    ]


def _chain(plan: EnvoyPlan) -> list[Json]:
    """The file filter has no folders here: it serves on the one route that names them, where the door has chosen the file."""
    return [
        *clients.rate_limit(plan),
        verifier(plan.grants),
        _lua("gate", script("gate", plan)),
        _door(plan),
        _lua("door", script("door", plan)),
        extension(HEADERS, "filters.http.header_mutation.v3.HeaderMutation"),
        *([{"name": FILE_SERVER, "typed_config": blocks.file_server()}] if plan.files else []),
        extension("envoy.filters.http.router", "filters.http.router.v3.Router", suppress_envoy_headers=True),
    ]


def _door(plan: EnvoyPlan) -> Json:
    """Fails closed: no answer in time is 503."""
    stated = [entry["header"] for entry in gateway_headers(plan, "%METADATA(VIRTUAL_HOST:ph:origin)%")]
    service = {
        "server_uri": {"uri": "http://control-plane", "cluster": CONTROL_PLANE, "timeout": f"{plan.door_timeout_s:g}s"},
        "retry_policy": _ask_again(plan),
        "path_prefix": headers.DOOR_PREFIX,
        "authorization_request": {"headers_to_add": stated},
        "authorization_response": {
            "allowed_client_headers": exactly(headers.DOOR_TELLS),
            "allowed_upstream_headers": exactly(["x-ph-none"]),
            "dynamic_metadata_from_headers": {"patterns": [{"prefix": "x-ph-"}]},
        },
    }
    return extension(
        AUTHZ,
        "filters.http.ext_authz.v3.ExtAuthz",
        failure_mode_allow=False,
        status_on_error={"code": 503},
        allowed_headers=exactly(headers.DOOR_SEES),
        http_service=service,
    )


def _ask_again(plan: EnvoyPlan) -> Json:
    """Asking again changes nothing, and of a killed control plane several pooled connections may break one after the other.

    Envoy 1.40 takes ``max_interval`` for the time limit of each try (seen), so it is ours.
    """
    pauses = {"base_interval": "0.05s", "max_interval": f"{plan.door_timeout_s:g}s"}
    return {"retry_on": "connect-failure,reset", "num_retries": 5, "retry_back_off": pauses}


def _lua(name: str, source: str) -> Json:
    return extension(f"pilothouse.{name}", "filters.http.lua.v3.Lua", default_source_code={"inline_string": source})


def script(name: str, plan: EnvoyPlan) -> str:
    """A Lua file of ours behind what all of them share, with the names of this plan."""
    folder = files("pilothouse.gateway.envoy").joinpath("lua")
    text = "\n".join(folder.joinpath(f"{part}.lua").read_text() for part in ("target", name))
    words = {
        "@POOLS@": pools(plan),
        "@LOGIN@": re.sub(r"(\W)", r"%\1", plan.grants.login_cookie),
        "@NO_GRANT@": f"{plan.grants.cookie}=;",
    }
    return re.sub("@[A-Z_]+@", lambda found: words[found[0]], text)


def pools(plan: EnvoyPlan) -> str:
    """The networks of jobs as a Lua table's content."""
    networks = [ipaddress.IPv4Network(pool) for pool in plan.pools]
    return ", ".join(f"{{ {int(n.network_address)}, {int(n.broadcast_address)} }}" for n in networks)


def _control_plane(plan: EnvoyPlan) -> Json:
    endpoint = {"endpoint": {"address": {"pipe": {"path": str(plan.control_plane_socket)}}}}
    assignment = {"cluster_name": CONTROL_PLANE, "endpoints": [{"lb_endpoints": [endpoint]}]}
    return {
        "name": CONTROL_PLANE,
        "type": "STATIC",
        "load_assignment": assignment,
        "typed_extension_protocol_options": _http1(CONTROL_PLANE_IDLE),
        **_limits(4096),
    }


def _apps(name: str) -> Json:
    """Dials the address that the door said, or that it said when it gave the grant, and nothing else."""
    said = {"key": AUTHZ, "path": [{"key": headers.ADDRESS}]}
    granted = {"key": GRANTED, "path": [{"key": PAYLOAD}, {"key": grants.ADDRESS}]}
    return {
        "name": name,
        "type": "ORIGINAL_DST",
        "lb_policy": "CLUSTER_PROVIDED",
        "original_dst_lb_config": {"metadata_key": granted if name == APPS_GRANTED else said},
        "typed_extension_protocol_options": _http1(JOB_IDLE),
        **_limits(65_536),
    }


def _http1(idle: str) -> Json:
    """HTTP/1.1 on connections that are given up after ``idle``."""
    http1: Json = {"http_protocol_options": {}}
    kind = "upstreams.http.v3.HttpProtocolOptions"
    options = blocks.typed(kind, common_http_protocol_options={"idle_timeout": idle}, explicit_http_config=http1)
    return {f"envoy.extensions.{kind}": options}


def _limits(size: int) -> Json:
    thresholds = {"max_connections": size, "max_pending_requests": size, "max_requests": size, "max_retries": 64}
    return {"connect_timeout": "2s", "circuit_breakers": {"thresholds": [thresholds]}}
