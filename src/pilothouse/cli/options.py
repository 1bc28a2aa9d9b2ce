"""Options that several commands share, and how they print."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, BinaryIO

import typer

from pilothouse.base.errors import Invalid

DEFAULT_HOME = Path("~/.pilothouse")

Home = Annotated[
    Path | None,
    typer.Option(help="Folder of the installation on this machine. Default: $PILOTHOUSE_HOME, else ~/.pilothouse."),
]
Config = Annotated[Path | None, typer.Option(help="Settings file. Default: HOME/pilothouse.toml.")]
Server = Annotated[str | None, typer.Option(help="URL of a running server. Default: $CONNECT_SERVER.")]
ApiKey = Annotated[str | None, typer.Option(help="API key for that server. Default: $CONNECT_API_KEY.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


class FileNotWritten(Invalid):
    """The file can't be written. Choose another one."""

    code = "cli/file-not-written"


def home_or_default(home: Path | None) -> Path:
    return (home or Path(os.environ.get("PILOTHOUSE_HOME") or DEFAULT_HOME)).expanduser()


@contextmanager
def output(path: Path | None) -> Iterator[BinaryIO]:
    """Where to write: standard output, or a file that only its owner reads and that appears when it is complete."""
    if path is None:
        yield sys.stdout.buffer
        sys.stdout.flush()
        return
    draft = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            yield file
        draft.replace(path)
    except OSError as error:
        raise FileNotWritten(f"The file {path} can't be written: {error.strerror}. Choose another one.") from error
    finally:
        draft.unlink(missing_ok=True)


def show(value: object, *, as_json: bool, columns: Sequence[str] = ()) -> None:
    """Print ``value``: JSON, or a table of the named columns for lists, or ``name: value`` lines for one object."""
    if as_json:
        typer.echo(json.dumps(value, indent=2, default=str))
    elif isinstance(value, list):
        _table(value, columns)
    elif isinstance(value, Mapping):
        for name in columns or value:
            typer.echo(f"{name}: {_text(value.get(name))}")
    else:
        typer.echo(_text(value))


def _table(rows: Iterable[Mapping[str, Any]], columns: Sequence[str]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(*columns, box=box.SIMPLE_HEAD)
    for row in rows:
        table.add_row(*(_text(row.get(name)) for name in columns))
    Console().print(table)


def _text(value: object) -> str:
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)
