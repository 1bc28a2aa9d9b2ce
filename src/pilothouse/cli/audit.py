"""``pilothouse audit …``"""

from __future__ import annotations

import typer

from pilothouse.cli.options import AsJson, Config, Home, home_or_default, show

commands = typer.Typer(no_args_is_help=True)


@commands.callback()
def audit() -> None:
    """The audit trail."""


@commands.command()
def verify(home: Home = None, config: Config = None, as_json: AsJson = False) -> None:
    """Check that no event was edited, removed or reordered; exit code 1 if one was."""
    from pilothouse.app.local import verify_audit
    from pilothouse.settings import load

    report = verify_audit(load(home_or_default(home), file=config))
    show(report, as_json=as_json)
    raise typer.Exit(0 if report["intact"] else 1)
