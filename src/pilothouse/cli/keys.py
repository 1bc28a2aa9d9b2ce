"""``pilothouse key …``"""

from __future__ import annotations

from typing import Annotated

import typer

from pilothouse.cli.options import ApiKey, AsJson, Home, Server, show
from pilothouse.cli.reach import Reach
from pilothouse.cli.users import find

commands = typer.Typer(no_args_is_help=True)


@commands.callback()
def key() -> None:
    """API keys."""


@commands.command()
def create(
    user: Annotated[str, typer.Option(help="Whose key.")],
    name: Annotated[str, typer.Option(help="What it is for.")],
    home: Home = None,
    server: Server = None,
    api_key: ApiKey = None,
    as_json: AsJson = False,
) -> None:
    """Make a key and print it: the only time it is shown."""
    reach = Reach(home=home, server=server, api_key=api_key)
    answer = reach.call("POST", f"users/{find(reach, user)['guid']}/keys", {"name": name})
    show(answer if as_json else answer["key"], as_json=as_json)
