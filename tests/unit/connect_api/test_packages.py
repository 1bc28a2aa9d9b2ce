"""The packages that content runs with, on the wire (connect-wire-api §2.2)."""

from __future__ import annotations

from tests.factories.content import add_lock, make
from tests.factories.control_plane import Asked

from pilothouse.base.access import Role


def test_content_lists_the_packages_of_its_active_bundle(server: Asked) -> None:
    _, client = server.person()
    guid = make(client)["guid"]
    path = f"/__api__/v1/content/{guid}/packages"
    assert client.get(path).json() == []
    add_lock(server, guid, numpy="2.4.6", pandas="3.1.1")
    numpy, pandas = client.get(path).json()
    assert numpy == {
        "language": "python",
        "language_version": "3.11.9",
        "name": "numpy",
        "version": "2.4.6",
        "hash": None,
    }
    assert pandas["name"] == "pandas"


def test_packages_of_all_content_come_in_pages_and_by_name(server: Asked) -> None:
    _, client = server.person()
    _, administrator = server.person("root.admin", Role.ADMINISTRATOR)
    _, other = server.person("jonas.weber")
    one, two = make(client, "one-1"), make(client, "two-2", access_type="logged_in")
    bundle = add_lock(server, one["guid"], numpy="2.4.6", pandas="3.1.1")
    add_lock(server, two["guid"], numpy="1.26.4")
    everything = client.get("/__api__/v1/packages?page_size=1000000&page_number=1").json()
    assert set(everything) == {"results", "current_page", "total"}
    assert (everything["total"], len(everything["results"])) == (3, 3)
    first = everything["results"][0]
    assert (first["bundle_id"], first["app_id"], first["app_guid"], first["name"]) == (
        str(bundle),
        one["id"],
        one["guid"],
        "numpy",
    )
    named = client.get("/__api__/v1/packages?name=numpy&page_size=1&page_number=2").json()
    assert ([p["version"] for p in named["results"]], named["total"]) == (["1.26.4"], 2)
    assert client.get("/__api__/v1/packages?page_number=9").json()["results"] == []
    assert administrator.get("/__api__/v1/packages").json()["total"] == 3
    assert other.get("/__api__/v1/packages").json()["total"] == 0


def test_the_lockfile_says_which_python_made_it(server: Asked) -> None:
    _, client = server.person()
    guid = make(client)["guid"]
    add_lock(server, guid, numpy="2.4.6")
    answer = client.get(f"/__api__/v1/content/{guid}/lockfile")
    assert "python=3.11.9" in answer.headers["generated-by"]
    assert answer.text == "numpy==2.4.6 \\\n    --hash=sha256:" + "b" * 64 + "\n"
