"""``pilothouse user …``"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import typer

from pilothouse.base.access import Role
from pilothouse.base.errors import NotFound
from pilothouse.cli.options import ApiKey, AsJson, Home, Server, output, show
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


@commands.command()
def export(
    who: Annotated[str, typer.Argument(help="User name or GUID, also of somebody locked or deleted.")],
    out: Annotated[
        Path | None, typer.Option(help="File to write, readable by you alone. Default: standard output.")
    ] = None,
    home: Home = None,
    server: Server = None,
    api_key: ApiKey = None,
) -> None:
    """Write all that is held about a person as one JSON document: account, logins, keys, content, use, audit events. No secrets."""
    reach = Reach(home=home, server=server, api_key=api_key)
    with output(out) as file:
        reach.download(f"personal-data/{quote(who, safe='')}", file)


@commands.command()
def erase(
    who: Annotated[str, typer.Argument(help="User name or GUID, also of somebody locked or deleted.")],
    content_to: Annotated[str | None, typer.Option(help="Publisher who takes over the content they own.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    home: Home = None,
    server: Server = None,
    api_key: ApiKey = None,
    as_json: AsJson = False,
) -> None:
    """Erase a person: names, mail, logins, keys, memberships. Only their number stays, in the audit trail. It can't be undone."""
    reach = Reach(home=home, server=server, api_key=api_key)
    if not yes:
        typer.confirm(f"Erase {who}? It can't be undone.", abort=True)
    show(reach.call("DELETE", f"personal-data/{quote(who, safe='')}", content_to=content_to), as_json=as_json)


def find(reach: Reach, username: str) -> dict[str, Any]:
    """The user of exactly this name. Raises `UserUnknown`."""
    for user in reach.pages("users", prefix=username):
        if user["username"].lower() == username.lower():
            return dict(user)
    raise UserUnknown(f"There is no user “{username}”. `pilothouse user list` shows them.")


def _asked() -> str:
    return str(typer.prompt("Password", hide_input=True, confirmation_prompt=True))
