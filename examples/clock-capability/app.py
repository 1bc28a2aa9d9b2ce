"""Clock capability: is this machine's clock a capable process? Measured here and now, judged as one judges a filling line.

Each measurement asks the machine to wait and notes by how many microseconds it was late. An individuals chart shows whether
the process is in control, Cpk whether it keeps the limit that you set.
"""

from __future__ import annotations

import time
from statistics import fmean, stdev

import altair as alt
import pandas as pd
import streamlit as st

D2 = 1.128  # moving ranges of two: sigma = mean range / d2
TEAL, AMBER, RED = "#0f8f83", "#b7791f", "#c53030"


def measure(count: int, wait_ms: float) -> list[float]:
    """Microseconds by which each wait of ``wait_ms`` was late."""
    late = []
    for _ in range(count):
        began = time.perf_counter()
        time.sleep(wait_ms / 1000)
        late.append((time.perf_counter() - began) * 1e6 - wait_ms * 1000)
    return late


def control_chart(late: pd.DataFrame, mean: float, sigma: float) -> alt.LayerChart:
    low, high = mean - 3 * sigma, mean + 3 * sigma
    lines = pd.DataFrame({"y": [low, mean, high], "line": ["lower limit", "mean", "upper limit"]})
    base = alt.Chart(late).encode(x=alt.X("n:Q", title="Measurement", scale=alt.Scale(nice=False)))
    run = base.mark_line(color=TEAL, opacity=0.5).encode(y=alt.Y("late:Q", title="Late by (µs)"))
    dots = base.mark_circle(size=45).encode(
        y="late:Q",
        color=alt.condition((alt.datum.late > high) | (alt.datum.late < low), alt.value(RED), alt.value(TEAL)),
        tooltip=[alt.Tooltip("n:Q", title="Measurement"), alt.Tooltip("late:Q", title="Late by (µs)", format=".1f")],
    )
    rules = alt.Chart(lines).mark_rule(strokeDash=[5, 4], color=AMBER).encode(y="y:Q", tooltip=["line:N", "y:Q"])
    return (run + dots + rules).properties(height=300)


def histogram(late: pd.DataFrame, limit: float) -> alt.LayerChart:
    bars = (
        alt.Chart(late)
        .mark_bar(color=TEAL)
        .encode(
            x=alt.X("late:Q", bin=alt.Bin(maxbins=40), title="Late by (µs)"), y=alt.Y("count()", title="Measurements")
        )
    )
    rule = alt.Chart(pd.DataFrame({"x": [limit]})).mark_rule(color=RED, size=2).encode(x="x:Q")
    return (bars + rule).properties(height=220)


st.set_page_config(page_title="Clock capability", layout="wide")
who = st.context.headers.get("Rstudio-Connect-Credentials", "")
st.title("Clock capability")
st.write(
    "Is this machine's clock a capable process? Each measurement is a short wait; what counts is how late it ends."
)

with st.sidebar:
    st.header("Measuring plan")
    count = st.slider("Measurements", 50, 400, 150, step=50)
    wait_ms = st.select_slider("Wait (ms)", [0.5, 1.0, 2.0, 5.0], value=1.0)
    limit = st.number_input("Upper limit (µs late)", 10, 5000, 250, step=10)
    again = st.button("Measure again", type="primary", width="stretch")
    st.caption("Signed in through the platform." if who else "Opened without a sign-in.")

plan = (count, wait_ms)
if again or st.session_state.get("plan") != plan:
    st.session_state.update(plan=plan, late=measure(count, wait_ms), series=st.session_state.get("series", 0) + 1)
late = pd.DataFrame({"n": range(1, count + 1), "late": st.session_state.late})
mean = fmean(late["late"])
sigma = fmean(late["late"].diff().abs().dropna()) / D2
outside = int(((late["late"] - mean).abs() > 3 * sigma).sum())
cpk = (limit - mean) / (3 * stdev(late["late"]))

is_capable = cpk >= 1.33
figures = {"Mean": f"{mean:.0f} µs", "Sigma (short term)": f"{sigma:.1f} µs", "Outside the control limits": outside}
*tiles, verdict = st.columns(4)
for tile, (name, value) in zip(tiles, figures.items(), strict=True):
    tile.metric(name, value, border=True, height="stretch")
verdict.metric(
    "Cpk", f"{cpk:.2f}", "capable" if is_capable else "not capable", border=True, height="stretch",
    delta_arrow="off", delta_color="green" if is_capable else "red",
)  # fmt: skip

st.subheader(f"Individuals chart, series {st.session_state.series}")
st.altair_chart(control_chart(late, mean, sigma), width="stretch")
st.subheader("Distribution against the limit")
st.altair_chart(histogram(late, limit), width="stretch")
