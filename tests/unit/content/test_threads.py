"""Questions and problems: asked by who may open an item, answered by who may change it, told when the fix is live."""

from __future__ import annotations

import re

import pytest
from fastapi import FastAPI
from sqlalchemy import select
from tests.factories.pages_app import Visitor, principal, publish

from pilothouse.base.errors import Denied
from pilothouse.content import service
from pilothouse.content.models import Content, Thread, ThreadKind
from pilothouse.content.service.prose import ProseInvalid
from pilothouse.content.service.threads import OPEN_LIMIT, ThreadUnknown, TooManyThreads
from pilothouse.db import Tx


def item(tx: Tx, guid: str) -> Content:
    return tx.scalars(select(Content).where(Content.guid == guid)).one()


def test_a_question_goes_to_the_owner_and_the_answer_comes_back_to_home(app: FastAPI, visitor: Visitor) -> None:
    guid = publish(app, "amara.okoye", "Plant monitor", open_to="logged_in").guid
    base = f"/_/content/{guid}/questions"
    visitor.sign_in("clara.voss")
    assert "You asked nothing yet" in visitor.get(base).text
    page = visitor.post(base, data={"words": "Which <i>hall</i>?", "kind": "question"})
    assert "Which &lt;i&gt;hall&lt;/i&gt;?" in page.text and page.url.path.startswith(base)
    number = page.url.path.rsplit("/", 1)[-1]

    visitor.sign_in("amara.okoye")
    home = visitor.get("/").text
    assert "People ask you" in home and f"{base}/{number}" in home
    assert '<span class="count">1</span>' in visitor.get(f"/_/content/{guid}").text
    assert "answered" in visitor.post(f"{base}/{number}", data={"words": "Hall 3."}).text
    assert "People ask you" not in visitor.get("/").text

    visitor.sign_in("clara.voss")
    assert "Hall 3." in visitor.get("/").text
    assert "Hall 3." in visitor.get(f"{base}/{number}").text
    assert "Hall 3." not in visitor.get("/").text, "it was read"
    assert "It is solved." in visitor.post(f"{base}/{number}/settle", data={"solved": "1"}).text


def test_nobody_else_reads_a_question(app: FastAPI, visitor: Visitor) -> None:
    guid = publish(app, "amara.okoye", "Plant monitor", open_to="logged_in").guid
    with app.state.database.write() as tx:
        clara = principal(app, "clara.voss")
        number = service.open_thread(tx, clara, item(tx, guid), kind=ThreadKind.QUESTION, words="Secret?").id
    visitor.sign_in("henrik.dahl")
    assert "Secret?" not in visitor.get(f"/_/content/{guid}/questions").text
    assert visitor.get(f"/_/content/{guid}/questions/{number}").status_code == 404
    assert visitor.post(f"/_/content/{guid}/questions/{number}", data={"words": "x"}).status_code in (404, 422)
    visitor.sign_in("jonas.brandt")
    assert "Secret?" in visitor.get(f"/_/content/{guid}/questions/{number}").text
    other = publish(app, "amara.okoye", "Another", open_to="logged_in").guid
    with app.state.database.read() as tx, pytest.raises(ThreadUnknown):
        service.get_thread(tx, clara, item(tx, other), number)


def test_who_reported_a_problem_is_told_when_the_promised_fix_is_live(app: FastAPI, visitor: Visitor) -> None:
    guid = publish(app, "amara.okoye", "Plant monitor", open_to="logged_in").guid
    clara, amara = principal(app, "clara.voss"), principal(app, "amara.okoye")
    with app.state.database.write() as tx:
        number = service.open_thread(tx, clara, item(tx, guid), kind=ThreadKind.PROBLEM, words="It is slow").id
    visitor.sign_in("amara.okoye")
    page = visitor.post(f"/_/content/{guid}/questions/{number}", data={"promise": "1"}).text
    assert "The next version brings the fix" in page
    with app.state.database.write() as tx:
        service.note_live(tx, item(tx, guid))
        thread = tx.get(Thread, number)
        assert thread is not None and thread.state == "solved" and thread.promised_at is None
        assert service.note_live(tx, item(tx, guid)) == [], "once is enough"
    visitor.sign_in("clara.voss")
    assert ">fixed<" in re.sub(r"</svg>", ">", visitor.get("/").text).replace("\n", "")
    assert "went live" in visitor.get(f"/_/content/{guid}/questions/{number}").text
    with app.state.database.write() as tx:
        thread = tx.get(Thread, number)
        assert thread is not None
        service.reply(tx, clara, item(tx, guid), thread, words="Still slow")
        assert thread.state == "open" and service.threads_to_answer(tx, amara) != []


def test_who_asked_can_promise_nothing(app: FastAPI, visitor: Visitor) -> None:
    guid = publish(app, "amara.okoye", "Plant monitor", open_to="logged_in").guid
    visitor.sign_in("clara.voss")
    page = visitor.post(f"/_/content/{guid}/questions", data={"words": "It is slow", "kind": "problem"})
    assert "Fixed with the next version" not in page.text
    visitor.post(page.url.path, data={"words": "Now", "promise": "1"})
    with app.state.database.read() as tx:
        assert tx.scalars(select(Thread)).one().promised_at is None


def test_questions_are_bounded_and_hold_words(app: FastAPI, visitor: Visitor) -> None:
    guid = publish(app, "amara.okoye", "Plant monitor", open_to="logged_in").guid
    visitor.sign_in("clara.voss")
    for words in ("", "  \n ", "x" * 4001, "bell \a"):
        answer = visitor.post(f"/_/content/{guid}/questions", data={"words": words, "kind": "problem"})
        assert answer.status_code == 422 and 'value="problem" checked' in answer.text
    clara = principal(app, "clara.voss")
    with app.state.database.write() as tx:
        for _ in range(OPEN_LIMIT):
            service.open_thread(tx, clara, item(tx, guid), kind=ThreadKind.QUESTION, words="Why?")
        with pytest.raises(TooManyThreads):
            service.open_thread(tx, clara, item(tx, guid), kind=ThreadKind.QUESTION, words="Why?")
        with pytest.raises(ProseInvalid):
            service.reply(tx, clara, item(tx, guid), tx.scalars(select(Thread)).first(), words="")


def test_what_one_may_not_open_one_can_not_ask_about(app: FastAPI) -> None:
    guid = publish(app, "amara.okoye", "Plant monitor").guid
    with app.state.database.write() as tx, pytest.raises(Denied):
        service.open_thread(tx, principal(app, "clara.voss"), item(tx, guid), kind=ThreadKind.QUESTION, words="?")
