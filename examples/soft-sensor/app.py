"""Soft sensor: predicts what is dear to measure from what is cheap. Trained here, on this machine, when it starts.

The dear quantity is how long this machine needs to multiply two square matrices; the cheap one is their size. The model is a
power law, fitted to measurements of its own. Ask it for a size, then have it measured and see how far off it was.
"""

from __future__ import annotations

import time

import gradio as gr
import numpy as np
import pandas as pd

SIZES = (48, 64, 96, 128, 160, 224, 288, 352)
REPEATS = 4
COLOURS = {"measured": "#0f8f83", "model": "#d98e04", "asked for": "#c53030"}


def measure(size: int) -> float:
    """Milliseconds for one product of two random matrices: the best of five, since others use the machine as well."""
    a, b = np.random.default_rng().random((2, size, size))
    best = float("inf")
    for _ in range(5):
        began = time.perf_counter()
        a @ b
        best = min(best, (time.perf_counter() - began) * 1000)
    return best


class PowerLaw:
    """log t = log k + p log n, by least squares, with the spread of what it does not explain."""

    def __init__(self) -> None:
        self.data = pd.DataFrame([(n, measure(n)) for _ in range(REPEATS) for n in SIZES], columns=["size", "ms"])
        x, y = np.log(self.data["size"]), np.log(self.data["ms"])
        self.power, self.offset = np.polyfit(x, y, 1)
        left = y - (self.offset + self.power * x)
        self.spread = float(np.sqrt((left**2).sum() / (len(left) - 2)))
        self.explained = 1 - float((left**2).sum() / ((y - y.mean()) ** 2).sum())

    def at(self, size: float) -> tuple[float, float, float]:
        """Milliseconds: expected, and the ends of an interval that holds about 95 of 100 measurements."""
        middle = self.offset + self.power * np.log(size)
        return tuple(float(np.exp(middle + k * 2 * self.spread)) for k in (0, -1, 1))


model = PowerLaw()


def chart(size: int, seen: float | None = None) -> pd.DataFrame:
    rows = [(n, ms, "measured") for n, ms in model.data.itertuples(index=False)]
    rows += [(n, model.at(n)[0], "model") for n in range(40, 401, 10)]
    if seen is not None:
        rows.append((size, seen, "asked for"))
    return pd.DataFrame(rows, columns=["size", "milliseconds", "what"])


def predict(size: int) -> tuple[str, pd.DataFrame]:
    expected, low, high = model.at(size)
    return f"### {expected:.2f} ms expected\nbetween {low:.2f} and {high:.2f} ms, nineteen times out of twenty", chart(
        size
    )


def check(size: int) -> tuple[str, pd.DataFrame]:
    expected, low, high = model.at(size)
    seen = measure(size)
    said = "within the interval" if low <= seen <= high else "outside the interval"
    return f"### {seen:.2f} ms measured\n{seen / expected:.2f} times what was expected: {said}", chart(size, seen)


with gr.Blocks(title="Soft sensor") as demo:
    gr.Markdown(
        "# Soft sensor\nHow long does this machine need to multiply two matrices? The model learnt it from "
        f"{len(model.data)} measurements when this app started: time grows with size to the power of **{model.power:.2f}**, "
        f"which explains **{100 * model.explained:.0f} %** of what was seen."
    )
    with gr.Row():
        with gr.Column(scale=1):
            size = gr.Slider(50, 400, value=200, step=10, label="Rows and columns")
            ask, verify = gr.Button("Predict", variant="primary"), gr.Button("Measure it")
            answer = gr.Markdown()
        with gr.Column(scale=2):
            plot = gr.ScatterPlot(chart(200), x="size", y="milliseconds", color="what", color_map=COLOURS, height=360)
    ask.click(predict, size, [answer, plot])
    verify.click(check, size, [answer, plot])

demo.launch(theme=gr.themes.Default(primary_hue="teal"))
