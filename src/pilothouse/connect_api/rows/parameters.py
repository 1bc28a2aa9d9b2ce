"""What parameters mean, by name: the routes say which there are, what type they have and their limits."""

from __future__ import annotations

from pilothouse.connect_api.nouns.content import MODE
from pilothouse.connect_api.nouns.words import GUID, ID, MOMENT, Schema, one_of

_GUIDS: Schema = {"type": "string", "pattern": r"^([0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}(\||$))*$"}


def _joined(*words: str, by: str) -> Schema:
    """Some of these words, joined."""
    word = "|".join(words)
    return {"type": "string", "pattern": f"^(({word})({by}({word}))*)?$"}


#: In paths.
PLACES: dict[str, tuple[str, Schema]] = {
    "guid": ("Its GUID", GUID),
    "user_guid": ("The GUID of a user", GUID),
    "permission_guid": ("The GUID of a permission", GUID),
    "bundle_id": ("The number of a bundle", ID),
    "grant_id": ("The number of a permission", ID),
    "tag_id": ("The number of a tag", ID),
    "key_id": ("The number of a key", ID),
    "id": ("Its id", {}),
    "key": ("Its key", {}),
    "language": ("A language", one_of("python", "r", "quarto", "nodejs", "tensorflow")),
    "app_mode": ("A kind of content", MODE),
}
#: In queries.
QUESTIONS: dict[str, tuple[str, Schema]] = {
    "name": ("Only what has exactly this name", {}),
    "owner_guid": ("Only what this user owns", GUID),
    "include": (
        "What to add, joined by commas: owner, tags, vanity_url",
        _joined("owner", "tags", "vanity_url", by=","),
    ),
    "q": ("Words that all have to be found", {}),
    "prefix": ("Only names that begin so", {}),
    "user_role": ("Only these roles, joined by |", _joined("viewer", "publisher", "administrator", by=r"\|")),
    "account_status": ("Only these accounts, joined by |", _joined("locked", "licensed", "inactive", by=r"\|")),
    "asc_order": ("In rising order, or oldest first", {}),
    "ascOrder": ("Oldest first", {}),
    "page_number": ("Which page; they count from 1", {}),
    "page_size": ("Items on a page", {}),
    "limit": ("Items on a page", {}),
    "next": ("The cursor of a page: what follows it", {}),
    "previous": ("The cursor of a page: what comes before it", {}),
    "from": ("Not before this moment", MOMENT),
    "to": ("Not after this moment", MOMENT),
    "content_guid": ("Only of this content; several GUIDs are joined by |", _GUIDS),
    "min_data_version": ("Only records that hold at least the facts of this version", {}),
    "first": ("The first line that you don't have yet", {}),
    "first_status": ("The first line that you don't have yet", {}),
    "wait": ("Seconds to wait for a new line; at most 60", {}),
    "maxLogLines": ("Only so many of the last lines; 0 is all", {}),
    "parent_id": ("Only tags right below this one", ID),
    "all": ("Those of everybody", {}),
    "filter": ("As name:VALUE, several times: name, account_id, content_type, min_role", {}),
    "search": ("Words that all have to be found", {}),
    "count": ("At most so many", {}),
    "start": ("Leave out so many", {}),
    "offset": ("The same as start", {}),
    "app_mode": ("A kind of content", MODE),
    "client_id": ("Which program asks; registering gave it", {}),
    "redirect_uri": ("Where the answer goes", {}),
    "response_type": ("What the answer holds", {}),
    "state": ("Comes back as it was sent", {}),
    "code_challenge": ("The SHA-256 of a secret that redeeming the code needs (PKCE)", {}),
    "code_challenge_method": ("How the challenge was made", {}),
    "resource": ("This server's address", {}),
    "cont": ("The continuation that the part before gave", ID),
}
