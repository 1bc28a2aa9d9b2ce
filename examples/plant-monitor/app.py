"""Plant monitor: what this process and its machine do right now. Everything shown is read from the running system."""

from __future__ import annotations

import json
import os
import platform
import time
from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse

app = FastAPI(title="Plant monitor", docs_url=None)
STARTED = time.time()


def readings() -> dict[str, float | int | str]:
    """One set of readings from /proc; memory in megabytes, load as the kernel counts it."""
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines() if ":" in line)
    memory = dict(line.split(":", 1) for line in Path("/proc/meminfo").read_text().splitlines())
    return {
        "at": time.strftime("%H:%M:%S"),
        "machine": platform.node(),
        "cores": os.cpu_count() or 1,
        "load": round(os.getloadavg()[0], 2),
        "memory_free_mb": int(memory["MemAvailable"].split()[0]) // 1024,
        "memory_of_app_mb": int(status["VmRSS"].split()[0]) // 1024,
        "threads_of_app": int(status["Threads"]),
        "up_s": int(time.time() - STARTED),
        "python": platform.python_version(),
    }


@app.get("/api/readings")
def api_readings() -> dict[str, float | int | str]:
    return readings()


@app.get("/api/me")
def api_me(request: Request) -> dict[str, object]:
    """Who the platform says is looking."""
    return json.loads(request.headers.get("rstudio-connect-credentials", "{}"))


@app.get("/", response_class=HTMLResponse)
def page(request: Request) -> str:
    who = json.loads(request.headers.get("rstudio-connect-credentials", "{}")).get("user", "visitor")
    tiles = "".join(
        f"<div><b id='{name}'>{value}</b><span>{name.replace('_', ' ')}</span></div>"
        for name, value in readings().items()
    )
    return PAGE.replace("{who}", who).replace("{tiles}", tiles)


PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Plant monitor</title>
<style>
 :root { color-scheme: light dark } body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem; padding: 0 1rem }
 main { display: grid; grid-template-columns: repeat(auto-fill, minmax(11rem, 1fr)); gap: 1rem }
 div { border: 1px solid #8886; border-radius: 8px; padding: 1rem } b { display: block; font-size: 1.5rem; font-variant-numeric: tabular-nums }
 span { color: #777 }
</style>
<h1>Plant monitor</h1><p>Hello {who}. These are readings of the machine this app runs on, taken every two seconds.</p>
<main>{tiles}</main>
<script>
 setInterval(async () => { const r = await (await fetch("api/readings")).json();
   for (const [k, v] of Object.entries(r)) { const e = document.getElementById(k); if (e) e.textContent = typeof v === "number" && !Number.isInteger(v) ? v.toFixed(2) : v } }, 2000);
</script></html>"""
