"""Fetching wheels: each is checked against its hash and kept once, by it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import unquote, urlsplit

import httpx

from pilothouse.base.ids import new_key
from pilothouse.runtimes.contract import Artifact, IndexUnreachable, Log, RestoreFailed
from pilothouse.runtimes.restorers.upstream import session

PARALLEL = 4
ATTEMPTS = 3
BIG = 5 * 1024 * 1024


class HashMismatch(RestoreFailed):
    """A downloaded file is not the one that was locked. Nothing was installed; resolve again, and tell an administrator."""

    code = "runtimes/hash-mismatch"


def fetch(artifacts: Sequence[Artifact], folder: Path, *, index: str, log: Log) -> list[Path]:
    """The files of ``artifacts``, from ``folder`` or the network. Raises `IndexUnreachable`, `HashMismatch`, `RestoreFailed`."""
    missing = [a for a in artifacts if not path_of(folder, a).exists()]
    if gone := [a.name for a in missing if a.source_sha256]:
        raise RestoreFailed(
            f"{', '.join(gone)} was built on this server and is not there any more. Deploy again to build it again."
        )
    if missing:
        size = sum(a.size_bytes or 0 for a in missing)
        log(f"Downloading {len(missing)} packages ({size / 1024**2:.0f} MB) …")
        with session(index) as client, ThreadPoolExecutor(PARALLEL) as pool:
            list(pool.map(lambda artifact: _download(client, artifact, folder, log), missing))
    return [path_of(folder, a) for a in artifacts]


def path_of(folder: Path, artifact: Artifact) -> Path:
    """Where a wheel is kept."""
    return folder / artifact.sha256[:2] / artifact.sha256 / artifact.filename


def _download(client: httpx.Client, artifact: Artifact, folder: Path, log: Log) -> None:
    path = path_of(folder, artifact)
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
