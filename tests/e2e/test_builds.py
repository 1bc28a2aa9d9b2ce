"""Packages without a wheel are built where their author's code reaches nothing: real uv, real sandbox, hostile authors."""

from __future__ import annotations

import ast
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from tests.factories.engines import add_app, engines_over
from tests.factories.index import add_sdist, add_wheel, serving

from pilothouse.content.models import Bundle, Content
from pilothouse.content.tasks import ContentEngines
from pilothouse.content.tasks.sandbox import BuildSandbox
from pilothouse.db import Database
from pilothouse.launcher.backends.local import LocalLauncher, LocalOptions
from pilothouse.launcher.models import Job
from pilothouse.runtimes.contract import BuildFailed, BuildRefused, Lock, ResolutionFailed, Runtime, Wanted
from pilothouse.runtimes.discover import discover
from pilothouse.runtimes.restorers.uv import UvOptions, UvRestorer

UID = 200_000


@dataclass
class Place:
    """A restorer over an index of this test's own, and the sandbox of one content."""

    restorer: UvRestorer
    sandbox: BuildSandbox
    engines: ContentEngines
    runtime: Runtime
    packages: Path
    seen: list[tuple[str, str]]
    lines: list[str]

    def resolve(self, text: str, **changes: Any) -> Lock:
        sandbox = self.sandbox
        if changes:
            sandbox = BuildSandbox(replace(self.engines, **changes), sandbox._content, sandbox._bundle)
        return self.restorer.resolve(Wanted(text), self.runtime, self.lines.append, sandbox)

    def found(self, lock: Lock, module: str) -> dict[str, Any]:
        """What the author's code saw: the built module tells it, from the restored library."""
        library = self.restorer.restore(lock, self.runtime, self.lines.append)
        command = [str(library.interpreter), "-c", f"import {module}; print({module}.FOUND)"]
        return dict(ast.literal_eval(subprocess.run(command, capture_output=True, text=True, check=True).stdout))


@pytest.fixture
def place(sqlite_database: Database) -> Iterator[Place]:
    root = Path(tempfile.mkdtemp(prefix="phb", dir="/tmp"))
    root.chmod(0o711)
    launcher = LocalLauncher(LocalOptions(root / "jobs"))
    if launcher.capabilities().isolation == "none":
        pytest.skip("NOT EXERCISED: building packages (bubblewrap does not work here)")
    uid = UID if os.geteuid() == 0 else None
    engines = replace(
        engines_over(sqlite_database, root / "engines", launcher),  # type: ignore[arg-type]
        builds=root / "builds",
        uid_of=lambda content_id: uid,
    )
    (root / "engines").chmod(0o711)
    content_id, bundle_id = add_app(engines)
    with sqlite_database.read() as tx:
        content, bundle = tx.get(Content, content_id), tx.get(Bundle, bundle_id)
    assert content is not None and bundle is not None
    packages = root / "packages"
    for version in ("1.0", "1.1"):
        add_wheel(packages, "demo", version)
    with serving(packages, credentials="reader:hunter2") as (address, seen):
        restorer = UvRestorer(UvOptions(root / "libraries", root / "cache", address))
        runtime = discover(for_uid=uid)[0]
        yield Place(restorer, BuildSandbox(engines, content, bundle), engines, runtime, packages, seen, [])
    shutil.rmtree(root, ignore_errors=True)


def jobs(place: Place) -> list[Job]:
    with place.engines.database.read() as tx:
        return list(tx.scalars(select(Job)))


def test_a_source_is_built_and_its_wheel_is_locked(place: Place) -> None:
    source = add_sdist(place.packages, "olden", "0.9", body="found['built'] = True", requires='"demo<1.1"')
    lock = place.resolve("olden\ndemo\n")
    demo, olden = lock.artifacts
    assert (demo.name, demo.version, demo.source_sha256) == ("demo", "1.1", "")
    assert len(olden.source_sha256) == 64 and olden.sha256 != olden.source_sha256 and olden.url == ""
    assert not lock.is_shareable and Lock.from_document(lock.document()) == lock
    assert place.found(lock, "olden") == {"built": True}
    assert any(path == f"/olden/{source.name}" for path, _ in place.seen)
    assert {j.tag for j in jobs(place)} == {"python_restore"} and all(
        j.ended_at and j.exit_code == 0 for j in jobs(place)
    )
    assert list(place.engines.builds.iterdir()) == []


