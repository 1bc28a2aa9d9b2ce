"""what runs is found without what ran, and what is never without a worker without the rest."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
ALIVE = sa.text("deleted_at IS NULL")
NEVER_WITHOUT = sa.text("min_processes > 0 AND deleted_at IS NULL")


def upgrade() -> None:
    op.create_index("ix_content_never_without", "content", ["min_processes"],
                    sqlite_where=NEVER_WITHOUT, postgresql_where=NEVER_WITHOUT)  # fmt: skip
    op.create_index("ix_job_ended", "job", ["ended_at", "id"])
    op.create_index("ix_worker_state", "worker", ["state"])
    op.create_index("ix_worker_bundle_id", "worker", ["bundle_id"])
    op.create_index("ix_worker_job_id", "worker", ["job_id"])
    op.create_index("ix_access_request_content_id", "access_request", ["content_id"])
    op.drop_index("ix_user_counted", "user")
    counted = ["active_at", "locked", "is_service_account", "deleted_at"]
    op.create_index("ix_user_counted", "user", counted, sqlite_where=ALIVE, postgresql_where=ALIVE)
