"""What people see when a target fails: a small page in plain words, or JSON for clients that do not ask for HTML.

Only failures that Envoy itself noticed come here (a response flag says which); answers of apps, of the door and of the
control plane pass untouched. The control plane has the detailed pages; these must work without it.
"""

from __future__ import annotations

import html
import json
from dataclasses import dataclass
from typing import Any

from pilothouse.gateway import grants
from pilothouse.gateway.envoy.accesslog import REQUEST_ID
from pilothouse.gateway.envoy.blocks import GRANTED_PATH, Json, granted, put, said, what_was_granted
from pilothouse.gateway.envoy.clients import BURST_S
from pilothouse.gateway.envoy.plan import GrantPlan
from pilothouse.gateway.headers import TO

#: The publishing protocol's code for "unavailable", so that its clients print the sentence.
CODE = 103

#: Matches no path, so that with it only requests pass on which the gate has left no note yet.
SEEN_BY_GATE: Json = {"filter": "ph", "path": [{"key": "asked"}], "value": {"string_match": {"exact": "nothing"}}}

PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta name="robots" content="noindex">{refresh}<title>{title}</title><style>
:root{{color-scheme:light dark}}body{{font:1rem/1.5 system-ui,sans-serif;max-width:34rem;margin:18vh auto 0;padding:0 1.5rem}}
h1{{font-size:1.4rem;line-height:1.25}}p{{margin:.5rem 0}}small{{opacity:.65}}</style></head>
<body><main><h1>{title}</h1><p>{sentence}</p><p><small>{status} · {moment} · {stream}</small></p></main></body></html>
"""


@dataclass(frozen=True)
class Failure:
    """A kind of failure: Envoy's ``flags``, whether it is an app's, and what the client gets. ``retry_s``: the page reloads.

    ``is_first``: it happened before anything else looked at the request, so it can be nobody else's answer.
    """

    flags: tuple[str, ...]
    status: int
    title: str
    sentence: str
    is_app: bool = True
    is_first: bool = False
    only_status: int | None = None
    retry_s: int | None = None


FAILURES = (
    Failure(
        ("UF", "UH", "UO", "URX"),
        503,
        "This app does not answer",
        "It may be restarting. Try again in a moment; if it stays like this, tell the person who published it.",
    ),
    Failure(
        ("UC", "UR", "LR", "UPE"),
        502,
        "This app broke off in the middle of its answer",
        "The request was not repeated, because it may have had an effect. Tell the person who published the app if it happens again.",
    ),
    Failure(
        ("UT", "SI", "DT", "UMSDR"),
        504,
        "This app took too long",
        "It did not answer within its time limit. Ask the person who published it to raise the limit, or ask it for less at once.",
    ),
    Failure(
        (),  # the filter sets its flag only after it has answered
        429,
        "Too many requests from your address",
        f"Wait {BURST_S} seconds and try again. If many people share this address, ask the administrator to raise gateway.requests_per_second.",
        is_app=False,
        is_first=True,
        only_status=429,
        retry_s=BURST_S,
    ),
    Failure(
        ("UAEX",),
        503,
        "The server is not ready",
        "It is starting or restarting. Try again in a moment.",
        is_app=False,
        only_status=503,
        retry_s=2,
    ),
    Failure(
        ("UF", "UC", "UH", "UO", "UR", "URX", "LR", "UT", "UPE"),
        503,
        "The server is not ready",
        "It is starting or restarting. Try again in a moment.",
        is_app=False,
        retry_s=2,
    ),
)


def local_replies(plan: GrantPlan) -> Json:
    """Envoy's ``local_reply_config``."""
    pages = [_mapper(failure, as_html=as_html) for failure in FAILURES for as_html in (True, False)]
    return {"mappers": [_moved(plan), *pages]}


def _moved(plan: GrantPlan) -> Json:
    """Nobody listens where a grant led, so nothing was sent yet: back to the door, without the grant."""
    cookie = grants.cookie_attributes(plan.cookie, what_was_granted(grants.PREFIX) + "/")
    taken_back = put("set-cookie", f"{plan.cookie}=; Max-Age=0{cookie}") | {"append_action": "APPEND_IF_EXISTS_OR_ADD"}
    unreachable = {"response_flag_filter": {"flags": ["UF"]}}
    return {
        "filter": {"and_filter": {"filters": [unreachable, _by(granted())]}},
        "status_code": 307,
        "headers_to_add": [put("location", GRANTED_PATH), put("cache-control", "no-store"), taken_back],
        "body_format_override": {"text_format_source": {"inline_string": ""}, "content_type": "text/plain"},
    }


def _by(matcher: Json) -> Json:
    return {"metadata_filter": {"matcher": matcher, "match_if_key_not_found": False}}


def _mapper(failure: Failure, *, as_html: bool) -> Json:
    filters: list[Json] = []
    if failure.flags:
        filters.append({"response_flag_filter": {"flags": list(failure.flags)}})
    if failure.is_first:
        filters.append({"metadata_filter": {"matcher": SEEN_BY_GATE, "match_if_key_not_found": True}})
    if failure.is_app:
        filters.append({"or_filter": {"filters": [_by(said(TO, prefix="app")), _by(granted())]}})
    if failure.only_status:
        comparison = {"op": "EQ", "value": {"default_value": failure.only_status, "runtime_key": "unused"}}
        filters.append({"status_code_filter": {"comparison": comparison}})
    if as_html:
        filters.append({"header_filter": {"header": {"name": "accept", "string_match": {"contains": "text/html"}}}})
    body, kind = (page(failure), "text/html; charset=utf-8") if as_html else (sentence(failure), "application/json")
    more = [put("cache-control", "no-store")]
    if failure.retry_s:
        more.append(put("retry-after", str(failure.retry_s)))
    return {
        "filter": {"and_filter": {"filters": filters}} if len(filters) > 1 else filters[0],
        "status_code": failure.status,
        "headers_to_add": more,
        "body_format_override": {"text_format_source": {"inline_string": body}, "content_type": kind},
    }


def page(failure: Failure) -> str:
    """The page as an Envoy format string."""
    refresh = f'<meta http-equiv="refresh" content="{failure.retry_s}">' if failure.retry_s else ""
    again = " This page does so by itself." if failure.retry_s else ""
    words: dict[str, Any] = {
        "title": failure.title,
        "sentence": failure.sentence + again,
        "status": str(failure.status),
    }
    safe = {key: html.escape(text).replace("%", "%%") for key, text in words.items()}
    return PAGE.format(**safe, refresh=refresh, moment="%START_TIME(%Y-%m-%d %H:%M:%S UTC)%", stream=REQUEST_ID)


def sentence(failure: Failure) -> str:
    """The same as JSON, as an Envoy format string."""
    text = json.dumps({"code": CODE, "error": f"{failure.title}. {failure.sentence}", "payload": None})
    return text.replace("%", "%%") + "\n"
