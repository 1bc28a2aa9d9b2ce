"""``pilothouse serve`` and what it runs."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from pilothouse.cli.options import Config, Home, home_or_default

Host = Annotated[str | None, typer.Option(help="Address to listen on. Default: 127.0.0.1.")]
Port = Annotated[
    int | None, typer.Option(help="Port of the dashboard and API; content and sessions take the next two.")
]


def serve(
    home: Home = None,
    config: Config = None,
    host: Host = None,
    port: Port = None,
    stop_jobs: Annotated[bool, typer.Option("--stop-jobs", help="End all jobs when the server is stopped.")] = False,
) -> None:
    """Start the server. Jobs go on when it stops, and are found again at the next start."""
    from pilothouse.app.serving import prepare_serving
    from pilothouse.gateway.serving import command
    from pilothouse.settings import load

    loaded = load(home_or_default(home), file=config, flags={"server.host": host, "server.port": port})
    plan = prepare_serving(loaded, worker_arguments=_arguments(loaded.home, config, host, port), stop_jobs=stop_jobs)
    argv = command(plan)
    os.execv(argv[0], argv)  # noqa: S606 - this process becomes the supervisor


def worker(
    fd: Annotated[int, typer.Option(help="The listening socket.")],
    home: Home = None,
    config: Config = None,
    host: Host = None,
    port: Port = None,
) -> None:
    """Run the control plane; started by the supervisor."""
    from pilothouse.app.control_plane import run
    from pilothouse.app.logs import configure, mistakes_logged
    from pilothouse.settings import load

    loaded = load(home_or_default(home), file=config, flags={"server.host": host, "server.port": port})
    configure(loaded.settings.logging)
    with mistakes_logged():
        run(loaded, fd=fd)


def stop_jobs(home: Home = None, config: Config = None, host: Host = None, port: Port = None) -> None:
    """End all jobs of this installation and wait for them; run by the supervisor at its end."""
    from pilothouse.app.local import existing_house, stop_all_jobs
    from pilothouse.settings import load

    loaded = load(home_or_default(home), file=config, flags={"server.host": host, "server.port": port})
    with existing_house(loaded) as house:
        stop_all_jobs(house)


def _arguments(home: Path, config: Path | None, host: str | None, port: int | None) -> list[str]:
    found = ["--home", str(home)]
    found += ["--config", str(config.resolve())] if config else []
    found += ["--host", host] if host else []
    found += ["--port", str(port)] if port else []
    return found
