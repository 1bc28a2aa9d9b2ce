"""The administration console."""

from __future__ import annotations

from datetime import timedelta

import pytest
from fastapi import FastAPI
from tests.factories.pages_app import Visitor, publish

from pilothouse.base import clock
from pilothouse.settings import load
from pilothouse.tasks.models import Task


@pytest.mark.parametrize(
    "path", ["", "/users", "/groups", "/jobs", "/queue", "/storage", "/audit", "/audit/export", "/settings"]
)
def test_the_administration_is_for_administrators(visitor: Visitor, path: str) -> None:
    visitor.sign_in("amara.okoye")
    assert visitor.get(f"/_/admin{path}").status_code == 403
    assert "Administration" not in visitor.get("/").text
    visitor.sign_in("jonas.brandt")
    assert visitor.get(f"/_/admin{path}").status_code == 200


def test_running_jobs_show_memory_and_can_be_stopped(app: FastAPI, visitor: Visitor) -> None:
    item = publish(app, "amara.okoye", "Plant monitor")
    visitor.sign_in("jonas.brandt")
    page = visitor.get("/_/admin/jobs").text
    assert "Plant monitor" in page and "141 MB" in page and f"/_/content/{item.guid}" in page
    assert visitor.post(f"/_/admin/jobs/{item.job_key}/stop").status_code == 200


def test_settings_are_shown_with_their_origin_and_never_a_secret(visitor: Visitor) -> None:
    visitor.sign_in("jonas.brandt")
    page = visitor.get("/_/admin/settings").text
    assert "server.port" in page and "default" in page and "load_groups.medium" in page


def test_the_overview_says_that_nothing_needs_doing_until_something_does(app: FastAPI, visitor: Visitor) -> None:
    visitor.sign_in("jonas.brandt")
    assert "Nothing needs doing" in visitor.get("/_/admin").text
    item = publish(app, "amara.okoye", "Plant monitor", state="failed", error="No module named 'numpyy'.")
    page = visitor.get("/_/admin").text
    assert "Nothing needs doing" not in page and "numpyy" in page and f"/_/content/{item.guid}/log" in page


def test_a_task_that_waits_too_long_is_something_to_do(app: FastAPI, visitor: Visitor) -> None:
    with app.state.database.write() as tx:
        tx.add(
            Task(key="t", kind="content.deploy", queue="builds", args={}, run_at=clock.now() - timedelta(minutes=12))
        )
    visitor.sign_in("jonas.brandt")
    assert "Tasks have been waiting for 12 min" in visitor.get("/_/admin").text


def test_the_overview_names_what_is_weak(visitor: Visitor) -> None:
    visitor.sign_in("jonas.brandt")
    shown = visitor.get("/_/admin").text
    assert "Apps can reach each other" in shown, "what the launcher says"
    assert "Apps share one origin" in shown, "what the settings say"
    assert "The control plane runs as root" in shown and "/root is closed" in shown, "what the app says"


def test_options_are_found_by_words_and_by_whether_they_were_changed(app: FastAPI, visitor: Visitor) -> None:
    app.state.loaded = load(app.state.loaded.home, flags={"server.port": 4000}, variables={})
    visitor.sign_in("jonas.brandt")
    page = visitor.get("/_/admin/settings?q=login+ends").text
    assert 'id="identity.login_lifetime"' in page and "server.port" not in page
    page = visitor.get("/_/admin/settings?changed=true").text
    assert "server.port" in page and "4000" in page and "identity.login_lifetime" not in page
    assert "No such option" in visitor.get("/_/admin/settings?q=nothing-of-the-sort").text


def test_credentials_in_an_address_are_not_shown(app: FastAPI, visitor: Visitor) -> None:
    index = "https://reader:s3cret@index.example/simple"
    app.state.loaded = load(app.state.loaded.home, flags={"runtimes.python_index": index}, variables={})
    visitor.sign_in("jonas.brandt")
    page = visitor.get("/_/admin/settings").text
    assert "s3cret" not in page and "reader" not in page.partition("python_index")[2][:400]
    assert "://••••••@index.example/simple" in page
