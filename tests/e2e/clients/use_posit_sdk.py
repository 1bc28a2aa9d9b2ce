"""What a program does with `posit-sdk`, manager by manager. Run by the Python that has it: `CONNECT_SERVER` and `CONNECT_API_KEY` say where."""

import io
import json
import sys
import tarfile

from posit.connect import Client
from posit.connect.errors import ClientError

APP = "from fastapi import FastAPI\napp = FastAPI()\n@app.get('/')\ndef hello():\n    import os\n    return {'colour': os.environ.get('COLOUR')}\n"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(16)


def archive(files):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        for name, text in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(text.encode())
            tar.addfile(info, io.BytesIO(text.encode()))
    return out.getvalue()


def page(text):
    manifest = {"version": 1, "metadata": {"appmode": "static", "primary_html": "index.html"}, "files": None}
    return archive({"manifest.json": json.dumps(manifest), "index.html": text})


def people(client):
    me = client.me
    assert (me["username"], me["user_role"]) == ("admin", "administrator")
    assert client.users.get(me["guid"]) == me
    assert me["guid"] in [user["guid"] for user in client.users.find(prefix="adm")]
    assert client.users.count() >= 2
    assert client.users.find_one(prefix="lena")["user_role"] == "viewer"
    assert me["guid"] == client.users.find_one(user_role="administrator")["guid"]


def groups(client):
    group = client.groups.create(name="Chemists")
    lena = client.users.find_one(prefix="lena")
    assert client.groups.get(group["guid"])["name"] == "Chemists"
    assert client.groups.find_one(prefix="chem")["guid"] == group["guid"]
    assert client.groups.count() >= 1
    group.members.add(lena)
    assert group.members.count() == 1
    assert group.members.find()[0]["guid"] == lena["guid"]
    assert "Chemists" in [each["name"] for each in lena.groups.find()]
    group.members.delete(user_guid=lena["guid"])
    assert group.members.find() == []
    group.delete()


def tags(client, made):
    plant = client.tags.create(name="Plant")
    line = client.tags.create(name="Line 7", parent=plant)
    made.tags.add(line)
    assert [tag["id"] for tag in made.tags.find()] == [line["id"]]
    assert [item["guid"] for item in line.content_items.find()] == [made["guid"]]
    assert line.parent_tag["id"] == plant["id"]
    assert [tag["id"] for tag in plant.descendant_tags.find()] == [line["id"]]
    assert client.content.find(include="tags", name=made["name"])[0]["tags"][0]["name"] == "Line 7"
    line.update(name="Line 8")
    assert client.tags.get(line["id"])["name"] == "Line 8"
    made.tags.delete(line)
    assert made.tags.find() == []
    plant.destroy()
    assert line["id"] not in [tag["id"] for tag in client.tags.find()]


def environments(client):
    python = {"installations": [{"path": sys.executable, "version": sys.version.split()[0]}]}
    made = client.environments.create(title="Chemistry", name="chemistry:1", cluster_name="Local", python=python)
    assert (made["matching"], made["python"]) == ("any", python)
    assert client.environments.find(made["guid"])["title"] == "Chemistry"
    assert client.environments.find_by(name="chemistry:1")["guid"] == made["guid"]
    made.update(title="Chemistry and physics", matching="none")
    assert client.environments.find(made["guid"])["matching"] == "none"
    made.destroy()
    assert client.environments.find_by(name="chemistry:1") is None


def content(client):
    made = client.content.create(title="Viscosity", description="Of batch 12")
    assert client.content.get(made["guid"])["title"] == "Viscosity"
    assert made["guid"] in [item["guid"] for item in client.content.find()]
    assert client.content.find_one(name=made["name"])["guid"] == made["guid"]
    assert client.content.find(include="owner,tags", name=made["name"])[0]["owner"]["username"] == "admin"
    assert client.content.count() == len(client.content.find())
    made.update(title="Density", access_type="logged_in", max_processes=2)
    assert (made["title"], client.content.get(made["guid"])["max_processes"]) == ("Density", 2)
    made.update(max_processes=None)
    assert made["max_processes"] is None
    assert made.owner["username"] == "admin"
    assert made.repository is None
    return made


