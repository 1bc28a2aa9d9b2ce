"""Removing the packages of one language and version that no bundle needs, without waiting for the sweep."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from pilothouse.content.models import Lock
from pilothouse.content.tasks.engines import ContentEngines
from pilothouse.content.tasks.sweep import needed_libraries
from pilothouse.tasks import Handler, Run


def clear_cache_task(engines: ContentEngines) -> Handler:
    """The handler of ``content.clear_cache``. What was removed is restored by the next deploy that needs it."""

    def clear(run: Run) -> dict[str, Any]:
        language, version = run.args["language"], run.args["version"]
        with engines.database.read() as tx:
            named = select(Lock.library_key).where(Lock.language == language, Lock.runtime_version == version)
            keys = set(tx.scalars(named.distinct()))
        needed = keys & needed_libraries(engines)
        restorer = engines.languages[language].restorer
        removed = run.step("remove", lambda: {"keys": restorer.drop(keys - needed)})["keys"]
        run.log(
            f"Removed {len(removed)} libraries of {language} {version}; {len(needed)} are needed by content and stay."
        )
        return {"removed": len(removed), "needed": len(needed)}

    return clear
