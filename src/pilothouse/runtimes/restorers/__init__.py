"""Implementations of the restorer. Reached through ``pilothouse.runtimes.restorers`` only."""
