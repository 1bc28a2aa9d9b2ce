from __future__ import annotations

from typing import Any

import pytest
from tests.factories.item_pages import effects

GB = 1 << 30


def words(**changes: Any) -> str:
    return " ".join(effect.words for effect in effects(**changes))


def test_the_most_it_may_take_is_multiplied_out() -> None:
    assert "Up to 3 workers of 1.0 GB: at most 3.0 GB on this machine of 24 GB." in words()
    assert "One worker of at most 1.0 GB on this machine of 24 GB." in words(max_processes=1)


def test_more_memory_than_there_is_is_a_warning() -> None:
    (warning,) = [effect for effect in effects(max_processes=25) if effect.tone == "warn"]
    assert "more than there is" in warning.words
    assert all(effect.tone == "" for effect in effects(max_processes=24))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"min_processes": 0}, "The first visitor waits for the start."),
        ({"min_processes": 1}, "One worker always runs"),
        ({"min_processes": 2}, "2 workers always run"),
        ({"load_factor": 0.5}, "more than 10 of its 20 connections, another one starts, up to 60"),
        ({"load_factor": 0.0}, "has a connection, another one starts"),
        ({"max_processes": 1}, "It takes up to 20 connections at once."),
        ({"idle": "freeze"}, "After 2 min without visitors a worker is frozen"),
        ({"idle": "stop"}, "is stopped: its memory is free"),
        ({"idle": "keep"}, "keep running without visitors"),
        ({"timeout": None}, "stays open for ever"),
        ({"timeout": 300.0}, "closed after 5 min"),
        ({"init_timeout": 90.0}, "longer than 1 min 30 s has failed"),
    ],
)
def test_each_choice_has_its_sentence(changes: dict[str, Any], said: str) -> None:
    assert said in words(**changes)
