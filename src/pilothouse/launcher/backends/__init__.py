"""Implementations of the launcher's contract. Reached through ``pilothouse.launcher.launchers`` only."""
