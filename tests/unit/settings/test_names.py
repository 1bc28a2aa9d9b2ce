"""Names of origins: each stands for one thing, and a set that does not fit is refused with a sentence that names the option."""

from __future__ import annotations

from pathlib import Path

import pytest

from pilothouse.settings import Loaded, SettingsInvalid, load

PUBLIC = 'public_url = "https://dash.example.com"\n'
STAGES = '[[stages]]\nkey = "dev"\n[[stages]]\nkey = "prod"\n'


def loaded(home: Path, server: str, stages: str = "") -> Loaded:
    (home / "pilothouse.toml").write_text(f"[server]\n{server}\n{stages}")
    return load(home, variables={})


@pytest.mark.parametrize(
    ("server", "stages"),
    [
        ("", ""),
        (PUBLIC + 'content_host = "content.example.com"\nsession_host = "sessions.example.com"', ""),
        (PUBLIC + 'apps_host = "*.apps.example.com"', STAGES + 'host = "prod.example.com"'),
        (PUBLIC + 'apps_host = "*.Apps.example.com"\ncontent_host = "Content.example.com"', ""),
        (PUBLIC + 'content_host = "c.example.com"', STAGES + 'host = "p.example.com"\ncontent_host = "pc.example.com"'),
        (PUBLIC, STAGES + 'host = "prod.example.com"'),
        (PUBLIC + 'content_host = "c.example.com"', STAGES + 'content_host = "pc.example.com"'),
    ],
)
def test_names_that_fit_are_taken(tmp_path: Path, server: str, stages: str) -> None:
    assert loaded(tmp_path, server, stages)


@pytest.mark.parametrize(
    ("server", "stages", "words"),
    [
        ('content_host = "content.example.com"', "", "server.content_host needs server.public_url"),
        ("", STAGES + 'host = "prod.example.com"', "host of the stage prod needs server.public_url"),
        (PUBLIC + 'content_host = "dash.example.com"', "", "which is a name of server.public_url"),
        (PUBLIC + 'content_host = "DASH.example.com"', "", "which is a name of server.public_url"),
        (PUBLIC + 'content_host = "localhost"', "", "which is a name of this machine"),
        (PUBLIC + 'content_host = "x.example.com"\nhosts = ["X.example.com"]', "", "which is a name of server.hosts"),
        (PUBLIC + 'content_host = "x.example.com"\nsession_host = "x.example.com"', "", "a name of server.content_host"),
        (PUBLIC + 'content_host = "x.example.com"', STAGES + 'host = "x.example.com"', "a name of server.content_host"),
        (PUBLIC, STAGES + 'host = "x.example.com"\ncontent_host = "x.example.com"', "a name of host of the stage prod"),
        (PUBLIC + 'apps_host = "apps.example.com"', "", "a domain behind an asterisk"),
        (PUBLIC + 'apps_host = "*.*.example.com"', "", "a domain behind an asterisk"),
        (PUBLIC + 'apps_host = "*."', "", "a domain behind an asterisk"),
        (PUBLIC + 'apps_host = "*.example.com"', "", "server.apps_host covers dash.example.com"),
        (PUBLIC + 'apps_host = "*.a.example.com"\nsession_host = "s.a.example.com"', "", "names there belong to items"),
        (PUBLIC + 'content_host = "https://c.example.com"', "", "a bare host name"),
        (PUBLIC + 'content_host = "c.example.com:443"', "", "a bare host name"),
        (PUBLIC + 'content_host = "10.1.2.3"', "", "a bare host name"),
        (PUBLIC + 'content_host = "*.example.com"', "", "a bare host name"),
        (PUBLIC + 'content_host = "c.example.com"\nsingle_origin = true', "", "server.single_origin puts content"),
        (PUBLIC + 'apps_host = "*.a.example.com"', STAGES + 'content_host = "c.example.com"', "has no use beside"),
        (PUBLIC + 'content_host = "c.example.com"', STAGES + 'host = "p.example.com"', "give the stage a content_host too"),
    ],
)  # fmt: skip
def test_names_that_do_not_fit_are_refused_with_the_option(
    tmp_path: Path, server: str, stages: str, words: str
) -> None:
    with pytest.raises(SettingsInvalid, match=words.replace(".", r"\.")):
        loaded(tmp_path, server, stages)
