"""Stages: dev, test, prod; their rows follow the settings, their URLs decide which stage a request belongs to."""

from pilothouse.stages.contract import RESERVED, StageRef
from pilothouse.stages.models import Stage
from pilothouse.stages.service import Stages, sync

__all__ = ["RESERVED", "Stage", "StageRef", "Stages", "sync"]
