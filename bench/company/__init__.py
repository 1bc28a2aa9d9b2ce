"""A company of 80,000 people and 10,000 items, asked through the control plane as it is composed, on both databases.

Requests go over the unix socket on which the gateway would send them, one at a time, with another reader and another
address each time; the gateway itself is measured by `bench.gateway`.
"""

from __future__ import annotations

from collections.abc import Iterator

from bench.rows import Row, pace


def rows() -> Iterator[Row]:
    """Imported late: the control plane's own process lives in this package too."""
    from bench.company.measuring import companies, page_rows
    from bench.company.size import COMPANY
    from bench.company.whole import growth_rows, sign_in_rows

    with companies(COMPANY) as found:
        yield from page_rows(found)
        yield pace()
        for company in found:
            yield from sign_in_rows(company)
    yield pace()
    yield from growth_rows()
