"""``pilothouse migrate`` and ``pilothouse doctor``."""

from __future__ import annotations

import typer

from pilothouse.cli.options import AsJson, Config, Home, home_or_default, show


def migrate(home: Home = None, config: Config = None, as_json: AsJson = False) -> None:
    """Bring the database's schema up to date. Safe to repeat."""
    from pilothouse.app.local import bring_up_to_date
    from pilothouse.settings import load

    done = bring_up_to_date(load(home_or_default(home), file=config))
    show({"applied": ", ".join(done) or "nothing: the schema is up to date"}, as_json=as_json)


def doctor(home: Home = None, config: Config = None, as_json: AsJson = False) -> None:
    """Look at this machine and installation; exit code 1 if something keeps the server from running."""
    from pilothouse.app.doctor import examine
    from pilothouse.settings import load

    findings = examine(load(home_or_default(home), file=config))
    rows = [{"state": f.state, "what": f.what, "finding": f.finding} for f in findings]
    show(rows, as_json=as_json, columns=("state", "what", "finding"))
    raise typer.Exit(1 if any(f.state == "broken" for f in findings) else 0)
