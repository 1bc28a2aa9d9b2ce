"""What people are mailed about: who hears of what, in which language, and what they are not told."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from fastapi import FastAPI
from sqlalchemy import select
from tests.factories.pages_app import Visitor, principal, publish
from tests.factories.tasks import running, until

from pilothouse.base.access import SYSTEM, Share
from pilothouse.content import service
from pilothouse.content.models import AccessRequest, Content, Thread, ThreadKind
from pilothouse.content.tasks import letter_writers
from pilothouse.db import Tx
from pilothouse.identity import service as identity
from pilothouse.identity.models import User
from pilothouse.identity.service.mail import SEND
from pilothouse.identity.tasks import Post, send_task
from pilothouse.notify.channels.memory import MemoryChannel
from pilothouse.notify.contract import Message
from pilothouse.tasks.models import Task

URL = "https://pilot.example"
NASTY = 'For\r\nBcc: x@example.com \u2028 <script>alert("1")</script>'
Delivered = Callable[[], list[Message]]


@pytest.fixture
def delivered(app: FastAPI) -> Delivered:
    """Lets the queue send what it holds; the mails since the last call."""
    channel = MemoryChannel()
    post = Post(channel, letter_writers(lambda stage_id: URL), title="Pilothouse", url=URL)

    def now() -> list[Message]:
        def is_open() -> bool:
            with app.state.database.read() as tx:
                return bool(tx.scalars(select(Task.id).where(Task.kind == SEND, Task.ended_at.is_(None))).all())

        with running(app.state.database, {SEND: send_task(post)}):
            until(lambda: not is_open())
        sent, channel.sent = sorted(channel.sent, key=lambda message: message.to), []
        return sent

    return now


def item(tx: Tx, guid: str) -> Content:
    return tx.scalars(select(Content).where(Content.guid == guid)).one()


def user(tx: Tx, name: str) -> User:
    found = identity.find_user(tx, name)
    assert found is not None
    return found


def share(app: FastAPI, guid: str, name: str, share: Share = Share.EDITOR) -> None:
    with app.state.database.write() as tx:
        service.grant(tx, SYSTEM, item(tx, guid), principal=user(tx, name), share=share)


def ask(app: FastAPI, guid: str, name: str = "clara.voss", words: str = "") -> int:
    with app.state.database.write() as tx:
        return service.ask_for_access(tx, principal(app, name), item(tx, guid), words=words).id


def answer(app: FastAPI, guid: str, number: int, given: Share | None, words: str = "") -> None:
    with app.state.database.write() as tx:
        asked = service.request_of(tx, item(tx, guid), number)
        service.answer_request(tx, principal(app, "amara.okoye"), item(tx, guid), asked, share=given, words=words)


def speak_german(app: FastAPI, name: str) -> None:
    with app.state.database.write() as tx:
        identity.update_user(tx, SYSTEM, user(tx, name), changes={"locale": "de"})


def test_a_request_goes_to_the_owner_and_the_editors_named_with_the_page_that_answers_it(
    app: FastAPI, delivered: Delivered
) -> None:
    guid = publish(app, "amara.okoye", "Plant monitor").guid
    share(app, guid, "henrik.dahl")
    number = ask(app, guid, words="For the audit")
    to_amara, to_henrik = delivered()
    assert (to_amara.to, to_henrik.to) == ("amara.okoye@veridia.example", "henrik.dahl@veridia.example")
    assert to_amara.subject == "Clara Voss asks to open Plant monitor"
    assert "\nQuality\n" in to_amara.text and "> For the audit" in to_amara.text
    assert f"{URL}/_/content/{guid}/access/requests/{number}" in to_amara.text
    ask(app, guid, words="For the audit of Monday")
    assert delivered() == [], "asking again changes the words only"


def test_the_answer_goes_to_whoever_asked_once_and_in_their_language(app: FastAPI, delivered: Delivered) -> None:
    guid = publish(app, "amara.okoye", "Plant monitor").guid
    speak_german(app, "clara.voss")
    number = ask(app, guid)
    delivered()
    answer(app, guid, number, Share.VIEWER, "Welcome")
    (mail,) = delivered()
    assert (mail.to, mail.subject) == ("clara.voss@veridia.example", "Sie dürfen Plant monitor öffnen")
    assert "Amara Okoye hat Ihnen Zugang gegeben." in mail.text and "> Welcome" in mail.text
    assert f"{URL}/_/content/{guid}\n" in mail.text


def test_no_tells_neither_what_it_is_called_nor_where_it_runs(app: FastAPI, delivered: Delivered) -> None:
    guid = publish(app, "amara.okoye", "Plant monitor").guid
    number = ask(app, guid)
    delivered()
    answer(app, guid, number, None, "Not before the audit.")
    (mail,) = delivered()
    assert "something of Amara Okoye" in mail.text and "> Not before the audit." in mail.text
    assert "Plant monitor" not in mail.subject + mail.text + mail.html and f"{guid}/ask" in mail.text


def test_who_is_let_in_by_other_means_is_told_as_well(app: FastAPI, delivered: Delivered) -> None:
    guid = publish(app, "amara.okoye", "Plant monitor").guid
    ask(app, guid)
    delivered()
    share(app, guid, "clara.voss", Share.EDITOR)
    assert [mail.subject for mail in delivered()] == ["You may change Plant monitor"]


def test_what_is_answered_before_the_mail_leaves_asks_nobody_any_more(app: FastAPI, delivered: Delivered) -> None:
    guid = publish(app, "amara.okoye", "Plant monitor").guid
    answer(app, guid, ask(app, guid), Share.VIEWER)
    with app.state.database.write() as tx:
        service.revoke_grant(tx, SYSTEM, item(tx, guid), service.access_list(tx, SYSTEM, item(tx, guid))[0][0])
    assert delivered() == [], "and who was let in and out again is told no title"


def test_a_mail_leads_to_a_page_that_answers_or_tells_who_was_faster(app: FastAPI, visitor: Visitor) -> None:
    guid = publish(app, "amara.okoye", "Plant monitor").guid
    number = ask(app, guid, words="For the audit")
    page = f"/_/content/{guid}/access/requests/{number}"
    assert visitor.sign_in("amara.okoye", url=page) == page, "the address survives the sign-in"
    shown = visitor.get(page).text
    assert f'action="{page}"' in shown and "For the audit" in shown
    visitor.post(page, data={"share": "viewer"})
    assert "Amara Okoye let Clara Voss in." in visitor.get(page).text
    assert "has taken the request back" in visitor.get(f"/_/content/{guid}/access/requests/{number + 1}").text
    visitor.sign_in("clara.voss")
    assert visitor.get(page).status_code in (403, 404)


def test_a_question_its_answer_and_the_fix_that_is_live(app: FastAPI, delivered: Delivered) -> None:
    guid = publish(app, "amara.okoye", "Plant monitor", open_to="logged_in").guid
    clara, amara = principal(app, "clara.voss"), principal(app, "amara.okoye")
    with app.state.database.write() as tx:
        thread = service.open_thread(tx, clara, item(tx, guid), kind=ThreadKind.PROBLEM, words="It is slow")
        number = thread.id
    (mail,) = delivered()
    assert (mail.to, mail.subject) == ("amara.okoye@veridia.example", "A problem with Plant monitor")
    assert "> It is slow" in mail.text and f"{URL}/_/content/{guid}/questions/{number}" in mail.text

    speak_german(app, "clara.voss")
    with app.state.database.write() as tx:
        service.reply(tx, amara, item(tx, guid), _thread(tx, number), words="A bad index.", promise=True)
    (mail,) = delivered()
    assert (mail.to, mail.subject) == ("clara.voss@veridia.example", "Eine Antwort zu Plant monitor")
    assert "Die nächste Version behebt es." in mail.text and "> A bad index." in mail.text

    with app.state.database.write() as tx:
        service.note_live(tx, item(tx, guid))
    (mail,) = delivered()
    assert (mail.to, mail.subject) == ("clara.voss@veridia.example", "Behoben: Plant monitor")
    assert "> It is slow" in mail.text

    with app.state.database.write() as tx:
        service.reply(tx, clara, item(tx, guid), _thread(tx, number), words="Thanks. Still slow.")
    assert [(m.to, m.subject) for m in delivered()] == [
        ("amara.okoye@veridia.example", "Clara Voss wrote about Plant monitor")
    ]


def test_the_new_owner_hears_that_it_is_theirs(app: FastAPI, delivered: Delivered) -> None:
    guid = publish(app, "amara.okoye", "Plant monitor").guid
    speak_german(app, "henrik.dahl")
    with app.state.database.write() as tx:
        service.hand_over(tx, principal(app, "amara.okoye"), item(tx, guid), to=user(tx, "henrik.dahl"))
    (mail,) = delivered()
    assert (mail.to, mail.subject) == ("henrik.dahl@veridia.example", "Plant monitor gehört jetzt Ihnen")
    assert "Amara Okoye hat Ihnen Plant monitor übergeben." in mail.text and f"{URL}/_/content/{guid}\n" in mail.text
    with app.state.database.write() as tx:
        changes = {"owner_id": user(tx, "amara.okoye").id}
        service.update_content(tx, principal(app, "henrik.dahl"), item(tx, guid), changes=changes)
    assert [m.subject for m in delivered()] == ["Plant monitor is yours now"], "also when a program did it"


def test_all_that_a_colleague_leaves_comes_in_one_mail(app: FastAPI, delivered: Delivered) -> None:
    for title in ("Plant monitor", "Yield", "Scrap"):
        publish(app, "amara.okoye", title)
    with app.state.database.write() as tx:
        boss = principal(app, "jonas.brandt")
        service.hand_over_all(tx, boss, user(tx, "amara.okoye"), to=user(tx, "henrik.dahl"))
    (mail,) = delivered()
    assert mail.subject == "Plant monitor and 2 more are yours now"
    assert f"{URL}/_/content?owner=me" in mail.text
    with app.state.database.write() as tx:
        service.hand_over_all(tx, boss, user(tx, "henrik.dahl"), to=user(tx, "jonas.brandt"))
    assert delivered() == [], "who took it over themselves knows it"


def test_what_was_taken_back_is_not_told(app: FastAPI, delivered: Delivered) -> None:
    guid = publish(app, "amara.okoye", "Plant monitor").guid
    amara = principal(app, "amara.okoye")
    with app.state.database.write() as tx:
        service.hand_over(tx, amara, item(tx, guid), to=user(tx, "henrik.dahl"))
        service.take_back(tx, amara, item(tx, guid))
    assert delivered() == []


def test_who_answered_once_hears_more_and_who_settles_tells_the_other_side(app: FastAPI, delivered: Delivered) -> None:
    guid = publish(app, "amara.okoye", "Plant monitor", open_to="logged_in").guid
    clara, boss = principal(app, "clara.voss"), principal(app, "jonas.brandt")
    with app.state.database.write() as tx:
        number = service.open_thread(tx, clara, item(tx, guid), kind=ThreadKind.QUESTION, words="Which hall?").id
        service.reply(tx, boss, item(tx, guid), _thread(tx, number), words="Hall 3.")
    delivered()
    with app.state.database.write() as tx:
        service.reply(tx, clara, item(tx, guid), _thread(tx, number), words="And the other?")
    assert [m.to for m in delivered()] == ["amara.okoye@veridia.example", "jonas.brandt@veridia.example"]
    with app.state.database.write() as tx:
        service.settle(tx, boss, item(tx, guid), _thread(tx, number), solved=True)
    assert [(m.to, m.subject) for m in delivered()] == [
        ("clara.voss@veridia.example", "Solved: what you asked about Plant monitor")
    ]
    with app.state.database.write() as tx:
        service.settle(tx, clara, item(tx, guid), _thread(tx, number), solved=False)
    assert len(delivered()) == 2, "it is the owner's turn again"
    with app.state.database.write() as tx:
        service.settle(tx, clara, item(tx, guid), _thread(tx, number), solved=True)
    assert delivered() == [], "nobody needs to do anything"


def test_who_may_no_longer_see_it_reads_nothing_about_it(app: FastAPI, delivered: Delivered) -> None:
    guid = publish(app, "amara.okoye", "Plant monitor", open_to="logged_in").guid
    with app.state.database.write() as tx:
        content = item(tx, guid)
        thread = service.open_thread(tx, principal(app, "clara.voss"), content, kind=ThreadKind.QUESTION, words="Why?")
        service.reply(tx, principal(app, "amara.okoye"), content, thread, words="Secret reasons.")
        content.access_type, content.owner_id = "acl", user(tx, "henrik.dahl").id
    assert delivered() == []


@pytest.mark.parametrize("how", ["no address", "locked", "wants none"])
def test_who_can_not_or_will_not_be_written_to_is_left_out_and_nothing_fails(app: FastAPI, how: str) -> None:
    guid = publish(app, "amara.okoye", "Plant monitor").guid
    with app.state.database.write() as tx:
        amara = user(tx, "amara.okoye")
        if how == "no address":
            amara.email = ""
        elif how == "locked":
            identity.lock_user(tx, SYSTEM, amara, locked=True)
        else:
            identity.want_mail(tx, principal(app, "amara.okoye"), amara, wanted=False)
    ask(app, guid)
    with app.state.database.read() as tx:
        assert tx.scalars(select(Task).where(Task.kind == SEND)).all() == []
        assert len(tx.scalars(select(AccessRequest)).all()) == 1


def test_the_queue_holds_ids_only(app: FastAPI) -> None:
    guid = publish(app, "amara.okoye", "Plant monitor", open_to="logged_in").guid
    with app.state.database.write() as tx:
        clara = principal(app, "clara.voss")
        service.open_thread(tx, clara, item(tx, guid), kind=ThreadKind.QUESTION, words="A secret")
    with app.state.database.read() as tx:
        args = tx.scalars(select(Task).where(Task.kind == SEND)).one().args
    assert set(args) == {"letter", "user_id", "facts"} and all(isinstance(n, int) for n in args["facts"].values())


def test_a_title_or_words_can_not_become_a_header_or_markup(app: FastAPI, delivered: Delivered) -> None:
    guid = publish(app, "amara.okoye", "Plant monitor").guid
    with app.state.database.write() as tx:
        item(tx, guid).title = NASTY
        tx.add(AccessRequest(content_id=item(tx, guid).id, user_id=user(tx, "clara.voss").id, words=NASTY))
        tx.flush()
        facts = {"request_id": tx.scalars(select(AccessRequest.id)).one()}
        identity.mail(tx, user(tx, "amara.okoye"), "content.request.made", facts)
    (mail,) = delivered()
    assert "\n" not in mail.subject and "<script>" not in mail.html and "\u2028" not in mail.text + mail.html


def test_people_choose_on_their_account_page(app: FastAPI, visitor: Visitor) -> None:
    visitor.sign_in("amara.okoye")
    assert "This server sends no mails yet." in visitor.get("/_/account").text
    form = {"email": "amara.okoye@veridia.example", "first_name": "Amara", "last_name": "Okoye"}
    page = visitor.post("/_/account/profile", data=form | {"mails": "no"}).text
    assert '<option value="no" selected>None</option>' in page
    page = visitor.post("/_/account/profile", data=form).text
    assert '<option value="no" selected>None</option>' in page, "a form without the field changes nothing"
    visitor.post("/_/account/profile", data=form | {"mails": "yes"})
    with app.state.database.read() as tx:
        assert user(tx, "amara.okoye").wants_mail
    visitor.sign_in("jonas.brandt")
    assert "none are sent: notify.channel is not set" in visitor.get("/_/admin").text


def _thread(tx: Tx, number: int) -> Thread:
    found = tx.get(Thread, number)
    assert found is not None
    return found
