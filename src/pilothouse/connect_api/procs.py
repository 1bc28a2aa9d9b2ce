"""What runs now and what it uses (connect-wire-api §2.3)."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from pilothouse.asgi.context import SignedIn
from pilothouse.connect_api.context import StageOf, WireOf
from pilothouse.content import service
from pilothouse.launcher.contract import usage_of

router = APIRouter()


@router.get("/metrics/procs")
def procs(caller: SignedIn, stage: StageOf, wire: WireOf) -> dict[str, dict[str, Any]]:
    """By process id, or by the job's key where the launcher knows none. Processor time in cores and seconds, memory in bytes."""
    with wire.database.read() as tx:
        running = service.running_jobs(tx, caller)
        lately = service.cores_lately(tx, [worker.content_id for _, worker, _ in running if worker is not None])
    url, found = wire.public_url(stage.id), {}
    for job, worker, content in running:
        if content is None or content.stage_id != stage.id:
            continue
        used = usage_of(wire.launcher, job.key)
        found[str(job.pid or job.key)] = {
            "appId": content.id,
            "appGuid": content.guid,
            "appName": content.name,
            "appUrl": f"{url}/content/{content.guid}/",
            "appRunAs": job.run_as,
            "type": job.tag,
            "cpuCurrent": lately.get((worker.content_id, worker.slot), 0.0) if worker else 0.0,
            "cpuTotal": used.cpu_seconds if used else 0.0,
            "ram": used.memory if used else 0,
        }
    return found
