"""Places for the chain's heads. Reached through ``pilothouse.audit.audit_sinks`` only."""
