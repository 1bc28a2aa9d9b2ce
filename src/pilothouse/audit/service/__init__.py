"""Verbs of the audit trail: record an event, read and export events, seal the chain and tell its sinks, verify it."""

from pilothouse.audit.service.chain import Report, seal, verify, waiting
from pilothouse.audit.service.events import AuditFilter, events, part_of_events, record
from pilothouse.audit.service.files import export, facts_of
from pilothouse.audit.service.sealer import Sealer, behind

__all__ = [
    "AuditFilter",
    "Report",
    "Sealer",
    "behind",
    "events",
    "export",
    "facts_of",
    "part_of_events",
    "record",
    "seal",
    "verify",
    "waiting",
]
