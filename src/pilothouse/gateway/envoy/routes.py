"""Where requests go on one site. The first match wins, and targets that the door named come first.

Before the door has spoken only the lower part can match; Lua clears the choice after it, and then the upper part does.
A grant speaks for the door: its routes come first of all and don't ask.
A request whose door said nothing useful ends at the last route, which never reaches the control plane.
"""

from __future__ import annotations

import re

from pilothouse.asgi.static_files import assets
from pilothouse.gateway import grants, headers
from pilothouse.gateway.envoy.accesslog import REQUEST_ID
from pilothouse.gateway.envoy.blocks import (
    FILE_SERVER,
    GRANTED,
    GRANTED_PATH,
    Json,
    drop,
    file_server,
    granted,
    header_changes,
    put,
    said,
    what_was_granted,
    what_was_said,
    without_door,
    without_script,
)
from pilothouse.gateway.envoy.clients import CLIENT_ADDRESS
from pilothouse.gateway.envoy.grants import PAYLOAD
from pilothouse.gateway.envoy.plan import EnvoyPlan, Site

#: Where the script after the door sends requests for files. No request on another route is served from there.
FILES = "/.ph-f/"
CONTROL_PLANE, APPS, APPS_GRANTED = "control-plane", "apps", "apps-granted"

#: Route class → limits. The timeout is for the whole answer, the idle timeout for silence on a stream or WebSocket.
CLASSES: dict[str, Json] = {
    "app1m": {"timeout": "60s", "idle_timeout": "60s"},
    "app5m": {"timeout": "300s", "idle_timeout": "300s"},
    "app1h": {"timeout": "3600s", "idle_timeout": "3600s"},
    "app0": {"timeout": "0s", "idle_timeout": "0s"},
}
UNLIMITED: Json = {"timeout": "0s", "idle_timeout": "0s"}
RETRY: Json = {
    "retry_on": "connect-failure,reset-before-request",
    "num_retries": 3,
    "retry_back_off": {"base_interval": "0.05s", "max_interval": "0.5s"},
}


def routes(plan: EnvoyPlan, site: Site) -> list[Json]:
    """All routes of one site, in order."""
    return [
        *(_granted(name, limits, site) for name, limits in CLASSES.items()),
        *(_app(name, limits, site) for name, limits in CLASSES.items()),
        _files(plan, site),
        *_to_control_plane(plan, site, {"prefix": "/", "dynamic_metadata": [said(headers.TO, exact=headers.PAGE)]}),
        _hidden(),
        _icon(),
        *(
            {**route, **_no_door()}
            for route in _to_control_plane(plan, site, {"safe_regex": {"regex": own_paths(plan, site)}})
        ),
        {"match": {"prefix": "/"}, "direct_response": _text(503, "The server did not say where this address leads.")},
    ]


def own_paths(plan: EnvoyPlan, site: Site) -> str:
    """A regular expression for the paths that the control plane answers without the door."""
    stages = [path.strip("/") for path in plan.stage_paths]
    before = "|".join(f"/{re.escape(stage)}" if stage else "" for stage in stages)
    own = "|".join(re.escape(segment) for segment in site.own)
    below = f"/(?:{own})(?:/.*)?"
    if site.has_home:
        return f"(?:{before})(?:{below}|/?)"
    return f"(?:{before}){below}"


def gateway_headers(plan: EnvoyPlan, origin: str) -> list[Json]:
    """What Envoy states about a request to the door and the control plane."""
    return [
        put(headers.SECRET, plan.door_secret),
        put(headers.ORIGIN, origin),
        put(headers.CLIENT, CLIENT_ADDRESS),
        put(headers.REQUEST_ID, REQUEST_ID),
    ]


def unknown_host() -> Json:
    """The site of every name that is not ours."""
    sentence = "This server does not go by this name. Use the address you were given, or add the name to server.hosts."
    match = {"match": {"prefix": "/"}, "direct_response": _text(421, sentence), **_no_door()}
    return {"name": "unknown", "domains": ["*"], "routes": [match]}


def _granted(name: str, limits: Json, site: Site) -> Json:
    prefix, origin = what_was_granted(grants.PREFIX), what_was_granted(grants.ORIGIN)
    to = {"filter": GRANTED, "path": [{"key": PAYLOAD}, {"key": grants.TO}], "value": {"string_match": {"exact": name}}}
    return {
        "match": {"prefix": "/", "dynamic_metadata": [granted(), to]},
        "route": {"cluster": APPS_GRANTED, **limits},
        "request_headers_to_add": _told(
            prefix, what_was_granted(grants.IDENTITY), origin + prefix, origin + GRANTED_PATH
        ),
        "typed_per_filter_config": {**_cleaned(site), **without_door(), **without_script("door")},
    }


