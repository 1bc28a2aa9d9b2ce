"""The protocol as an OpenAPI 3.1 document: ``schemas`` says what nouns look like, ``answers`` which row takes and gives what.

Doors read bodies as clients send them, whatever the content type says, so FastAPI can't derive this. A row that is served and
not described is found by a test; fuzzing checks that what is described is true.
"""

from pilothouse.connect_api.described.document import document

__all__ = ["document"]
