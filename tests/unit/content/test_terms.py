"""Under which terms workers run: content's own fields, the defaults, and what a load group allows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from pilothouse.base.access import Principal, Role
from pilothouse.base.errors import Denied, Invalid
from pilothouse.base.ids import new_guid
from pilothouse.content import service
from pilothouse.content.models import Content
from pilothouse.content.service import Terms, WorkerRules
from pilothouse.content.service.terms import LONGEST_START_S, LimitExceeded
from pilothouse.db import Database, Watch
from pilothouse.identity.models import User
from pilothouse.settings import Settings
from pilothouse.stages import Stages, sync

OWNER, ADMIN = Principal(1, Role.PUBLISHER), Principal(2, Role.ADMINISTRATOR)
MB = 1024 * 1024
SETTINGS = {
    "stages": [
        {"key": "dev", "kind_load_groups": {"python-shiny": "low"}},
        {"key": "prod", "load_group": "high"},
        {"key": "test"},
    ],
    "load_groups": [
        {"key": "low", "cpu": 0.5, "memory": 256 * MB, "workers": 2, "processes": 100},
        {"key": "medium", "cpu": 1, "memory": 1024 * MB, "workers": 4, "processes": 200},
        {"key": "high", "cpu": 4, "memory": 4096 * MB, "workers": 8, "processes": 400, "given_by": "administrators"},
    ],
}


def rules_of(database: Database, **sections: Any) -> WorkerRules:
    settings = Settings.model_validate(SETTINGS | sections)
    with database.write() as tx:
        sync(tx, settings.stages)
    return WorkerRules(settings, Stages(database, Watch(database)))


@pytest.fixture
def rules(database: Database) -> WorkerRules:
    return rules_of(database)


def content(stage_id: int = 3, **fields: Any) -> Content:
    return Content(stage_id=stage_id, name="app", **({"app_mode": "python-fastapi"} | fields))


@pytest.mark.parametrize(
    ("stage_id", "app_mode", "named", "group"),
    [
        (1, "python-shiny", None, "low"),
        (1, "python-fastapi", None, "medium"),
        (2, "python-shiny", None, "high"),
        (3, "python-shiny", None, "medium"),
        (1, "python-shiny", "high", "high"),
        (2, "python-shiny", "retired", "high"),
    ],
)
def test_the_load_group_is_the_contents_own_else_its_kinds_else_its_stages(
    rules: WorkerRules, stage_id: int, app_mode: str, named: str | None, group: str
) -> None:
    row = content(stage_id, app_mode=app_mode, load_group=named)
    assert rules.terms(row).group.key == group
    assert rules.terms(row).resources.memory_limit == rules.groups[group].memory


def test_content_that_says_nothing_follows_the_defaults(database: Database) -> None:
    rules = rules_of(database, content={"max_processes": 6, "max_conns_per_process": 7, "load_factor": 0.25, "idle": "keep", "read_timeout": "10m"})  # fmt: skip
    terms = rules.terms(content())
    assert (terms.min_processes, terms.max_processes) == (0, 4), "its load group allows four"
    assert (terms.connections, terms.load_factor, terms.idle, terms.timeout) == (7, 0.25, "keep", 3600)


@pytest.mark.parametrize(
    ("fields", "name", "value"),
    [
        ({"connection_timeout": 0, "read_timeout": 60}, "timeout", None),
        ({"connection_timeout": 30, "read_timeout": 60}, "timeout", 60),
        ({"idle_timeout": 0}, "idle_timeout", 0),
        ({"init_timeout": 0}, "init_timeout", LONGEST_START_S),
        ({"load_factor": 0.0}, "load_factor", 0),
        ({"min_processes": 0}, "min_processes", 0),
    ],
)
def test_zero_is_a_value_and_not_the_default(rules: WorkerRules, fields: dict[str, Any], name: str, value: Any) -> None:
    assert getattr(rules.terms(content(**fields)), name) == value


@pytest.mark.parametrize("nothing", [None, 0])
def test_no_limit_of_its_own_means_that_of_the_load_group(rules: WorkerRules, nothing: int | None) -> None:
    resources = rules.terms(content(memory_limit=nothing, cpu_limit=nothing)).resources
    assert (resources.memory_limit, resources.cpu_limit, resources.processes_limit) == (1024 * MB, 1, 200)


def test_its_own_limits_stand_within_the_load_group_and_are_cut_when_that_shrank(rules: WorkerRules) -> None:
    small = rules.terms(content(memory_limit=100 * MB, cpu_limit=0.1, memory_request=50 * MB)).resources
    assert (small.memory_limit, small.cpu_limit, small.memory_request) == (100 * MB, 0.1, 50 * MB)
    large = rules.terms(content(memory_limit=9000 * MB, cpu_limit=16, max_processes=50, min_processes=50))
    assert (large.resources.memory_limit, large.resources.cpu_limit) == (1024 * MB, 1)
    assert (large.min_processes, large.max_processes) == (4, 4)


def check(rules: WorkerRules, row: Content, changes: Mapping[str, Any], actor: Principal = OWNER) -> Terms:
    before = {name: getattr(row, name) for name in changes}
    for name, value in changes.items():
        setattr(row, name, value)
    rules.check(actor, row, before=before)
    return rules.terms(row)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"memory_limit": 2048 * MB}, "2048 MB is more than the load group “medium” allows: 1024 MB. Ask for less, or choose a load group that allows it: high."),
        ({"cpu_limit": 8.0}, "allows: 1. Ask for less, or ask an administrator."),
        ({"cpu_request": 2.0}, "cpu_request of 2 is more"),
        ({"max_processes": 5}, "max_processes of 5 is more than the load group “medium” allows: 4"),
        ({"min_processes": 4}, "min_processes can't be above max_processes, which is 3"),
        ({"nvidia_gpu_limit": 1}, "nvidia_gpu_limit of 1 is more"),
        ({"memory_request": 200 * MB, "memory_limit": 100 * MB}, "memory_request can't be above memory_limit (100 MB)"),
        ({"load_group": "huge"}, "There is no load group “huge”. Choose one of low, medium, high."),
        ({"max_processes": 0}, "max_processes is at least 1"),
        ({"max_conns_per_process": 0}, "max_conns_per_process is at least 1"),
        ({"max_conns_per_process": 2**40}, "max_conns_per_process is at most"),
        ({"load_factor": 1.5}, "a number from 0 to 1"),
        ({"read_timeout": 2**40}, "read_timeout is at most 2592000 seconds"),
    ],
)  # fmt: skip
def test_what_goes_beyond_is_refused_with_a_remedy(rules: WorkerRules, changes: dict[str, Any], says: str) -> None:
    with pytest.raises(Invalid) as refused:
        check(rules, content(), changes)
    assert says in str(refused.value)


def test_what_was_above_before_does_not_stand_in_the_way_of_other_changes(rules: WorkerRules) -> None:
    row = content(memory_limit=2048 * MB)
    assert check(rules, row, {"idle_timeout": 5}).idle_timeout == 5
    with pytest.raises(LimitExceeded):
        check(rules, row, {"load_group": "low"})


def test_a_load_group_for_administrators_is_given_by_them_only(rules: WorkerRules) -> None:
    with pytest.raises(Denied):
        check(rules, content(), {"load_group": "high"})
    row = content()
    assert check(rules, row, {"load_group": "high"}, ADMIN).group.key == "high"
    assert check(rules, row, {"memory_limit": 4000 * MB}).resources.memory_limit == 4000 * MB


def test_a_refused_change_changes_nothing(database: Database, rules: WorkerRules) -> None:
    with database.write() as tx:
        tx.add(User(id=1, guid=new_guid(), username="amara"))
        tx.flush()
        number = service.create_content(tx, OWNER, Stages(database, Watch(database)).all()[2], name="app").id
    with pytest.raises(LimitExceeded), database.write() as tx:
        row = tx.get(Content, number)
        assert row is not None
        service.update_content(tx, OWNER, row, changes={"title": "New", "memory_limit": 2**40}, rules=rules)
    with database.read() as tx:
        again = tx.get(Content, number)
        assert again is not None and (again.title, again.memory_limit) == (None, None)