def _app(name: str, limits: Json, site: Site) -> Json:
    return {
        "match": {"prefix": "/", "dynamic_metadata": [said(headers.TO, exact=name)]},
        "route": {"cluster": APPS, **limits},
        "request_headers_to_add": [
            *_told(
                *(what_was_said(n) for n in (headers.PREFIX, headers.IDENTITY, headers.BASE_URL, headers.REQUEST_URL))
            ),
            put("posit-connect-user-session-token", what_was_said(headers.VISITOR)),
        ],
        "typed_per_filter_config": _cleaned(site),
    }


def _told(prefix: str, identity: str, base_url: str, request_url: str) -> list[Json]:
    """What an app learns about a request."""
    return [
        put("x-forwarded-prefix", prefix),
        put("x-forwarded-host", "%REQ(:AUTHORITY)%"),
        put("rstudio-connect-credentials", identity),
        put("shiny-server-credentials", identity),
        put("rstudio-connect-app-base-url", base_url),
        put("x-rsc-request", request_url),
    ]


def _cleaned(site: Site) -> Json:
    return header_changes(
        request=drop(headers.NOT_TO_APPS, headers.NOT_TO_APPS_PREFIXES),
        response=[*drop(headers.NOT_FROM_APPS, headers.RESERVED_PREFIXES), *_sandbox(site)],
    )


def _files(plan: EnvoyPlan, site: Site) -> Json:
    """The file filter answers before this route's own answer is reached; the route carries the folders and the headers."""
    folders = file_server({f"{FILES}{name}/": f"{root}/" for name, root in plan.files.items()})
    changes = header_changes(response=[*_sandbox(site), {"append": put("x-content-type-options", "nosniff")}])
    return {
        "match": {"prefix": "/", "dynamic_metadata": [said(headers.TO, exact=headers.FILE)]},
        "direct_response": _text(503, "The file could not be sent."),
        "typed_per_filter_config": {**changes, **({FILE_SERVER: folders} if plan.files else {})},
    }


def _to_control_plane(plan: EnvoyPlan, site: Site, match: Json) -> list[Json]:
    """While it restarts a pooled connection may close just as a request is written to it. Reading is asked again, writing never."""
    stated = gateway_headers(plan, site.origin.value)
    reading = {"name": ":method", "string_match": {"safe_regex": {"regex": "GET|HEAD|OPTIONS"}}}
    again = {**RETRY, "retry_on": RETRY["retry_on"] + ",reset"}
    return [
        {
            "match": found,
            "route": {"cluster": CONTROL_PLANE, **UNLIMITED, "retry_policy": retry},
            "request_headers_to_add": stated,
        }
        for found, retry in (({**match, "headers": [reading]}, again), (match, RETRY))
    ]


def _hidden() -> Json:
    """Paths that exist only between Envoy and the control plane."""
    names = "|".join((headers.DOOR_PREFIX, headers.PAGE_PREFIX))
    match = {"safe_regex": {"regex": f"(?:{names}).*"}}
    return {"match": match, "direct_response": _text(404, "There is nothing at this address."), **_no_door()}


def _icon() -> Json:
    """Browsers ask every origin for it, whatever its pages say. Nobody is woken for that, and none of our programs asked."""
    told = {
        "content-type": "image/svg+xml",
        "cache-control": "public, max-age=86400",
        "x-content-type-options": "nosniff",
    }
    return {
        "match": {"path": "/favicon.ico"},
        "direct_response": {"status": 200, "body": {"inline_string": assets()["mark.svg"].content.decode()}},
        "response_headers_to_add": [put(name, value) for name, value in told.items()],
        **_no_door(),
    }


def _sandbox(site: Site) -> list[Json]:
    """Second policies only narrow the first, so the app's own stays."""
    if not site.sandboxed:
        return []
    policy = {
        "header": {"key": "content-security-policy", "value": "sandbox"},
        "append_action": "APPEND_IF_EXISTS_OR_ADD",
    }
    return [{"append": policy}, {"append": put("x-content-type-options", "nosniff")}]


def _no_door() -> Json:
    return {"typed_per_filter_config": without_door()}


def _text(status: int, sentence: str) -> Json:
    return {"status": status, "body": {"inline_string": sentence + "\n"}}
