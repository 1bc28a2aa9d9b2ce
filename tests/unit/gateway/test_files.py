from __future__ import annotations

from pathlib import Path

import pytest

from pilothouse.gateway.contract import Asked, StaticFile
from pilothouse.gateway.files import byte_range, file_answer, reference

ROOTS = {"apps": Path("/home/apps")}
FILE = StaticFile("/home/apps/x/a.txt", 10, '"e1"', "text/plain; charset=utf-8")


def answer(
    file: StaticFile = FILE, *, method: str = "GET", if_none_match: str = "", range_: str = "", if_range: str = ""
) -> tuple[int, dict[str, str]]:
    asked = Asked(1, "/", "/content/x/", method=method, if_none_match=if_none_match, range=range_)
    status, fields, _ = file_answer(file, ROOTS, if_range=if_range, asked=asked)
    return status, dict(fields)


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("/home/apps/x/a.txt", "apps/x/a.txt"),
        ("/home/apps/x/a b%.txt", "apps/x/a%20b%25.txt"),
        ("/home/apps/ä/ü", "apps/%C3%A4/%C3%BC"),
        ("/home/apps/x#y", "apps/x%23y"),
        ("/home/apps/what?", None),
        ("/home/apps-else/x", None),
        ("/home/keys/door", None),
    ],
)
def test_only_files_below_a_planned_folder_can_be_named(path: str, found: str | None) -> None:
    assert reference(path, ROOTS) == found


def test_a_file_goes_out_with_its_own_type_etag_and_caching() -> None:
    status, fields = answer()
    assert (status, fields["x-ph-to"], fields["x-ph-file"]) == (200, "file", "apps/x/a.txt")
    assert fields["x-ph-ctype"] == "text/plain; charset=utf-8"
    assert (fields["x-ph-etag"], fields["x-ph-cc"]) == ('"e1"', "private, no-cache")
    assert "x-ph-range" not in fields


@pytest.mark.parametrize("known", ['"e1"', 'W/"e1"', '"e0", "e1"', "*"])
def test_a_client_that_has_the_file_gets_304(known: str) -> None:
    assert answer(if_none_match=known)[0] == 304


def test_a_client_that_has_another_version_gets_the_file() -> None:
    assert answer(if_none_match='"e0"')[0] == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_files_are_only_read(method: str) -> None:
    assert answer(method=method)[0] == 405


@pytest.mark.parametrize(
    ("header", "found"),
    [
        ("bytes=0-0", "bytes=0-0"), ("bytes=2-5", "bytes=2-5"), ("bytes=5-", "bytes=5-9"), ("bytes=5-99", "bytes=5-9"),
        ("bytes=-3", "bytes=7-9"), ("bytes=-99", "bytes=0-9"), ("bytes=10-", None), ("bytes=10-12", None), ("bytes=-0", None),
        ("bytes=3-2", ""), ("bytes=-", ""), ("bytes=0-1,3-4", ""), ("lines=1-2", ""), ("bytes=a-b", ""), ("", ""),
    ],
)  # fmt: skip
def test_ranges_as_the_standard_reads_them(header: str, found: str | None) -> None:
    assert byte_range(header, 10) == found


def test_no_byte_of_an_empty_file_exists() -> None:
    assert byte_range("bytes=0-", 0) is None
    assert byte_range("bytes=-5", 0) is None


def test_a_range_beyond_the_end_is_416_and_tells_the_size() -> None:
    assert answer(range_="bytes=10-") == (416, {"content-range": "bytes */10"})


def test_a_range_of_a_version_that_is_gone_gets_the_whole_file() -> None:
    assert answer(range_="bytes=2-3", if_range='"e1"')[1]["x-ph-range"] == "bytes=2-3"
    assert "x-ph-range" not in answer(range_="bytes=2-3", if_range='"e0"')[1]
