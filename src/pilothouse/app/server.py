"""What the settings of the server itself mean. Imports little: `pilothouse serve` waits for it."""

from __future__ import annotations

import base64
import binascii
import json
import os
import socket
from pathlib import Path
from urllib.parse import urlsplit

from pilothouse.base.ids import new_key
from pilothouse.settings import Loaded, SettingsInvalid

SECRET_BYTES = 32


def bootstrap_secret(loaded: Loaded) -> bytes | None:
    """The decoded secret. Raises `SettingsInvalid` for one that is no base64 or too short."""
    given = loaded.settings.server.bootstrap_secret
    if given is None:
        return None
    try:
        secret = base64.b64decode(given.get_secret_value(), validate=True)
    except (binascii.Error, ValueError):
        raise SettingsInvalid(
            "server.bootstrap_secret is not valid base64. Make one with: openssl rand -base64 32"
        ) from None
    if len(secret) < SECRET_BYTES:
        raise SettingsInvalid(
            f"server.bootstrap_secret is shorter than {SECRET_BYTES} bytes. Make one with: openssl rand -base64 32"
        )
    return secret


def host_names(loaded: Loaded) -> tuple[str, ...]:
    """Host names under which people find the dashboard."""
    server = loaded.settings.server
    public = urlsplit(loaded.public_url).hostname
    stages = [s.host for s in loaded.settings.stages if s.host]
    own = ["localhost", "127.0.0.1", "[::1]", socket.gethostname(), server.host]
    names = [*own, public, *server.hosts, *stages]
    return tuple(dict.fromkeys(n.lower() for n in names if n and n != "0.0.0.0"))  # noqa: S104 - left out, not bound


def installation_id(keys: Path) -> str:
    """The name that tells this installation's cookies from another's on the same host; made once."""
    return _id_kept_in(keys / "installation.json")


def disk_id(home: Path) -> str:
    """The name that tells this server's own disk from that of another server of the installation; made once.

    It stands beside the logs and not in the host's name, which changes with every new container.
    """
    return _id_kept_in(home / "logs" / "disk.json")


def _id_kept_in(file: Path) -> str:
    if not file.exists():
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = file.with_name(f".{new_key()}")
        draft.write_text(json.dumps({"id": new_key(8)}))
        try:
            os.link(draft, file)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return str(json.loads(file.read_text())["id"])
