"""Kinds of content, one file each. Reached through ``pilothouse.content.content_kinds`` only."""
