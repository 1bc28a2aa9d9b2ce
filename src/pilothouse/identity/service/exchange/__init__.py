"""Programs that another issuer vouches for (RFC 8693): its signed word in, a key that lives for an hour out.

Start at ``exchanging.py``. ``assertions.py`` believes or refuses what is signed, ``keysets.py`` fetches the issuers' keys, ``matching.py``
finds the rule.
"""

from pilothouse.identity.service.exchange.exchanging import Exchange, Exchanged, Workload

__all__ = ["Exchange", "Exchanged", "Workload"]
