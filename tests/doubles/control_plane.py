"""A stand-in for the control plane: tells its pid, answers slowly when asked, sends content to the app in ``$APP``."""

from __future__ import annotations

import asyncio
import os


async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup" and os.environ.get("FAIL"):
                await send({"type": "lifespan.startup.failed", "message": "told to fail"})
                return
            await send({"type": message["type"] + ".complete"})
            if message["type"] == "lifespan.shutdown":
                return
    path = scope["path"]
    if path.endswith(
        "/orphan"
    ):  # a process whose parent ends before it: it falls to the first process of the container
        await (await asyncio.create_subprocess_exec("/bin/sh", "-c", "sleep 0.2 & exit 0")).wait()
    if path.endswith("/slow"):
        await asyncio.sleep(0.5)
    headers = [(b"content-type", b"text/plain")]
    if path.startswith("/__authz/content/"):
        headers += [(b"x-ph-to", b"app0"), (b"x-ph-dst", os.environ["APP"].encode()), (b"x-ph-mount", b"/content/")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": str(os.getpid()).encode()})
