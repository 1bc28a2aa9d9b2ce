"""What somebody does with posit-sdk about integrations and usage: `CONNECT_SERVER` and `CONNECT_API_KEY` are an administrator's."""

from __future__ import annotations

import os
import sys

from posit import connect
from posit.connect.errors import ClientError

GUID, CONTENT = sys.argv[1], sys.argv[2]
client = connect.Client()

config = {
    "authorization_uri": "https://provider.example/auth", "token_uri": "https://provider.example/token", "client_id": "c", "client_secret": "s",
}  # fmt: skip
made = client.oauth.integrations.create(name="By hand", description="of the SDK", template="custom", config=config)
assert made["auth_type"] == "Viewer" and "client_secret" not in made["config"]
made.update(name="Renamed")
assert client.oauth.integrations.get(made["guid"])["name"] == "Renamed"
assert [one["guid"] for one in client.oauth.integrations.find()][-1] == made["guid"]
assert client.oauth.integrations.find_by(name="Renamed")["guid"] == made["guid"]

content = client.content.get(CONTENT)
content.oauth.associations.update([made["guid"], GUID])
assert [one["oauth_integration_guid"] for one in content.oauth.associations.find()] == [made["guid"], GUID]
assert made.associations.find()[0]["content_guid"] == CONTENT
content.oauth.associations.delete()
assert content.oauth.associations.find() == []
made.delete()
assert client.oauth.integrations.find_by(name="Renamed") is None

(session,) = client.oauth.sessions.find(all=True)
assert client.oauth.sessions.get(session["guid"])["oauth_integration_guid"] == GUID
session.delete()
assert client.oauth.sessions.find(all=True) == []

try:
    client.oauth.get_credentials("no token")
except ClientError as error:
    assert error.error_code == 22, error
else:
    raise AssertionError("somebody who is no app got credentials")

visits = client.metrics.usage.find(content_guid=CONTENT)
assert visits and all(visit.content_guid == CONTENT for visit in visits)
assert client.metrics.usage.find(content_guid=CONTENT, start="2099-01-01T00:00:00Z") == []
hits = list(client.metrics.hits.fetch(content_guid=CONTENT))
assert hits and {"id", "user_guid", "content_guid", "timestamp", "data"} <= set(hits[0])
os.write(1, b"all of it worked\n")
