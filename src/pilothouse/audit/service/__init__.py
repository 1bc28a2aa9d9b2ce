"""Verbs of the audit trail: record an event, read events, seal the chain, verify it."""

from pilothouse.audit.service.chain import Report, seal, verify
from pilothouse.audit.service.events import EventQuery, events, record

__all__ = ["EventQuery", "Report", "events", "record", "seal", "verify"]
