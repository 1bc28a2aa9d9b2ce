"""People, groups, roles, browser logins and keys; and from a request's credentials to a `Principal`.

Start at ``service/``. ``providers/`` are ways to prove who one is; ``models.py`` is the only place that holds names of people.
"""

from __future__ import annotations

from pilothouse.base.seam import Seam
from pilothouse.identity.contract import IdentityProvider

identity_providers = Seam("pilothouse.identity_providers", IdentityProvider, {
    "memory": "pilothouse.identity.providers.memory:MemoryProvider",
    "password": "pilothouse.identity.providers.password:PasswordProvider",
})  # fmt: skip
