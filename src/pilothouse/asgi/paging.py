"""Offset paging: ``results``, ``current_page``, ``total``."""

from __future__ import annotations

from typing import Annotated, Generic, TypeVar

from fastapi import Query
from pydantic import BaseModel, Field

T = TypeVar("T")

#: Times the largest page it still fits a database's integer.
PageNumber = Annotated[int, Query(ge=1, le=10**9, description="Pages count from 1.")]
PageSize = Annotated[int, Query(ge=1, le=500, description="Items on a page.")]
#: The number of a row, in a path or a query: what fits the column and nothing else.
RowId = Annotated[int, Field(ge=1, le=2**63 - 1)]


class Page(BaseModel, Generic[T]):
    """One page of a list; past the end ``results`` is empty."""

    results: list[T]
    current_page: int
    total: int
