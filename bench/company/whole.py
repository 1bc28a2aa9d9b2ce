"""What is not a page: the list of all content as one array, two thousand sign-ins, and growth from 1,000 to 100,000 items."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bench.company.growth import Curve, drawn
from bench.company.measuring import Company, Taken, companies, taken
from bench.company.people import username
from bench.company.size import ADMINISTRATOR, GROWTH
from bench.company.subjects import READERS, SUBJECTS, Subject
from bench.rows import Row, percentile

#: 2,000 sign-ins in 5 minutes; for so long.
SIGN_INS_EACH_SECOND, FLOOD_S = 2_000 / 300, 30.0
MB = 1024 * 1024
PLOT = Path("bench/growth.svg")


def array_row(company: Company, path: str, what: str) -> Row:
    """First byte and last byte of the better of two, and by how much the server's memory grew at most."""
    before = company.server.resident()
    company.server.forget_peak()
    answers = [company.asker.get(path, company.cookies[ADMINISTRATOR], keep=False) for _ in range(2)]
    assert all(answer.status == 200 for answer in answers)
    best = min(answers, key=lambda answer: answer.took_ms)
    grown = max(0, company.server.peak() - before) / MB
    measured = f"first byte {best.first_ms:.0f} ms, last {best.took_ms / 1000:.1f} s, memory +{grown:.0f} MB"
    return Row(f"{what}, {company.database}", measured)


def sign_in_rows(company: Company) -> Iterator[Row]:
    """People sign in at fixed moments, each from their own address, while somebody looks at the gallery four times a second."""
    times: list[float] = []
    pages: list[float] = []
    over = threading.Event()

    def sign_in(number: int, due: float) -> None:
        asker = company.server.asker()
        answer = asker.sign_in(username(number), f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}")
        assert answer.status == 303, answer.body[:300]
        times.append((time.perf_counter() - due) * 1000)
        asker.close()

    def look() -> None:
        asker = company.server.asker()
        while not over.wait(0.25):
            reader = company.cookies[READERS[len(pages) % len(READERS)]]
            pages.append(asker.get("/_/content", reader).took_ms)
        asker.close()

    with ThreadPoolExecutor(32) as crowd:
        crowd.submit(look)
        began = time.perf_counter()
        for number in range(int(FLOOD_S * SIGN_INS_EACH_SECOND)):
            due = began + number / SIGN_INS_EACH_SECOND
            time.sleep(max(0.0, due - time.perf_counter()))
            crowd.submit(sign_in, 20_000 + number, due)
        while len(times) < int(FLOOD_S * SIGN_INS_EACH_SECOND) and time.perf_counter() < began + 3 * FLOOD_S:
            time.sleep(0.1)
        over.set()
    p50, p99 = percentile(times, 0.5), percentile(times, 0.99)
    beside = percentile(pages, 0.5), percentile(pages, 0.99)
    of = f"{len(times)} sign-ins, {SIGN_INS_EACH_SECOND:.1f} a second"
    yield Row(f"{of}, {company.database}", f"p50 {p50:.0f}, p99 {p99:.0f} ms")
    yield Row(
        f"… content gallery meanwhile, {company.database}",
        f"p50 {beside[0]:.0f}, p99 {beside[1]:.0f} ms",
        "p99 50 ms",
        beside[1] <= 50,
    )


def growth_rows(plot: Path = PLOT) -> Iterator[Row]:
    """The p50 of paged reads (of one round) with 1,000, 10,000 and 100,000 items, and a plot of them. All else is the same."""
    found: dict[tuple[str, Subject], list[Taken]] = {}
    for size in GROWTH:
        with companies(size) as both:
            for company in both:
                for subject in (subject for subject in SUBJECTS if subject.grows):
                    found.setdefault((company.database, subject), []).append(taken(company, subject, rounds=1))
                yield array_row(company, "/__api__/v1/content", f"/v1/content, all {size.items:,} as one array")
    curves = [
        Curve(database, subject.what, [(size.items, one.p50) for size, one in zip(GROWTH, points, strict=True)])
        for (database, subject), points in found.items()
    ]
    plot.write_text(drawn(curves))
    for curve in curves:
        yield Row(
            f"growth: {curve.what}, {curve.database}", " → ".join(f"{p50:.1f}" for _, p50 in curve.points) + " ms (p50)"
        )
