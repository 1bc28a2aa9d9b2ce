"""How the local launcher is set up."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal


@dataclass(frozen=True)
class LocalOptions:
    """``jobs`` is the folder that holds one folder for each job. Sizes in bytes.

    ``sandbox``: ``required`` refuses to start without bubblewrap, ``preferred`` goes on and says so, ``off`` never uses it.
    ``packet_filter`` likewise: nftables rules for the addresses of jobs, which only root can make. ``clients`` are the users,
    besides root and our own, who may connect to jobs. ``readable_paths`` are further folders of the host that every job may
    read.
    """

    jobs: Path
    sandbox: Literal["required", "preferred", "off"] = "preferred"
    packet_filter: Literal["required", "preferred", "off"] = "off"
    clients: tuple[int, ...] = ()
    readable_paths: tuple[Path, ...] = ()
    log_size: int = 10 * 1024 * 1024
    log_files: int = 4
    tmp_size: int = 1024 * 1024 * 1024
