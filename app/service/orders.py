"""Orders given from a terminal, and what is told there: replay, catch-up, levers, status.

They go through the journal, as the window's do, so that they work beside a running server; where none runs, one is
started for as long as it takes.
"""

from __future__ import annotations

import contextlib
import getpass
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from app.journal.journal import Journal, is_there
from app.journal.lock import JournalLock
from app.journal.rows import HealthRow, JournalBusy, RunRow
from app.journal.scan import project_names
from app.service.event_server import Installation, Service

_ENDED = frozenset(
    {"planned", "done", "skipped", "superseded", "failed", "stopped", "cancelled", "in_doubt", "undone", "waiting"}
)
_LOOK_SECONDS = 0.05
#: A service's supervisor starts it again after five seconds, and it needs some of its own.
AWAY_SECONDS = 20.0
_ATTENDED_SECONDS = 1.0
STAYS = "the order stays in the journal, and is carried out when an event server gets to it"
_STATUS_SECONDS = 86_400.0
#: So many of the events that a catch-up found are followed to their end.
_FOLLOWED = 10_000


def whose() -> str:
    """Who gives an order here."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "unknown"


def is_running(folder: Path) -> bool:
    """Whether an event server works on this journal."""
    return JournalLock.is_held(folder)


@contextlib.contextmanager
def attended(installation: Installation) -> Iterator[Journal]:
    """The journal with somebody who carries orders out: the running server, or one of our own."""
    try:
        service = Service(installation, listener=False)
        service.start()
    except JournalBusy:
        journal = Journal.open(installation.journal, "panel")
        try:
            yield journal
        finally:
            journal.close()
        return
    try:
        yield service.journal
    finally:
        service.stop()


class Attendance:
    """Whether somebody still carries out what a terminal waits for.

    A service that is started again is away for a moment; one that is away for longer may not come back.

    Args:
        journal: The journal they work on.
        away: Seconds without anybody that are borne.
    """

    def __init__(self, journal: Journal, away: float = AWAY_SECONDS) -> None:
        self._folder = journal.folder
        self._away = away
        self._seen = self._looked = time.monotonic()

    def lost(self) -> bool:
        """Nobody has worked on the journal for so long."""
        now = time.monotonic()
        if now - self._looked > _ATTENDED_SECONDS:
            self._looked = now
            if is_running(self._folder):
                self._seen = now
        return self._looked - self._seen > self._away


def answer_to(journal: Journal, order: int, seconds: float, away: float = AWAY_SECONDS) -> Mapping[str, Any]:
    """The answer to an order; ``{"refused": why}`` also where none comes within so many seconds, or nobody is left."""
    until, attendance = time.monotonic() + seconds, Attendance(journal, away)
    while time.monotonic() < until:
        row = journal.order_row(order)
        if row.state != "open":
            return row.result
        if attendance.lost():
            return {"refused": f"the event server has stopped before it answered: {STAYS}"}
        threading.Event().wait(_LOOK_SECONDS)
    return {"refused": f"nobody carried the order out within {seconds:g} s: {STAYS}"}


def replay_event(
    settings: Path | None, journal: Path | None, event: str, *, dry: bool, handler: str = "", wait: float = 60.0
) -> dict[str, Any]:
    """Order a replay and wait for its runs.

    Args:
        settings: The settings file; None: the usual one.
        journal: The journal's folder; None: the usual one.
        event: Its row in the journal, or ftrack's id.
        dry: Only plan.
        handler: Only this handler; "": all.
        wait: Seconds to wait for the outcome.

    Returns:
        ``{"event", "dry_run", "runs": [...]}``, or ``{"refused": why}``.

    Raises:
        SettingsError, JournalError.
    """
    installation = Installation.at_work(settings, journal)
    if not is_there(installation.journal / "journal.db"):
        return {"refused": f"there is no journal in {installation.journal}", "runs": []}
    with attended(installation) as opened:
        row = _row_of(opened, event)
        if row is None:
            return {"refused": f"the journal has no event {event}", "runs": []}
        args: dict[str, Any] = {"event_row": row, "dry": dry}
        if handler:
            args["handler"] = handler
        newest = max((run.id for run in opened.runs(limit=1)), default=0)
        order = opened.order("replay", args, whose())
        deadline = time.monotonic() + wait
        answer = answer_to(opened, order, wait)
        if answer.get("refused"):
            return {"refused": str(answer["refused"]), "runs": []}
        runs = _until_ended(opened, lambda: [run for run in opened.runs_of_event(row) if run.id > newest], deadline)
        return {"event": row, "dry_run": dry, "runs": [_told(opened, run) for run in runs]}


def catch_up(
    settings: Path | None,
    journal: Path | None,
    since: float,
    *,
    dry: bool = False,
    handler: str = "",
    wait: float = 300.0,
) -> dict[str, Any]:
    """Let handlers look for what they missed since a moment, and wait for what follows from it.

    Args:
        settings: The settings file; None: the usual one.
        journal: The journal's folder; None: the usual one.
        since: UTC epoch seconds.
        dry: Only plan.
        handler: Only this handler; "": all.
        wait: Seconds to wait for the outcome.

    Returns:
        ``{"since", "looked": [{"handler", "state", "reason"}], "runs": [...], "unfinished"}`` (unfinished: more is to
        come), or ``{"refused": why}``.

    Raises:
        SettingsError, JournalError.
    """
    installation = Installation.at_work(settings, journal)
    with attended(installation) as opened:
        newest = opened.last_event_id()
        deadline = time.monotonic() + wait
        order = opened.order("catch_up", {"since": since, "dry": dry, "handler": handler}, whose())
        answer = answer_to(opened, order, wait)
        if answer.get("refused"):
            return {"refused": str(answer["refused"]), "looked": [], "runs": []}
        looked = _until_ended(opened, lambda: [opened.run(run).row for run in answer["runs"]], deadline)
        attendance = Attendance(opened)
        while opened.cursor() < opened.last_event_id() and time.monotonic() < deadline and not attendance.lost():
            threading.Event().wait(_LOOK_SECONDS)
        found = [event.id for event in opened.stored_events(newest, _FOLLOWED) if event.origin == "catch_up"]
        runs = _until_ended(opened, lambda: [run for event in found for run in opened.runs_of_event(event)], deadline)
        return {
            "since": since,
            "looked": [{"handler": run.handler, "state": run.state, "reason": run.reason} for run in looked],
            "runs": [_told(opened, run) for run in runs],
            "unfinished": any(run.state not in _ENDED for run in (*looked, *runs)),
        }


def _row_of(journal: Journal, event: str) -> int | None:
    found = journal.find_event(event)
    if found is not None:
        return found
    if not event.isdigit():
        return None
    try:
        journal.event(int(event))
    except KeyError:
        return None
    return int(event)


def _until_ended(journal: Journal, runs_now: Callable[[], list[RunRow]], deadline: float) -> list[RunRow]:
    """The runs once all have ended, or as they are when the time is over or nobody works on them any more."""
    attendance = Attendance(journal)
    while True:
        runs = runs_now()
        if all(run.state in _ENDED for run in runs) or time.monotonic() >= deadline or attendance.lost():
            return runs
        threading.Event().wait(_LOOK_SECONDS)


def _told(journal: Journal, run: RunRow) -> dict[str, Any]:
    detail = journal.run(run.id)
    return {
        "run": run.id,
        "handler": run.handler,
        "entity": run.entity,
        "state": run.state,
        "reason": run.reason,
        "effects": [
            {"kind": one.kind, "state": one.state, "words": one.words, "reason": one.reason, "error": one.error}
            for one in detail.effects
        ],
        "notes": [str(note.get("reason") or note) for note in detail.notes],
        "warnings": list(detail.warnings),
    }


def set_lever(
    settings: Path | None,
    journal: Path | None,
    handler: str,
    position: str,
    *,
    project: str = "",
    why: str = "",
    process_kept: bool = False,
    old_server_off: bool = False,
    wait: float = 30.0,
) -> dict[str, Any]:
    """Move a lever, as the window does.

    Args:
        settings: The settings file; None: the usual one.
        journal: The journal's folder; None: the usual one.
        handler: The handler's id.
        position: "off", "dry", "on", or "follow" (a project's lever follows the handler's own again).
        project: Only for this project.
        why: Kept with the lever.
        process_kept: When turned on: process the events kept meanwhile.
        old_server_off: A person confirms that no other server does this handler's work any more.
        wait: Seconds to wait for the outcome.

    Returns:
        ``{"handler", "project", "position", "kept_events", "known"}`` (known: the project was seen before), or
        ``{"refused": why}``.

    Raises:
        SettingsError, JournalError.
    """
    if position == "follow" and not project:
        return {"refused": "only the lever of a project can follow the handler's own: name it with --project"}
    installation = Installation.at_work(settings, journal)
    with attended(installation) as opened:
        kept = next((one.kept_events for one in opened.levers() if (one.handler, one.project) == (handler, project)), 0)
        move: dict[str, Any] = {"handler": handler, "project": project, "why": why}
        move["position"] = None if position == "follow" else position
        known = not project or project in project_names(opened)
        move["old_server_off"] = old_server_off
        orders: list[tuple[str, dict[str, Any]]] = [("set_lever", move)]
        if process_kept and position not in ("off", "follow"):
            orders.append(("process_kept", {"handler": handler}))
        for kind, args in orders:
            answer = answer_to(opened, opened.order(kind, args, whose()), wait)
            if answer.get("refused"):
                return {"refused": str(answer["refused"])}
        return {"handler": handler, "project": project, "position": position, "kept_events": kept, "known": known}


def status_of(settings: Path | None, journal: Path | None) -> dict[str, Any]:
    """What a running server is doing, from its journal. Raises SettingsError, JournalError."""
    installation = Installation.at_work(settings, journal)
    facts: dict[str, Any] = {"running": is_running(installation.journal), "journal": str(installation.journal)}
    if not is_there(installation.journal / "journal.db"):
        return {**facts, "site": None, "events": 0, "queue": 0, "health": [], "handlers": []}
    opened = Journal.open(installation.journal, "read")
    try:
        rows = opened.levers()
        levers = {one.handler: one for one in rows if not one.project}
        shows: dict[str, dict[str, str]] = {}
        for one in rows:
            if one.project:
                shows.setdefault(one.handler, {})[one.project] = one.position
        stats = {one.handler: one for one in opened.stats(time.time() - _STATUS_SECONDS)}
        states = opened.run_states()
        return {
            **facts,
            "site": opened.fact("site"),
            "events": opened.count_events(),
            "queue": opened.queue_length(),
            "health": [_lamp(one, running=bool(facts["running"])) for one in opened.health()],
            "handlers": [
                {
                    "id": row.id,
                    "title": row.title,
                    "lever": levers[row.id].position if row.id in levers else "on",
                    "projects": shows.get(row.id, {}),
                    "paused": levers[row.id].breaker if row.id in levers else "",
                    "runs": states.get(row.id, {}),
                    "lag": stats[row.id].lag if row.id in stats else 0.0,
                    "source": row.source,
                    "error": row.error,
                    "last_error": stats[row.id].last_error if row.id in stats else "",
                }
                for row in opened.catalogue()
                if row.kind == "handler"
            ],
        }
    finally:
        opened.close()


def _lamp(row: HealthRow, *, running: bool) -> dict[str, Any]:
    """A lamp as it is now: what a server that is gone last said is no news."""
    state, words = (row.state, row.words) if running else ("off", f"last said: {row.words}")
    return {"name": row.name, "state": state, "words": words, "at": row.at}
