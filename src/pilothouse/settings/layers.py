"""From flags, variables and the file to `Settings`: layering, origins, and errors that say what to do."""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from pilothouse.base.errors import Invalid
from pilothouse.settings.options import Settings

ENV_PREFIX = "PILOTHOUSE_"
#: Variables with our prefix that are no options: the home, and what Kubernetes sets for a service of our name.
NO_OPTION = re.compile(r"HOME=|SERVICE_(HOST|PORT)|PORT(_[0-9]+_\w+)?=(tcp|udp|sctp)://|PORT_[0-9]+_\w+=")


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
    (``server.port``) with values, ``None`` ones ignored. Raises `SettingsInvalid` with a sentence for each problem that
    names the option and where it was given, and never a value.
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
        _read_secret_files(layer)
        _merge(merged, layer)
        origins |= {name: origin for name, _ in flat(layer)}
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
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsInvalid(f"The settings file {path} can't be read: {error.strerror}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsInvalid(f"The settings file {path} is not valid TOML: {error}.") from error


def _from_variables(variables: Mapping[str, str]) -> dict[str, Any]:
    found: dict[str, object] = {}
    for name, value in variables.items():
        option = name.removeprefix(ENV_PREFIX)
        if option == name or NO_OPTION.match(f"{option}={value}"):
            continue
        if "__" not in option and option.lower() not in TOP_LEVEL:
            raise SettingsInvalid(f"Unknown variable {name}.{_did_you_mean_variable(option.lower())}")
        found[option.lower().replace("__", ".", 1)] = _value(value)
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


def _read_secret_files(layer: dict[str, Any]) -> None:
    """``option_file`` gives ``option``, for each option that has such a twin."""
    for room, options in layer.items():
        section = SECTIONS.get(room)
        if section is None or not isinstance(options, dict):
            continue
        for name in [o for o in options if o.endswith("_file") and o.removesuffix("_file") in section.model_fields]:
            option = name.removesuffix("_file")
            if option in options:
                raise SettingsInvalid(f"Options {room}.{option} and {room}.{name} are both given. Keep one.")
            options[option] = _secret(Path(str(options[name])), f"{room}.{name}")


def _secret(path: Path, option: str) -> str:
    try:
        secret = path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise SettingsInvalid(f"The secret file {path} ({option}) can't be read: {error.strerror}.") from error
    except UnicodeDecodeError:
        raise SettingsInvalid(f"The secret file {path} ({option}) is not text in UTF-8.") from None
    if not secret:
        raise SettingsInvalid(f"The secret file {path} ({option}) is empty.")
    return secret


def _sentences(error: ValidationError, origins: Mapping[str, str], path: Path) -> str:
    lines = []
    for problem in error.errors(include_input=False, include_url=False):
        location = problem["loc"]
        name, where = ".".join(str(part) for part in location), _where(location, origins, path)
        if problem["type"] == "extra_forbidden":
            lines.append(f"Unknown option {name} {where}.{_did_you_mean(location)}")
        else:
            lines.append(f"Option {name or 'settings'} {where}: {problem['msg'].removeprefix('Value error, ')}.")
    return " ".join(lines)


def _where(location: tuple[int | str, ...], origins: Mapping[str, str], path: Path) -> str:
    option = ".".join(str(part) for part in location[:2] if isinstance(part, str))
    given = [name for name in origins if name == option or name.startswith(f"{option}.")]
    origin = origins[given[-1]] if given else "file"
    variable = ENV_PREFIX + (given[-1] if given else option).upper().replace(".", "__")
    return {"flag": "on the command line", "variable": f"in the variable {variable}"}.get(origin, f"in {path}")


def _did_you_mean(location: tuple[int | str, ...]) -> str:
    before, last = [str(part) for part in location[:-1]], str(location[-1])
    known = list(_model_at(location[:-1]).model_fields)
    elsewhere = [f"{room}.{last}" for room, section in SECTIONS.items() if last in section.model_fields]
    close = [".".join([*before, name]) for name in difflib.get_close_matches(last, known, n=1, cutoff=0.5)]
    for meant in (*elsewhere, *close):
        return f" Did you mean {meant}?"
    return f" Known here: {', '.join(known)}."


def _did_you_mean_variable(option: str) -> str:
    known = {f"{room}_{name}": f"{room}__{name}" for room, section in SECTIONS.items() for name in section.model_fields}
    known |= {name: f"{room}__{name}" for room, section in SECTIONS.items() for name in section.model_fields}
    close = difflib.get_close_matches(option, known, n=1, cutoff=0.7)
    shape = f" Options are named {ENV_PREFIX}ROOM__OPTION."
    return f" Did you mean {ENV_PREFIX}{known[close[0]].upper()}?" if close else shape


def _model_at(location: tuple[int | str, ...]) -> type[BaseModel]:
    """The model whose option stands below ``location``."""
    model: type[BaseModel] = Settings
    for part in location:
        if isinstance(part, str):
            annotation: Any = model.model_fields[part].annotation
            (model,) = getattr(annotation, "__args__", (annotation,))  # the entries of a list
    return model


#: The sections of the file, and the lists beside them.
SECTIONS: dict[str, type[BaseModel]] = {
    room: field.annotation
    for room, field in Settings.model_fields.items()
    if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)
}
TOP_LEVEL = set(Settings.model_fields) - set(SECTIONS)
