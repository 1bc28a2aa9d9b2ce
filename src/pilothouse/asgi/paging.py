"""Offset paging: ``results``, ``current_page``, ``total``."""

from __future__ import annotations

from typing import Annotated, Generic, TypeVar

from fastapi import Query
from pydantic import BaseModel

T = TypeVar("T")

PageNumber = Annotated[int, Query(ge=1, description="Pages count from 1.")]
PageSize = Annotated[int, Query(ge=1, le=500, description="Items on a page.")]


class Page(BaseModel, Generic[T]):
    """One page of a list; past the end ``results`` is empty."""

    results: list[T]
    current_page: int
    total: int
