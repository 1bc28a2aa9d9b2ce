"""The durable queue in our own database: tasks survive any process, steps that were recorded never run again.

`enqueue` in a verb's transaction *is* the queue; `Queue` runs handlers in threads; `Run` is what a handler gets; `output`
and `follow` read what it printed. The engine is ``queue.py``, ``attempt.py`` and ``recurrence.py``: at most 300 lines of code,
see ``docs/decisions/0002``.
"""

from pilothouse.tasks.contract import Handler, Retry, Run, TaskView
from pilothouse.tasks.enqueue import cancel, enqueue
from pilothouse.tasks.output import follow, output
from pilothouse.tasks.queue import Queue
from pilothouse.tasks.recurrence import Daily, Recurring
from pilothouse.tasks.retention import sweep

__all__ = [
    "Daily", "Handler", "Queue", "Recurring", "Retry", "Run", "TaskView", "cancel", "enqueue", "follow", "output", "sweep",
]  # fmt: skip
