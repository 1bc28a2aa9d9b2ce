"""The commands and schemas of the page about the protocol: what stands there can be pasted and read."""

from __future__ import annotations

import json
import shlex
from typing import Any

from tests.factories.page_samples import api_docs

from pilothouse.web.api_words import command, schema_text
from pilothouse.web.views import Endpoint


def endpoints() -> list[Endpoint]:
    return [one for _, found in api_docs().chapters for one in found]


def test_a_shell_reads_every_command_and_every_body_is_json() -> None:
    for one in endpoints():
        words = shlex.split(one.command)
        assert words[0] == "curl", one.id
        if "-d" in words and "=" not in words[words.index("-d") + 1].partition("{")[0]:
            json.loads(words[words.index("-d") + 1])
        assert not any("{" in word for word in words if word.startswith("http")), (
            f"curl would read the braces: {one.id}"
        )


def test_ids_are_variables_also_within_a_body() -> None:
    operation: dict[str, Any] = {
        "security": [{"key": []}],
        "responses": {"200": {}},
        "requestBody": {"content": {"application/json": {"schema": {
            "type": "object", "properties": {"user_guid": {"type": "string", "format": "uuid"}}, "required": ["user_guid"],
        }}}},
    }  # fmt: skip
    said = command("POST", "http://h/__api__/v1/groups/{guid}/members", operation)
    assert said == (
        'curl -X POST -H "Authorization: Key $KEY" "http://h/__api__/v1/groups/$GUID/members"'
        """ -d '{"user_guid": "'"$USER_GUID"'"}'"""
    )


def test_files_are_sent_and_kept() -> None:
    commands = {one.id: one.command for one in endpoints()}
    assert commands["post-v1-content-guid-bundles"].endswith("--data-binary @bundle.tar.gz")
    assert commands["get-v1-content-guid-bundles-bundle_id-download"].endswith("-o bundle.tar.gz")


def test_what_is_open_to_everybody_is_asked_without_a_key() -> None:
    commands = {one.id: (one.needs, one.command) for one in endpoints()}
    assert commands["get-server_settings"] == (
        "Open to everybody",
        'curl "http://localhost:3939/__api__/server_settings"',
    )
    assert "$KEY" in commands["get-v1-content-guid"][1] and "without one" in commands["get-v1-content-guid"][0]


def test_a_schema_leads_to_the_nouns_it_names_and_escapes_what_it_says() -> None:
    schema = {"type": "object", "properties": {"<b>": {"$ref": "#/components/schemas/User"}}, "required": []}
    assert schema_text(schema) == '{\n  &lt;b&gt;?: <a href="#noun-User">User</a>\n}'


def test_a_noun_that_is_answered_is_told_beside_its_name() -> None:
    answers = {one.id: str(one.gives) for one in endpoints()}
    assert "username: text" in answers["get-v1-user"] and "username" not in answers["get-v1-users"]
