"""``pilothouse config …``"""

from __future__ import annotations

from typing import Any

import typer

from pilothouse.cli.options import AsJson, Config, Home, home_or_default, show

commands = typer.Typer(no_args_is_help=True)


@commands.command("show")
def show_settings(home: Home = None, config: Config = None, as_json: AsJson = False) -> None:
    """Print every option with its value and where the value comes from. Secrets are masked."""
    from pilothouse.settings import flat, load

    loaded = load(home_or_default(home), file=config)
    rows: list[dict[str, Any]] = [
        {"option": name, "value": value, "origin": loaded.origins.get(name, "default")}
        for name, value in flat(loaded.settings.model_dump(mode="json"))
    ]
    show(rows, as_json=as_json, columns=("option", "value", "origin"))


@commands.command()
def check(home: Home = None, config: Config = None, as_json: AsJson = False) -> None:
    """Check the settings; exit code 1 and one sentence for each problem."""
    from pilothouse.app.serving import check_kinds
    from pilothouse.settings import load

    loaded = load(home_or_default(home), file=config)
    check_kinds(loaded.settings)
    show({"settings": "valid", "file": loaded.file, "home": loaded.home}, as_json=as_json)
