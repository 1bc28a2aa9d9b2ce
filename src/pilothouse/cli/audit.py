"""``pilothouse audit …``"""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from pilothouse.base.errors import Invalid
from pilothouse.cli.options import ApiKey, AsJson, Config, Home, Server, home_or_default, output, show
from pilothouse.cli.reach import Reach


class NotAMoment(Invalid):
    """Write a day such as 2026-03-31, or a moment such as 2026-03-31T18:00, in UTC unless it says otherwise."""

    code = "cli/not-a-moment"


class Form(StrEnum):
    """What a line of an export is."""

    JSONL = "jsonl"
    CSV = "csv"


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


@commands.command()
def export(
    since: Annotated[str | None, typer.Option("--from", help="Day or moment (UTC) of the first events.")] = None,
    until: Annotated[
        str | None, typer.Option("--to", help="Day (to its end) or moment (UTC) of the last events.")
    ] = None,
    actor: Annotated[str | None, typer.Option(help="User name of who did it.")] = None,
    event: Annotated[
        str | None, typer.Option(help="Beginning of the event's name, for example identity:login.")
    ] = None,
    form: Annotated[Form, typer.Option("--format", help="Lines of JSON, or a table for spreadsheets.")] = Form.JSONL,
    out: Annotated[
        Path | None, typer.Option(help="File to write, readable by you alone. Default: standard output.")
    ] = None,
    home: Home = None,
    server: Server = None,
    api_key: ApiKey = None,
) -> None:
    """Write the events that fit all the filters, newest first. Ids stand for people."""
    chosen = {"name": event, "actor": actor, "since": _moment(since, time.min), "until": _moment(until, time.max)}
    reach = Reach(home=home, server=server, api_key=api_key)
    with output(out) as file:
        reach.download("audit/events", file, export=form.value, **chosen)


def _moment(text: str | None, of_day: time) -> str | None:
    """``text`` as a moment with its zone; a day stands for its beginning or end. Raises `NotAMoment`."""
    if text is None:
        return None
    try:
        if len(text) == 10:
            return datetime.combine(date.fromisoformat(text), of_day, UTC).isoformat()
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise NotAMoment(f"“{text[:40]}” is no day or moment. Write 2026-03-31, or 2026-03-31T18:00 (UTC).") from error
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).isoformat()
