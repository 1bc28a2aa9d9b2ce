"""Puts the commands together."""

from __future__ import annotations

import typer

from pilothouse.cli import audit, config, keys, maintenance, notify, runtimes, secrets, serve, users

program = typer.Typer(
    name="pilothouse",
    help="One server for a company's data-science platform.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
program.command()(serve.serve)
program.command(hidden=True)(serve.worker)
program.command(hidden=True)(serve.stop_jobs)
program.command()(maintenance.migrate)
program.command()(maintenance.doctor)
program.add_typer(users.commands, name="user", help="People who may sign in.")
program.add_typer(keys.commands, name="key", help="API keys.")
program.add_typer(config.commands, name="config", help="The settings of an installation.")
program.add_typer(audit.commands, name="audit", help="The audit trail.")
program.add_typer(runtimes.commands, name="runtime", help="Versions of Python that content may use.")
program.add_typer(notify.commands, name="notify", help="Mails to people.")
program.add_typer(secrets.commands, name="secrets", help="The keys of stored secrets and of grants.")
