"""Stages: dev, test, prod; their rows follow the settings, their URLs decide which stage a request belongs to."""

from pilothouse.stages.contract import StageRef
from pilothouse.stages.service import Stages, sync

__all__ = ["StageRef", "Stages", "sync"]
