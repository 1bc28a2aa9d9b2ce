"""One request to a page of one content: who, which stage, which item; showing a tab and doing a change."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Request, Response

from pilothouse.asgi.context import Db, SignedIn, Stage
from pilothouse.asgi.rendering import Done, frame, page, server_url
from pilothouse.asgi.texts import catalogue
from pilothouse.base.access import Permission, Principal, may
from pilothouse.base.errors import Conflict, Invalid, NotFound
from pilothouse.content import service
from pilothouse.content.models import Content, WorkerState
from pilothouse.content.pages import reading
from pilothouse.content.pages.views import Head, Tab, Trust
from pilothouse.db import Database, Tx
from pilothouse.stages import StageRef
from pilothouse.tasks.models import TaskState

_TABS = (
    ("open", "Open", "", Permission.CONTENT_VIEW),
    ("api", "API", "/api", Permission.CONTENT_VIEW),
    ("questions", "Questions", "/questions", Permission.CONTENT_VIEW),
    ("access", "Access", "/access", Permission.CONTENT_READ),
    ("variables", "Variables", "/variables", Permission.CONTENT_READ),
    ("versions", "Versions", "/versions", Permission.CONTENT_READ),
    ("runtime", "Runtime", "/runtime", Permission.CONTENT_UPDATE),
    ("usage", "Usage", "/usage", Permission.CONTENT_READ),
    ("log", "Log", "/log", Permission.CONTENT_READ),
    ("settings", "Settings", "/settings", Permission.CONTENT_UPDATE),
)

#: Kinds that programs call: they have a page about that.
API_MODES = frozenset({"python-api", "python-fastapi", "api", "tensorflow-saved-model"})
#: What a tab shows, read in the page's transaction.
Shown = Callable[[Tx, Content], Mapping[str, Any]]


@dataclass(frozen=True)
class Visit:
    """A page of one content, asked for by somebody."""

    request: Request
    db: Database
    caller: Principal
    stage: StageRef
    guid: str

    @property
    def base(self) -> str:
        return f"{frame(self.request).base}/_/content/{self.guid}"

    @property
    def worker_rules(self) -> service.WorkerRules:
        """Under which terms content may ask to run here."""
        state = self.request.app.state
        return service.WorkerRules(state.loaded.settings, state.stages)

    def said(self, words: str) -> str:
        """``words`` in the reader's language."""
        return catalogue(frame(self.request).language).gettext(words)

    def may_view(self, tx: Tx, content: Content) -> bool:
        return may(self.caller, Permission.CONTENT_VIEW, service.resource_of(tx, content))

    def address(self, tx: Tx, content: Content) -> str:
        """Where it opens: its own path, else the one with its GUID."""
        path = service.vanity_paths(tx, [content]).get(content.id, f"/content/{content.guid}/")
        return f"{server_url(self.request)}{path}"

    def content(self, tx: Tx, permission: Permission = Permission.CONTENT_VIEW) -> Content:
        """The item, if the caller may do this with it; raises as `get_content` does."""
        return service.get_content(tx, self.caller, self.stage, self.guid, permission)

    def show(
        self,
        template: str,
        shown: Shown,
        *,
        permission: Permission,
        status: int = 200,
        problem: str = "",
        done: str | Done = "",
    ) -> Response:
        """The page with its head and what the tab shows."""
        with self.db.read() as tx:
            content = self.content(tx, permission)
            head = self._head(tx, content, problem, done)
            return page(self.request, template, status=status, head=head, **shown(tx, content))

    def change(self, verb: Callable[[Tx, Content], str | Done], show: Callable[..., Response]) -> Response:
        """Do ``verb`` in one transaction and ``show`` the tab again: with what it did, or with why it was refused."""
        try:
            with self.db.write() as tx:
                done = verb(tx, self.content(tx))
        except (Conflict, Invalid, NotFound) as error:
            with self.db.read() as tx:
                self.content(tx)  # the item itself is gone: that is another page
            return show(self, status=422, problem=self.said(str(error)))
        return show(self, done=done)

    def _head(self, tx: Tx, content: Content, problem: str, done: str | Done) -> Head:
        stands = reading.standing(tx, [content])[content.id]
        resource = service.resource_of(tx, content)
        card = reading.cards(tx, [content], frame(self.request).base, self.caller)[0]
        may_read = may(self.caller, Permission.CONTENT_READ, resource)
        waiting = service.waiting_counts(tx, content) if may_read else {}
        return Head(
            card=card,
            stage=self.stage.title,
            ask=f"{self.base}/questions" if content.owner_id != self.caller.id else "",
            address=self.address(tx, content),
            frame_address=self._frame_address(content) if content.bundle_id else "",
            tabs=[
                Tab(key, name, f"{self.base}{path}", waiting.get(key) if may_read else None)
                for key, name, path, permission in _TABS
                if may(self.caller, permission, resource) and (key != "api" or content.app_mode in API_MODES)
            ],
            base=self.base,
            may_edit=may_read,
            trust=self._trust(tx, content),
            problem=problem or (_trouble(stands) if may_read else ""),
            done=(Done(done) if done else None) if isinstance(done, str) else done,
        )

    def _trust(self, tx: Tx, content: Content) -> Trust | None:
        """Nothing where nobody endorses it and the reader may not either. Nobody endorses what they own."""
        is_theirs = content.owner_id == self.caller.id
        may_say = may(self.caller, Permission.CONTENT_ENDORSE, service.may_endorse(tx, self.caller)) and not is_theirs
        path = f"{self.base}/endorse" if may_say and content.bundle_id else ""
        given, steward = service.endorsements_of(tx, [content]).get(content.id, (None, None))
        if given is None or steward is None:
            return Trust(path=path) if path else None
        return Trust(steward.display_name, given.words, given.created_at, path)

    def _frame_address(self, content: Content) -> str:
        origins, host = self.request.app.state.origins, self.request.headers.get("host", "")
        path = f"{self.stage.path}content/{content.guid}/"
        return str(origins.opened(host, self.stage, content.guid, path))


def _trouble(stands: reading.Standing) -> str:
    """What its owner should know at once: the last deploy or the last start failed."""
    if stands.deploy is not None and stands.deploy.state == TaskState.FAILED:
        return f"The last deploy failed. {stands.deploy.error}".strip()
    if stands.worker is not None and stands.worker.state == WorkerState.FAILED:
        return f"The last start failed. {stands.worker.reason}".strip()
    return ""


def visit(request: Request, db: Db, caller: SignedIn, stage: Stage, guid: str) -> Visit:
    return Visit(request, db, caller, stage, guid)


VisitOf = Annotated[Visit, Depends(visit)]
