"""Background work of content: deploying a bundle, starting workers, and reconciling what runs with what is wanted."""

from pilothouse.content.tasks.caches import clear_cache_task
from pilothouse.content.tasks.deploy import deploy_task
from pilothouse.content.tasks.engines import ContentEngines, Language
from pilothouse.content.tasks.letters import letter_writers
from pilothouse.content.tasks.reconcile import Reconciler
from pilothouse.content.tasks.sampling import SAMPLE_S, Sampler, drop_samples
from pilothouse.content.tasks.start import start_task
from pilothouse.content.tasks.sweep import sweep

__all__ = [
    "SAMPLE_S",
    "ContentEngines",
    "Language",
    "Reconciler",
    "Sampler",
    "clear_cache_task",
    "deploy_task",
    "drop_samples",
    "letter_writers",
    "start_task",
    "sweep",
]
