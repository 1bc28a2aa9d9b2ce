"""Fetching wheels: each is checked against its hash and kept once, by it."""

from __future__ import annotations

import hashlib
import ssl
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import unquote, urlsplit

import httpx

from pilothouse.base.ids import new_key
from pilothouse.runtimes.contract import Artifact, IndexUnreachable, Log, RestoreFailed

PARALLEL = 4
ATTEMPTS = 3
BIG = 5 * 1024 * 1024


class HashMismatch(RestoreFailed):
    """A downloaded file is not the one that was locked. Nothing was installed; resolve again, and tell an administrator."""

    code = "runtimes/hash-mismatch"


def fetch(artifacts: Sequence[Artifact], folder: Path, *, index: str, log: Log) -> list[Path]:
    """The files of ``artifacts``, from ``folder`` or the network. Raises `IndexUnreachable`, `HashMismatch`."""
    missing = [a for a in artifacts if not _path(folder, a).exists()]
    if missing:
        size = sum(a.size_bytes or 0 for a in missing)
        log(f"Downloading {len(missing)} packages ({size / 1024**2:.0f} MB) …")
        with (
            httpx.Client(
                timeout=60, follow_redirects=True, auth=_credentials(index), verify=ssl.create_default_context()
            ) as client,
            ThreadPoolExecutor(PARALLEL) as pool,
        ):
            list(pool.map(lambda artifact: _download(client, artifact, folder, log), missing))
    return [_path(folder, a) for a in artifacts]


def _path(folder: Path, artifact: Artifact) -> Path:
    return folder / artifact.sha256[:2] / artifact.sha256 / artifact.filename


def _download(client: httpx.Client, artifact: Artifact, folder: Path, log: Log) -> None:
    path = _path(folder, artifact)
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{new_key(6)}")
    if artifact.url.startswith("file:"):
        _keep(iter([Path(unquote(urlsplit(artifact.url).path)).read_bytes()]), artifact, draft, path)
        return
    if (artifact.size_bytes or 0) > BIG:
        log(f"  {artifact.name} {artifact.version} ({(artifact.size_bytes or 0) / 1024**2:.0f} MB)")
    for attempt in range(1, ATTEMPTS + 1):
        try:
            with client.stream("GET", artifact.url) as response:
                response.raise_for_status()
                _keep(response.iter_bytes(), artifact, draft, path)
            return
        except httpx.HTTPError as error:
            if attempt == ATTEMPTS:
                raise IndexUnreachable(
                    f"{artifact.filename} could not be downloaded ({type(error).__name__}). Try again."
                ) from None
        finally:
            draft.unlink(missing_ok=True)


def _keep(chunks: object, artifact: Artifact, draft: Path, path: Path) -> None:
    digest = hashlib.sha256()
    with draft.open("xb") as file:
        for chunk in chunks:  # type: ignore[attr-defined]
            digest.update(chunk)
            file.write(chunk)
    if digest.hexdigest() != artifact.sha256:
        draft.unlink()
        raise HashMismatch(
            f"{artifact.filename} is not the file that was locked (its hash differs). Nothing was installed; resolve again."
        )
    draft.rename(path)


def _credentials(index: str) -> tuple[str, str] | None:
    """Basic authentication for the index's own host; the client drops it at a redirect to another one."""
    parts = urlsplit(index)
    return (unquote(parts.username), unquote(parts.password or "")) if parts.username else None
