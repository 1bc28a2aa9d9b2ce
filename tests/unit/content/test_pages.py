"""The gallery and the pages of one item, over real verbs and a real database, without a browser."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from fastapi import FastAPI
from sqlalchemy import select
from tests.factories.archives import targz
from tests.factories.pages_app import Visitor, principal, publish

from pilothouse.base import clock
from pilothouse.base.access import SYSTEM
from pilothouse.content import service as content
from pilothouse.content.models import Bundle, Content, Lock, Worker
from pilothouse.content.pages import access
from pilothouse.gateway.models import UsageEvent
from pilothouse.integrations.service import create_integration
from pilothouse.launcher.models import Job
from pilothouse.storage.contract import Blob, put


def test_the_gallery_is_searched_and_filtered(app: FastAPI, visitor: Visitor) -> None:
    publish(app, "amara.okoye", "Plant monitor", open_to="all")
    publish(app, "henrik.dahl", "Handbook", mode="static", open_to="all")
    visitor.sign_in("amara.okoye")
    assert "2 items" in visitor.get("/_/content").text
    assert "Handbook" not in visitor.get("/_/content?q=plant").text
    assert "Plant monitor" not in visitor.get("/_/content?kind=static").text
    assert "Handbook" not in visitor.get("/_/content?owner=me").text
    assert "Nothing matches" in visitor.get("/_/content?q=zzz").text
    assert "<table" in visitor.get("/_/content?view=table").text


def test_an_item_that_is_not_shared_looks_as_if_it_did_not_exist(app: FastAPI, visitor: Visitor) -> None:
    item = publish(app, "amara.okoye", "Plant monitor")
    visitor.sign_in("clara.voss")
    assert visitor.get(f"/_/content/{item.guid}").status_code == 404


def test_a_viewer_gets_the_app_and_no_tabs_and_an_editor_all_of_them(app: FastAPI, visitor: Visitor) -> None:
    item = publish(app, "amara.okoye", "Plant monitor", open_to="logged_in")
    visitor.sign_in("clara.voss")
    page = visitor.get(f"/_/content/{item.guid}").text
    assert f'src="http://localhost:3940/content/{item.guid}/"' in page and "/versions" not in page
    assert visitor.get(f"/_/content/{item.guid}/log").status_code == 403
    visitor.sign_in("amara.okoye")
    assert f"/_/content/{item.guid}/versions" in visitor.get(f"/_/content/{item.guid}").text


def test_of_a_long_access_list_a_part_is_shown_and_the_others_are_found(
    app: FastAPI, visitor: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = f"/_/content/{publish(app, 'amara.okoye', 'Plant monitor').guid}/access"
    visitor.sign_in("amara.okoye")
    for name in ("quality circle", "clara.voss"):
        visitor.post(base, data={"principal": name, "share": "viewer"})
    assert "Find a name on this list" not in visitor.get(base).text
    monkeypatch.setattr(access, "NAMES_SHOWN", 1)
    page = visitor.get(base).text
    assert "The first 1 of 2" in page and page.count('id="share-') == 1
    found = visitor.get(f"{base}?find=clara%20V").text
    assert "1 on this list" in found and found.count('id="share-') == 1 and "What Clara Voss may do" in found
    assert "Nobody on this list" in visitor.get(f"{base}?find=nobody").text


def test_the_access_tab_adds_changes_and_removes_people_and_groups(app: FastAPI, visitor: Visitor) -> None:
    base = f"/_/content/{publish(app, 'amara.okoye', 'Plant monitor').guid}/access"
    visitor.sign_in("amara.okoye")
    assert "Clara Voss may open it." in visitor.post(base, data={"principal": "clara.voss", "share": "viewer"}).text
    page = visitor.post(base, data={"principal": "quality circle", "share": "editor"}).text
    assert "Quality circle may change it." in page
    wrong = visitor.post(base, data={"principal": "clara.fos"})
    assert wrong.status_code == 422 and 'value="clara.fos"' in wrong.text and "No user or group" in wrong.text
    line = re.search(r"/access/(\d+)/remove", page)
    assert line is not None
    assert visitor.post(f"{base}/{line[1]}/remove").text.count("/remove") < page.count("/remove")
    assert 'value="all" checked' in visitor.post(f"{base}/open-to", data={"open_to": "all"}).text


def test_variables_are_set_and_removed_and_never_shown(app: FastAPI, visitor: Visitor) -> None:
    base = f"/_/content/{publish(app, 'amara.okoye', 'Plant monitor').guid}/variables"
    visitor.sign_in("amara.okoye")
    assert "-E NAME=VALUE" in visitor.get(base).text
    page = visitor.post(base, data={"name": "LIMS_TOKEN", "value": "s3cret"}).text
    assert "LIMS_TOKEN" in page and "s3cret" not in page
    wrong = visitor.post(base, data={"name": "1 BAD", "value": "s3cret"})
    assert wrong.status_code == 422 and 'value="1 BAD"' in wrong.text and "s3cret" not in wrong.text
    assert "No variables" in visitor.post(f"{base}/remove", data={"name": "LIMS_TOKEN"}).text


def test_the_services_where_an_item_may_act_are_chosen(app: FastAPI, visitor: Visitor) -> None:
    item = publish(app, "amara.okoye", "Plant monitor")
    visitor.sign_in("amara.okoye")
    base = f"/_/content/{item.guid}/variables"
    assert "Other services" not in visitor.get(base).text
    config = {"token_uri": "https://there.example/token", "client_id": "c", "client_secret": "s"}
    with app.state.database.write() as tx:
        made = create_integration(
            tx, SYSTEM, facts={"name": "Warehouse", "description": "Batch records", "template": "custom"},
            config={**config, "auth_type": "Service Account"}, secrets=app.state.secrets,
        )  # fmt: skip
        guid = made.guid
    page = visitor.get(base).text
    assert "acts there by an account of its own" in page and f'value="{guid}">' in page
    assert f'value="{guid}" checked' in visitor.post(f"{base}/services", data={"integration": guid}).text
    wrong = visitor.post(f"{base}/services", data={"integration": "5d00d9f5-58b7-4483-8d87-c0fd6ab7ec84"})
    assert wrong.status_code == 422 and f'value="{guid}" checked' in wrong.text
    assert f'value="{guid}">' in visitor.post(f"{base}/services", data={}).text


def test_versions_are_rolled_back_and_downloaded(app: FastAPI, visitor: Visitor) -> None:
    item = publish(app, "amara.okoye", "Plant monitor")
    with app.state.database.write() as tx:
        row = content.get_content(tx, principal(app, "amara.okoye"), app.state.stages.all()[0], item.guid)
        newer = content.add_bundle(tx, principal(app, "amara.okoye"), row, blob=_blob(app))
        row.bundle_id, number = newer.id, newer.id
    visitor.sign_in("amara.okoye")
    base = f"/_/content/{item.guid}/versions"
    page = visitor.get(base).text
    assert f"Roll back to {item.bundle_id}" in page and page.count(">active<") == 1
    answer = visitor.post(f"{base}/{item.bundle_id}/activate", follow_redirects=False)
    assert answer.headers["location"].endswith("/log?of=deploy")
    archive = visitor.get(f"{base}/{number}/download")
    assert archive.content == b"newer" and "plant-monitor" in archive.headers["content-disposition"]
    assert visitor.get(f"{base}/999/download").status_code == 404


def _blob(app: FastAPI) -> Blob:
    return put(app.state.blobs, [b"newer"], limit=100)


def test_the_log_follows_a_running_deploy_and_stops_at_its_end(app: FastAPI, visitor: Visitor) -> None:
    live, done = (
        publish(app, "amara.okoye", "One", state="running"),
        publish(app, "amara.okoye", "Two", state="failed", error="No such module."),
    )
    visitor.sign_in("amara.okoye")
    page = visitor.get(f"/_/content/{live.guid}/log").text
    assert "Unpacking the bundle" in page and "after=2" in page
    more = visitor.get(f"/_/content/{live.guid}/log/lines?of=deploy&after=1").text
    assert "Unpacking" not in more and "31 of 42" in more and "<html" not in more
    ended = visitor.get(f"/_/content/{done.guid}/log").text
    assert "No such module." in ended and "log/lines" not in ended


def test_the_log_of_the_worker_is_read_from_the_launcher(app: FastAPI, visitor: Visitor) -> None:
    item = publish(app, "amara.okoye", "Plant monitor")
    app.state.launcher.lines[item.job_key] = ["Started", "<b>ERROR</b> broken"]
    visitor.sign_in("amara.okoye")
    page = visitor.get(f"/_/content/{item.guid}/log?of=worker").text
    assert "&lt;b&gt;ERROR&lt;/b&gt; broken" in page and 'class="error"' in page
    assert item.job_key in page
    visitor.post(f"/_/content/{item.guid}/log/jobs/{item.job_key}/stop")
    assert ">failed<" not in visitor.get(f"/_/content/{item.guid}").text


def test_a_job_tells_how_long_its_start_took_and_how_long_it_waited_for_its_turn(
    app: FastAPI, visitor: Visitor
) -> None:
    item = publish(app, "amara.okoye", "Plant monitor")
    visitor.sign_in("amara.okoye")

    def told(*, waited_s: float, took_s: float | None) -> list[str]:
        with app.state.database.write() as tx:
            job = tx.scalars(select(Job).where(Job.key == item.job_key)).one()
            worker = tx.scalars(select(Worker).where(Worker.job_id == job.id)).one()
            worker.created_at = job.queued_at - timedelta(seconds=waited_s)
            worker.ready_at = None if took_s is None else job.queued_at + timedelta(seconds=took_s)
        return re.findall(r">(ready in [^<]+)<", visitor.get(f"/_/content/{item.guid}/log").text)

    assert told(waited_s=0.2, took_s=4) == ["ready in 4 s"]
    assert told(waited_s=75, took_s=0.5) == ["ready in 0.5 s, after 1 min 15 s in the queue"]
    assert told(waited_s=75, took_s=None) == []


def test_any_job_of_the_item_has_its_log_to_read_and_to_download(app: FastAPI, visitor: Visitor) -> None:
    item = publish(app, "amara.okoye", "Plant monitor")
    other = publish(app, "amara.okoye", "Mixing explorer")
    app.state.launcher.lines[item.job_key] = [f"line {n}" for n in range(3200)]
    visitor.sign_in("amara.okoye")
    base = f"/_/content/{item.guid}/log"
    page = visitor.get(f"{base}?of={item.job_key}").text
    assert 'id="L3200"' in page and 'id="L201"' in page and 'id="L200"' not in page, (
        "the last lines, with their numbers"
    )
    text = visitor.get(f"{base}/download?of={item.job_key}")
    assert text.text.count("\n") == 3200 and text.text.splitlines()[0].endswith("stdout line 0")
    assert "attachment" in text.headers["content-disposition"]
    assert "31 of 42" in visitor.get(f"{base}/download?of=deploy").text
    assert visitor.get(f"{base}?of={other.job_key}").status_code == 404
    assert "31 of 42" in visitor.get(f"{base}?of=deploy-{item.task_id}").text
    for wrong in (f"deploy-{other.task_id}", "deploy-x", "deploy-999"):
        assert visitor.get(f"{base}?of={wrong}").status_code == 404
    visitor.sign_in("clara.voss")
    assert visitor.get(f"{base}/download?of=deploy").status_code == 404


def test_deleting_asks_for_the_name(app: FastAPI, visitor: Visitor) -> None:
    item = publish(app, "amara.okoye", "Plant monitor")
    visitor.sign_in("amara.okoye")
    base = f"/_/content/{item.guid}"
    assert visitor.post(f"{base}/delete", data={"confirmation": "yes"}).status_code == 422
    assert (
        visitor.post(f"{base}/delete", data={"confirmation": "plant-monitor"}, follow_redirects=False).status_code
        == 303
    )
    assert visitor.get(base).status_code == 404


def test_settings_keep_a_title_with_markup_as_text(app: FastAPI, visitor: Visitor) -> None:
    item = publish(app, "amara.okoye", "Plant monitor")
    visitor.sign_in("amara.okoye")
    page = visitor.post(f"/_/content/{item.guid}/settings", data={"title": "<script>alert(1)</script>"}).text
    assert "<script>alert" not in page and "&lt;script&gt;alert" in page
    with app.state.database.read() as tx:
        assert tx.query(Content).one().title == "<script>alert(1)</script>"


def test_how_people_find_it_is_saved_and_taken_back(app: FastAPI, visitor: Visitor) -> None:
    item = publish(app, "amara.okoye", "Plant monitor")
    visitor.sign_in("amara.okoye")
    base = f"/_/content/{item.guid}/settings"
    page = visitor.post(base, data={"title": "Reactors", "department": "Quality", "tags": "plant, live"}).text
    assert 'value="live, plant"' in page and ">Undo<" in page
    assert "Reactors" in visitor.get("/_/content?department=Quality&tag=plant").text
    undo = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', page))
    visitor.post(base, data=undo)
    assert "Plant monitor" in visitor.get("/_/content?department=Process+engineering").text
    wrong = visitor.post(base, data={"title": "Kept", "tags": "x" * 61})
    assert wrong.status_code == 422 and 'value="Kept"' in wrong.text and "1 to 60" in wrong.text
    assert "Kept" not in visitor.get("/_/content").text


def test_it_gets_an_address_of_its_own_which_is_what_people_copy(app: FastAPI, visitor: Visitor) -> None:
    item, other = publish(app, "amara.okoye", "Plant monitor"), publish(app, "amara.okoye", "Mixing explorer")
    visitor.sign_in("amara.okoye")
    base = f"/_/content/{item.guid}"
    page = visitor.post(f"{base}/address", data={"path": "/plant/monitor/"}).text
    assert 'value="plant/monitor"' in page and re.search(r'data-copy="[^"]+/plant/monitor/"', page)
    taken = visitor.post(f"/_/content/{other.guid}/address", data={"path": "plant"})
    assert taken.status_code == 422 and 'value="plant"' in taken.text and "/plant/monitor/" in taken.text
    undo = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', page))
    page = visitor.post(f"{base}/address", data=undo).text
    assert 'data-copy="' in page and f"/content/{item.guid}/" in page
    assert visitor.post(f"{base}/address", data={"path": "static/x"}).status_code == 422
    visitor.sign_in("clara.voss")
    assert visitor.post(f"{base}/address", data={"path": "mine"}).status_code in (403, 404)


def test_a_picture_is_chosen_shown_and_drawn_again(app: FastAPI, visitor: Visitor) -> None:
    item = publish(app, "amara.okoye", "Plant monitor", open_to="logged_in")
    visitor.sign_in("amara.okoye")
    base = f"/_/content/{item.guid}"
    png = b"\x89PNG\r\n\x1a\n" + bytes(40)
    assert '<svg class="picture' in visitor.get("/_/content").text
    assert visitor.post(f"{base}/thumbnail", content=png).status_code == 204
    address = re.search(r'src="([^"]+/thumbnail[^"]+)"', visitor.get("/_/content").text)
    assert address is not None
    shown = visitor.get(address[1])
    assert shown.content == png and shown.headers["content-type"] == "image/png"
    assert "sandbox" in shown.headers["content-security-policy"] and "immutable" in shown.headers["cache-control"]
    refused = visitor.post(f"{base}/thumbnail", content=b"<svg>")
    assert refused.status_code == 422 and "PNG" in refused.text
    assert visitor.post(f"{base}/thumbnail", content=png + bytes(300_000)).status_code == 422
    assert '<svg class="picture' in visitor.post(f"{base}/thumbnail/remove").text
    visitor.sign_in("clara.voss")
    assert visitor.post(f"{base}/thumbnail", content=png).status_code == 403


def test_the_owner_hands_over_and_a_wrong_name_stays_in_its_field(app: FastAPI, visitor: Visitor) -> None:
    item = publish(app, "amara.okoye", "Plant monitor", open_to="logged_in")
    visitor.sign_in("amara.okoye")
    base = f"/_/content/{item.guid}"
    wrong = visitor.post(f"{base}/owner", data={"owner": "henrik.doll"})
    assert wrong.status_code == 422 and 'value="henrik.doll"' in wrong.text and "Nobody is called" in wrong.text
    assert visitor.post(f"{base}/owner", data={"owner": "clara.voss"}).status_code == 403
    done = visitor.post(f"{base}/owner", data={"owner": "henrik.dahl"})
    assert "Henrik Dahl" in done.text and f"{base}/settings" not in done.text


def test_the_gallery_remembers_a_table_and_ignores_what_means_nothing(app: FastAPI, visitor: Visitor) -> None:
    publish(app, "amara.okoye", "Plant monitor")
    visitor.sign_in("amara.okoye")
    assert "<table" not in visitor.get("/_/content").text
    answer = visitor.get("/_/content?view=table")
    assert "Path=/_/content" in answer.headers["set-cookie"]
    assert "<table" in visitor.get("/_/content?updated=someday&owner=me").text
    assert "<table" not in visitor.get("/_/content?view=cards").text
    assert "Nothing matches" in visitor.get("/_/content?owner=nobody.at.all").text


def test_a_star_puts_an_item_among_the_favourites(app: FastAPI, visitor: Visitor) -> None:
    item = publish(app, "amara.okoye", "Plant monitor", open_to="logged_in")
    visitor.sign_in("clara.voss")
    assert "No favourites here" in visitor.get("/_/content?favourites=1").text
    assert visitor.post(f"/_/content/{item.guid}/favourite", data={"kept": "1"}).status_code == 204
    assert "Plant monitor" in visitor.get("/_/content?favourites=1").text


def test_two_versions_are_compared_in_words(app: FastAPI, visitor: Visitor) -> None:
    item = publish(app, "amara.okoye", "Plant monitor")
    with app.state.database.write() as tx:
        row = content.get_content(tx, principal(app, "amara.okoye"), app.state.stages.all()[0], item.guid)
        newer = content.add_bundle(tx, principal(app, "amara.okoye"), row, blob=_blob(app))
        older = tx.get(Bundle, item.bundle_id)
        for bundle, key, version, digest in ((older, "k1", "2.3.1", "a"), (newer, "k2", "2.4.0", "b")):
            bundle.library_key, bundle.manifest = key, {"files": {"app.py": {"checksum": digest}}}
            document = {"artifacts": [{"name": "pandas", "version": version}]}
            tx.add(Lock(requirements_digest=key, library_key=key, runtime_version="3.12", document=document))
        numbers = (older.id, newer.id)
    visitor.sign_in("amara.okoye")
    base = f"/_/content/{item.guid}/versions"
    assert f"versions/compare?before={numbers[0]}&amp;after={numbers[1]}" in visitor.get(base).text
    page = visitor.get(f"{base}/compare?before={numbers[0]}&after={numbers[1]}").text
    assert "1 file differs, 1 package differs" in page and "2.4.0" in page and ">newer<" in page.replace("</svg>", ">")
    assert "Both are the same." in visitor.get(f"{base}/compare?before={numbers[0]}&after={numbers[0]}").text
    assert visitor.get(f"{base}/compare?before=999").status_code == 404


def test_how_workers_run_is_set_explained_and_taken_back(app: FastAPI, visitor: Visitor) -> None:
    item = publish(app, "amara.okoye", "Plant monitor")
    visitor.sign_in("amara.okoye")
    base = f"/_/content/{item.guid}/runtime"
    assert "As usual for its kind here" in visitor.get(base).text
    assert "more than 90 times in a minute" in visitor.get(f"{base}/effect?requests_per_minute=90").text
    told = visitor.get(f"{base}/effect?max_processes=2&memory_limit=512&idle=stop").text
    assert "Up to 2 workers of 512 MB: at most 1.0 GB" in told and "is stopped" in told
    page = visitor.post(base, data={"max_processes": "2", "memory_limit": "512", "idle": "stop"}).text
    assert "Saved." in page and 'name="memory_limit" value="512"' in page
    with app.state.database.read() as tx:
        row = tx.query(Content).one()
        assert (row.max_processes, row.memory_limit, row.idle, row.idle_timeout) == (2, 512 * 1024 * 1024, "stop", None)
    undo = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', page))
    visitor.post(base, data=undo)
    with app.state.database.read() as tx:
        row = tx.query(Content).one()
        assert (row.max_processes, row.memory_limit, row.idle) == (None, None, None)


def test_what_workers_may_not_have_is_refused_beside_its_field(app: FastAPI, visitor: Visitor) -> None:
    item = publish(app, "amara.okoye", "Plant monitor")
    visitor.sign_in("amara.okoye")
    base = f"/_/content/{item.guid}/runtime"
    told = visitor.get(f"{base}/effect?memory_limit=99999999").text
    assert "“Memory of one worker” of 99999999 MB is more than the load group" in told
    wrong = visitor.post(base, data={"memory_limit": "99999999", "max_processes": "2"})
    assert wrong.status_code == 422 and 'value="99999999"' in wrong.text and 'aria-invalid="true"' in wrong.text
    letters = visitor.post(base, data={"max_processes": "many"})
    assert letters.status_code == 422 and "Type a number" in letters.text and 'value="many"' in letters.text
    visitor.sign_in("henrik.dahl")
    assert visitor.get(f"{base}/effect").status_code == 404


def test_use_is_shown_as_numbers_and_plots_with_their_tables(app: FastAPI, visitor: Visitor) -> None:
    item = publish(app, "amara.okoye", "Plant monitor")
    visitor.sign_in("amara.okoye")
    base = f"/_/content/{item.guid}/usage"
    assert "Nobody opened it in this time" in visitor.get(base).text
    clara = principal(app, "clara.voss").id
    with app.state.database.write() as tx:
        number = tx.query(Content).one().id
        for n in range(3):
            tx.add(
                UsageEvent(
                    kind="visit",
                    stream=str(n),
                    subject_kind="content",
                    subject_id=number,
                    principal_id=clara,
                    started_at=clock.now(),
                )
            )
    page = visitor.get(f"{base}?span=day").text
    assert "<strong>3</strong><span>visits</span>" in page and "<strong>1</strong><span>person</span>" in page
    assert page.count("data-plot") == 3 and "Clara Voss" in page and "This stage keeps who visited." in page
    assert visitor.get(f"{base}?span=nonsense").status_code == 200
    visitor.sign_in("henrik.dahl")
    assert visitor.get(base).status_code == 404


def test_who_was_taken_off_the_list_is_put_back_with_one_button(app: FastAPI, visitor: Visitor) -> None:
    base = f"/_/content/{publish(app, 'amara.okoye', 'Plant monitor').guid}/access"
    visitor.sign_in("amara.okoye")
    line = re.search(
        r"/access/(\d+)/remove", visitor.post(base, data={"principal": "clara.voss", "share": "editor"}).text
    )
    assert line is not None
    page = visitor.post(f"{base}/{line[1]}/remove").text
    undo = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', page))
    assert undo == {"principal": "clara.voss", "share": "editor"}
    assert "Clara Voss may change it." in visitor.post(base, data=undo).text


def test_every_deploy_has_its_log_also_when_another_came_after_it(app: FastAPI, visitor: Visitor) -> None:
    item = publish(app, "amara.okoye", "Plant monitor")
    visitor.sign_in("amara.okoye")
    base = f"/_/content/{item.guid}"
    assert "Deploys</h2>" not in visitor.get(f"{base}/log").text
    with app.state.database.write() as tx:
        row = content.get_content(tx, principal(app, "amara.okoye"), app.state.stages.all()[0], item.guid)
        newer = content.add_bundle(tx, principal(app, "amara.okoye"), row, blob=_blob(app))
        content.deploy(tx, principal(app, "amara.okoye"), row, bundle=newer)
    page = visitor.get(f"{base}/log?of=deploy").text
    assert f"log?of=deploy-{item.task_id}" in page and f"Version {item.bundle_id}" in page


def test_the_text_of_a_changed_file_is_shown_line_by_line(app: FastAPI, visitor: Visitor) -> None:
    item = publish(app, "amara.okoye", "Plant monitor")
    with app.state.database.write() as tx:
        row = content.get_content(tx, principal(app, "amara.okoye"), app.state.stages.all()[0], item.guid)
        made = [
            content.add_bundle(
                tx, principal(app, "amara.okoye"), row, blob=put(app.state.blobs, [data], limit=10_000)
            ).id
            for data in (targz(("app.py", b"<b>old</b>\nsame\n")), targz(("app.py", b"new\nsame\n")))
        ]
    visitor.sign_in("amara.okoye")
    base = f"/_/content/{item.guid}/versions/diff?before={made[0]}&after={made[1]}"
    text = visitor.get(f"{base}&name=app.py").text
    assert '<span class="minus">- &lt;b&gt;old&lt;/b&gt;</span>' in text and '<span class="plus">+ new</span>' in text
    assert '<span class="plus">+ same</span>' in visitor.get(f"{base}&name=app.py&how=added").text
    assert "does not hold it" in visitor.get(f"{base}&name=../../etc/passwd").text
    broken = f"/_/content/{item.guid}/versions/diff?before={item.bundle_id}&after={made[1]}&name=app.py"
    assert "could not be read" in visitor.get(broken).text
    visitor.sign_in("henrik.dahl")
    assert visitor.get(f"{base}&name=app.py").status_code == 404


def test_the_head_of_an_item_tells_how_it_stands_now(app: FastAPI, visitor: Visitor) -> None:
    item = publish(app, "amara.okoye", "Plant monitor", worker="frozen", open_to="logged_in")
    visitor.sign_in("clara.voss")
    assert f'hx-get="/_/content/{item.guid}/standing"' in visitor.get(f"/_/content/{item.guid}").text
    assert ">frozen<" in visitor.get(f"/_/content/{item.guid}/standing").text.replace("</svg>", ">")
    with app.state.database.write() as tx:
        tx.query(Worker).one().state = "ready"
    assert "running" in visitor.get(f"/_/content/{item.guid}/standing").text
    assert visitor.get("/_/content/00000000-0000-0000-0000-000000000000/standing").status_code == 404
