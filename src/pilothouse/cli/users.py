"""``pilothouse user …``"""

from __future__ import annotations

from typing import Annotated, Any

import typer

from pilothouse.base.access import Role
from pilothouse.base.errors import NotFound
from pilothouse.cli.options import ApiKey, AsJson, Home, Server, show
from pilothouse.cli.reach import Reach

commands = typer.Typer(no_args_is_help=True)
COLUMNS = ("username", "role", "first_name", "last_name", "email", "department", "site", "locked")


class UserUnknown(NotFound):
    """There is no user of this name. `pilothouse user list` shows them."""

    code = "cli/user-unknown"


@commands.command()
def add(
    username: Annotated[str, typer.Argument(help="Name to sign in with.")],
    role: Annotated[Role, typer.Option(help="What the person may do.")] = Role.VIEWER,
    email: str = "",
    first_name: str = "",
    last_name: str = "",
    department: str | None = None,
    site: str | None = None,
    title: str | None = None,
    password: Annotated[str | None, typer.Option(help="Asked for when not given.")] = None,
    home: Home = None,
    server: Server = None,
    api_key: ApiKey = None,
    as_json: AsJson = False,
) -> None:
    """Add a person."""
    reach = Reach(home=home, server=server, api_key=api_key)
    person = {
        "username": username,
        "role": role.value,
        "email": email,
        "first_name": first_name,
        "last_name": last_name,
        "department": department,
        "site": site,
        "title": title,
        "password": password or _asked(),
    }
    show(reach.call("POST", "users", person), as_json=as_json, columns=COLUMNS)


@commands.command("list")
def list_(
    prefix: Annotated[str, typer.Argument(help="Only names that begin so.")] = "",
    home: Home = None,
    server: Server = None,
    api_key: ApiKey = None,
    as_json: AsJson = False,
) -> None:
    """List people."""
    show(
        Reach(home=home, server=server, api_key=api_key).pages("users", prefix=prefix), as_json=as_json, columns=COLUMNS
    )


@commands.command()
def set_role(
    username: str, role: Role, home: Home = None, server: Server = None, api_key: ApiKey = None, as_json: AsJson = False
) -> None:
    """Change what a person may do."""
    reach = Reach(home=home, server=server, api_key=api_key)
    answer = reach.call("PATCH", f"users/{find(reach, username)['guid']}", {"role": role.value})
    show(answer, as_json=as_json, columns=COLUMNS)


@commands.command()
def reset_password(
    username: str,
    password: Annotated[str | None, typer.Option(help="Asked for when not given.")] = None,
    home: Home = None,
    server: Server = None,
    api_key: ApiKey = None,
    as_json: AsJson = False,
) -> None:
    """Set a new password; all of the person's logins end."""
    reach = Reach(home=home, server=server, api_key=api_key)
    user = find(reach, username)
    reach.call("POST", f"users/{user['guid']}/password", {"password": password or _asked()})
    show({"username": user["username"], "password": "changed"}, as_json=as_json)


def find(reach: Reach, username: str) -> dict[str, Any]:
    """The user of exactly this name. Raises `UserUnknown`."""
    for user in reach.pages("users", prefix=username):
        if user["username"].lower() == username.lower():
            return dict(user)
    raise UserUnknown(f"There is no user “{username}”. `pilothouse user list` shows them.")


def _asked() -> str:
    return str(typer.prompt("Password", hide_input=True, confirmation_prompt=True))
