"""``pilothouse notify …``"""

from __future__ import annotations

from typing import Annotated

import typer

from pilothouse.cli.options import AsJson, Config, Home, home_or_default, show

commands = typer.Typer(no_args_is_help=True)


@commands.command()
def test(
    address: Annotated[str, typer.Argument(help="Whom to send a mail to.")],
    home: Home = None,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Send one mail from this machine, now, by the settings below `notify`, and say what the mail server answered."""
    from pilothouse.app.letters import send_test
    from pilothouse.settings import load

    send_test(load(home_or_default(home), file=config), to=address)
    show({"mail": "The mail server took it."}, as_json=as_json)
