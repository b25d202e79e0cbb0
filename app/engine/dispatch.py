"""From events to runs: splits, asks each handler, minds levers and echoes, all in one transaction with the cursor."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from app.engine.catch_up import order_catch_up
from app.engine.changes import change_to_json, split
from app.engine.doors import SiteDoor, SiteRefusal, SiteUnreachable
from app.engine.echo import Origin, origin_of
from app.engine.levers import Levers
from app.engine.protocol import Change, Handler
from app.journal.events import StoredEvent
from app.journal.journal import Journal
from app.journal.queue import NewRun
from app.settings.models import EngineSettings

__all__ = ["Dispatcher"]

log = logging.getLogger("signalbox.dispatch")

#: Events a transaction takes: enough to keep up with a storm, few enough not to hold the listener up.
_EVENTS = 200
#: The listener's own event after a gap.
_GAP = "signalbox.gap"


class Dispatcher:
    """Makes runs of events. One thread only.

    Args:
        journal: The journal.
        handlers: By id.
        settings: The engine's settings, read at each call.
        site: The calling thread's door, to learn names of projects that have levers of their own.
    """

    def __init__(
        self,
        journal: Journal,
        handlers: Mapping[str, Handler],
        settings: Callable[[], EngineSettings],
        site: Callable[[], SiteDoor],
    ) -> None:
        self._journal = journal
        self._handlers = handlers
        self._settings = settings
        self._site = site
        self._levers = Levers(journal)

    def run(self) -> int:
        """Make runs of all events behind the cursor; returns how many events there were."""
        total = 0
        while True:
            events = self._journal.stored_events(max(self._journal.cursor(), 0), _EVENTS)
            if not events:
                return total
            self._learn_projects(events)
            with self._journal.write():
                for event in events:
                    if event.topic == _GAP:
                        self._catch_up(event)
                    self._journal.add_runs(self._runs_of(event))
                self._journal.set_cursor(events[-1].id)
            total += len(events)

    def _learn_projects(self, events: Iterable[StoredEvent]) -> None:
        """Names of projects that a lever may name are asked for before the transaction: in it nothing waits for a site.

        Whoever writes would wait for the site too, and a worker that asks for the same name would wait for ever.
        """
        if not self._journal.has_project_levers():
            return
        projects = {change.project_id for event in events for change in split(event) if change.project_id}
        unknown = [each for each in projects if self._journal.named(each) is None]
        if not unknown:
            return
        try:
            self._levers.learn_projects(unknown, self._site())
        except (SiteRefusal, SiteUnreachable) as error:
            log.warning("levers of projects wait for their runs, the site does not say their names: %s", error)

    def _catch_up(self, event: StoredEvent) -> None:
        """The listener was away from ``since`` until ``until``: every handler looks for what it missed."""
        data = event.raw.get("data")
        times = (data.get("since"), data.get("until")) if isinstance(data, Mapping) else (None, None)
        if all(isinstance(each, (int, float)) for each in times):
            since, until = (float(each) for each in times if each is not None)
            order_catch_up(self._journal, list(self._handlers), since, until, self._settings(), f"gap-{event.id}")

    def replay(self, event_row: int, handler: str, *, kind: str, mark: str, dry: bool) -> list[int]:
        """Make runs of one event again, whatever happened to it before.

        Args:
            event_row: The event.
            handler: Only this handler; "" for all that want it.
            kind: "handler" or "preview".
            mark: Makes the runs' identity unique (the order's id).
            dry: Only plan.

        Raises:
            KeyError: The event is not in the journal (any more).
        """
        events = self._journal.stored_events(event_row - 1, 1, until=event_row)
        if not events:
            raise KeyError(f"event {event_row} is not in the journal (any more)")
        self._learn_projects(events)
        chosen = [each for each in self._handlers.values() if handler in ("", each.id)]
        # It takes its place behind what is queued by now: an old event must not overtake.
        seq = self._journal.last_event_id()
        runs = []
        for change in split(events[0]):
            for each in chosen:
                again = replace(change, origin="replay")
                if self._wants(each, again) is not True:
                    continue
                run = self._new_run(each, again, dry=dry)
                runs.append(
                    replace(
                        run,
                        kind="preview" if kind == "preview" else "handler",
                        identity=f"{kind}:{mark}:{each.id}:{change.event_row}:{change.index}",
                        seq=seq,
                        key="" if kind == "preview" else run.key,
                        received=self._journal.now(),
                        state="queued" if kind == "preview" else run.state,
                    )
                )
        return [run_id for run_id in self._journal.add_runs(runs) if run_id is not None]

    def process_kept(self, handler: str) -> tuple[int, list[int]]:
        """Make runs of the events kept for a handler while its lever was Off; returns how many and the runs."""
        each = self._handlers.get(handler)
        if each is None:
            return 0, []
        made: list[int] = []
        with self._journal.write():
            for kept in self._journal.take_kept(handler):
                after = kept.first - 1
                while events := self._journal.stored_events(after, _EVENTS, until=kept.last):
                    for event in events:
                        runs = self._runs_of(event, only=each)
                        made += [run_id for run_id in self._journal.add_runs(runs) if run_id is not None]
                    after = events[-1].id
        return len(made), made

    # -- one event -----------------------------------------------------------------------------------------------

    def _runs_of(self, event: StoredEvent, only: Handler | None = None) -> Iterable[NewRun]:
        data = event.raw.get("data")
        ours = data.get("signalbox") if isinstance(data, Mapping) else None
        dry = bool(isinstance(ours, Mapping) and ours.get("dry"))
        runs = []
        for change in split(event):
            wanting = [(each, self._wants(each, change)) for each in ([only] if only else self._handlers.values())]
            if not any(wants for _, wants in wanting):
                continue
            origin = self._origin(change)
            deeper = replace(change, depth=origin.depth)
            for handler, wants in wanting:
                if wants and handler.id not in origin.handlers:
                    run = self._run_of(handler, deeper, wants, dry=dry)
                    if run is not None:
                        runs.append(run)
        return runs

    def _origin(self, change: Change) -> Origin:
        origin = origin_of(self._journal, change, self._journal.now() - self._settings().echo_seconds)
        if origin.echoes and change.origin == "hub":
            self._journal.match_echoes(origin.echoes, change.event_id)
        return origin

    def _wants(self, handler: Handler, change: Change) -> bool | str:
        """Whether a handler wants a change; a text when asking it failed."""
        try:
            return bool(handler.wants(change))
        except Exception as error:  # a plug-in's defect must not stop the others
            log.exception("%s.wants failed", handler.id, extra={"handler": handler.id, "event_row": change.event_row})
            return f"the handler could not look at the event: {type(error).__name__}: {error}"

    def _run_of(self, handler: Handler, change: Change, wants: bool | str, *, dry: bool) -> NewRun | None:
        if isinstance(wants, str):
            return replace(self._bare(handler, change), state="failed", reason=wants)
        run = self._new_run(handler, change, dry=dry)
        lever = self._levers.of(handler.id, run.project)
        if lever.position == "off":
            self._journal.keep_event(handler.id, run.project, change.event_row)
            return None
        limit = self._settings().depth_limit
        if change.depth >= limit:
            reason = f"refused: the change is the end of a chain of {change.depth} effects of handlers (limit {limit})"
            log.warning("%s: %s", handler.id, reason, extra={"handler": handler.id, "event_row": change.event_row})
            return replace(run, state="failed", reason=reason)
        return replace(run, state="paused", reason=lever.breaker) if lever.breaker else run

    def _new_run(self, handler: Handler, change: Change, *, dry: bool) -> NewRun:
        bare = self._bare(handler, change)
        try:
            key: object = handler.key(change)
            if not isinstance(key, str):
                raise TypeError(f"key() returned {type(key).__name__} instead of a text")
        except Exception as error:  # as above
            log.exception("%s.key failed", handler.id, extra={"handler": handler.id, "event_row": change.event_row})
            text = f"the handler could not name what it writes: {type(error).__name__}: {error}"
            return replace(bare, state="failed", reason=text)
        return replace(bare, key=key, dry=dry)

    def _bare(self, handler: Handler, change: Change) -> NewRun:
        journal = self._journal
        return NewRun(
            kind="handler",
            handler=handler.id,
            identity=f"event:{handler.id}:{change.event_row}:{change.index}",
            key="",
            seq=change.event_row,
            received=change.received.timestamp(),
            event_row=change.event_row,
            depth=change.depth,
            project=self._levers.project_name(change.project_id),
            project_id=change.project_id or "",
            entity_type=change.entity_type,
            entity_id=change.entity_id,
            entity=journal.name_of(change.entity_id) or _own_name(change.changes),
            user=(journal.name_of(change.user_id or "") or change.username or ""),
            change=change_to_json(change),
        )


def _own_name(changes: Mapping[str, tuple[Any, Any]]) -> str:
    pair = changes.get("name")
    return str(pair[1] or pair[0] or "") if pair else ""
