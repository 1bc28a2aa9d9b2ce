"""An error is a sentence plus a remedy, with a code for programs and facts for doors."""

from __future__ import annotations

from pilothouse.base.errors import Conflict, PilothouseError


class SnapshotFrozen(Conflict):
    """The snapshot is frozen.
    Make a new snapshot instead.

    This paragraph is for us.
    """

    code = "tests/snapshot-frozen"


def test_the_docstrings_first_paragraph_is_the_message() -> None:
    assert str(SnapshotFrozen()) == "The snapshot is frozen. Make a new snapshot instead."


def test_a_message_of_its_own_and_facts_are_kept() -> None:
    error = SnapshotFrozen("Snapshot 3 is frozen.", snapshot=3)
    assert (str(error), error.facts, error.code) == ("Snapshot 3 is frozen.", {"snapshot": 3}, "tests/snapshot-frozen")
    assert isinstance(error, PilothouseError)
