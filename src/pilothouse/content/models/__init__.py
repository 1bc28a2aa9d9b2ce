"""Content, its bundles and deployments, variables, access list and workers."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar

from sqlalchemy import (
    Boolean,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Text,
    UniqueConstraint,
    false,
    func,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from pilothouse.base.access import OpenTo
from pilothouse.content.models.collaboration import (
    AccessRequest,
    Endorsement,
    HandOver,
    Letters,
    RequestState,
    Steward,
    Thread,
    ThreadKind,
    ThreadMessage,
    ThreadState,
)
from pilothouse.db import Id, Row, only_where, stamped

__all__ = [
    "KEPT", "VANITY_LIMIT", "VERSION_COLUMNS", "Access", "AccessRequest", "Bundle", "Content", "ContentTag", "Deployment",
    "Endorsement", "Favourite", "HandOver", "Letters", "Lock", "RequestState", "Steward", "Tag", "Thread", "ThreadKind",
    "ThreadMessage", "ThreadState", "Thumbnail", "Vanity", "Variable", "Worker", "WorkerSample", "WorkerState",
]  # fmt: skip
KEPT: Any = {"sqlite_autoincrement": True}
VANITY_LIMIT = 255
#: Where a bundle keeps the version of a language that was chosen for it.
VERSION_COLUMNS = {"python": "py_version", "nodejs": "node_version"}


class WorkerState(StrEnum):
    """Where a worker is. ``STARTING`` and ``DRAINING`` are transitional."""

    STARTING = "starting"
    READY = "ready"
    FROZEN = "frozen"
    DRAINING = "draining"
    ENDED = "ended"
    FAILED = "failed"


class Content(Row):
    """One published thing in one stage. Fields without a value follow the stage's defaults. Deleted rows stay as tombstones.

    Siblings across stages share ``lineage_id``. ``bundle_id`` is the active bundle. Timeouts are in seconds, cpu in cores,
    memory in bytes; ``idle`` is ``freeze | stop | keep``. Without a ``department`` of its own it counts as its owner's.
    """

    __tablename__ = "content"
    topic: ClassVar[str] = "content"
    topic_key: ClassVar[str] = "id"
    id: Mapped[Id]
    guid: Mapped[str] = mapped_column(String(36), unique=True)
    stage_id: Mapped[int] = mapped_column(ForeignKey("stage.id"))
    lineage_id: Mapped[str] = mapped_column(String(36), index=True)
    owner_id: Mapped[int] = mapped_column(ForeignKey("user.id"), index=True)
    name: Mapped[str] = mapped_column(String(64))
    title: Mapped[str | None] = mapped_column(String(1024))
    description: Mapped[str] = mapped_column(Text, default="")
    category: Mapped[str] = mapped_column(String(40), default="")
    department: Mapped[str | None] = mapped_column(String(255))
    featured: Mapped[bool] = mapped_column(Boolean, default=False, server_default=false())
    access_type: Mapped[str] = mapped_column(String(12), default=OpenTo.ACL.value)
    app_mode: Mapped[str] = mapped_column(String(40), default="unknown")
    parameterized: Mapped[bool] = mapped_column(Boolean, default=False)
    bundle_id: Mapped[int | None]
    locked: Mapped[bool] = mapped_column(Boolean, default=False)
    locked_message: Mapped[str] = mapped_column(Text, default="")
    idle: Mapped[str | None] = mapped_column(String(8))
    connection_timeout: Mapped[int | None] = mapped_column(Integer)
    read_timeout: Mapped[int | None] = mapped_column(Integer)
    init_timeout: Mapped[int | None] = mapped_column(Integer)
    idle_timeout: Mapped[int | None] = mapped_column(Integer)
    max_processes: Mapped[int | None] = mapped_column(Integer)
    min_processes: Mapped[int | None] = mapped_column(Integer)
    max_conns_per_process: Mapped[int | None] = mapped_column(Integer)
    requests_per_minute: Mapped[int | None] = mapped_column(Integer)
    load_factor: Mapped[float | None] = mapped_column(Float)
    load_group: Mapped[str | None] = mapped_column(String(40))
    cpu_request: Mapped[float | None] = mapped_column(Float)
    cpu_limit: Mapped[float | None] = mapped_column(Float)
    memory_request: Mapped[int | None]
    memory_limit: Mapped[int | None]
    amd_gpu_limit: Mapped[int | None] = mapped_column(Integer)
    nvidia_gpu_limit: Mapped[int | None] = mapped_column(Integer)
    run_as: Mapped[str | None] = mapped_column(String(80))
    run_as_current_user: Mapped[bool] = mapped_column(Boolean, default=False)
    service_account_name: Mapped[str | None] = mapped_column(String(255))
    default_image_name: Mapped[str | None] = mapped_column(String(255))
    default_environment_guid: Mapped[str | None] = mapped_column(String(36))
    default_r_environment_management: Mapped[bool | None] = mapped_column(Boolean)
    default_py_environment_management: Mapped[bool | None] = mapped_column(Boolean)
    r_version: Mapped[str | None] = mapped_column(String(20))
    py_version: Mapped[str | None] = mapped_column(String(20))
    quarto_version: Mapped[str | None] = mapped_column(String(20))
    node_version: Mapped[str | None] = mapped_column(String(20))
    created_at: Mapped[datetime] = stamped()
    last_deployed_at: Mapped[datetime] = stamped()
    deleted_at: Mapped[datetime | None]
    __table_args__ = (
        Index(
            "uq_content_name",
            "stage_id",
            "owner_id",
            "name",
            unique=True,
            **only_where("deleted_at IS NULL"),
        ),
        Index(
            "ix_content_listed",  # all that a list looks at before it knows which rows it shows
            "stage_id",
            "last_deployed_at",
            "id",
            "access_type",
            "owner_id",
            "category",
            "deleted_at",
            **only_where("deleted_at IS NULL"),
        ),
        Index("ix_content_stage_name", "stage_id", "name"),
        Index(
            "ix_content_never_without",  # of which workers are wanted also while nobody comes
            "min_processes",
            **only_where("min_processes > 0 AND deleted_at IS NULL"),
        ),
        Index(
            "ix_content_featured",  # a handful, which every home page shows
            "stage_id",
            "last_deployed_at",
            "id",
            sqlite_where=text("featured IS 1 AND deleted_at IS NULL"),
            postgresql_where=text("featured IS true AND deleted_at IS NULL"),
        ),
        KEPT,
    )


class Tag(Row):
    """A word that content is found by, for the whole installation, in a tree. What stands at its top is a category: it holds
    tags and is on no content itself. Siblings differ without regard to case.
    """

    __tablename__ = "tag"
    id: Mapped[Id]
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("tag.id", ondelete="CASCADE"), index=True)
    name: Mapped[str] = mapped_column(String(60))
    created_at: Mapped[datetime] = stamped()
    updated_at: Mapped[datetime] = stamped()
    __table_args__ = (Index("uq_tag_sibling", func.coalesce(parent_id, 0), func.lower(name), unique=True), KEPT)


class ContentTag(Row):
    """One tag on one content. Content that has a tag has all tags above it, but not the category."""

    __tablename__ = "content_tag"
    content_id: Mapped[int] = mapped_column(ForeignKey("content.id", ondelete="CASCADE"), primary_key=True)
    tag_id: Mapped[int] = mapped_column(ForeignKey("tag.id", ondelete="CASCADE"), primary_key=True, index=True)
    __table_args__ = ()


class Image(Row):
    """A container image that content may ask for (the wire's *environment*): stored and shared here, used where a cluster runs images.

    ``document`` holds what is only handed out again: languages, mounts, who manages it. ``matching`` is ``any | exact | none``.
    """

    __tablename__ = "image"
    id: Mapped[Id]
    guid: Mapped[str] = mapped_column(String(36), unique=True)
    title: Mapped[str] = mapped_column(String(1024))
    description: Mapped[str] = mapped_column(Text, default="")
    cluster_name: Mapped[str] = mapped_column(String(255), default="")
    name: Mapped[str] = mapped_column(String(1024))
    kind: Mapped[str] = mapped_column(String(255), default="")
    matching: Mapped[str] = mapped_column(String(8), default="any")
    supervisor: Mapped[str | None] = mapped_column(String(1024))
    document: Mapped[dict[str, Any]]
    created_at: Mapped[datetime] = stamped()
    updated_at: Mapped[datetime] = stamped()
    __table_args__ = (Index("uq_image_name", "cluster_name", "name", unique=True), KEPT)


class ImageAccess(Row):
    """A user or group that may use an image. An image without any is for everybody."""

    __tablename__ = "image_access"
    id: Mapped[Id]
    guid: Mapped[str] = mapped_column(String(36), unique=True)
    image_id: Mapped[int] = mapped_column(ForeignKey("image.id", ondelete="CASCADE"))
    user_id: Mapped[int | None] = mapped_column(ForeignKey("user.id", ondelete="CASCADE"), index=True)
    group_id: Mapped[int | None] = mapped_column(ForeignKey("group.id", ondelete="CASCADE"), index=True)
    created_at: Mapped[datetime] = stamped()
    __table_args__ = (UniqueConstraint("image_id", "user_id"), UniqueConstraint("image_id", "group_id"), KEPT)


class Favourite(Row):
    """One person keeps one content at hand."""

    __tablename__ = "favourite"
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id", ondelete="CASCADE"), primary_key=True)
    content_id: Mapped[int] = mapped_column(ForeignKey("content.id", ondelete="CASCADE"), primary_key=True, index=True)
    created_at: Mapped[datetime] = stamped()
    __table_args__ = ()


class Thumbnail(Row):
    """The small picture that somebody chose for content; ``digest`` is the SHA-256 of ``image``, lower-case hex.

    It is small and read with its row, so it lives here and not among the blobs.
    """

    __tablename__ = "thumbnail"
    content_id: Mapped[int] = mapped_column(ForeignKey("content.id", ondelete="CASCADE"), primary_key=True)
    digest: Mapped[str] = mapped_column(String(64))
    media_type: Mapped[str] = mapped_column(String(40))
    image: Mapped[bytes] = mapped_column(LargeBinary)
    __table_args__ = ()


class Bundle(Row):
    """An uploaded archive: a numbered row; its bytes are the blob ``digest`` (SHA-256, lower-case hex)."""

    __tablename__ = "bundle"
    topic: ClassVar[str] = "content"
    topic_key: ClassVar[str] = "content_id"
    id: Mapped[Id]
    content_id: Mapped[int] = mapped_column(ForeignKey("content.id"), index=True)
    digest: Mapped[str] = mapped_column(String(64), index=True)
    size_bytes: Mapped[int]
    archive_md5: Mapped[str] = mapped_column(String(32))
    archive_sha1: Mapped[str] = mapped_column(String(40))
    created_by_id: Mapped[int | None]
    manifest: Mapped[dict[str, Any] | None]
    app_mode: Mapped[str | None] = mapped_column(String(40))
    entrypoint: Mapped[str | None] = mapped_column(String(255))
    py_version: Mapped[str | None] = mapped_column(String(20))
    r_version: Mapped[str | None] = mapped_column(String(20))
    quarto_version: Mapped[str | None] = mapped_column(String(20))
    node_version: Mapped[str | None] = mapped_column(String(20))
    library_key: Mapped[str | None] = mapped_column(String(64))
    source: Mapped[dict[str, Any] | None]
    state: Mapped[str] = mapped_column(String(12), default="uploaded")
    created_at: Mapped[datetime] = stamped()
    deleted_at: Mapped[datetime | None]
    __table_args__ = (
        Index(
            "ix_bundle_counted",  # how many there are, and how many bytes
            "digest",
            "size_bytes",
            "deleted_at",
            **only_where("deleted_at IS NULL"),
        ),
        KEPT,
    )


class Deployment(Row):
    """One bundle became the active one (a roll-back is a deployment as well)."""

    __tablename__ = "deployment"
    id: Mapped[Id]
    content_id: Mapped[int] = mapped_column(ForeignKey("content.id"), index=True)
    bundle_id: Mapped[int] = mapped_column(ForeignKey("bundle.id"))
    release_id: Mapped[int | None]
    task_id: Mapped[int | None]
    actor_id: Mapped[int | None]
    activated_at: Mapped[datetime] = stamped()


class Lock(Row):
    """The exact artifacts that satisfy one set of requirements; kept, so that the same requirements give the same packages.

    ``requirements_digest`` covers the requirements text, the interpreter build and the index; ``document`` is the
    ``runtimes`` lock; ``library_key`` names the folder restored from it.
    """

    __tablename__ = "lock"
    id: Mapped[Id]
    requirements_digest: Mapped[str] = mapped_column(String(64), index=True)
    library_key: Mapped[str] = mapped_column(String(64), index=True)
    language: Mapped[str] = mapped_column(String(12), default="python")
    runtime_version: Mapped[str] = mapped_column(String(40))
    document: Mapped[dict[str, Any]]
    created_at: Mapped[datetime] = stamped()


class Variable(Row):
    """One variable of content. Values are sealed; nobody reads them back."""

    __tablename__ = "variable"
    topic: ClassVar[str] = "content"
    topic_key: ClassVar[str] = "content_id"
    id: Mapped[Id]
    content_id: Mapped[int] = mapped_column(ForeignKey("content.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(String(255))
    sealed: Mapped[bytes] = mapped_column(LargeBinary)
    updated_at: Mapped[datetime] = stamped()
    __table_args__ = (UniqueConstraint("content_id", "name"), KEPT)


class Access(Row):
    """One line of a content's access list: a user or a group, as editor (the wire says owner) or viewer."""

    __tablename__ = "access"
    topic: ClassVar[str] = "content"
    topic_key: ClassVar[str] = "content_id"
    id: Mapped[Id]
    content_id: Mapped[int] = mapped_column(ForeignKey("content.id", ondelete="CASCADE"))
    user_id: Mapped[int | None] = mapped_column(ForeignKey("user.id"), index=True)
    group_id: Mapped[int | None] = mapped_column(ForeignKey("group.id", ondelete="CASCADE"), index=True)
    share: Mapped[str] = mapped_column(String(12))
    __table_args__ = (UniqueConstraint("content_id", "user_id"), UniqueConstraint("content_id", "group_id"), KEPT)


class Vanity(Row):
    """A path of its own for one content, below its stage: begins and ends in ``/``. None of a stage's paths lies below another."""

    __tablename__ = "vanity"
    topic: ClassVar[str] = "vanity"
    id: Mapped[Id]
    content_id: Mapped[int] = mapped_column(ForeignKey("content.id", ondelete="CASCADE"), unique=True)
    stage_id: Mapped[int] = mapped_column(ForeignKey("stage.id"))
    path: Mapped[str] = mapped_column(String(VANITY_LIMIT))
    created_at: Mapped[datetime] = stamped()
    __table_args__ = (UniqueConstraint("stage_id", "path"), KEPT)


class Worker(Row):
    """One running copy of a bundle: the job behind it, its address, and how it stands.

    ``slot`` numbers the workers of one bundle; the unique index on live rows makes waking idempotent: of a hundred
    requests for a sleeping app one inserts the row.
    """

    __tablename__ = "worker"
    topic: ClassVar[str] = "workers"
    topic_key: ClassVar[str] = "bundle_id"
    id: Mapped[Id]
    content_id: Mapped[int] = mapped_column(ForeignKey("content.id"), index=True)
    bundle_id: Mapped[int] = mapped_column(ForeignKey("bundle.id"), index=True)
    slot: Mapped[int] = mapped_column(Integer, default=0)
    job_id: Mapped[int | None] = mapped_column(ForeignKey("job.id"), index=True)
    state: Mapped[str] = mapped_column(String(12), default=WorkerState.STARTING.value, index=True)
    address: Mapped[str | None] = mapped_column(String(255))
    reason: Mapped[str] = mapped_column(Text, default="")
    created_at: Mapped[datetime] = stamped()
    ready_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]
    frozen_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    __table_args__ = (
        Index(
            "uq_worker_live",
            "bundle_id",
            "slot",
            unique=True,
            **only_where("state IN ('starting', 'ready', 'frozen')"),
        ),
        KEPT,
    )


class WorkerSample(Row):
    """What one worker used around ``at``: cores on average since the sample before, and memory in bytes.

    Frozen workers are not sampled: they use no processor.
    """

    __tablename__ = "worker_sample"
    id: Mapped[Id]
    content_id: Mapped[int] = mapped_column(ForeignKey("content.id", ondelete="CASCADE"))
    slot: Mapped[int] = mapped_column(Integer)
    at: Mapped[datetime]
    cores: Mapped[float] = mapped_column(Float)
    memory: Mapped[int]
    __table_args__ = (
        Index("ix_worker_sample_content", "content_id", "at"),
        Index("ix_worker_sample_at", "at"),
    )
