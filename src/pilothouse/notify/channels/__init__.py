"""Ways on which messages leave. Reached through ``pilothouse.notify.message_channels`` only."""
