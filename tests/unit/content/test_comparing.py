from __future__ import annotations

import pytest

from pilothouse.content.pages.comparing import Known, compare, files_of


def known(number: int, **changes: object) -> Known:
    facts = {"facts": {"Runtime": "Python 3.12.4"}, "packages": {"pandas": "2.3.1"}, "files": {"app.py": "a"}} | changes
    return Known(number, **facts)  # type: ignore[arg-type]


def test_the_same_is_said_to_be_the_same() -> None:
    found = compare(known(1), known(2))
    assert found.summary == "Both are the same."
    assert not (found.facts or found.packages or found.files or found.unknown)


def test_packages_are_added_removed_newer_or_older() -> None:
    old = known(1, packages={"a": "1.9", "b": "2.0", "c": "1", "same": "5"})
    new = known(2, packages={"a": "1.10", "b": "1.9.9", "d": "1", "same": "5"})
    assert [(p.name, p.how) for p in compare(old, new).packages] == [
        ("a", "newer"),
        ("b", "older"),
        ("c", "removed"),
        ("d", "added"),
    ]


@pytest.mark.parametrize(
    ("old", "new", "how"), [("1.0", "1.0.1", "newer"), ("2.0rc1", "2.0rc1.post1", "newer"), ("1.0a", "1.0b", "changed")]
)
def test_versions_are_compared_number_by_number(old: str, new: str, how: str) -> None:
    (found,) = compare(known(1, packages={"x": old}), known(2, packages={"x": new})).packages
    assert found.how == how


def test_the_summary_counts_and_names() -> None:
    new = known(2, facts={"Runtime": "Python 3.13.1"}, packages={"pandas": "2.4"}, files={"app.py": "b", "x.css": "c"})
    words = compare(known(1), new).summary
    assert words == "2 files differ, 1 package differs and runtime is Python 3.13.1 instead of Python 3.12.4."


def test_what_is_not_known_is_said_and_not_taken_for_a_difference() -> None:
    found = compare(known(1), known(2, packages=None, files=None))
    assert not found.packages and not found.files
    assert found.summary == "What is known of both is the same."
    assert [words.split(" of ")[0] for words in found.unknown] == ["The packages", "The files"]


@pytest.mark.parametrize(
    ("manifest", "files"),
    [
        (None, None),
        ({"files": None}, None),
        ({"files": {"app.py": {"checksum": "ab"}, "odd": None}}, {"app.py": "ab", "odd": ""}),
        ({"files": ["a.csv"]}, {"a.csv": ""}),
        ({"files": "nonsense"}, None),
    ],
)
def test_files_are_read_as_the_clients_send_them(manifest: dict[str, object] | None, files: object) -> None:
    assert files_of(manifest) == files


def test_a_long_list_is_cut_and_says_so() -> None:
    many = known(2, files={f"{n}.py": "x" for n in range(500)})
    found = compare(known(1), many)
    assert len(found.files) == 300 and found.left_out == 201
