"""Runs the migrations on the connection that ``db/schema.py`` hands in; one transaction for all of them.

SQLite changes a column by copying its table, and the copy lacks indexes on expressions (``uq_user_username_lower``): such a
migration makes them again. ``tests/migrations`` fails if it does not.
"""

from __future__ import annotations

from alembic import context
from sqlalchemy import text

from pilothouse.db.row import Row

connection = context.config.attributes["connection"]
if connection.dialect.name == "postgresql":
    connection.execute(text("SET LOCAL lock_timeout = '10s'"))
    connection.execute(text("SET LOCAL statement_timeout = '300s'"))
context.configure(
    connection=connection,
    target_metadata=context.config.attributes.get("metadata", Row.metadata),
    render_as_batch=True,
    transactional_ddl=True,
    user_module_prefix="",
)
with context.begin_transaction():
    context.run_migrations()
