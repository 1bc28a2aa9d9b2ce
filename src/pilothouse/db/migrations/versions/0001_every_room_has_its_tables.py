"""every room has its tables."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from pilothouse.db import UtcDateTime

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "audit_event",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("at", UtcDateTime(timezone=True), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("actor_id", BIG, nullable=True),
        sa.Column("actor_kind", sa.String(length=20), nullable=False),
        sa.Column("via", sa.String(length=40), nullable=False),
        sa.Column("subject_kind", sa.String(length=20), nullable=False),
        sa.Column("subject_id", BIG, nullable=True),
        sa.Column("stage_id", BIG, nullable=True),
        sa.Column("changes", sa.JSON(none_as_null=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_audit_event"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_audit_event_actor_id", "audit_event", ["actor_id"])
    op.create_index("ix_audit_event_subject", "audit_event", ["subject_kind", "subject_id"])
    op.create_table(
        "epoch",
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_epoch"),
    )
    op.create_table(
        "job",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("key", sa.String(length=24), nullable=False),
        sa.Column("tag", sa.String(length=40), nullable=False),
        sa.Column("stage_id", BIG, nullable=True),
        sa.Column("subject_kind", sa.String(length=20), nullable=False),
        sa.Column("subject_id", BIG, nullable=True),
        sa.Column("bundle_id", BIG, nullable=True),
        sa.Column("cluster", sa.String(length=40), nullable=False),
        sa.Column("node", sa.String(length=255), nullable=False),
        sa.Column("address", sa.String(length=255), nullable=True),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("load_group", sa.String(length=40), nullable=False),
        sa.Column("run_as", sa.String(length=80), nullable=False),
        sa.Column("pid", BIG, nullable=True),
        sa.Column("exit_code", sa.Integer(), nullable=True),
        sa.Column("out_of_memory", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("queued_at", UtcDateTime(timezone=True), nullable=False),
        sa.Column("started_at", UtcDateTime(timezone=True), nullable=True),
        sa.Column("ended_at", UtcDateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_job"),
        sa.UniqueConstraint("key", name="uq_job_key"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_job_state", "job", ["state"])
    op.create_index("ix_job_subject", "job", ["subject_kind", "subject_id"])
    op.create_table(
        "key_use",
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("ref", sa.String(length=24), nullable=False),
        sa.Column("at", UtcDateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("kind", "ref", name="pk_key_use"),
    )
    op.create_table(
        "lock",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("requirements_digest", sa.String(length=64), nullable=False),
        sa.Column("library_key", sa.String(length=64), nullable=False),
        sa.Column("language", sa.String(length=12), nullable=False),
        sa.Column("runtime_version", sa.String(length=40), nullable=False),
        sa.Column("document", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("created_at", UtcDateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_lock"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_lock_library_key", "lock", ["library_key"])
    op.create_index("ix_lock_requirements_digest", "lock", ["requirements_digest"])
    op.create_table(
        "log_offset",
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("offset", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_log_offset"),
    )
    op.create_table(
        "login_failure",
        sa.Column("bucket", sa.String(length=80), nullable=False),
        sa.Column("count", BIG, nullable=False),
        sa.Column("until", UtcDateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("bucket", name="pk_login_failure"),
    )
    op.create_table(
        "recurrence",
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("next_at", UtcDateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_recurrence"),
    )
    op.create_table(
        "stage",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("key", sa.String(length=32), nullable=False),
        sa.Column("title", sa.String(length=80), nullable=False),
        sa.Column("path", sa.String(length=80), nullable=False),
        sa.Column("host", sa.String(length=255), nullable=True),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("created_at", UtcDateTime(timezone=True), nullable=False),
        sa.Column("retired_at", UtcDateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_stage"),
        sa.UniqueConstraint("key", name="uq_stage_key"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "task",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("key", sa.String(length=24), nullable=False),
        sa.Column("kind", sa.String(length=60), nullable=False),
        sa.Column("queue", sa.String(length=40), nullable=False),
        sa.Column("args", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("run_at", UtcDateTime(timezone=True), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("losses", sa.Integer(), nullable=False),
        sa.Column("replica", sa.String(length=40), nullable=True),
        sa.Column("lease_until", UtcDateTime(timezone=True), nullable=True),
        sa.Column("cancel_asked", sa.Boolean(), nullable=False),
        sa.Column("unique_key", sa.String(length=120), nullable=True),
        sa.Column("actor_id", BIG, nullable=True),
        sa.Column("subject_kind", sa.String(length=20), nullable=False),
        sa.Column("subject_id", BIG, nullable=True),
        sa.Column("result", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("code", sa.Integer(), nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column("created_at", UtcDateTime(timezone=True), nullable=False),
        sa.Column("started_at", UtcDateTime(timezone=True), nullable=True),
        sa.Column("ended_at", UtcDateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_task"),
        sa.UniqueConstraint("key", name="uq_task_key"),
        sa.UniqueConstraint("unique_key", name="uq_task_unique_key"),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "ix_task_ready",
        "task",
        ["queue", "priority", "run_at"],
        sqlite_where=sa.text("state = 'queued'"),
        postgresql_where=sa.text("state = 'queued'"),
    )
    op.create_index(
        "ix_task_running",
        "task",
        ["lease_until"],
        sqlite_where=sa.text("state = 'running'"),
        postgresql_where=sa.text("state = 'running'"),
    )
    op.create_index("ix_task_subject", "task", ["subject_kind", "subject_id"])
    op.create_table(
        "usage_event",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("stream", sa.String(length=40), nullable=False),
        sa.Column("subject_kind", sa.String(length=20), nullable=False),
        sa.Column("subject_id", BIG, nullable=False),
        sa.Column("stage_id", BIG, nullable=True),
        sa.Column("principal_id", BIG, nullable=True),
        sa.Column("job_key", sa.String(length=24), nullable=True),
        sa.Column("bundle_id", BIG, nullable=True),
        sa.Column("path", sa.String(length=1000), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("user_agent", sa.String(length=400), nullable=False),
        sa.Column("started_at", UtcDateTime(timezone=True), nullable=False),
        sa.Column("ended_at", UtcDateTime(timezone=True), nullable=True),
        sa.Column("duration_ms", BIG, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_usage_event"),
        sa.UniqueConstraint("stream", name="uq_usage_event_stream"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_usage_event_subject", "usage_event", ["subject_kind", "subject_id", "started_at"])
    op.create_table(
        "user",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("guid", sa.String(length=36), nullable=False),
        sa.Column("username", sa.String(length=255), nullable=False),
        sa.Column("email", sa.String(length=320), nullable=False),
        sa.Column("first_name", sa.String(length=255), nullable=False),
        sa.Column("last_name", sa.String(length=255), nullable=False),
        sa.Column("role", sa.String(length=20), nullable=False),
        sa.Column("is_service_account", sa.Boolean(), nullable=False),
        sa.Column("confirmed", sa.Boolean(), nullable=False),
        sa.Column("locked", sa.Boolean(), nullable=False),
        sa.Column("provider", sa.String(length=40), nullable=False),
        sa.Column("external_id", sa.String(length=255), nullable=True),
        sa.Column("password_hash", sa.String(length=255), nullable=True),
        sa.Column("must_set_password", sa.Boolean(), nullable=False),
        sa.Column("department", sa.String(length=255), nullable=True),
        sa.Column("site", sa.String(length=255), nullable=True),
        sa.Column("title", sa.String(length=255), nullable=True),
        sa.Column("locale", sa.String(length=35), nullable=True),
        sa.Column("timezone", sa.String(length=64), nullable=True),
        sa.Column("created_at", UtcDateTime(timezone=True), nullable=False),
        sa.Column("updated_at", UtcDateTime(timezone=True), nullable=False),
        sa.Column("active_at", UtcDateTime(timezone=True), nullable=True),
        sa.Column("deleted_at", UtcDateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_user"),
        sa.UniqueConstraint("guid", name="uq_user_guid"),
        sqlite_autoincrement=True,
    )
    op.create_index("uq_user_username_lower", "user", [sa.literal_column("lower(username)")], unique=True)
    op.create_table(
        "api_key",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("user_id", BIG, nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("prefix", sa.String(length=12), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("role_cap", sa.String(length=20), nullable=True),
        sa.Column("bound_kind", sa.String(length=20), nullable=True),
        sa.Column("bound_id", BIG, nullable=True),
        sa.Column("job_id", BIG, nullable=True),
        sa.Column("stage_id", BIG, nullable=True),
        sa.Column("created_at", UtcDateTime(timezone=True), nullable=False),
        sa.Column("expires_at", UtcDateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", UtcDateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["user.id"], name="fk_api_key_user_id"),
        sa.PrimaryKeyConstraint("id", name="pk_api_key"),
        sa.UniqueConstraint("digest", name="uq_api_key_digest"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_api_key_job_id", "api_key", ["job_id"])
    op.create_index("ix_api_key_user_id", "api_key", ["user_id"])
    op.create_table(
        "audit_seal",
        sa.Column("number", BIG, autoincrement=True, nullable=False),
        sa.Column("event_id", BIG, nullable=False),
        sa.Column("mac", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["event_id"], ["audit_event.id"], name="fk_audit_seal_event_id"),
        sa.PrimaryKeyConstraint("number", name="pk_audit_seal"),
        sa.UniqueConstraint("event_id", name="uq_audit_seal_event_id"),
    )
    op.create_table(
        "content",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("guid", sa.String(length=36), nullable=False),
        sa.Column("stage_id", BIG, nullable=False),
        sa.Column("lineage_id", sa.String(length=36), nullable=False),
        sa.Column("owner_id", BIG, nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("title", sa.String(length=1024), nullable=True),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("category", sa.String(length=40), nullable=False),
        sa.Column("access_type", sa.String(length=12), nullable=False),
        sa.Column("app_mode", sa.String(length=40), nullable=False),
        sa.Column("parameterized", sa.Boolean(), nullable=False),
        sa.Column("bundle_id", BIG, nullable=True),
        sa.Column("locked", sa.Boolean(), nullable=False),
        sa.Column("locked_message", sa.Text(), nullable=False),
        sa.Column("idle", sa.String(length=8), nullable=True),
        sa.Column("connection_timeout", sa.Integer(), nullable=True),
        sa.Column("read_timeout", sa.Integer(), nullable=True),
        sa.Column("init_timeout", sa.Integer(), nullable=True),
        sa.Column("idle_timeout", sa.Integer(), nullable=True),
        sa.Column("max_processes", sa.Integer(), nullable=True),
        sa.Column("min_processes", sa.Integer(), nullable=True),
        sa.Column("max_conns_per_process", sa.Integer(), nullable=True),
        sa.Column("load_factor", sa.Float(), nullable=True),
        sa.Column("load_group", sa.String(length=40), nullable=True),
        sa.Column("cpu_request", sa.Float(), nullable=True),
        sa.Column("cpu_limit", sa.Float(), nullable=True),
        sa.Column("memory_request", BIG, nullable=True),
        sa.Column("memory_limit", BIG, nullable=True),
        sa.Column("amd_gpu_limit", sa.Integer(), nullable=True),
        sa.Column("nvidia_gpu_limit", sa.Integer(), nullable=True),
        sa.Column("run_as", sa.String(length=80), nullable=True),
        sa.Column("run_as_current_user", sa.Boolean(), nullable=False),
        sa.Column("service_account_name", sa.String(length=255), nullable=True),
        sa.Column("default_image_name", sa.String(length=255), nullable=True),
        sa.Column("default_environment_guid", sa.String(length=36), nullable=True),
        sa.Column("default_r_environment_management", sa.Boolean(), nullable=True),
        sa.Column("default_py_environment_management", sa.Boolean(), nullable=True),
        sa.Column("r_version", sa.String(length=20), nullable=True),
        sa.Column("py_version", sa.String(length=20), nullable=True),
        sa.Column("quarto_version", sa.String(length=20), nullable=True),
        sa.Column("node_version", sa.String(length=20), nullable=True),
        sa.Column("created_at", UtcDateTime(timezone=True), nullable=False),
        sa.Column("last_deployed_at", UtcDateTime(timezone=True), nullable=False),
        sa.Column("deleted_at", UtcDateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["owner_id"], ["user.id"], name="fk_content_owner_id"),
        sa.ForeignKeyConstraint(["stage_id"], ["stage.id"], name="fk_content_stage_id"),
        sa.PrimaryKeyConstraint("id", name="pk_content"),
        sa.UniqueConstraint("guid", name="uq_content_guid"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_content_lineage_id", "content", ["lineage_id"])
    op.create_index("ix_content_owner_id", "content", ["owner_id"])
    op.create_index("ix_content_stage_deployed", "content", ["stage_id", "last_deployed_at", "id"])
    op.create_index(
        "uq_content_name",
        "content",
        ["stage_id", "owner_id", "name"],
        unique=True,
        sqlite_where=sa.text("deleted_at IS NULL"),
        postgresql_where=sa.text("deleted_at IS NULL"),
    )
    op.create_table(
        "group",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("guid", sa.String(length=36), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("owner_id", BIG, nullable=True),
        sa.Column("gid", BIG, nullable=True),
        sa.Column("external_id", sa.String(length=255), nullable=True),
        sa.Column("created_at", UtcDateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["owner_id"], ["user.id"], name="fk_group_owner_id"),
        sa.PrimaryKeyConstraint("id", name="pk_group"),
        sa.UniqueConstraint("guid", name="uq_group_guid"),
        sqlite_autoincrement=True,
    )
    op.create_index("uq_group_name_lower", "group", [sa.literal_column("lower(name)")], unique=True)
    op.create_table(
        "login",
        sa.Column("id", sa.String(length=24), nullable=False),
        sa.Column("secret_digest", sa.String(length=64), nullable=False),
        sa.Column("user_id", BIG, nullable=False),
        sa.Column("provider", sa.String(length=40), nullable=False),
        sa.Column("address", sa.String(length=64), nullable=False),
        sa.Column("user_agent", sa.String(length=400), nullable=False),
        sa.Column("created_at", UtcDateTime(timezone=True), nullable=False),
        sa.Column("expires_at", UtcDateTime(timezone=True), nullable=False),
        sa.Column("ended_at", UtcDateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["user.id"], name="fk_login_user_id"),
        sa.PrimaryKeyConstraint("id", name="pk_login"),
    )
    op.create_index("ix_login_user_id", "login", ["user_id"])
    op.create_table(
        "task_line",
        sa.Column("task_id", BIG, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("at", UtcDateTime(timezone=True), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["task_id"], ["task.id"], name="fk_task_line_task_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("task_id", "number", name="pk_task_line"),
    )
    op.create_table(
        "task_step",
        sa.Column("task_id", BIG, nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("result", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("at", UtcDateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["task_id"], ["task.id"], name="fk_task_step_task_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("task_id", "name", name="pk_task_step"),
    )
    op.create_table(
        "access",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("content_id", BIG, nullable=False),
        sa.Column("user_id", BIG, nullable=True),
        sa.Column("group_id", BIG, nullable=True),
        sa.Column("share", sa.String(length=12), nullable=False),
        sa.ForeignKeyConstraint(["content_id"], ["content.id"], name="fk_access_content_id", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["group_id"], ["group.id"], name="fk_access_group_id", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["user_id"], ["user.id"], name="fk_access_user_id"),
        sa.PrimaryKeyConstraint("id", name="pk_access"),
        sa.UniqueConstraint("content_id", "group_id", name="uq_access_content_id_group_id"),
        sa.UniqueConstraint("content_id", "user_id", name="uq_access_content_id_user_id"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_access_group_id", "access", ["group_id"])
    op.create_index("ix_access_user_id", "access", ["user_id"])
    op.create_table(
        "bundle",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("content_id", BIG, nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("size_bytes", BIG, nullable=False),
        sa.Column("archive_md5", sa.String(length=32), nullable=False),
        sa.Column("archive_sha1", sa.String(length=40), nullable=False),
        sa.Column("created_by_id", BIG, nullable=True),
        sa.Column("manifest", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("app_mode", sa.String(length=40), nullable=True),
        sa.Column("entrypoint", sa.String(length=255), nullable=True),
        sa.Column("py_version", sa.String(length=20), nullable=True),
        sa.Column("r_version", sa.String(length=20), nullable=True),
        sa.Column("quarto_version", sa.String(length=20), nullable=True),
        sa.Column("library_key", sa.String(length=64), nullable=True),
        sa.Column("source", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("created_at", UtcDateTime(timezone=True), nullable=False),
        sa.Column("deleted_at", UtcDateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["content_id"], ["content.id"], name="fk_bundle_content_id"),
        sa.PrimaryKeyConstraint("id", name="pk_bundle"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_bundle_content_id", "bundle", ["content_id"])
    op.create_index("ix_bundle_digest", "bundle", ["digest"])
    op.create_table(
        "membership",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("group_id", BIG, nullable=False),
        sa.Column("user_id", BIG, nullable=False),
        sa.ForeignKeyConstraint(["group_id"], ["group.id"], name="fk_membership_group_id", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["user_id"], ["user.id"], name="fk_membership_user_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_membership"),
        sa.UniqueConstraint("group_id", "user_id", name="uq_membership_group_id_user_id"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_membership_user_id", "membership", ["user_id"])
    op.create_table(
        "variable",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("content_id", BIG, nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("updated_at", UtcDateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["content_id"], ["content.id"], name="fk_variable_content_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_variable"),
        sa.UniqueConstraint("content_id", "name", name="uq_variable_content_id_name"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "deployment",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("content_id", BIG, nullable=False),
        sa.Column("bundle_id", BIG, nullable=False),
        sa.Column("release_id", BIG, nullable=True),
        sa.Column("task_id", BIG, nullable=True),
        sa.Column("actor_id", BIG, nullable=True),
        sa.Column("activated_at", UtcDateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["bundle_id"], ["bundle.id"], name="fk_deployment_bundle_id"),
        sa.ForeignKeyConstraint(["content_id"], ["content.id"], name="fk_deployment_content_id"),
        sa.PrimaryKeyConstraint("id", name="pk_deployment"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_deployment_content_id", "deployment", ["content_id"])
    op.create_table(
        "worker",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("content_id", BIG, nullable=False),
        sa.Column("bundle_id", BIG, nullable=False),
        sa.Column("slot", sa.Integer(), nullable=False),
        sa.Column("job_id", BIG, nullable=True),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("address", sa.String(length=255), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("created_at", UtcDateTime(timezone=True), nullable=False),
        sa.Column("ready_at", UtcDateTime(timezone=True), nullable=True),
        sa.Column("last_used_at", UtcDateTime(timezone=True), nullable=True),
        sa.Column("frozen_at", UtcDateTime(timezone=True), nullable=True),
        sa.Column("ended_at", UtcDateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["bundle_id"], ["bundle.id"], name="fk_worker_bundle_id"),
        sa.ForeignKeyConstraint(["content_id"], ["content.id"], name="fk_worker_content_id"),
        sa.ForeignKeyConstraint(["job_id"], ["job.id"], name="fk_worker_job_id"),
        sa.PrimaryKeyConstraint("id", name="pk_worker"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_worker_content_id", "worker", ["content_id"])
    op.create_index(
        "uq_worker_live",
        "worker",
        ["bundle_id", "slot"],
        unique=True,
        sqlite_where=sa.text("state IN ('starting', 'ready', 'frozen')"),
        postgresql_where=sa.text("state IN ('starting', 'ready', 'frozen')"),
    )
