"""Options from flags, variables, the file and defaults: which wins, where each came from, and errors that help."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from pilothouse.settings import Loaded, SettingsInvalid, flat, load


def write(home: Path, text: str) -> Path:
    file = home / "pilothouse.toml"
    file.write_text(text, encoding="utf-8")
    return file


def refused(home: Path, *, variables: dict[str, str] | None = None, flags: dict[str, object] | None = None) -> str:
    with pytest.raises(SettingsInvalid) as raised:
        load(home, variables=variables or {}, flags=flags)
    return str(raised.value)


def test_an_empty_home_has_defaults_for_everything(tmp_path: Path) -> None:
    loaded = load(tmp_path, variables={})
    assert (loaded.file, loaded.origins) == (None, {})
    assert [stage.key for stage in loaded.settings.stages] == ["dev", "prod"]
    assert [group.key for group in loaded.settings.load_groups] == ["low", "medium", "high"]


def test_flag_beats_variable_beats_file_beats_default(tmp_path: Path) -> None:
    write(tmp_path, "[server]\nport = 1001\ncontent_port = 1002\nsession_port = 1003\n")
    variables = {"PILOTHOUSE_SERVER__PORT": "2001", "PILOTHOUSE_SERVER__CONTENT_PORT": "2002"}
    loaded = load(tmp_path, variables=variables, flags={"server.port": 3001, "server.host": None})
    assert (loaded.port, loaded.content_port, loaded.session_port) == (3001, 2002, 1003)
    assert loaded.settings.server.host == "127.0.0.1"
    assert loaded.origins == {
        "server.port": "flag", "server.content_port": "variable", "server.session_port": "file",
    }  # fmt: skip


def test_what_is_derived_follows_from_what_is_given(tmp_path: Path) -> None:
    loaded = load(tmp_path, variables={}, flags={"server.port": 8000})
    assert (loaded.content_port, loaded.session_port, loaded.public_url) == (8001, 8002, "http://localhost:8000")
    assert loaded.db_url == f"sqlite:///{tmp_path}/db/pilothouse.sqlite"
    named = load(tmp_path, variables={}, flags={"server.public_url": "https://science.example.com/", "db.url": "x://"})
    assert (named.public_url, named.db_url) == ("https://science.example.com", "x://")


def test_the_home_is_made_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert load(Path("here"), variables={}).home == tmp_path / "here"
    monkeypatch.setenv("HOME", str(tmp_path))
    assert load(Path("~/there"), variables={}).home == tmp_path / "there"


def test_another_file_may_be_named_but_then_it_must_be_there(tmp_path: Path) -> None:
    file = tmp_path / "other.toml"
    file.write_text("[server]\nport = 1234\n")
    loaded = load(tmp_path, file=file, variables={})
    assert (loaded.port, loaded.file) == (1234, file)
    with pytest.raises(SettingsInvalid, match=r"absent\.toml can't be read: No such file"):
        load(tmp_path, file=tmp_path / "absent.toml", variables={})


def test_a_file_that_is_not_toml_says_where(tmp_path: Path) -> None:
    write(tmp_path, "[server]\nport = = 3\n")
    assert "line 2" in refused(tmp_path)
    (tmp_path / "pilothouse.toml").write_bytes(b"[server]\nhost = '\xff'\n")
    assert "is not valid TOML" in refused(tmp_path)


def test_a_file_that_may_not_be_read_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "pilothouse.toml").mkdir()
    assert "can't be read: Is a directory" in refused(tmp_path)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[server]\nprot = 1", "Unknown option server.prot in {file}. Did you mean server.port?"),
        ("[sever]\nport = 1", "Unknown option sever in {file}. Did you mean server?"),
        ("port = 1", "Unknown option port in {file}. Did you mean server.port?"),
        ("[[stages]]\nkey = 'dev'\ntitel = 'D'", "Unknown option stages.0.titel in {file}. Did you mean stages.0.title?"),
        ("[[load_groups]]\nkey = 'a'\ncpus = 2", "Unknown option load_groups.0.cpus in {file}. Did you mean load_groups.0.cpu?"),
        ("[audit]\nzzz = 1", "Unknown option audit.zzz in {file}. Known here: sinks, head_file, event_file, syslog, syslog_events."),
        ("[identity]\nidle_timeout = 1", "Unknown option identity.idle_timeout in {file}. Did you mean content.idle_timeout?"),
    ],
)  # fmt: skip
def test_an_unknown_option_proposes_the_nearest(tmp_path: Path, text: str, sentence: str) -> None:
    file = write(tmp_path, text)
    assert refused(tmp_path) == sentence.format(file=file)


@pytest.mark.parametrize("named", ["load_group = 'huge'", "kind_load_groups = { python-shiny = 'huge' }"])
def test_a_stage_names_load_groups_that_there_are(tmp_path: Path, named: str) -> None:
    write(tmp_path, f"[[stages]]\nkey = 'dev'\n{named}\n")
    assert "the stage dev names the load group huge; there are low, medium, high" in refused(tmp_path)


def test_every_problem_is_named_with_the_place_it_was_given(tmp_path: Path) -> None:
    file = write(tmp_path, "[server]\nport = 70000\n[content]\nidle = 'sleep'\n")
    said = refused(
        tmp_path,
        variables={"PILOTHOUSE_DB__POOL_SIZE": "many", "PILOTHOUSE_TASKS__RETENTIONS": "1"},
        flags={"gateway.concurrency": 0},
    )
    for part in (
        f"Option server.port in {file}: Input should be less than or equal to 65535.",
        f"Option content.idle in {file}: Input should be 'freeze', 'stop' or 'keep'.",
        "Option db.pool_size in the variable PILOTHOUSE_DB__POOL_SIZE: Input should be a valid integer",
        "Unknown option tasks.retentions in the variable PILOTHOUSE_TASKS__RETENTIONS. Did you mean tasks.retention?",
        "Option gateway.concurrency on the command line: Input should be greater than or equal to 1.",
    ):
        assert part in said


def test_entries_need_keys_of_their_own(tmp_path: Path) -> None:
    write(tmp_path, "[[stages]]\nkey = 'dev'\n[[stages]]\nkey = 'dev'\n")
    assert "stages must have at least one entry and no key twice" in refused(tmp_path)
    write(tmp_path, "[[stages]]\nkey = 'Dev stage'\n")
    assert "Option stages.0.key" in refused(tmp_path)
    write(tmp_path, "[[stages]]\nkey = 'dev'\nusage = 'anonymous'\n")
    assert "Option stages.0.usage" in refused(tmp_path)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("3600", 3600), ("90s", 90), ("15m", 900), ("12h", 43200), ("30 d", 2592000), ("1.5h", 5400), ("PT1H", 3600)],
)
def test_a_duration_is_written_as_people_write_it(tmp_path: Path, text: str, expected: int) -> None:
    loaded = load(tmp_path, variables={"PILOTHOUSE_IDENTITY__LOGIN_LIFETIME": text})
    assert loaded.settings.identity.login_lifetime == timedelta(seconds=expected)
    write(tmp_path, f"[identity]\nlogin_lifetime = '{text}'\n")
    assert load(tmp_path, variables={}).settings.identity.login_lifetime == timedelta(seconds=expected)


def test_a_duration_may_be_a_number_in_the_file_and_is_never_negative(tmp_path: Path) -> None:
    write(tmp_path, "[tasks]\nretention = 60\n")
    assert load(tmp_path, variables={}).settings.tasks.retention == timedelta(minutes=1)
    write(tmp_path, "[tasks]\nretention = -60\n")
    assert "tasks.retention" in refused(tmp_path)


def test_variables_hold_text_numbers_truth_and_lists(tmp_path: Path) -> None:
    loaded = load(
        tmp_path,
        variables={
            "PILOTHOUSE_SERVER__SINGLE_ORIGIN": "true",
            "PILOTHOUSE_SERVER__HOSTS": '["a.example.com", "b.example.com"]',
            "PILOTHOUSE_SERVER__USER": "[not a list",
            "PILOTHOUSE_STAGES": '[{key = "only"}]',
            "PILOTHOUSE_CONNECT_API__VERSION": "2026",
            "PATH": "/bin",
        },
    )
    server = loaded.settings.server
    assert (server.single_origin, server.hosts) == (True, ["a.example.com", "b.example.com"])
    assert (server.user, loaded.settings.connect_api.version) == ("[not a list", "2026")
    assert [stage.key for stage in loaded.settings.stages] == ["only"]
    assert loaded.origins["stages"] == "variable"


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("PILOTHOUSE_PORT", "Unknown variable PILOTHOUSE_PORT. Did you mean PILOTHOUSE_SERVER__PORT?"),
        ("PILOTHOUSE_SERVER_PORT", "Unknown variable PILOTHOUSE_SERVER_PORT. Did you mean PILOTHOUSE_SERVER__PORT?"),
        ("PILOTHOUSE_X", "Unknown variable PILOTHOUSE_X. Options are named PILOTHOUSE_ROOM__OPTION."),
    ],
)
def test_a_variable_that_would_be_ignored_is_an_error(tmp_path: Path, name: str, sentence: str) -> None:
    assert refused(tmp_path, variables={name: "4000"}) == sentence


def test_variables_that_kubernetes_sets_for_a_service_of_our_name_are_not_options(tmp_path: Path) -> None:
    kubernetes = {
        "PILOTHOUSE_PORT": "tcp://10.3.0.1:3939", "PILOTHOUSE_SERVICE_HOST": "10.3.0.1", "PILOTHOUSE_SERVICE_PORT": "3939",
        "PILOTHOUSE_SERVICE_PORT_HTTP": "3939", "PILOTHOUSE_PORT_3939_TCP": "tcp://10.3.0.1:3939",
        "PILOTHOUSE_PORT_3939_TCP_PROTO": "tcp", "PILOTHOUSE_HOME": "/srv/pilothouse",
    }  # fmt: skip
    assert load(tmp_path, variables=kubernetes).origins == {}


def secret(loaded: Loaded) -> str | None:
    found = loaded.settings.server.bootstrap_secret
    return found.get_secret_value() if found else None


def test_a_secret_may_stand_in_a_file_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("c2VjcmV0\n")
    (tmp_path / "url").write_text("postgresql://pilot:hunter2@db/pilot")
    write(tmp_path, f"[server]\nbootstrap_secret_file = '{tmp_path}/secret'\n")
    loaded = load(tmp_path, variables={"PILOTHOUSE_DB__URL_FILE": f"{tmp_path}/url"})
    assert secret(loaded) == "c2VjcmV0"
    assert loaded.db_url == "postgresql://pilot:hunter2@db/pilot"
    assert (loaded.origins["server.bootstrap_secret"], loaded.origins["db.url"]) == ("file", "variable")


def test_a_secret_file_from_a_stronger_layer_wins(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("strong")
    write(tmp_path, "[server]\nbootstrap_secret = 'weak'\n")
    variables = {"PILOTHOUSE_SERVER__BOOTSTRAP_SECRET_FILE": str(tmp_path / "secret")}
    assert secret(load(tmp_path, variables=variables)) == "strong"


def test_a_secret_and_its_file_in_one_place_are_ambiguous(tmp_path: Path) -> None:
    write(tmp_path, "[db]\nurl = 'x'\nurl_file = 'y'\n")
    assert refused(tmp_path) == "Options db.url and db.url_file are both given. Keep one."


@pytest.mark.parametrize(("content", "said"), [(None, "No such file"), (b"\xff\xfe", "not text"), (b" \n", "is empty")])
def test_a_secret_file_that_is_no_use_is_a_sentence(tmp_path: Path, content: bytes | None, said: str) -> None:
    if content is not None:
        (tmp_path / "secret").write_bytes(content)
    write(tmp_path, f"[server]\nbootstrap_secret_file = '{tmp_path}/secret'\n")
    message = refused(tmp_path)
    assert said in message
    assert "server.bootstrap_secret_file" in message


def test_a_file_option_that_is_no_secret_stays_a_path(tmp_path: Path) -> None:
    write(tmp_path, "[audit]\nhead_file = '/var/log/head.log'\n")
    assert load(tmp_path, variables={}).settings.audit.head_file == Path("/var/log/head.log")


def test_secrets_never_show_in_errors_or_in_print(tmp_path: Path) -> None:
    write(tmp_path, "[server]\nbootstrap_secret = 'hunter2'\nport = 0\n[db]\nurl = ['hunter2']\n")
    assert "hunter2" not in refused(tmp_path)
    write(tmp_path, "[server]\nbootstrap_secret = 'hunter2'\n")
    loaded = load(tmp_path, variables={"PILOTHOUSE_DB__URL": "postgresql://a:hunter3@b/c"})
    shown = (
        f"{loaded!r} {loaded.settings!r} {dict(flat(loaded.settings.model_dump()))} {loaded.settings.model_dump_json()}"
    )
    assert "hunter" not in shown


def test_flat_names_every_leaf() -> None:
    assert dict(flat({"a": {"b": 1, "c": {"d": [2]}}, "e": None})) == {"a.b": 1, "a.c.d": [2], "e": None}


def test_a_wrong_entry_of_a_list_is_named_by_its_place_and_never_shown(tmp_path: Path) -> None:
    write(tmp_path, '[gateway]\ntrusted_proxies = ["10.0.0.0/8", "10.0.0.1/8"]\n')
    sentence = refused(tmp_path)
    assert "Option gateway.trusted_proxies.1 in " in sentence
    assert "bits behind its mask" in sentence
    assert "10.0.0.1/8" not in sentence
