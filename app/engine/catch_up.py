"""Catch-up after a gap: what ftrack never replays, each handler looks for by itself."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping, Sequence

from app.engine.changes import moment, payload_of, split
from app.engine.executor import Ending, Tools, registered
from app.engine.plans import context_for
from app.engine.protocol import Change, Handler
from app.journal.journal import Journal
from app.journal.queue import NewRun, QueuedRun
from app.journal.rows import RawEvent
from app.settings.models import EngineSettings

__all__ = ["CatchUp", "order_catch_up"]

_PAGE = 1000
#: The site writes moments in whole seconds, and its clock is known to about one.
_LATE = dt.timedelta(seconds=2)


def order_catch_up(
    journal: Journal,
    handlers: Iterable[str],
    since: float,
    until: float,
    settings: EngineSettings,
    mark: str,
    *,
    dry: bool = False,
) -> list[int]:
    """Queue a catch-up of handlers for a gap.

    Args:
        journal: The journal.
        handlers: Ids of those that look.
        since: When the listener was last known to be connected, UTC epoch seconds.
        until: When it was connected again.
        settings: Gaps longer than ``catch_up_hold`` are caught up in dry run.
        mark: Makes the runs' identity unique (the order's id).
        dry: Only plan, however short the gap.
    """
    dry = dry or until - since > settings.catch_up_hold
    runs = [
        NewRun(
            kind="catch_up",
            handler=handler,
            identity=f"catch-up:{mark}:{handler}",
            key=f"catch-up:{handler}",
            seq=journal.last_event_id(),
            received=until,
            facts={"since": since, "until": until, "dry": dry},
        )
        for handler in handlers
    ]
    return [run_id for run_id in journal.add_runs(runs) if run_id is not None]


class CatchUp:
    """Executes runs of the kind "catch_up": asks a handler what it missed and appends it to the journal as events.

    Args:
        handlers: By id.
        appended: Called after events were appended, so that they are dispatched at once.
    """

    def __init__(self, handlers: Mapping[str, Handler], appended: Callable[[], None]) -> None:
        self._handlers = handlers
        self._appended = appended

    def execute(self, batch: Sequence[QueuedRun], tools: Tools) -> Ending:
        """Append what the handler missed; what is in the journal already is not appended again."""
        run = batch[0]
        handler = registered(self._handlers, run, "handler")
        now = tools.journal.now()
        start = float(run.facts["since"]) - tools.settings.catch_up_overlap
        # The server's clock is not ours.
        skew = tools.site.server_time() - tools.doors.clock.now()
        since = moment(start) + skew
        ctx = context_for(run, tools, tools.section(f"handlers.{handler.id}"))
        found = list(handler.catch_up(ctx, since))
        dry = bool(run.facts.get("dry"))
        new = [each for each in found if tools.journal.find_event(each.event_id) is None]
        if new:
            told = _Told(tools.journal, start)
            new = [each for each in new if not told.of(each, skew)]
        tools.journal.append_events(
            [
                RawEvent(
                    payload_of(each, dry=dry),
                    now,
                    "catch_up",
                    each.occurred.timestamp() if each.occurred is not None else None,
                )
                for each in new
            ]
        )
        self._appended()
        words = f"looked back to {since:%Y-%m-%d %H:%M:%S} UTC: {len(new)} missed, {len(found) - len(new)} known"
        if dry and new:
            words += "; they are only planned: look at them and apply"
        return Ending("done" if new else "skipped", words)


class _Told:
    """What events told since a moment: the overlap before a gap was heard, and is not done again.

    What came while a lever was Off was left to a person, and what came in a dry run was planned: looking back does
    neither of them over.

    Args:
        journal: The journal.
        start: Since when, UTC epoch seconds of this machine.
    """

    def __init__(self, journal: Journal, start: float) -> None:
        self._changes: dict[str, list[Change]] = {}
        after = journal.last_event_before(start)
        while events := journal.stored_events(after, _PAGE):
            after = events[-1].id
            for change in (change for event in events if event.origin == "hub" for change in split(event)):
                self._changes.setdefault(change.entity_id, []).append(change)

    def of(self, found: Change, skew: dt.timedelta) -> bool:
        """Whether an event told of the same, not before it happened."""
        earliest = found.occurred - skew - _LATE if found.occurred is not None else None
        return any(
            _same(found, heard) and (earliest is None or heard.received >= earliest)
            for heard in self._changes.get(found.entity_id, ())
        )


def _same(found: Change, heard: Change) -> bool:
    if found.action == "add":
        return heard.action == "add"
    return heard.action != "remove" and all(
        key in heard.changes and heard.changes[key][1] == new for key, (_, new) in found.changes.items()
    )
