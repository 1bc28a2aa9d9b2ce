"""Pure: what the terms under which workers run mean to the people who set them, in sentences."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from pilothouse.asgi.formats import duration, size
from pilothouse.content.service import Terms


@dataclass(frozen=True)
class Machine:
    """What the jobs of this server share: bytes and cores."""

    memory: int
    cores: int


@dataclass(frozen=True)
class Effect:
    """One sentence; ``tone`` is ``warn`` where it may end badly, else empty."""

    words: str
    tone: str = ""


def effects(terms: Terms, machine: Machine) -> list[Effect]:
    """Memory first, then processors, waiting, idling, and when something is given up."""
    return [*_size(terms, machine), *_waiting(terms), _idling(terms), *_giving_up(terms)]


def _size(terms: Terms, machine: Machine) -> Iterator[Effect]:
    memory, cores = terms.resources.memory_limit or 0, terms.resources.cpu_limit or 0
    most = memory * terms.max_processes
    whole = f"on this machine of {size(machine.memory)}"
    if terms.max_processes == 1:
        words = f"One worker of at most {size(memory)} {whole}."
    else:
        words = f"Up to {terms.max_processes} workers of {size(memory)}: at most {size(most)} {whole}."
    if most > machine.memory:
        yield Effect(f"{words} That is more than there is: under load workers may be ended for memory.", "warn")
    else:
        yield Effect(words)
    yield Effect(f"A worker that needs more than {size(memory)} is ended, and its visitors start anew.")
    together = min(cores * terms.max_processes, machine.cores)
    yield Effect(f"Each uses at most {_cores(cores)}; all together {together:g} of the machine's {machine.cores}.")


def _waiting(terms: Terms) -> Iterator[Effect]:
    if terms.min_processes == 0:
        yield Effect("Nothing runs until somebody opens it. The first visitor waits for the start.")
    else:
        always = "One worker always runs" if terms.min_processes == 1 else f"{terms.min_processes} workers always run"
        yield Effect(f"{always}: nobody waits for a start, and the memory is never free for others.")
    total = terms.connections * terms.max_processes
    if terms.max_processes > 1:
        share = int(terms.connections * terms.load_factor)
        when = f"has more than {share} of its {terms.connections} connections" if share else "has a connection"
        yield Effect(f"When every worker {when}, another one starts, up to {total} connections in all.")
    else:
        yield Effect(f"It takes up to {total} connections at once.")


def _idling(terms: Terms) -> Effect:
    after = f"After {duration(timedelta(seconds=terms.idle_timeout))} without visitors a worker"
    if terms.idle == "freeze":
        return Effect(f"{after} is frozen: it uses no processor, keeps its memory and goes on within milliseconds.")
    if terms.idle == "stop":
        return Effect(f"{after} is stopped: its memory is free for others, and the next visitor waits for a start.")
    return Effect("Workers keep running without visitors: right for apps that work in the background.")


def _giving_up(terms: Terms) -> Iterator[Effect]:
    yield Effect(f"A start that takes longer than {duration(timedelta(seconds=terms.init_timeout))} has failed.")
    if terms.timeout is None:
        yield Effect("A connection without traffic stays open for ever.")
    else:
        span = duration(timedelta(seconds=terms.timeout))
        yield Effect(f"A connection without traffic is closed after {span}, or a little later.")
    if most := terms.requests_per_minute:
        yield Effect(f"Programs that call more than {most} times in a minute are told to wait (429).")


def _cores(cores: float) -> str:
    return "1 core" if cores == 1 else f"{cores:g} cores"
