"""Sample view models of the tabs of one item: comparing versions, runtime, usage. Made by what makes them for people."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tests.factories.pages import FAILED, LONG, PEOPLE, _ago

from pilothouse.asgi.rendering import Badge
from pilothouse.content.pages import comparing
from pilothouse.content.pages import views as content
from pilothouse.content.pages.effect import Effect, Machine
from pilothouse.content.pages.effect import effects as effect_sentences
from pilothouse.content.pages.runtime import NUMBERS
from pilothouse.content.pages.usage import KEPT, SPANS, _facts, _traffic, _workers
from pilothouse.content.service import Terms
from pilothouse.content.service.terms import resources_of
from pilothouse.content.service.usage import Load, Step
from pilothouse.identity.pages import views as people
from pilothouse.settings import LoadGroup

LIVE = Badge("live", "good")


def comparison(*, same: bool = False, many: bool = False) -> content.CompareTab:
    """Version 12 against 14, computed by what computes it for people."""
    packages = {"fastapi": "0.116.1", "uvicorn": "0.35.0", "pandas": "2.3.1", "old-thing": "1.0"}
    newer = packages | {"fastapi": "0.117.0", "pandas": "2.2.3", "polars": "1.32.0"}
    del newer["old-thing"]
    files = {"app.py": "a", "requirements.txt": "b", "static/style.css": "c"}
    changed = {"app.py": "x", "requirements.txt": "y", "static/logo.svg": "z", "static/style.css": "c"}
    if many:
        changed |= {f"{LONG.replace(' ', '/')}/{n}.py": "n" for n in range(60)}
    before = comparing.Known(12, {"Runtime": "Python 3.12.4", "Entry point": "app:app"}, packages, files)
    after = (
        before if same else comparing.Known(14, {"Runtime": "Python 3.13.1", "Entry point": "app:app"}, newer, changed)
    )
    if many:
        after = replace(after, packages=None)
    return content.CompareTab([14, 12, 9], comparing.compare(before, after), 12)


def runtime(**changes: Any) -> content.RuntimeTab:
    groups = [
        content.GroupChoice("", "As usual for its kind here: medium", "", True),
        content.GroupChoice("low", "low", "0.5 cores, 512 MB and 128 processes for a worker, 4 workers", True),
        content.GroupChoice("medium", "medium", "1 core, 1.0 GB and 256 processes for a worker, 10 workers", True),
        content.GroupChoice("high", "high", "4 cores, 8.0 GB and 512 processes for a worker, 10 workers", False),
    ]
    usual = {"max_processes": "3", "min_processes": "0", "max_conns_per_process": "20", "load_factor": "0.5", "memory_limit": "1024",
             "cpu_limit": "1", "idle_timeout": "120", "init_timeout": "60", "connection_timeout": "3600", "read_timeout": "3600", "requests_per_minute": "0"}  # fmt: skip
    numbers = {
        name: content.Number(name, label, unit, hint, "3" if name == "max_processes" else "", usual[name])
        for name, (label, unit, hint) in NUMBERS.items()
    }
    return replace(content.RuntimeTab(True, groups, "", "", "freeze", "2 min", numbers), **changes)


def effects(**changes: Any) -> list[Effect]:
    """The sentences for the usual terms on a machine of 24 GB, made as they are made for people."""
    group = LoadGroup(key="medium")
    usual = Terms(group, resources_of(group), 0, 3, 20, 0.5, 60.0, 120.0, 3600.0, "freeze")
    return effect_sentences(replace(usual, **changes), Machine(24 << 30, 8))


def usage(*, unused: bool = False, kept: str = "named") -> content.UsageTab:
    """A week of an app that people use at work, drawn from sums that look like one."""
    span = SPANS["week"][1]
    steps = [
        Step(at, visits, visits // 2, visits * 34, n % 13 // 12, visits // 3)
        for n, at in enumerate(span.starts())
        for visits in [(2, 31 + n, 18 + n // 2, 4)[n % 4] if n // 4 % 7 < 5 else n % 3]
    ]
    load = [
        Load(s.at, {0: 0.02 + s.visits / 70} if s.visits else {}, {0: (140 + s.visits) << 20} if s.visits else {}) for s in steps
    ]  # fmt: skip
    spans = [content.Chip(words, "#", key == "week") for key, (words, _, _) in SPANS.items()]
    visitors = [
        content.VisitorLine(name, people.initials(name), 40 - 9 * n, _ago(hours=5 * n + 1))
        for n, name in enumerate(PEOPLE[:4])
    ]
    plots = [*_traffic(steps, "6 hours", kept), *_workers(load, "6 hours")]
    facts = _facts(steps, 23, kept)
    return content.UsageTab(spans, facts, plots, visitors if kept == "named" else [], KEPT[kept], unused)


def deploys() -> list[content.Process]:
    """An activation, the build before it, and one that failed."""
    return [
        content.Process("31", "version 14", LIVE, _ago(minutes=2), _ago(minutes=2), "", "", "#"),
        content.Process(
            "30", "version 14 as a draft", Badge("ready", "good"), _ago(minutes=4), _ago(minutes=3), "", "", "#"
        ),
        content.Process("28", "version 13", FAILED, _ago(hours=5), _ago(hours=5), "No module named 'numpyy'.", "", "#"),
    ]
