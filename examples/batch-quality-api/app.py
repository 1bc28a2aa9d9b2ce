"""Batch quality: control limits for a series of measurements, as a small web API.

``POST /limits`` with ``{"values": [9.8, 10.1, …]}`` answers mean, standard deviation, the 3-sigma limits of an
individuals chart, and which values lie outside them.
"""

from __future__ import annotations

from statistics import fmean

from flask import Flask, jsonify, request

app = Flask(__name__)
BIAS = 1.128  # d2 for moving ranges of two, from which an individuals chart estimates sigma


@app.get("/")
def about():
    return jsonify(
        name="Batch quality API", usage='POST limits {"values": [numbers]}', mounted_at=request.script_root or "/"
    )


@app.post("/limits")
def limits():
    values = (request.get_json(silent=True) or {}).get("values")
    if not isinstance(values, list) or len(values) < 3 or not all(isinstance(v, (int, float)) for v in values):
        return jsonify(error="Send at least three numbers as “values”."), 400
    mean = fmean(values)
    sigma = fmean(abs(b - a) for a, b in zip(values, values[1:])) / BIAS
    low, high = mean - 3 * sigma, mean + 3 * sigma
    outside = [{"index": n, "value": v} for n, v in enumerate(values) if not low <= v <= high]
    return jsonify(count=len(values), mean=mean, sigma=sigma, lower=low, upper=high, outside=outside)
