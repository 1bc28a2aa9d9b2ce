"""The administration's list of services where content may act."""

from __future__ import annotations

import re

from fastapi import FastAPI
from tests.factories.pages_app import Visitor

PATH = "/_/admin/integrations"
WAREHOUSE = {
    "name": "Warehouse", "auth_type": "Viewer", "token_uri": "https://there.example/token", "client_id": "c",
    "authorization_uri": "https://there.example/auth", "client_secret": "very-s3cret",
}  # fmt: skip


def test_a_service_is_added_listed_and_removed(app: FastAPI, visitor: Visitor) -> None:
    visitor.sign_in("jonas.brandt")
    assert "/__oauth__/integrations/callback" in visitor.get(PATH).text
    page = visitor.post(PATH, data=WAREHOUSE).text
    assert "Owners can choose “Warehouse”" in page and "https://there.example/token" in page
    assert "not used yet" in page and "very-s3cret" not in page
    here = visitor.post(PATH, data={"name": "Here", "auth_type": "Visitor API Key", "max_role": "Viewer"}).text
    assert "acts as its visitor at this server" in here
    first = re.search(rf"{PATH}/[0-9a-f-]+/remove", page)
    assert first is not None
    assert "is gone" in visitor.post(first[0]).text
    assert visitor.post(first[0]).status_code == 404


def test_what_is_wrong_stays_in_the_form_but_no_secret(app: FastAPI, visitor: Visitor) -> None:
    visitor.sign_in("jonas.brandt")
    wrong = visitor.post(PATH, data=WAREHOUSE | {"authorization_uri": ""})
    assert wrong.status_code == 422 and "“authorization_uri” is missing" in wrong.text
    assert 'value="Warehouse"' in wrong.text and "very-s3cret" not in wrong.text
    assert visitor.post(PATH, data={"name": "Odd", "auth_type": "nobody"}).status_code == 422


def test_only_administrators_see_it(app: FastAPI, visitor: Visitor) -> None:
    visitor.sign_in("amara.okoye")
    assert visitor.get(PATH).status_code == visitor.post(PATH, data=WAREHOUSE).status_code == 403
