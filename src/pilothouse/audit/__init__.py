"""The audit trail: verbs append events in their own transaction; a sealer chains them; `verify` finds every later change.

Start at ``service.py``. ``contract.py`` holds what is recorded of which noun; ``sinks/`` where the chain's head and the events also go.
"""

from __future__ import annotations

from pilothouse.audit.contract import AuditSink
from pilothouse.base.seam import Seam

audit_sinks = Seam("pilothouse.audit_sinks", AuditSink, {
    "file": "pilothouse.audit.sinks.file:FileSink",
    "memory": "pilothouse.audit.sinks.memory:MemorySink",
    "syslog": "pilothouse.audit.sinks.syslog:SyslogSink",
})  # fmt: skip