def test_the_author_sees_no_network_no_secret_no_host(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SERVER_SECRET", "hunter3")
    with socket.create_server(("127.0.0.1", 0)) as neighbour:
        add_sdist(place.packages, "spy", "1.0", body=f"""
            def reaches(host, port):
                try:
                    socket.create_connection((host, port), timeout=2).close()
                    return True
                except OSError as error:
                    return type(error).__name__
            found["neighbour"] = reaches("127.0.0.1", {neighbour.getsockname()[1]})
            found["outside"] = reaches("192.0.2.1", 80)
            found["uid"] = os.getuid()
            found["environ"] = sorted(os.environ)
            found["values"] = " ".join(os.environ.values()) + " ".join(sys.argv)
            found["processes"] = [open(f"/proc/{{p}}/cmdline").read() for p in os.listdir("/proc") if p.isdigit()]
            found["top"] = sorted(os.listdir("/"))
            found["jobs"] = os.path.exists({str(place.engines.builds.parent / "jobs")!r})
            try:
                open("/usr/spoiled", "w")
                found["writes"] = True
            except OSError:
                found["writes"] = False
        """)  # fmt: skip
        found = place.found(place.resolve("spy\n"), "spy")
    assert found["neighbour"] == "ConnectionRefusedError" and found["outside"] is not True
    if os.geteuid() == 0:
        assert found["uid"] == UID
    said = repr(found)
    assert (
        "hunter2" not in said
        and "hunter3" not in said
        and "SERVER_SECRET" not in said
        and "CONNECT_API_KEY" not in said
    )
    assert not found["writes"] and not found["jobs"] and "root" not in found["top"] and "home" not in found["top"]
    assert len(found["processes"]) < 12 and not any("pytest" in words for words in found["processes"])


def test_a_build_that_fails_says_its_own_words(place: Place) -> None:
    add_sdist(place.packages, "broken", "1.0", body="raise SystemExit('needs a Fortran compiler')")
    with pytest.raises(BuildFailed, match="exit code"):
        place.resolve("broken\n")
    assert any("needs a Fortran compiler" in line for line in place.lines)
    assert all(j.ended_at is not None for j in jobs(place))


@pytest.mark.parametrize(
    ("body", "changes", "words"),
    [
        ("import time; time.sleep(600)", {"build_timeout": timedelta(seconds=4)}, "did not end within 4 seconds"),
        ("f = open('/build/big', 'wb')\nwhile True: f.write(b'x' * 1_000_000); f.flush()", {"build_size_limit": 30_000_000}, "more than"),
        ("os.symlink('/etc/passwd', folder + '/evil-1.0-py3-none-any.whl'); os._exit(0)", {}, "left"),
        ("os.mkfifo(folder + '/evil-1.0-py3-none-any.whl'); os._exit(0)", {}, "left"),
        ("os._exit(0)", {}, "left"),
    ],
    ids=["endless", "too much disk", "a link", "a pipe", "nothing"],
)  # fmt: skip
def test_a_build_that_misbehaves_ends_and_leaves_nothing(
    place: Place, body: str, changes: dict[str, Any], words: str
) -> None:
    add_sdist(place.packages, "evil", "1.0", body=body)
    with pytest.raises(BuildFailed) as failure:
        place.resolve("evil\n", **changes)
    assert words in str(failure.value) or "The build failed" in str(failure.value)
    assert all(j.ended_at is not None for j in jobs(place))
    assert list(place.engines.builds.iterdir()) == []
    with pytest.raises(BuildFailed):
        place.resolve("evil\n", **changes)


def test_credentials_go_to_the_index_and_not_into_the_sandbox(place: Place) -> None:
    add_sdist(place.packages, "olden", "0.9", body="found['argv'] = sys.argv; found['env'] = dict(os.environ)")
    found = place.found(place.resolve("olden\n"), "olden")
    assert place.seen and all(given for path, given in place.seen if path.endswith(".gz"))
    assert "hunter2" not in repr(found) and "hunter2" not in " ".join(place.lines)


def test_hashes_of_the_requirements_hold_for_sources(place: Place) -> None:
    import hashlib

    source = add_sdist(place.packages, "olden", "0.9")
    good = hashlib.sha256(source.read_bytes()).hexdigest()
    assert place.resolve(f"olden==0.9 --hash=sha256:{good}\n").artifacts[0].source_sha256 == good
    with pytest.raises(ResolutionFailed):
        place.resolve(f"olden==0.9 --hash=sha256:{'0' * 64}\n")


def test_without_a_sandbox_nothing_is_built(place: Place) -> None:
    add_sdist(place.packages, "olden", "0.9")
    with pytest.raises(BuildRefused, match=r"runtimes\.builds is off"):
        place.resolve("olden\n", builds_allowed=False)
    with pytest.raises(BuildRefused, match="wheels only"):
        place.restorer.resolve(Wanted("olden\n"), place.runtime, place.lines.append)
    bare = LocalLauncher(LocalOptions(place.engines.builds.parent / "bare", sandbox="off"))
    with pytest.raises(BuildRefused, match="bubblewrap"):
        place.resolve("olden\n", launcher=bare)


def test_a_wheel_that_was_built_and_is_gone_is_noticed(place: Place) -> None:
    add_sdist(place.packages, "olden", "0.9")
    lock = place.resolve("olden\n")
    assert place.restorer.has(lock)
    shutil.rmtree(place.engines.builds.parent / "cache" / "wheels")
    assert not place.restorer.has(lock)
