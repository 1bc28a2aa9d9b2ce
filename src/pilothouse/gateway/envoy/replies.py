"""What people see when a target fails: a small page in plain words, or JSON for clients that do not ask for HTML.

Only failures that Envoy itself noticed come here (a response flag says which); answers of apps, of the door and of the
control plane pass untouched. The control plane has the detailed pages; these must work without it.
"""

from __future__ import annotations

import html
import json
from dataclasses import dataclass
from typing import Any

from pilothouse.asgi.static_files import WAIT_SCRIPT
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

PAGE = """<!doctype html><html lang="{language}"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">{refresh}<title>{title}</title><style>
:root{{color-scheme:light dark;--ink:#0b2239;--quiet:#4d6273;--paper:#f7f9fb;--card:#fff;--line:#dbe3ea}}
@media(prefers-color-scheme:dark){{:root{{--ink:#e7eef4;--quiet:#a3b5c4;--paper:#0c1722;--card:#132230;--line:#26394a}}}}
*{{box-sizing:border-box}}body{{margin:0;min-height:100vh;display:grid;place-items:center;background:var(--paper);color:var(--ink);
font:14px/1.5 system-ui,"Segoe UI","Liberation Sans",sans-serif}}
main{{width:min(540px,calc(100vw - 32px));background:var(--card);border:1px solid var(--line);border-radius:8px;padding:28px}}
h1{{font-size:20px;line-height:1.3;margin:0 0 8px}}p{{margin:0 0 14px;color:var(--quiet)}}p.id{{font-size:12px;margin:0}}</style></head>
<body><main><h1>{title}</h1><p role="status">{sentence}</p><p class="id">{status} · {moment} · {stream}</p></main>{script}</body></html>
"""


@dataclass(frozen=True)
class Words:
    """What is wrong and what to do, in one language."""

    title: str
    sentence: str


@dataclass(frozen=True)
class Failure:
    """A kind of failure: Envoy's ``flags``, whether it is an app's, and what the client gets. ``retry_s``: the page looks again.

    ``is_first``: it happened before anything else looked at the request, so it can be nobody else's answer.
    """

    flags: tuple[str, ...]
    status: int
    english: Words
    german: Words
    is_app: bool = True
    is_first: bool = False
    only_status: int | None = None
    retry_s: int | None = None


NOT_READY = (
    Words("The server is not ready", "It is starting or restarting. Try again in a moment."),
    Words("Der Server ist noch nicht bereit", "Er startet gerade. Versuchen Sie es gleich noch einmal."),
)

FAILURES = (
    Failure(
        ("UF", "UH", "UO", "URX"),
        503,
        Words(
            "This app does not answer",
            "It may be restarting. Try again in a moment; if it stays like this, tell the person who published it.",
        ),
        Words(
            "Diese App antwortet nicht",
            "Vielleicht startet sie gerade neu. Versuchen Sie es gleich noch einmal; "
            "bleibt es dabei, sagen Sie es der Person, die sie veröffentlicht hat.",
        ),
    ),
    Failure(
        ("UC", "UR", "LR", "UPE"),
        502,
        Words(
            "This app broke off in the middle of its answer",
            "The request was not repeated, because it may have had an effect. Tell the person who published the app if it happens again.",
        ),
        Words(
            "Diese App hat mitten in ihrer Antwort abgebrochen",
            "Die Anfrage wurde nicht wiederholt, weil sie schon gewirkt haben kann. "
            "Sagen Sie es der Person, die die App veröffentlicht hat, wenn es wieder vorkommt.",
        ),
    ),
    Failure(
        ("UT", "SI", "DT", "UMSDR"),
        504,
        Words(
            "This app took too long",
            "It did not answer within its time limit. Ask the person who published it to raise the limit, or ask it for less at once.",
        ),
        Words(
            "Diese App hat zu lange gebraucht",
            "Sie hat nicht in der erlaubten Zeit geantwortet. "
            "Bitten Sie die Person, die sie veröffentlicht hat, um mehr Zeit, oder fragen Sie weniger auf einmal ab.",
        ),
    ),
    Failure(
        (),  # the filter sets its flag only after it has answered
        429,
        Words(
            "Too many requests from your address",
            f"Wait {BURST_S} seconds and try again. If many people share this address, ask the administrator to raise gateway.requests_per_second.",
        ),
        Words(
            "Zu viele Anfragen von Ihrer Adresse",
            f"Warten Sie {BURST_S} Sekunden und versuchen Sie es noch einmal. "
            "Teilen sich viele Personen diese Adresse, bitten Sie die Verwaltung, gateway.requests_per_second zu erhöhen.",
        ),
        is_app=False,
        is_first=True,
        only_status=429,
        retry_s=BURST_S,
    ),
    Failure(("UAEX",), 503, *NOT_READY, is_app=False, only_status=503, retry_s=2),
    Failure(("UF", "UC", "UH", "UO", "UR", "URX", "LR", "UT", "UPE"), 503, *NOT_READY, is_app=False, retry_s=2),
)
#: Which language a page is in; a client that wants no page gets JSON in English.
GERMAN, ENGLISH, JSON = "de", "en", "json"


def local_replies(plan: GrantPlan) -> Json:
    """Envoy's ``local_reply_config``."""
    pages = [_mapper(failure, form) for failure in FAILURES for form in (GERMAN, ENGLISH, JSON)]
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


def _mapper(failure: Failure, form: str) -> Json:
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
    if form != JSON:
        filters.append(_header("accept", contains="text/html"))
    if form == GERMAN:
        filters.append(_header("accept-language", prefix=GERMAN))
    body = sentence(failure) if form == JSON else page(failure, form)
    kind = "application/json" if form == JSON else "text/html; charset=utf-8"
    more = [put("cache-control", "no-store")]
    if failure.retry_s:
        more.append(put("retry-after", str(failure.retry_s)))
    return {
        "filter": {"and_filter": {"filters": filters}} if len(filters) > 1 else filters[0],
        "status_code": failure.status,
        "headers_to_add": more,
        "body_format_override": {"text_format_source": {"inline_string": body}, "content_type": kind},
    }


def _header(name: str, **matching: str) -> Json:
    return {"header_filter": {"header": {"name": name, "string_match": matching}}}


def page(failure: Failure, language: str) -> str:
    """The page as an Envoy format string."""
    said = failure.german if language == GERMAN else failure.english
    again = {GERMAN: " Diese Seite tut es von selbst.", ENGLISH: " This page does so by itself."}[language]
    words: dict[str, Any] = {
        "title": said.title,
        "sentence": said.sentence + (again if failure.retry_s else ""),
        "status": str(failure.status),
    }
    safe = {key: html.escape(text).replace("%", "%%") for key, text in words.items()}
    refresh = script = ""
    if failure.retry_s:
        refresh = f'<noscript><meta http-equiv="refresh" content="{failure.retry_s}"></noscript>'
        script = f'<script data-wait-s="{failure.retry_s}">{WAIT_SCRIPT.replace("%", "%%")}</script>'
    moment = "%START_TIME(%Y-%m-%d %H:%M:%S UTC)%"
    return PAGE.format(**safe, language=language, refresh=refresh, script=script, moment=moment, stream=REQUEST_ID)


def sentence(failure: Failure) -> str:
    """The same as JSON, as an Envoy format string."""
    text = json.dumps({"code": CODE, "error": f"{failure.english.title}. {failure.english.sentence}", "payload": None})
    return text.replace("%", "%%") + "\n"
