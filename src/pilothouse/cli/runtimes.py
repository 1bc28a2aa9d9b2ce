"""``pilothouse runtime …``"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from pilothouse.cli.options import AsJson, Config, Home, home_or_default, show

commands = typer.Typer(no_args_is_help=True)
COLUMNS = ("language", "version", "added", "used_by", "path")


class Language(StrEnum):
    """What can be added."""

    PYTHON = "python"


Version = Annotated[str, typer.Argument(help="For example 3.12 (its newest patch) or 3.12.4.")]


@commands.command("list")
def list_(home: Home = None, config: Config = None, as_json: AsJson = False) -> None:
    """List the versions that content may use, and how much active content does."""
    from pilothouse.app.local import existing_house
    from pilothouse.app.runtimes import list_runtimes
    from pilothouse.settings import load

    with existing_house(load(home_or_default(home), file=config)) as house:
        show(list_runtimes(house), as_json=as_json, columns=COLUMNS)


@commands.command()
def add(
    language: Language, version: Version, home: Home = None, config: Config = None, as_json: AsJson = False
) -> None:
    """Install a version for content, from the internet or `runtimes.python_mirror`. A running server needs no restart."""
    from pilothouse.app.local import existing_house
    from pilothouse.app.runtimes import add_runtime
    from pilothouse.settings import load

    with existing_house(load(home_or_default(home), file=config)) as house:
        done = add_runtime(house, version, lambda line: typer.echo(line, err=True))
    show({**done, "language": language.value}, as_json=as_json)


@commands.command()
def remove(
    language: Language,
    version: Annotated[str, typer.Argument(help="The full version, for example 3.12.4.")],
    home: Home = None,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Remove a version that was added, unless active content needs it."""
    from pilothouse.app.local import existing_house
    from pilothouse.app.runtimes import remove_runtime
    from pilothouse.settings import load

    with existing_house(load(home_or_default(home), file=config)) as house:
        done = remove_runtime(house, version)
    show({**done, "language": language.value}, as_json=as_json)
