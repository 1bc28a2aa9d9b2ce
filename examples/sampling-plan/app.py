"""
How well does “draw n, accept with at most c defects” tell good lots from bad ones? The operating characteristic is computed
as the sliders move, and a bad lot can be inspected: this server draws the pieces.
"""

from __future__ import annotations

import random
from math import comb

from shiny import reactive
from shiny.express import input, render, ui

TEAL, AMBER, RED = "#0f8f83", "#d98e04", "#c53030"
WIDTH, HEIGHT, LEFT, RIGHT, BOTTOM = 640, 300, 46, 24, 36
WORST = 0.20  # right end of the chart: a fifth of the lot is defective

ui.page_opts(title="Sampling plan", fillable=True)  # the docstring above is the page's first paragraph

with ui.sidebar(width=290):
    ui.input_slider("n", "Pieces drawn", 5, 200, 50)
    ui.input_slider("c", "Defects still accepted", 0, 10, 1)
    ui.input_numeric("good", "A good lot has (% defective)", 1.0, min=0.1, max=10, step=0.1)
    ui.input_numeric("bad", "A bad lot has (% defective)", 6.0, min=0.5, max=20, step=0.5)
    ui.input_action_button("draw", "Inspect a bad lot", class_="btn-primary")


def accepted(share: float, n: int, c: int) -> float:
    """The probability that a lot with this share of defects passes: binomial, P(X ≤ c)."""
    return sum(comb(n, k) * share**k * (1 - share) ** (n - k) for k in range(min(n, c) + 1))


@reactive.calc
def shares() -> tuple[float, float]:
    return min(max(input.good() or 0, 0), 100) / 100, min(max(input.bad() or 0, 0), 100) / 100


with ui.layout_columns():
    with ui.value_box(theme="text-teal"):
        "Producer's risk: a good lot is refused"

        @render.text
        def producer():
            return f"{100 * (1 - accepted(shares()[0], input.n(), input.c())):.1f} %"

    with ui.value_box(theme="text-orange"):
        "Consumer's risk: a bad lot passes"

        @render.text
        def consumer():
            return f"{100 * accepted(shares()[1], input.n(), input.c()):.1f} %"

    with ui.value_box():
        "The bad lot that was inspected"

        @render.text
        @reactive.event(input.draw, ignore_none=False)
        def inspected():
            with reactive.isolate():
                n, c, share = input.n(), input.c(), shares()[1]
            if not input.draw():
                return "none yet"
            found = sum(random.random() < share for _ in range(n))
            return f"{found} of {n}: {'accepted' if found <= c else 'refused'}"


with ui.card():
    ui.card_header("Operating characteristic")

    @render.ui
    def curve():
        n, c = input.n(), input.c()

        def at(share: float) -> tuple[float, float]:
            x = LEFT + (WIDTH - LEFT - RIGHT) * share / WORST
            return x, 10 + (HEIGHT - BOTTOM - 10) * (1 - accepted(share, n, c))

        line = " ".join("{:.1f},{:.1f}".format(*at(WORST * k / 120)) for k in range(121))
        marks = [(share, colour) for share, colour in zip(shares(), (TEAL, RED), strict=True) if share <= WORST]
        dots = "".join(
            '<circle cx="{:.1f}" cy="{:.1f}" r="7" fill="{}"/>'.format(*at(s), colour) for s, colour in marks
        )
        rows = "".join(
            f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y}" y2="{y}" stroke="currentColor" opacity=".12"/>'
            f'<text x="{LEFT - 8}" y="{y + 4}" text-anchor="end">{100 - 25 * k} %</text>'
            for k in range(5)
            for y in [10 + (HEIGHT - BOTTOM - 10) * k / 4]
        )
        columns = "".join(
            f'<text x="{LEFT + (WIDTH - LEFT - RIGHT) * k / 4:.0f}" y="{HEIGHT - 14}" text-anchor="middle">{5 * k} %</text>'
            for k in range(5)
        )
        return ui.HTML(
            f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="Probability of acceptance over share of defects" '
            f'style="width:100%;font-size:12px" fill="currentColor">{rows}{columns}'
            f'<polyline points="{line}" fill="none" stroke="{AMBER}" stroke-width="3"/>{dots}</svg>'
            "<p class='text-secondary small mb-0'>Probability of acceptance over the share of defects in the lot; "
            "the dots are your good lot and your bad lot.</p>"
        )
