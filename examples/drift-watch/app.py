"""Drift watch: an EWMA chart over the load of this machine, read from the kernel twice a second.

The exponentially weighted mean forgets slowly, so it notices a small drift that single readings hide. Everything shown is
measured while you look; each visitor has a watch of their own.
"""

from __future__ import annotations

import math
from collections import deque
from pathlib import Path

import panel as pn
from bokeh.models import ColumnDataSource
from bokeh.plotting import figure

TEAL, AMBER, GREY = "#0f8f83", "#d98e04", "#8a94a6"
PERIOD_MS, LEARN, SHOWN = 500, 20, 240

pn.extension(sizing_mode="stretch_width")


def busy_and_total() -> tuple[int, int]:
    """Ticks of all processors since the start of the machine."""
    ticks = [int(word) for word in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    return sum(ticks) - ticks[3] - ticks[4], sum(ticks)


class Watch:
    """Readings, their EWMA, and limits from the first `LEARN` readings."""

    def __init__(self) -> None:
        self.before, self.n, self.ewma = busy_and_total(), 0, 0.0
        self.learnt: deque[float] = deque(maxlen=LEARN)

    def read(self, weight: float) -> dict[str, float]:
        now = busy_and_total()
        passed = max(now[1] - self.before[1], 1)
        load = 100 * (now[0] - self.before[0]) / passed
        self.before, self.n = now, self.n + 1
        if self.n <= LEARN:
            self.learnt.append(load)
        mean = sum(self.learnt) / len(self.learnt)
        self.ewma = load if self.n == 1 else weight * load + (1 - weight) * self.ewma
        sigma = max(math.sqrt(sum((x - mean) ** 2 for x in self.learnt) / max(len(self.learnt) - 1, 1)), 0.5)
        width = 3 * sigma * math.sqrt(weight / (2 - weight))
        return {"n": self.n, "load": load, "ewma": self.ewma, "low": max(mean - width, 0), "high": mean + width}


watch = Watch()
source = ColumnDataSource({name: [] for name in ("n", "load", "ewma", "low", "high")})
plot = figure(
    height=380, sizing_mode="stretch_width", x_axis_label="reading", y_axis_label="processor load (%)",
    tools="pan,wheel_zoom,reset,save", active_drag=None, toolbar_location="above", y_range=(0, 105),
)  # fmt: skip
plot.toolbar.logo = None
plot.varea("n", "low", "high", source=source, color=AMBER, alpha=0.12, legend_label="in control")
plot.scatter("n", "load", source=source, color=GREY, size=4, alpha=0.6, legend_label="reading")
plot.line("n", "ewma", source=source, color=TEAL, width=3, legend_label="EWMA")
plot.legend.location, plot.legend.orientation = "top_left", "horizontal"

weight = pn.widgets.FloatSlider(name="Weight of the newest reading", start=0.05, end=0.5, step=0.05, value=0.2)
learn_again = pn.widgets.Button(name="Learn the limits again", button_type="primary")
load = pn.indicators.Number(name="Load now", value=0, format="{value:.0f} %", font_size="30pt", title_size="11pt")
drift = pn.indicators.Number(name="EWMA", value=0, format="{value:.1f} %", font_size="30pt", title_size="11pt")
verdict = pn.pane.Alert("Learning what is usual …", alert_type="light")


def tick() -> None:
    reading = watch.read(weight.value)
    source.stream({name: [value] for name, value in reading.items()}, rollover=SHOWN)
    load.value, drift.value = reading["load"], reading["ewma"]
    if watch.n <= LEARN:
        verdict.object, verdict.alert_type = f"Learning what is usual: reading {watch.n} of {LEARN}.", "light"
    elif reading["low"] <= reading["ewma"] <= reading["high"]:
        verdict.object, verdict.alert_type = (
            "**In control.** The load is what it was while the limits were learnt.",
            "success",
        )
    else:
        verdict.object, verdict.alert_type = "**Drifting.** The load is no longer what it was.", "warning"


def start_again(_: object) -> None:
    watch.__init__()
    source.data = {name: [] for name in source.data}
    verdict.object, verdict.alert_type = "Started again.", "light"


learn_again.on_click(start_again)
pn.state.add_periodic_callback(tick, period=PERIOD_MS)
pn.template.BootstrapTemplate(
    title="Drift watch",
    header_background=TEAL,
    sidebar=[
        "An EWMA chart over the load of the machine this app runs on, read from its kernel twice a second.",
        weight,
        learn_again,
    ],
    main=[pn.Row(load, drift), verdict, pn.pane.Bokeh(plot)],
    sidebar_width=280,
).servable()
