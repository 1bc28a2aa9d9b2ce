"""Pictures of content, by the present and the older endpoints (connect-wire-api §2.2)."""

from __future__ import annotations

from tests.factories.content import make
from tests.factories.control_plane import Asked

PNG = b"\x89PNG\r\n\x1a\n" + bytes(20)


def test_a_picture_is_set_shown_and_removed(server: Asked) -> None:
    _, client = server.person()
    guid = make(client)["guid"]
    shown, path = f"/content/{guid}/__thumbnail__", f"/__api__/v1/content/{guid}/thumbnail"
    assert (client.get(shown).status_code, client.get(shown).content) == (204, b"")
    assert client.put(path, content=PNG).status_code == 200
    picture = client.get(shown)
    assert (picture.content, picture.headers["content-type"], picture.headers["x-content-type-options"]) == (
        PNG,
        "image/png",
        "nosniff",
    )
    gone = client.delete(path)
    assert (gone.status_code, gone.content) == (204, b"")
    assert client.get(shown).status_code == 204
    again = client.delete(path)
    assert (again.status_code, again.json()["code"]) == (404, 17)


def test_the_older_endpoints_show_the_same_picture(server: Asked) -> None:
    _, client = server.person()
    guid = make(client)["guid"]
    path = f"/__api__/applications/{guid}/image"
    none = client.get(path)
    assert (none.status_code, none.json()["code"]) == (404, 17)
    assert client.post(path, content=PNG).status_code == 200
    assert client.get(path).content == client.get(f"/content/{guid}/__thumbnail__").content == PNG
    assert client.delete(path).status_code == 204
    assert client.delete(path).json()["code"] == 17


def test_what_is_no_picture_is_refused(server: Asked) -> None:
    _, client = server.person()
    path = f"/__api__/v1/content/{make(client)['guid']}/thumbnail"
    for data in (b"", b"<svg onload=alert(1)>", b"text", PNG + bytes(300 * 1024)):
        answer = client.put(path, content=data)
        assert (answer.status_code, answer.json()["code"]) == (400, 101)
