"""A process that runs one kind of task whose steps leave a mark in a file: what the fault tests kill, stop and starve.

python task_worker.py URL REPLICA MARKS LEASE_SECONDS
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from datetime import timedelta
from pathlib import Path

from pilothouse.db import Database
from pilothouse.tasks import Queue, Run, attempt, queue

STEPS = 5
url, replica, marks, lease_s = sys.argv[1:]
attempt.LEASE = queue.LEASE = timedelta(seconds=float(lease_s))


def mark(text: str) -> None:
    descriptor = os.open(marks, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(descriptor, f"{text}\n".encode())
    os.close(descriptor)


def build(run: Run) -> dict[str, object]:
    found = [run.step(f"step-{n}", lambda n=n: one_step(run, n)) for n in range(STEPS)]
    return {"found": [step["n"] for step in found]}


def one_step(run: Run, n: int) -> dict[str, object]:
    run.log(f"step {n} begins")
    mark(f"{n} {replica}")
    time.sleep(run.args["step_s"])
    run.log(f"step {n} ends")
    return {"n": n, "by": replica, "pid": os.getpid()}


def hold(run: Run) -> None:
    """Shows when it runs, to count how many run at once."""
    mark(f"+ {replica}")
    time.sleep(run.args["hold_s"])
    mark(f"- {replica}")


database = Database(url)
worker = Queue(
    database,
    {"build": build, "hold": hold},
    limits={"default": 2},
    shared_limits={} if database.is_sqlite else {"default": 3},
    replica=replica,
)
stopping = threading.Event()
signal.signal(signal.SIGTERM, lambda number, frame: stopping.set())
worker.start()
Path(f"{marks}.{replica}.up").touch()
stopping.wait()
worker.stop()
