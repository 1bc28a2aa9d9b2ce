"""Published work: what is published on this platform, asked of the platform itself through its API.

The app has a key of its own that acts as its owner and ends with it, so it shows what its owner may see.
"""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from urllib.request import Request, urlopen

import plotly.graph_objects as go
from dash import Dash, Input, Output, ctx, dash_table, dcc, html

TEAL, AMBER, INK = "#0f8f83", "#d98e04", "#1f2a37"
SCALE = ["#0f8f83", "#d98e04", "#3b6fb6", "#8a5fb0", "#5b7f2b", "#b0486a", "#607d8b"]
COLUMNS = {
    "Title": "title",
    "Kind": "app_mode",
    "Open to": "access_type",
    "Owner": "owner",
    "Deployed (UTC)": "deployed",
}
BY = {"Kind": "app_mode", "Access": "access_type", "Owner": "owner"}


def published() -> list[dict[str, str]]:
    """All content that the owner of this app may see."""
    url = f"{os.environ['CONNECT_SERVER'].rstrip('/')}/__api__/v1/content?include=owner"
    request = Request(url, headers={"Authorization": f"Key {os.environ['CONNECT_API_KEY']}"})
    with urlopen(request, timeout=20) as answer:
        return [row(item) for item in json.load(answer)]


def row(item: dict) -> dict[str, str]:
    owner = item.get("owner") or {}
    return {
        "title": item.get("title") or item["name"],
        "app_mode": item["app_mode"],
        "access_type": {"all": "everybody", "logged_in": "signed in", "acl": "named people"}[item["access_type"]],
        "owner": owner.get("username") or "me",
        "deployed": (item["last_deployed_time"] or "")[:16].replace("T", " "),
    }


def bars(items: list[dict[str, str]], by: str) -> go.Figure:
    counts: dict[str, int] = {}
    for item in items:
        counts[item[BY[by]]] = counts.get(item[BY[by]], 0) + 1
    names = sorted(counts, key=counts.__getitem__)
    colours = [SCALE[n % len(SCALE)] for n in range(len(names))][::-1]
    figure = go.Figure(
        go.Bar(
            x=[counts[n] for n in names],
            y=names,
            orientation="h",
            marker_color=colours,
            text=[counts[n] for n in names],
        )
    )
    figure.update_layout(
        template="plotly_white", margin=dict(l=10, r=10, t=10, b=30), height=60 + 46 * max(len(names), 2),
        font=dict(family="system-ui, sans-serif", color=INK), xaxis=dict(dtick=1, title="items"), yaxis=dict(ticksuffix="  "),
    )  # fmt: skip
    return figure


app = Dash(__name__, title="Published work", update_title=None)
app.layout = html.Main(
    [
        html.H1("Published work"),
        html.P("What the owner of this app may see on this platform, asked of it through its API."),
        html.Div(
            [
                html.Label(["Count by", dcc.RadioItems(list(BY), "Kind", id="by", inline=True, className="choices")]),
                html.Button("Ask again", id="again"),
            ],
            className="bar",
        ),
        dcc.Graph(id="chart", config={"displayModeBar": False}),
        html.P(id="told", role="status"),
        dash_table.DataTable(
            id="table",
            columns=[{"name": name, "id": key} for name, key in COLUMNS.items()],
            sort_action="native",
            page_size=12,
            style_cell={"fontFamily": "system-ui", "textAlign": "left", "padding": "6px 10px"},
            style_header={"fontWeight": 600},
            style_as_list_view=True,
        ),
    ]
)


@app.callback(
    Output("chart", "figure"),
    Output("table", "data"),
    Output("told", "children"),
    Input("by", "value"),
    Input("again", "n_clicks"),
)
def show(by: str, clicks: int | None):
    items = published()
    at = datetime.now(UTC).strftime("%H:%M:%S")
    why = f"asked {clicks} times" if ctx.triggered_id == "again" else f"counted by {by.lower()}"
    return bars(items, by), items, f"{len(items)} items, {why}, {at} UTC."
