from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import func, select
from tests.factories.stages import option, some_stages, write_stages

from pilothouse.db import Database, Watch
from pilothouse.settings import Settings, StageOption
from pilothouse.stages import Stages, sync
from pilothouse.stages.contract import RESERVED, StagesInvalid
from pilothouse.stages.models import Stage
from pilothouse.stages.service import stage_paths


def keys(found: Stages) -> list[str]:
    return [stage.key for stage in found.all()]


def test_rows_are_in_step_with_the_settings_on_both_databases(database: Database) -> None:
    stages = some_stages(database)
    assert [(s.key, s.title, s.path, s.host, s.position) for s in stages.all()] == [
        ("dev", "Development", "/", None, 0),
        ("prod", "Production", "/prod/", None, 1),
    ]
    write_stages(database, option("prod", path="/live"), option("test"))
    assert [
        (s.key, s.title, s.path) for s in some_stages(database, option("prod", path="/live"), option("test")).all()
    ] == [
        ("prod", "prod", "/live/"),
        ("test", "test", "/test/"),
    ]


def test_a_stage_that_left_the_settings_is_retired_and_comes_back_with_its_number(sqlite_database: Database) -> None:
    stages = some_stages(sqlite_database)
    before = {stage.key: stage.id for stage in stages.all()}
    write_stages(sqlite_database, option("dev"))
    assert keys(stages) == ["dev"]
    assert stages.by_key("prod") is None
    assert stages.by_id(before["prod"]) is None
    write_stages(sqlite_database, option("dev"), option("prod"))
    assert {stage.key: stage.id for stage in stages.all()} == before
    with sqlite_database.read() as tx:
        assert tx.scalar(select(func.count()).select_from(Stage)) == 2


def test_a_retired_stage_remembers_when_it_went(sqlite_database: Database, frozen_clock: Any) -> None:
    some_stages(sqlite_database)
    write_stages(sqlite_database, option("dev"))

    def retired_at() -> object:
        with sqlite_database.read() as tx:
            return tx.scalar(select(Stage.retired_at).where(Stage.key == "prod"))

    first = retired_at()
    frozen_clock.advance(minutes=5)
    write_stages(sqlite_database, option("dev"))
    assert first is not None
    assert retired_at() == first


def test_a_start_without_changes_makes_no_cache_look_again(sqlite_database: Database) -> None:
    some_stages(sqlite_database)
    watch = Watch(sqlite_database)
    before = watch.epoch("stages")
    with sqlite_database.write() as tx:
        sync(tx, [option("dev", title="Development"), option("prod", title="Production")])
    assert watch.epoch("stages") == before


def test_the_order_of_the_settings_is_the_order_of_the_stages(sqlite_database: Database) -> None:
    stages = some_stages(sqlite_database, option("dev"), option("test"), option("prod"))
    assert keys(stages) == ["dev", "test", "prod"]
    write_stages(sqlite_database, option("prod"), option("dev"), option("test"))
    assert keys(stages) == ["prod", "dev", "test"]
    assert [stage.path for stage in stages.all()] == ["/", "/dev/", "/test/"]


def test_stages_are_found_by_number_and_key(sqlite_database: Database) -> None:
    stages = some_stages(sqlite_database)
    prod = stages.by_key("prod")
    assert prod is not None
    assert stages.by_id(prod.id) == prod
    assert stages.by_id(999) is None


