"""Ways of signing in. Reached through ``pilothouse.identity.identity_providers`` only."""
