"""Verbs of those who look after the whole installation: its queue and jobs, how its content is used, what everybody is told."""

from pilothouse.web.service.announcing import Board, announce, announcements, end_announcement
from pilothouse.web.service.composing import compose, landing
from pilothouse.web.service.operating import (
    EndedJob,
    Held,
    Moment,
    TaskNotAgain,
    cancel_task,
    ended_jobs,
    get_task,
    held,
    jobs_over_time,
    may_go_again,
    moments,
    retry_task,
    task_counts,
    tasks,
    waits_since,
)

__all__ = [
    "Board", "EndedJob", "Held", "Moment", "TaskNotAgain", "announce", "announcements", "cancel_task", "compose", "end_announcement",
    "ended_jobs", "get_task", "held", "jobs_over_time", "landing", "may_go_again", "moments", "retry_task", "task_counts", "tasks",
    "waits_since",
]  # fmt: skip