@pytest.mark.parametrize(
    ("host", "path", "key", "rest"),
    [
        ("h:3939", "/", "dev", "/"),
        ("h:3939", "/content/x/", "dev", "/content/x/"),
        ("h:3939", "/prod/", "prod", "/"),
        ("h:3939", "/prod", "prod", "/"),
        ("h:3939", "/prod/content/x/", "prod", "/content/x/"),
        ("h", "/product/", "dev", "/product/"),
        ("h", "/prod/eu/content/x/", "eu", "/content/x/"),
        ("live.example.com:443", "/content/x/", "live", "/content/x/"),
        ("LIVE.example.com", "/prod/content/", "live", "/prod/content/"),
    ],
)
def test_a_url_names_its_stage(sqlite_database: Database, host: str, path: str, key: str, rest: str) -> None:
    live = option("live", host="Live.Example.com")
    stages = some_stages(sqlite_database, option("dev"), option("prod"), option("eu", path="/prod/eu/"), live)
    stage, found = stages.resolve(host, path)
    assert (stage.key, found) == (key, rest)


def test_a_path_that_no_stage_claims_is_the_first_stages(sqlite_database: Database) -> None:
    stages = some_stages(sqlite_database, option("dev", path="/dev/"), option("prod"))
    stage, rest = stages.resolve("h", "/elsewhere/")
    assert (stage.key, rest) == ("dev", "/elsewhere/")


def test_the_default_stages_are_dev_at_the_root_and_prod_below() -> None:
    assert stage_paths(Settings().stages) == ("/", "/prod/")


def test_a_stage_with_a_host_of_its_own_lives_at_its_root() -> None:
    assert stage_paths([option("dev"), option("prod", host="prod.example.com")]) == ("/", "/")


@pytest.mark.parametrize("path", ["", "/", "//"])
def test_the_root_may_be_written_as_one_likes(path: str) -> None:
    assert stage_paths([option("dev", path=path)]) == ("/",)


@pytest.mark.parametrize("word", sorted(RESERVED))
def test_no_stage_takes_a_word_of_ours(sqlite_database: Database, word: str) -> None:
    with pytest.raises(StagesInvalid, match="Choose another path"):
        some_stages(sqlite_database, option("dev"), option("prod", path=f"/{word}/below/"))


def test_a_key_that_is_a_word_of_ours_needs_another_path(sqlite_database: Database) -> None:
    with pytest.raises(StagesInvalid, match="“api” is a word of our own"):
        some_stages(sqlite_database, option("dev"), option("api"))
    assert keys(some_stages(sqlite_database, option("dev"), option("api", path="/interfaces/"))) == ["dev", "api"]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ([option("dev"), option("prod", path="/")], "The stages dev and prod both live at /"),
        ([option("dev", host="a.example"), option("prod", host="A.example")], "dev and prod both live at /"),
        ([option("dev"), option("prod"), option("eu", path="/prod/content/")], "hide “content” of the stage prod"),
        ([option("dev"), option("test", path="/prod/"), option("prod", path="/p/")], "look for the stage prod"),
        ([option("dev"), option("prod", path="/a b/")], "made of letters"),
        ([option("dev"), option("prod", path="/../")], "made of letters"),
        ([option("dev"), option("prod", path="/a//b/")], "made of letters"),
        ([option("dev"), option("prod", path="/a%2Fb/")], "made of letters"),
        ([option("dev"), option("prod", path="/" + "x" * 80)], "at most 80"),
        ([option("dev", host="https://a.example")], "bare name"),
        ([option("dev", host="a.example:8443")], "bare name"),
        ([option("dev", title="x" * 81)], "longer than 80"),
    ],
)
def test_stages_that_do_not_fit_together_are_refused_in_words(
    sqlite_database: Database, options: list[StageOption], sentence: str
) -> None:
    some_stages(sqlite_database)
    with pytest.raises(StagesInvalid, match=sentence):
        write_stages(sqlite_database, *options)
    assert keys(some_stages(sqlite_database)) == ["dev", "prod"]


def test_a_stage_says_what_usage_keeps_and_a_change_arrives(database: Database) -> None:
    for first, second in (("named", "counts"), ("pseudonymous", "named")):
        stages = some_stages(database, option("dev", usage=first), option("prod", usage=second))
        assert [(s.key, s.usage) for s in stages.all()] == [("dev", first), ("prod", second)]
