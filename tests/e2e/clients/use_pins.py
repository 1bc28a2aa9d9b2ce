"""What a data scientist does with `pins`: write, read, list, search, versions, delete; by a path of its own and without a key. Run by the Python that has it."""

import os
import urllib.request

import pandas as pd
import pins

SERVER, KEY = os.environ["CONNECT_SERVER"], os.environ["CONNECT_API_KEY"]
VIEWER_KEY = os.environ["VIEWER_API_KEY"]
READINGS = pd.DataFrame({"batch": [11, 12], "viscosity": [3.5, 4.25]})


def board(key=KEY):
    return pins.board_connect(server_url=SERVER, api_key=key, cache=None)


def call(method, path, body=None):
    headers = {"Authorization": f"Key {KEY}"}
    request = urllib.request.Request(
        f"{SERVER}/{path}" if method == "GET" else f"{SERVER}/__api__/{path}", body, headers, method=method
    )
    return urllib.request.urlopen(request).read()


def refused(read):
    try:
        read()
    except Exception:
        return True
    return False


def main():
    mine = board()
    name = "admin/readings"
    first = mine.pin_write(READINGS, name, type="csv", title="Readings", description="Of the plant")
    second = mine.pin_write(READINGS.assign(viscosity=[1.0, 2.0]), name, type="csv", title="Readings again")
    assert int(second.version.version) > int(first.version.version)

    assert mine.pin_read(name)["viscosity"].to_list() == [1.0, 2.0]
    assert board().pin_read(name, version=first.version.version)["viscosity"].to_list() == [3.5, 4.25]
    assert mine.pin_meta(name).title == "Readings again"
    assert mine.pin_exists(name)
    assert name in mine.pin_list()
    assert name in [entry.name for entry in mine.pin_search("again", as_df=False)]
    assert name in [entry.name for entry in mine.pin_search("readings", as_df=False)]
    assert mine.pin_versions(name, as_df=True)["version"].to_list() == [first.version.version, second.version.version]

    assert refused(lambda: board(VIEWER_KEY).pin_read(name, version=first.version.version))
    mine.pin_write(READINGS, name, type="csv", title="Readings again", access_type="logged_in")
    assert board(VIEWER_KEY).pin_read(name, version=first.version.version)["batch"].to_list() == [11, 12]

    guid = mine.fs.info(name)["guid"]
    call("PUT", f"v1/content/{guid}/vanity", b'{"path": "data/readings"}')
    assert b"title: Readings again" in call("GET", "data/readings/data.txt")
    by_path = pins.board_url("", {"readings": f"{SERVER}/data/readings/"})
    assert refused(lambda: by_path.pin_read("readings"))
    call("PATCH", f"v1/content/{guid}", b'{"access_type": "all"}')
    assert by_path.pin_read("readings")["batch"].to_list() == [11, 12]
    by_number = pins.board_url("", {"readings": f"{SERVER}/content/{guid}/_rev{first.version.version}/"})
    assert by_number.pin_read("readings")["viscosity"].to_list() == [3.5, 4.25]

    newest = mine.pin_versions(name)["version"].to_list()[-1]
    assert refused(lambda: mine.pin_version_delete(name, newest))
    mine.pin_version_delete(name, first.version.version)
    assert first.version.version not in mine.pin_versions(name)["version"].to_list()
    mine.pin_delete(name)
    assert name not in mine.pin_list()


main()
