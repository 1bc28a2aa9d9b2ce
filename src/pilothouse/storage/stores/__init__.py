"""Implementations of the blob store. Reached through ``pilothouse.storage.blob_stores`` only."""
