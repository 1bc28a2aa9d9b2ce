"""The durable queue in our own database: tasks survive any process, steps that were recorded never run again.

`enqueue` in a verb's transaction *is* the queue; `Queue` runs handlers in threads; `Run` is what a handler gets; `output`
and `follow` read what it printed. At most 300 lines, see ``docs/decisions/0002``.
"""

from pilothouse.tasks.contract import Handler, Retry, Run, TaskView
from pilothouse.tasks.enqueue import cancel, enqueue
from pilothouse.tasks.output import follow, output
from pilothouse.tasks.queue import Queue, Recurring

__all__ = ["Handler", "Queue", "Recurring", "Retry", "Run", "TaskView", "cancel", "enqueue", "follow", "output"]
