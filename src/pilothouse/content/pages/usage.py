"""The usage tab: visits, people, requests, open connections, and what the workers took, each as a plot with its table."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any

from fastapi import APIRouter, Response

from pilothouse.base.access import Permission
from pilothouse.content import service
from pilothouse.content.models import Content
from pilothouse.content.pages.views import Chip, Fact, PlotShown, Row, Series, UsageTab, VisitorLine
from pilothouse.content.pages.visit import Visit, VisitOf
from pilothouse.content.service.usage import Load, Step
from pilothouse.db import Tx
from pilothouse.identity.pages.views import initials

router = APIRouter(prefix="/_/content/{guid}/usage")
MB = 1024 * 1024
DAY = timedelta(days=1)
SPANS: Mapping[str, tuple[str, service.Span, str]] = {
    "day": ("Last day", service.Span(DAY, timedelta(hours=1)), "hour"),
    "week": ("Last week", service.Span(7 * DAY, timedelta(hours=6)), "6 hours"),
    "month": ("Last month", service.Span(30 * DAY, DAY), "day"),
    "quarter": ("Last 90 days", service.Span(90 * DAY, DAY), "day"),
}
#: The first workers have a line each, in these tones.
TONES = ("good", "cold", "signal", "violet", "rust", "moss")
KEPT = {
    "named": "This stage keeps who visited.",
    "pseudonymous": "This stage keeps a pseudonym of each visitor that changes every month: people are counted, not named.",
    "counts": "This stage keeps counts only: nothing tells visitors apart.",
}


@router.get("")
def show(visit: VisitOf, span: str = "week") -> Response:
    def shown(tx: Tx, content: Content) -> dict[str, Any]:
        return {"view": _tab(tx, visit, content, span if span in SPANS else "week")}

    return visit.show("content/usage.html", shown, permission=Permission.CONTENT_READ)


def _tab(tx: Tx, visit: Visit, content: Content, chosen: str) -> UsageTab:
    _, span, step = SPANS[chosen]
    steps = service.usage_of(tx, visit.caller, content, span=span)
    load = service.load_of(tx, visit.caller, content, span=span)
    people = service.people_of(tx, visit.caller, content, span=span)
    kept = visit.stage.usage
    return UsageTab(
        spans=[Chip(words, f"{visit.base}/usage?span={key}", key == chosen) for key, (words, _, _) in SPANS.items()],
        facts=_facts(steps, people, kept),
        plots=[*_traffic(steps, step, kept), *_workers(load, step)],
        visitors=[
            VisitorLine(one.user.display_name, initials(one.user.display_name), one.visits, one.last_at)
            for one in service.visitors_of(tx, visit.caller, content, span=span)
        ],
        kept=KEPT[kept],
        is_unused=not any(one.requests or one.open for one in steps) and not any(one.memory for one in load),
    )


def _facts(steps: Sequence[Step], people: int, kept: str) -> list[Fact]:
    visits, requests = sum(one.visits for one in steps), sum(one.requests for one in steps)
    failed, most = sum(one.failed for one in steps), max(one.open for one in steps)
    facts = [Fact(f"{visits:,}", "visit" if visits == 1 else "visits")]
    if kept != "counts":
        facts.append(Fact(f"{people:,}", "person" if people == 1 else "people"))
    facts.append(Fact(f"{requests:,}", "request" if requests == 1 else "requests"))
    facts.append(Fact(f"{failed:,}", "failed", "bad" if failed else ""))
    return [*facts, Fact(f"{most:,}", "open at once, at most")]


def _traffic(steps: Sequence[Step], step: str, kept: str) -> list[PlotShown]:
    visits, hint = [Series("Visits", "good", "bar")], f"Page loads for each {step}."
    if kept != "counts":
        visits.append(Series("People", "cold", "line"))
        hint = f"Page loads for each {step}, and how many different people made them."
    requests = [Series("Requests", "cold", "bar"), Series("Failed", "bad", "bar")]
    failed = f"For each {step}. Failed: the answer had the status 500 or above."
    opened = f"The most at once in each {step}. A page of an app that stays in touch is one."
    return [
        PlotShown("Visits", hint, visits, [Row(s.at, [s.visits, s.people][: len(visits)]) for s in steps]),
        PlotShown("Requests", failed, requests, [Row(s.at, [s.requests, s.failed]) for s in steps]),
        PlotShown("Open connections", opened, [Series("Open", "signal", "bar")], [Row(s.at, [s.open]) for s in steps]),
    ]


def _workers(load: Sequence[Load], step: str) -> list[PlotShown]:
    all_slots = sorted({slot for one in load for slot in one.memory})
    slots = all_slots[: len(TONES)]
    if not slots:
        return []
    first = f" The first {len(slots)} of {len(all_slots)} workers." if len(all_slots) > len(slots) else ""
    series = [Series(f"Worker {slot + 1}", TONES[n], "line") for n, slot in enumerate(slots)]

    def rows(value: Callable[[Load, int], float | None]) -> list[Row]:
        return [Row(one.at, [value(one, slot) for slot in slots]) for one in load]

    return [
        PlotShown(
            "Cores of each worker",
            f"On average for each {step}, while it ran. Frozen and stopped workers use none.{first}",
            series,
            rows(lambda one, slot: round(one.cores[slot], 3) if slot in one.cores else None),
        ),
        PlotShown(
            "Memory of each worker, in MB",
            f"The most for each {step}, looked at once a minute while it ran.{first}",
            series,
            rows(lambda one, slot: round(one.memory[slot] / MB, 1) if slot in one.memory else None),
        ),
    ]
