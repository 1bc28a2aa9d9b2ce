"""Packages without a wheel: resolved and built in a sandbox that reaches the index only; nothing but wheels leaves it (SECURITY 17).

A source distribution runs its author's code already when its metadata is asked for. So the resolver runs in the sandbox as
well, and what it says is taken as the word of a stranger: addresses and hashes come from the index, not from its answer.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import tomllib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from packaging.tags import Tag
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename

from pilothouse.base.ids import new_key
from pilothouse.runtimes.contract import Artifact, BuildFailed, Log, ResolutionFailed, Runtime, Sandbox, Step
from pilothouse.runtimes.restorers import choice, relay, wheels

CHILD = Path(__file__).with_name("sandbox_child.py")
HERE, UV = "/build", "/pilothouse/uv"
LOCK = "pylock.toml"
LOCK_LIMIT, WHEEL_LIMIT = 16 * 1024 * 1024, 2 * 1024 * 1024 * 1024
OPTIONS = ("--no-config", "--default-index", "{index}", "--cache-dir", f"{HERE}/cache")


@dataclass(frozen=True)
class Workshop:
    """What building needs. ``kept`` is the folder of wheels, ``uv`` the installer's binary; ``timeout_s`` ends a step."""

    index: str
    uv: str
    kept: Path
    runtime: Runtime
    sandbox: Sandbox
    log: Log
    timeout_s: float

    def artifacts(self, wish: str, allowed: Mapping[str, set[str]]) -> list[Artifact]:
        """Exact wheels for the requirements in ``wish``, built where the index has none that fit.

        ``allowed`` are the hashes the requirements name, by project. Raises `ResolutionFailed`, `BuildFailed`.
        """
        tags, markers = choice.target_facts(str(self.runtime.path))
        document, files = self._resolve(wish)
        found = []
        for package in choice.wanted_packages(document, dict(markers)):
            hashes = allowed.get(canonicalize_name(package["name"]))
            wheel = choice.best_wheel(_as_index_says(package, files), tags, hashes)
            found.append(wheel or self._built(package, files, tags, hashes))
        return found

    def _resolve(self, wish: str) -> tuple[dict[str, Any], Mapping[str, relay.Known]]:
        with self.sandbox.folder() as folder, relay.relaying(self.index, folder) as index:
            (folder / "requirements.in").write_text(wish)
            asked = ("pip", "compile", "--quiet", "--format", "pylock.toml", "--no-header", "--no-annotate", *OPTIONS)
            target = ("--python", str(self.runtime.path), "--output-file", f"{HERE}/{LOCK}")
            try:
                self._run(folder, (*asked, *target, f"{HERE}/requirements.in"))
            except BuildFailed as error:
                raise ResolutionFailed(f"The requirements can't be met, see the lines above. {error}") from error
            with _opened(folder, LOCK, LOCK_LIMIT) as file:
                return tomllib.loads(file.read().decode()), dict(index.files)

    def _built(
        self, package: Mapping[str, Any], files: Mapping[str, relay.Known], tags: Sequence[Tag], hashes: set[str] | None
    ) -> Artifact:
        name, version = str(package["name"]), str(package["version"])
        known = files.get(choice.filename_of(package["sdist"])) if "sdist" in package else None
        if known is None or not known.sha256 or (hashes and known.sha256 not in hashes):
            raise ResolutionFailed(
                f"{name} {version} has neither a wheel for this server nor a source that the requirements allow. Choose another version."
            )
        source = Artifact(name, version, known.filename, known.sha256, known.url, known.size_bytes)
        archive = wheels.fetch([source], self.kept, index=self.index, log=self.log)[0]
        self.log(f"Building {name} {version} from its source …")
        with self.sandbox.folder() as folder, relay.relaying(self.index, folder):
            shutil.copyfile(archive, folder / known.filename)
            asked = ("build", "--wheel", *OPTIONS, "--python", str(self.runtime.path))
            self._run(folder, (*asked, "--out-dir", f"{HERE}/out", f"{HERE}/{known.filename}"))
            return replace(self._taken(folder, name, version, tags), source_sha256=known.sha256)

    def _run(self, folder: Path, arguments: tuple[str, ...]) -> None:
        shutil.copyfile(CHILD, folder / CHILD.name)
        python = (str(self.runtime.path), "-I", "-S", f"{HERE}/{CHILD.name}", f"{self.timeout_s:.0f}")
        readable = {self.uv: UV} | ({self.runtime.prefix: self.runtime.prefix} if self.runtime.prefix else {})
        self.sandbox.run(Step((*python, UV, *arguments), folder, readable), self.log)

    def _taken(self, folder: Path, name: str, version: str, tags: Sequence[Tag]) -> Artifact:
        """The one wheel that a build left; kept under the hash of its bytes."""
        made = [n for n in _names(folder, "out") if n.endswith(".whl")]
        fits = [n for n in made if _is_wheel_of(n, name, version, tags)]
        if len(fits) != 1:
            raise BuildFailed(f"Building {name} {version} left {made or 'nothing'}, which is not one wheel of it for this server.")  # fmt: skip
        draft, digest, size = self.kept / f".{new_key(8)}", hashlib.sha256(), 0
        try:
            with _opened(folder, f"out/{fits[0]}", WHEEL_LIMIT) as source, draft.open("xb") as target:
                while chunk := source.read(1024 * 1024):
                    digest.update(chunk)
                    size += target.write(chunk)
            artifact = Artifact(name, version, fits[0], digest.hexdigest(), size_bytes=size)
            place = wheels.path_of(self.kept, artifact)
            place.parent.mkdir(parents=True, exist_ok=True)
            draft.rename(place)
        finally:
            draft.unlink(missing_ok=True)
        return artifact


def _as_index_says(package: Mapping[str, Any], files: Mapping[str, relay.Known]) -> dict[str, Any]:
    """The package with the wheels that the index named, by its addresses and hashes."""
    known = [files[n] for wheel in package.get("wheels", []) if (n := choice.filename_of(wheel)) in files]
    said = [{"name": k.filename, "url": k.url, "hashes": {"sha256": k.sha256}, "size": k.size_bytes} for k in known]
    return {"name": str(package["name"]), "version": str(package["version"]), "wheels": said}


def _is_wheel_of(filename: str, name: str, version: str, tags: Sequence[Tag]) -> bool:
    try:
        its_name, its_version, _, its_tags = parse_wheel_filename(filename)
    except InvalidWheelFilename:
        return False
    return its_name == canonicalize_name(name) and str(its_version) == version and not its_tags.isdisjoint(tags)


def _names(folder: Path, below: str) -> list[str]:
    """The names in a folder that a stranger made; a link in its place is not followed."""
    with suppress(OSError):
        descriptor = os.open(folder / below, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            return sorted(os.listdir(descriptor))
        finally:
            os.close(descriptor)
    return []


def _opened(folder: Path, relative: str, limit: int) -> Any:
    """A file that a stranger wrote: a regular one, reached without following any link. Raises `BuildFailed`."""
    above, _, name = relative.rpartition("/")
    try:
        where = os.open(folder / above, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=where)
        finally:
            os.close(where)
    except OSError as error:
        raise BuildFailed(f"The build left no {name} that can be read.") from error
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode) or found.st_size > limit:
        os.close(descriptor)
        raise BuildFailed(f"The build left a {name} that is no regular file, or too large.")
    return os.fdopen(descriptor, "rb")