def bundles(client, made):
    uploaded = page("first")
    first = made.bundles.create(uploaded)
    first.deploy().wait_for()
    second = made.bundles.create(page("second"))
    task = second.deploy()
    task.wait_for()
    assert task.is_finished and not task.error_code, dict(task)
    assert client.tasks.get(task["id"], first=0, wait=0)["output"]
    assert [bundle["id"] for bundle in made.bundles.find()] == [second["id"], first["id"]]
    assert made.bundles.get(second["id"])["active"] is True
    assert made.bundles.active()["id"] == second["id"]
    out = io.BytesIO()
    first.download(out)
    assert out.getvalue() == uploaded
    try:
        second.delete()
        raise AssertionError("the active bundle went")
    except ClientError as error:
        assert error.error_code == 75
    first.delete()
    assert made.bundles.find_one()["id"] == second["id"]
    made.deploy().wait_for()
    assert client.get(f"../content/{made['guid']}/").text == "second"


def variables(made):
    made.environment_variables.update(COLOUR="teal", _B="2")
    made.environment_variables["C"] = "3"
    assert made.environment_variables.find() == ["C", "COLOUR", "_B"]
    made.environment_variables.delete("C")
    assert len(made.environment_variables) == 2
    made.environment_variables.clear()
    assert made.environment_variables.find() == []


def permissions(client, made):
    lena = client.users.find_one(prefix="lena")
    line = made.permissions.create(lena, role="viewer")
    assert made.permissions.count() == 1
    assert made.permissions.get(line["id"])["principal_guid"] == lena["guid"]
    line.update(role="owner")
    assert made.permissions.find_one(principal_guid=lena["guid"])["role"] == "owner"
    made.permissions.destroy(lena)
    assert made.permissions.find() == []


def vanities(client, made):
    assert made.vanity is None
    path = f"/sdk-{made['id']}/"
    made.vanity = path
    assert path in [vanity["path"] for vanity in client.vanities.all()]
    assert client.get(f"..{path}").text == "second"
    other = client.content.create()
    try:
        other.vanity = path
        raise AssertionError("a path led to two places")
    except ClientError as error:
        assert error.http_status == 409
    other.create_vanity(path=path, force=True)
    made.reset_vanity()
    assert made.vanity is None
    del other.vanity
    assert other.vanity is None
    other.delete()


def app(client):
    """One that runs: packages, lockfile, jobs, a restart."""
    made = client.content.create(title="Colours")
    made.environment_variables["COLOUR"] = "teal"
    manifest = {
        "version": 1,
        "metadata": {"appmode": "python-fastapi", "entrypoint": "app:app"},
        "python": {
            "version": sys.version.split()[0],
            "package_manager": {"name": "pip", "package_file": "requirements.txt"},
        },
    }
    files = {"manifest.json": json.dumps(manifest), "app.py": APP, "requirements.txt": "fastapi\n"}
    task = made.bundles.create(archive(files)).deploy()
    assert made.jobs, "there is a job as soon as a deploy was asked for"
    task.wait_for()
    assert not task.error_code, dict(task)
    made = client.content.get(made["guid"])
    assert made.is_interactive and not made.is_rendered
    assert made.packages.find_by(name="fastapi")["language"] == "python"
    assert made["guid"] in [package["app_guid"] for package in client.packages.fetch(name="fastapi")]
    lockfile = made.get_lockfile()
    assert lockfile.python_version == made["py_version"], vars(lockfile)
    assert client.get(f"../content/{made['guid']}/").json() == {"colour": "teal"}
    worker = made.jobs.find_by(tag="run_fastapi_app")
    assert made.jobs.find(worker["key"])["content_guid"] == made["guid"]
    made.restart()
    again = made.jobs.find_by(tag="run_fastapi_app", end_time=None)
    again.destroy()
    made.delete()


def main():
    client = Client()
    assert client.version
    people(client)
    groups(client)
    environments(client)
    made = content(client)
    bundles(client, made)
    variables(made)
    permissions(client, made)
    vanities(client, made)
    tags(client, made)
    app(client)
    assert all(cache["language"] for cache in client.system.caches.runtime.find())
    made.delete()
    try:
        client.content.get(made["guid"])
        raise AssertionError("it is still there")
    except ClientError as error:
        assert (error.http_status, error.error_code) == (404, 4)


main()
