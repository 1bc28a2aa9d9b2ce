"""The conformance suite of content kinds: subclass `ContentKindSuite` and give it a good bundle and broken ones."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from pilothouse.base.errors import Invalid
from pilothouse.content.contract import ContentKind, Launch, Manifest, Project


class ContentKindSuite:
    """``files`` and ``manifest`` make a bundle that works; each of ``broken`` changes them into one that must be refused in words."""

    files: Mapping[str, str] = {}
    manifest: Mapping[str, Any] = {}
    #: name → (files, manifest fields, a word that the refusal must hold)
    broken: Mapping[str, tuple[Mapping[str, str], Mapping[str, Any], str]] = {}

    @pytest.fixture
    def kind(self) -> ContentKind:
        raise NotImplementedError("give the suite a kind")

    def project(self, root: Path, kind: ContentKind, files: Mapping[str, str], manifest: Mapping[str, Any]) -> Project:
        for name, text in files.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return Project(root, Manifest(**({"app_mode": kind.app_mode} | dict(manifest))))

    def test_its_bundle_is_recognised_and_others_are_not(self, kind: ContentKind) -> None:
        assert kind.detect(Manifest(app_mode=kind.app_mode))
        assert not kind.detect(Manifest(app_mode="something-else"))

    def test_a_good_bundle_is_accepted(self, kind: ContentKind, tmp_path: Path) -> None:
        kind.validate(self.project(tmp_path, kind, self.files, self.manifest))

    def test_broken_bundles_are_refused_in_words(self, kind: ContentKind, tmp_path: Path) -> None:
        assert self.broken, "a kind that accepts everything checks nothing"
        for name, (files, manifest, word) in self.broken.items():
            project = self.project(tmp_path / name.replace(" ", "-"), kind, files, manifest)
            with pytest.raises(Invalid, match=word):
                kind.validate(project)

    def test_its_command_listens_where_it_is_told_and_needs_nothing_of_ours(
        self, kind: ContentKind, tmp_path: Path
    ) -> None:
        if kind.serves_files:
            with pytest.raises(NotImplementedError):
                kind.command(self.launch(tmp_path, kind))
            return
        command = kind.command(self.launch(tmp_path, kind))
        assert command.argv[0] == "/library/bin/python"
        assert {"{host}", "{port}"} <= {*command.argv, *command.env.values()}
        assert "pilothouse.content" not in " ".join(command.argv)

    def launch(self, root: Path, kind: ContentKind) -> Launch:
        project = self.project(root, kind, self.files, self.manifest)
        return Launch(project, "/app", "/library/bin/python", "/start.py", "/start.cjs", "secret")
