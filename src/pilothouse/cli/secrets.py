"""``pilothouse secrets …``"""

from __future__ import annotations

import typer

from pilothouse.cli.options import AsJson, Config, Home, home_or_default, show

commands = typer.Typer(no_args_is_help=True)


@commands.callback()
def secrets() -> None:
    """The keys that stored secrets are sealed with, and grants signed."""


@commands.command()
def rotate(home: Home = None, config: Config = None, as_json: AsJson = False) -> None:
    """Seal all stored secrets with a new key, while servers run. Older keys go an hour after they were replaced, at the next rotation."""
    from pilothouse.app.local import rotate_secrets
    from pilothouse.settings import load

    show(rotate_secrets(load(home_or_default(home), file=config)), as_json=as_json)


@commands.command()
def rotate_grants(home: Home = None, config: Config = None, as_json: AsJson = False) -> None:
    """Sign the gateway's grants with a new key, while servers run. The key before counts until the next rotation."""
    from pilothouse.app.local import rotate_grant_keys
    from pilothouse.settings import load

    show(rotate_grant_keys(load(home_or_default(home), file=config)), as_json=as_json)
