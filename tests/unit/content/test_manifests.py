"""What clients write into ``manifest.json`` and what is made of it."""

from __future__ import annotations

from pilothouse.content.service.manifests import kind_of, parse_manifest


def test_an_older_name_of_a_kind_is_the_kind_itself_from_the_first_look_on() -> None:
    manifest = parse_manifest(
        {"metadata": {"appmode": "nodejs-api", "entrypoint": "app.js"}, "node": {"version": "20.1.0"}}
    )
    assert (manifest.app_mode, kind_of(manifest).app_mode) == ("nodejs", "nodejs")
    assert (manifest.requirements_file, manifest.version_of("nodejs")) == ("package-lock.json", ("20.1.0", None))
