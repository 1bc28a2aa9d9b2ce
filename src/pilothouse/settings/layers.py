"""From flags, variables and the file to `Settings`: layering, origins, and errors that say what to do."""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from pilothouse.base.errors import Invalid
from pilothouse.settings.options import Settings

ENV_PREFIX = "PILOTHOUSE_"


class SettingsInvalid(Invalid):
    """The settings are not valid. Correct them and start again."""

    code = "settings/invalid"


@dataclass(frozen=True)
class Loaded:
    """Settings with the home they belong to and where each option came from (``flag | variable | file | default``)."""

    settings: Settings
    home: Path
    file: Path | None
    origins: Mapping[str, str]

    @property
    def port(self) -> int:
        return self.settings.server.port

    @property
    def content_port(self) -> int:
        return self.settings.server.content_port or self.port + 1

    @property
    def session_port(self) -> int:
        return self.settings.server.session_port or self.port + 2

    @property
    def public_url(self) -> str:
        """Base URL of the dashboard and API, without trailing slash."""
        return (self.settings.server.public_url or f"http://localhost:{self.port}").rstrip("/")

    @property
    def db_url(self) -> str:
        url = self.settings.db.url
        return url.get_secret_value() if url else f"sqlite:///{self.home / 'db' / 'pilothouse.sqlite'}"


def load(
    home: Path,
    *,
    file: Path | None = None,
    flags: Mapping[str, object] | None = None,
    variables: Mapping[str, str] | None = None,
) -> Loaded:
    """Read the options of the installation at ``home``.

    ``file`` defaults to ``HOME/pilothouse.toml`` (which may be absent; a named one may not). ``flags`` are dotted names
    (``server.port``) with values, ``None`` ones ignored. Raises `SettingsInvalid` with one sentence for each problem.
    """
    home = home.expanduser().resolve()
    path = file if file is not None else home / "pilothouse.toml"
    layers = {
        "file": _read_toml(path, required=file is not None),
        "variable": _from_variables(os.environ if variables is None else variables),
        "flag": _nest({k: v for k, v in (flags or {}).items() if v is not None}),
    }
    merged: dict[str, Any] = {}
    origins: dict[str, str] = {}
    for origin, layer in layers.items():
        _merge(merged, layer)
        origins |= {name: origin for name, _ in flat(layer)}
    _read_secret_files(merged)
    try:
        settings = Settings.model_validate(merged)
    except ValidationError as error:
        raise SettingsInvalid(_sentences(error, origins, path), problems=len(error.errors())) from None
    return Loaded(settings, home, path if path.exists() else None, origins)


def flat(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """``("room.option", value)`` for every leaf; lists are leaves."""
    for key, value in tree.items():
        if isinstance(value, Mapping):
            yield from flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _read_toml(path: Path, *, required: bool) -> dict[str, Any]:
    if not path.exists() and not required:
        return {}
    try:
        return tomllib.loads(path.read_text())
    except OSError as error:
        raise SettingsInvalid(f"The settings file {path} can't be read: {error.strerror}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsInvalid(f"The settings file {path} is not valid TOML: {error}.") from error


def _from_variables(variables: Mapping[str, str]) -> dict[str, Any]:
    found: dict[str, object] = {}
    for name, value in variables.items():
        if name.startswith(ENV_PREFIX) and "__" in name:
            found[name.removeprefix(ENV_PREFIX).lower().replace("__", ".", 1)] = _value(value)
    return _nest(found)


def _value(text: str) -> object:
    """A variable holds a TOML value (``[1, 2]``, ``true``); anything else is taken as text. pydantic reads numbers from text."""
    if text[:1] not in "[{" and text not in ("true", "false"):
        return text
    try:
        return tomllib.loads(f"v = {text}")["v"]
    except tomllib.TOMLDecodeError:
        return text


def _nest(dotted: Mapping[str, object]) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    for name, value in dotted.items():
        room, _, option = name.partition(".")
        if option:
            tree.setdefault(room, {})[option] = value
        else:
            tree[room] = value
    return tree


def _merge(base: dict[str, Any], layer: Mapping[str, Any]) -> None:
    for key, value in layer.items():
        if isinstance(value, Mapping) and isinstance(base.get(key), dict):
            _merge(base[key], value)
        else:
            base[key] = dict(value) if isinstance(value, Mapping) else value


def _read_secret_files(tree: dict[str, Any]) -> None:
    for room in [r for r in tree.values() if isinstance(r, dict)]:
        for option in [
            o for o in room if o.endswith("_file") and o.removesuffix("_file") in {"url", "bootstrap_secret"}
        ]:
            path = Path(str(room[option]))
            try:
                room.setdefault(option.removesuffix("_file"), path.read_text().strip())
            except OSError as error:
                raise SettingsInvalid(f"The secret file {path} ({option}) can't be read: {error.strerror}.") from error


def _sentences(error: ValidationError, origins: Mapping[str, str], path: Path) -> str:
    lines = []
    for problem in error.errors(include_input=False, include_url=False):
        name = ".".join(str(part) for part in problem["loc"])
        where = {"flag": "on the command line", "variable": f"in the variable {ENV_PREFIX}…"}.get(
            origins.get(name, ""), f"in {path}"
        )
        if problem["type"] == "extra_forbidden":
            lines.append(f"Unknown option {name} {where}.{_did_you_mean(problem['loc'])}")
        else:
            lines.append(f"Option {name or 'settings'} {where}: {problem['msg']}.")
    return " ".join(lines)


def _did_you_mean(location: tuple[int | str, ...]) -> str:
    known: list[str] = []
    model: type[BaseModel] | None = Settings
    for part in location[:-1]:
        inner = (
            model.model_fields[part].annotation
            if model and isinstance(part, str) and part in model.model_fields
            else model
        )
        arguments = getattr(inner, "__args__", None)
        candidate = arguments[0] if arguments else inner
        model = candidate if isinstance(candidate, type) and issubclass(candidate, BaseModel) else None
    known = list(model.model_fields) if model else []
    close = difflib.get_close_matches(str(location[-1]), known, n=1, cutoff=0.5)
    if close:
        return f" Did you mean {'.'.join([*(str(p) for p in location[:-1]), close[0]])}?"
    return f" Known here: {', '.join(known)}." if known else ""
