"""Mixing explorer: the viscosity of a polymer blend by the Arrhenius mixing rule, computed as the sliders move."""

from __future__ import annotations

import math

from shiny import App, render, ui

app_ui = ui.page_sidebar(
    ui.sidebar(
        ui.input_slider("share", "Share of polymer A", 0, 100, 40, post=" %"),
        ui.input_numeric("a", "Viscosity of A (Pa·s)", 12.0, min=0.001),
        ui.input_numeric("b", "Viscosity of B (Pa·s)", 0.8, min=0.001),
    ),
    ui.value_box("Blend", ui.output_text("blend")),
    ui.card(ui.card_header("From pure B to pure A"), ui.output_ui("curve")),
    title="Mixing explorer",
)


def blend(share: float, a: float, b: float) -> float:
    """ln η = x ln ηA + (1 − x) ln ηB."""
    return math.exp(share * math.log(a) + (1 - share) * math.log(b))


def server(input, output, session):
    @output(id="blend")
    @render.text
    def _():
        return f"{blend(input.share() / 100, max(input.a(), 0.001), max(input.b(), 0.001)):.3g} Pa·s"

    @output(id="curve")
    @render.ui
    def _():
        a, b = max(input.a(), 0.001), max(input.b(), 0.001)
        ys = [math.log10(blend(n / 50, a, b)) for n in range(51)]
        low, high = min(ys) - 0.05, max(ys) + 0.05
        points = " ".join(f"{n * 10},{180 - 170 * (y - low) / (high - low):.1f}" for n, y in enumerate(ys))
        x = input.share() * 5
        y = 180 - 170 * (math.log10(blend(input.share() / 100, a, b)) - low) / (high - low)
        return ui.HTML(
            f'<svg viewBox="0 0 500 190" role="img" aria-label="Viscosity over share of A, logarithmic">'
            f'<polyline points="{points}" fill="none" stroke="#0f8f83" stroke-width="3"/>'
            f'<circle cx="{x}" cy="{y:.1f}" r="7" fill="#e8a317"/></svg>'
        )


app = App(app_ui, server)
