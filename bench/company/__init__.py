"""A company of 80,000 people and 10,000 items, asked through the control plane as it is composed, on both databases.

Requests go over the unix socket on which the gateway would send them, one at a time, with another reader and another
address each time; the gateway itself is measured by `bench.gateway`.
"""

from __future__ import annotations

from collections.abc import Iterator

from bench.rows import Row


def rows() -> Iterator[Row]:
    """Imported late: the control plane's own process lives in this package too."""
    from bench.company.measuring import rows as measured

    return measured()
