"""What nouns look like on the wire, as JSON Schema, by the chapters of ``rows``. All keys that are named are always there, and
no other: an answer with one more is as wrong as one without.
"""

from pilothouse.connect_api.nouns import around, content, people, signing_in, unversioned
from pilothouse.connect_api.nouns.words import Schema

#: By the name that `words.noun` refers to.
NOUNS: dict[str, Schema] = {
    **signing_in.NOUNS,
    **people.NOUNS,
    **content.NOUNS,
    **around.NOUNS,
    **unversioned.NOUNS,
}
