"""What `pilothouse doctor` says about settings that work, but weakly."""

from __future__ import annotations

from pathlib import Path

import pytest

from pilothouse.app.doctor import examine
from pilothouse.settings import load


@pytest.mark.parametrize(
    ("settings", "is_weak"),
    [
        ('[server]\npublic_url = "https://pilot.example"\n', True),
        ('[server]\npublic_url = "https://pilot.example"\n[gateway]\ntrusted_proxies = ["10.0.0.5"]\n', False),
        ("", False),
    ],
)
def test_a_tls_proxy_that_is_not_named_is_a_weak_point(tmp_path: Path, settings: str, is_weak: bool) -> None:
    (tmp_path / "pilothouse.toml").write_text(settings)
    weak = [found.finding for found in examine(load(tmp_path, variables={})) if found.state == "weak"]
    assert any("gateway.trusted_proxies" in sentence for sentence in weak) is is_weak
