"""``pilothouse audit …``"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pilothouse.cli.options import AsJson, Config, Home, home_or_default, show

commands = typer.Typer(no_args_is_help=True)


@commands.callback()
def audit() -> None:
    """The audit trail."""


@commands.command()
def verify(
    heads: Annotated[
        Path | None,
        typer.Option(help="Copy of the heads that was kept elsewhere; the installation's own are then not believed."),
    ] = None,
    home: Home = None,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Check that no event was edited, removed, inserted, reordered or cut off; exit code 1 if one was."""
    from pilothouse.app.local import verify_audit
    from pilothouse.settings import load

    report = verify_audit(load(home_or_default(home), file=config), heads=heads)
    show(report, as_json=as_json)
    raise typer.Exit(0 if report["intact"] else 1)
