"""The schema as the sum of linear steps: ``versions/0001_….py``, ``0002_….py``. Run by ``db/schema.py``, never by hand."""
