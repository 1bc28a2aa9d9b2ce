"""The queue's page: what waits and failed, and trying again."""

from __future__ import annotations

from fastapi import FastAPI
from sqlalchemy import select
from tests.factories.pages_app import Visitor, publish

from pilothouse.audit.models import Event
from pilothouse.base import clock
from pilothouse.tasks.models import Task


def tasks(app: FastAPI) -> list[Task]:
    with app.state.database.read() as tx:
        return list(tx.scalars(select(Task).order_by(Task.id)))


def test_a_failed_deploy_shows_its_cause_and_is_tried_again_as_a_new_task(app: FastAPI, visitor: Visitor) -> None:
    item = publish(app, "amara.okoye", "Plant monitor", state="failed", error="No module named 'numpyy'.")
    visitor.sign_in("jonas.brandt")
    page = visitor.get("/_/admin/queue?state=failed").text
    assert "Plant monitor" in page and "numpyy" in page and f"/_/content/{item.guid}/log?of=deploy" in page
    key = tasks(app)[0].key
    assert "tried again" in visitor.post(f"/_/admin/queue/{key}/retry").text
    first, second = tasks(app)
    assert (first.state, second.state) == ("failed", "queued")
    assert (second.kind, second.args, second.subject_id) == (first.kind, first.args, first.subject_id)
    with app.state.database.read() as tx:
        event = tx.scalar(select(Event).where(Event.name == "tasks:task:retried"))
        assert event is not None and event.changes["key"] == [first.key, second.key]


def test_a_task_that_did_not_fail_is_not_tried_again(app: FastAPI, visitor: Visitor) -> None:
    publish(app, "amara.okoye", "Plant monitor")
    visitor.sign_in("jonas.brandt")
    answer = visitor.post(f"/_/admin/queue/{tasks(app)[0].key}/retry")
    assert answer.status_code == 409 and "Only a task that failed" in answer.text
    assert len(tasks(app)) == 1


def test_a_waiting_deploy_is_cancelled(app: FastAPI, visitor: Visitor) -> None:
    publish(app, "amara.okoye", "Plant monitor", state="queued")
    visitor.sign_in("jonas.brandt")
    assert "Cancel" in visitor.get("/_/admin/queue?state=open").text
    assert visitor.post(f"/_/admin/queue/{tasks(app)[0].key}/cancel").status_code == 200
    assert tasks(app)[0].state == "cancelled"


def test_the_filters_and_pages_of_the_queue_show_each_task_once(app: FastAPI, visitor: Visitor) -> None:
    with app.state.database.write() as tx:
        for n in range(120):
            state = "failed" if n % 2 else "done"
            tx.add(
                Task(key=f"t{n:03}", kind=f"kind-{n:03}-", queue="default", args={}, state=state, ended_at=clock.now())
            )
    visitor.sign_in("jonas.brandt")
    assert "In the last day 60 were done and 60 failed." in visitor.get("/_/admin/queue").text
    seen: list[str] = []
    path = "/_/admin/queue?state=failed"
    while path:
        page = visitor.get(path).text
        seen += [f"kind-{n:03}-" for n in range(120) if f"kind-{n:03}-" in page]
        path = page.partition('Older tasks')[0].rpartition('href="')[2].partition('"')[0].replace("&amp;", "&") if "Older tasks" in page else ""  # fmt: skip
    assert sorted(seen) == [f"kind-{n:03}-" for n in range(1, 120, 2)]


def test_a_task_that_is_gone_and_a_strange_key_are_answered_with_a_sentence(visitor: Visitor) -> None:
    visitor.sign_in("jonas.brandt")
    for key in ("nothing", "%00", "ü"):
        answer = visitor.post(f"/_/admin/queue/{key}/retry")
        assert answer.status_code == 404 and "There is no such task" in answer.text
