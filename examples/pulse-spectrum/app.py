"""Pulse: the interrupts of this machine as a signal, and its spectrum, as one looks at the vibration of a pump.

Twenty times a second the kernel's interrupt counter is read. The spectrum shows what comes back regularly: timers, disks,
network. Choose the window and how much of the signal it covers.
"""

from __future__ import annotations

import time
from collections import deque
from pathlib import Path

import numpy as np
from bokeh.io import curdoc
from bokeh.layouts import column, row
from bokeh.models import ColumnDataSource, Div, RadioButtonGroup, Slider
from bokeh.plotting import figure

TEAL, AMBER = "#0f8f83", "#d98e04"
RATE_HZ, LONGEST = 20, 400
WINDOWS = {"Hann": np.hanning, "Hamming": np.hamming, "None": np.ones}


def interrupts() -> int:
    """Interrupts since the start of the machine, of all kinds."""
    line = next(line for line in Path("/proc/stat").read_text().splitlines() if line.startswith("intr"))
    return int(line.split(None, 2)[1])


class Signal:
    """Interrupts per second, at most `LONGEST` readings."""

    def __init__(self) -> None:
        self.values: deque[float] = deque(maxlen=LONGEST)
        self.before, self.at = interrupts(), time.monotonic()

    def read(self) -> None:
        count, now = interrupts(), time.monotonic()
        self.values.append((count - self.before) / max(now - self.at, 1e-3))
        self.before, self.at = count, now


def spectrum(values: np.ndarray, window: str) -> tuple[np.ndarray, np.ndarray]:
    """Frequencies in Hz and amplitudes, without the mean."""
    weights = WINDOWS[window](len(values))
    amplitudes = 2 * np.abs(np.fft.rfft((values - values.mean()) * weights)) / max(weights.sum(), 1)
    return np.fft.rfftfreq(len(values), 1 / RATE_HZ)[1:], amplitudes[1:]


def panel(title: str, x: str, y: str, **options: object) -> figure:
    made = figure(
        title=title,
        x_axis_label=x,
        y_axis_label=y,
        height=280,
        sizing_mode="stretch_width",
        tools="pan,wheel_zoom,reset",
        **options,
    )
    made.toolbar.logo = None
    made.grid.grid_line_alpha = 0.4
    return made


signal = Signal()
wave, lines = ColumnDataSource({"t": [], "rate": []}), ColumnDataSource({"f": [], "a": []})
time_plot = panel("Signal", "seconds ago", "interrupts per second")
time_plot.line("t", "rate", source=wave, color=TEAL, width=2)
spectrum_plot = panel("Spectrum", "frequency (Hz)", "amplitude", x_range=(0, RATE_HZ / 2))
spectrum_plot.vbar("f", top="a", width=0.04, source=lines, color=AMBER)
window = RadioButtonGroup(labels=list(WINDOWS), active=0)
length = Slider(title="Readings in the window", start=40, end=LONGEST, step=20, value=200)
told = Div(text="Collecting …", sizing_mode="stretch_width")


def show() -> None:
    values = np.array(list(signal.values)[-length.value :])
    if len(values) < 16:
        told.text = f"Collecting: {len(values)} readings."
        return
    chosen = window.labels[window.active]
    wave.data = {"t": (np.arange(len(values)) - len(values) + 1) / RATE_HZ, "rate": values}
    frequencies, amplitudes = spectrum(values, chosen)
    lines.data = {"f": frequencies, "a": amplitudes}
    top = int(np.argmax(amplitudes))
    told.text = (
        f"<b>{values.mean():,.0f}</b> interrupts per second; the strongest rhythm is at <b>{frequencies[top]:.2f} Hz</b> "
        f"(window {chosen}, {len(values)} readings)."
    )


window.on_change("active", lambda name, old, new: show())
length.on_change("value", lambda name, old, new: show())
curdoc().add_periodic_callback(signal.read, 1000 // RATE_HZ)
curdoc().add_periodic_callback(show, 500)
curdoc().title = "Pulse spectrum"
heading = Div(
    text="<h1 style='font:600 28px system-ui;margin:0'>Pulse spectrum</h1><p>The interrupts of the machine this app runs on, read twenty times a second.</p>"
)
curdoc().add_root(
    column(heading, row(window, length), told, time_plot, spectrum_plot, sizing_mode="stretch_width", margin=24)
)
