"""Use of content on the wire: who may read it, in which detail, and page by page (connect-wire-api §2.3, §3.5)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient
from tests.factories.control_plane import Asked, control_plane
from tests.factories.identity import add_key

from pilothouse.base.access import Role
from pilothouse.base.ids import new_guid
from pilothouse.content.models import Content
from pilothouse.db import Database
from pilothouse.gateway.models import UsageEvent

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
VISITS = "/__api__/v1/instrumentation/content/visits"
CONNECTIONS = "/__api__/v1/instrumentation/shiny/usage"
HITS = "/__api__/v1/instrumentation/content/hits"
MINUTE = timedelta(minutes=1)


def made(client: TestClient, name: str = "daily-report") -> dict[str, Any]:
    return dict(client.post("/__api__/v1/content", json={"name": name}).json())


def used(server: Asked, guid: str, kind: str = "visit", at: datetime = NOON, **facts: Any) -> int:
    with server.database.write() as tx:
        content = tx.query(Content).filter_by(guid=guid).one()
        facts = {"path": f"/content/{guid}/?a=1", "user_agent": "Tester", "bundle_id": 4} | facts
        row = UsageEvent(
            kind=kind, stream=new_guid(), subject_kind="content", subject_id=content.id, stage_id=content.stage_id,
            started_at=at, **facts,
        )  # fmt: skip
        tx.add(row)
        tx.flush()
        return row.id


def walk(client: TestClient, **query: Any) -> list[list[str]]:
    """The times of each page, as a client that follows ``cursors.next`` sees them."""
    pages, cursor = [], None
    while True:
        page = client.get(VISITS, params=query | ({"next": cursor} if cursor else {})).json()
        pages.append([visit["time"][11:16] for visit in page["results"]])
        cursor = page["paging"]["cursors"]["next"]
        if cursor is None:
            return pages


def test_a_visit_has_exactly_the_protocols_fields(server: Asked) -> None:
    owner, client = server.person()
    guid = made(client)["guid"]
    used(server, guid, principal_id=owner.id)
    page = client.get(VISITS).json()
    assert set(page) == {"paging", "results"}
    assert page["results"] == [
        {
            "content_guid": guid, "user_guid": owner.guid, "variant_key": None, "rendering_id": None, "bundle_id": 4,
            "time": "2026-03-02T12:00:00.000000Z", "data_version": 3, "path": f"/content/{guid}/?a=1",
        }
    ]  # fmt: skip
    address = f"http://localhost:3939{VISITS}"
    last = page["paging"].pop("last")
    assert last.startswith(f"{address}?previous=")
    assert page["paging"] == {
        "cursors": {"previous": None, "next": None},
        "first": address,
        "previous": None,
        "next": None,
    }
    assert client.get(last.removeprefix("http://localhost:3939")).json()["results"] == page["results"]


def test_an_open_connection_has_no_end_yet(server: Asked) -> None:
    _, client = server.person()
    guid = made(client)["guid"]
    used(server, guid, "socket")
    used(server, guid, "socket", NOON + MINUTE, ended_at=NOON + 2 * MINUTE)
    used(server, guid, "hit")
    first, second = client.get(CONNECTIONS).json()["results"]
    assert first == {
        "content_guid": guid, "user_guid": None, "started": "2026-03-02T12:00:00.000000Z", "ended": None, "data_version": 1,
    }  # fmt: skip
    assert second["ended"] == "2026-03-02T12:02:00.000000Z"


def test_hits_are_all_requests_in_one_array(server: Asked) -> None:
    owner, client = server.person()
    guid = made(client)["guid"]
    assert client.get(HITS).json() == []
    later = used(server, guid, "hit", NOON + MINUTE)
    first = used(server, guid, principal_id=owner.id)
    found = client.get(HITS)
    assert found.headers["content-type"].startswith("application/json")
    assert [hit["id"] for hit in found.json()] == [first, later]
    assert found.json()[0] == {
        "id": first, "content_guid": guid, "user_guid": owner.guid, "timestamp": "2026-03-02T12:00:00.000000Z",
        "data": {"path": f"/content/{guid}/?a=1", "user_agent": "Tester"},
    }  # fmt: skip


def test_hits_of_many_batches_arrive_whole(server: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pilothouse.connect_api.instrumentation.BATCH", 2)
    _, client = server.person()
    guid = made(client)["guid"]
    ids = [used(server, guid, "hit") for _ in range(5)]
    assert [hit["id"] for hit in client.get(HITS).json()] == ids


@pytest.mark.parametrize("items", [1, 3, 120])
def test_pages_are_walked_forth_and_back_without_gap_or_repetition(server: Asked, items: int) -> None:
    """Moments that are the same, and items beyond the number that are read apart."""
    _, client = server.person()
    guids = [made(client, f"item-{n}")["guid"] for n in range(items)]
    for n in range(7):
        used(server, guids[n % items], at=NOON + (n // 2) * MINUTE)
    forth = ["12:00", "12:00", "12:01", "12:01", "12:02", "12:02", "12:03"]
    assert walk(client, limit=3) == [forth[:3], forth[3:6], forth[6:]]
    assert walk(client, limit=3, asc_order="false") == [forth[:3:-1], forth[3:0:-1], forth[:1]]
    assert walk(client, limit=7) == [forth]
    address = client.get(VISITS, params={"limit": 3}).json()["paging"]["last"]
    last = client.get(address.removeprefix("http://localhost:3939")).json()
    assert [v["time"][11:16] for v in last["results"]] == forth[4:]
    before = client.get(last["paging"]["previous"].removeprefix("http://localhost:3939")).json()
    assert [v["time"][11:16] for v in before["results"]] == forth[1:4]
    assert before["paging"]["next"] and last["paging"]["next"] is None
    again = client.get(before["paging"]["next"].removeprefix("http://localhost:3939")).json()
    assert again["results"] == last["results"]


def test_a_page_goes_on_when_the_row_where_it_ended_was_swept(server: Asked) -> None:
    _, client = server.person()
    guid = made(client)["guid"]
    swept = [used(server, guid, at=NOON + n * MINUTE) for n in range(4)][:2]
    cursor = client.get(VISITS, params={"limit": 2}).json()["paging"]["cursors"]["next"]
    with server.database.write() as tx:
        tx.query(UsageEvent).filter(UsageEvent.id.in_(swept)).delete()
    rest = client.get(VISITS, params={"limit": 2, "next": cursor}).json()
    assert [visit["time"][11:16] for visit in rest["results"]] == ["12:02", "12:03"]


def test_a_span_of_time_holds_both_its_ends(server: Asked) -> None:
    _, client = server.person()
    guid = made(client)["guid"]
    for n in range(4):
        used(server, guid, at=NOON + n * MINUTE)
    query = {"from": "2026-03-02T13:01:00+01:00", "to": "2026-03-02T12:02:00.0Z"}
    assert walk(client, **query) == [["12:01", "12:02"]]
    assert len(client.get(HITS, params=query).json()) == 2
    assert len(client.get(f"{HITS}?from=2026-03-02T13:01:00+01:00").json()) == 3  # the plus was not escaped
    linked = client.get(VISITS, params=query | {"limit": 1}).json()["paging"]["next"]
    assert client.get(linked.removeprefix("http://localhost:3939")).json()["paging"]["next"] is None


def test_who_may_read_what(server: Asked) -> None:
    amara, client = server.person()
    ben, colleague = server.person("ben")
    _, boss = server.person("boss", Role.ADMINISTRATOR)
    _, viewer = server.person("vera", Role.VIEWER)
    mine, other = made(client)["guid"], made(colleague, "other")["guid"]
    used(server, mine)
    used(server, other)

    def seen(by: TestClient) -> list[str]:
        return sorted(visit["content_guid"] for visit in by.get(VISITS).json()["results"])

    assert (seen(client), seen(boss)) == ([mine], sorted([mine, other]))
    client.post(
        f"/__api__/v1/content/{mine}/permissions",
        json={"principal_guid": ben.guid, "principal_type": "user", "role": "viewer"},
    )
    assert seen(colleague) == [other]
    answer = colleague.get(VISITS, params={"content_guid": mine})
    assert (answer.status_code, answer.json()["code"]) == (403, 22)
    client.post(
        f"/__api__/v1/content/{mine}/permissions",
        json={"principal_guid": ben.guid, "principal_type": "user", "role": "owner"},
    )
    assert seen(colleague) == sorted([mine, other])
    assert len(colleague.get(HITS, params={"content_guid": f"{mine}|{other}"}).json()) == 2
    refused = viewer.get(VISITS)
    assert (refused.status_code, refused.json()["code"]) == (403, 22)
    assert server.client().get(VISITS).status_code == 401
    answer = client.get(VISITS, params={"content_guid": other})
    assert (answer.status_code, answer.json()["code"]) == (404, 4)
    assert boss.get("/prod" + VISITS).json()["results"] == []
    assert amara.guid not in boss.get(VISITS).text


def test_the_key_of_a_job_reads_what_its_owner_may_but_never_as_administrator(server: Asked) -> None:
    boss, client = server.person("boss", Role.ADMINISTRATOR)
    _, other = server.person()
    mine, others = made(client)["guid"], made(other, "other")["guid"]
    used(server, mine)
    used(server, others)
    capped = server.client(key=add_key(server.database, boss, role_cap=Role.PUBLISHER))
    assert [visit["content_guid"] for visit in capped.get(VISITS).json()["results"]] == [mine]


@pytest.mark.parametrize(
    ("usage", "visitor", "path", "agent"),
    [("named", "guid", "?a=1", "Tester"), ("pseudonymous", None, "", ""), ("counts", None, "", "")],
)
def test_the_stages_word_holds_for_rows_of_before(
    database: Database, tmp_path: Any, usage: str, visitor: str | None, path: str, agent: str
) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "pilothouse.toml").write_text(f'[[stages]]\nkey = "dev"\nusage = "{usage}"\n')
    server = control_plane(tmp_path / "home", database)
    owner, client = server.person()
    guid = made(client)["guid"]
    used(server, guid, principal_id=owner.id)
    used(server, guid, at=NOON + MINUTE, pseudonym="p" + "0" * 24)
    named, hidden = client.get(HITS).json()
    assert named["user_guid"] == (owner.guid if visitor else None)
    assert named["data"] == {"path": f"/content/{guid}/{path}", "user_agent": agent}
    assert hidden["user_guid"] == (None if usage == "counts" else "p" + "0" * 24)


@pytest.mark.parametrize(
    ("query", "code", "word"),
    [
        ("content_guid=nonsense", 3, "nonsense"),
        ("content_guid=NONSENSE|x", 3, "NONSENSE"),
        ("content_guid=0DF0A1E2-0000-4000-8000-000000000001", 3, "GUID"),
        ("from=yesterday", 101, "yesterday"),
        ("to=2026-13-01T00:00:00Z", 101, "to"),
        ("from=0001-01-01T00:00:00%2B14:00", 101, "from"),
        ("from=2026-03-02T12:00:00Z&to=2026-03-01T12:00:00Z", 101, "after"),
    ],
)
def test_what_is_asked_wrongly_is_refused_in_words(server: Asked, query: str, code: int, word: str) -> None:
    _, client = server.person()
    for path in (VISITS, CONNECTIONS, HITS):
        answer = client.get(f"{path}?{query}")
        assert (answer.status_code, answer.json()["code"]) == (400, code), path
        assert word in answer.json()["error"]


@pytest.mark.parametrize(
    "query",
    [
        "limit=0", "limit=-1", "limit=501", "limit=99999999999999999999", "limit=x", "next=%00", "next=abc", "previous=x",
        "next=x&previous=y", "asc_order=maybe", "min_data_version=x",
    ],
)  # fmt: skip
def test_a_page_that_cannot_be_is_refused(server: Asked, query: str) -> None:
    _, client = server.person()
    for path in (VISITS, CONNECTIONS):
        assert client.get(f"{path}?{query}").status_code == 400, path


def test_records_of_a_later_edition_are_none(server: Asked) -> None:
    _, client = server.person()
    used(server, made(client)["guid"])
    assert len(client.get(VISITS, params={"min_data_version": 3}).json()["results"]) == 1
    assert client.get(VISITS, params={"min_data_version": 4}).json()["results"] == []


def test_hits_are_whole_also_beside_the_checksum_of_a_body_that_nobody_reads(server: Asked) -> None:
    """Clients that follow a redirect send the old one's; what is streamed must not end at its first line."""
    _, client = server.person()
    used(server, made(client)["guid"])
    assert len(client.get(HITS, headers={"X-Content-Checksum": "AAAA"}).json()) == 1
