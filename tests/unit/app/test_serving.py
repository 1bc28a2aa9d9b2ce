"""What the settings say is what the gateway is planned with."""

from __future__ import annotations

from pathlib import Path

import pytest

from pilothouse.app.serving import envoy_plan, prepare_serving
from pilothouse.settings import SettingsInvalid, load


def test_the_gateway_trusts_nobody_and_limits_everybody_unless_told_otherwise(tmp_path: Path) -> None:
    plan = envoy_plan(load(tmp_path, variables={}))
    assert (plan.trusted_proxies, plan.requests_per_second) == ((), 500)


def test_proxies_and_the_limit_are_taken_from_the_settings(tmp_path: Path) -> None:
    (tmp_path / "pilothouse.toml").write_text(
        '[gateway]\ntrusted_proxies = ["127.0.0.1", "10.0.0.0/8"]\nrequests_per_second = 0\n'
    )
    plan = envoy_plan(load(tmp_path, variables={}))
    assert (plan.trusted_proxies, plan.requests_per_second) == (("127.0.0.1/32", "10.0.0.0/8"), 0)


def test_a_kind_that_there_is_not_is_named_before_anything_starts(tmp_path: Path) -> None:
    stage = '[[stages]]\nkey = "dev"\nkind_load_groups = { python-shinny = "low", python-shiny = "low" }\n'
    (tmp_path / "pilothouse.toml").write_text(stage)
    with pytest.raises(SettingsInvalid, match=r"names python-shinny\. Kinds of content are .*python-shiny"):
        prepare_serving(load(tmp_path, variables={}), worker_arguments=(), stop_jobs=False)
