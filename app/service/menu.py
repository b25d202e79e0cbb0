"""Whether another server on the site offers the same actions: a person would see each twice, or cause it twice.

A reply goes only to whoever asked, so that nobody sees what others answer to a web page. Therefore the event server
asks as a page does (``ftrack.action.discover``, for one entity of each type that actions are offered on) and reads who
answers beside itself. What the other server offers to its own user alone, or not on that entity, stays unseen.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from app.actions.base import Action
from app.actions.registry import PREFIX, table_of
from app.engine.doors import SiteDoor
from app.journal.journal import Journal
from app.service.health import State
from app.site.listener import Listener

__all__ = ["ELSEWHERE", "MenuWatch", "answered_elsewhere"]

log = logging.getLogger("signalbox.menu")

#: The journal's fact: for each such action ``{"action", "title", "label", "identifier", "by"}``.
ELSEWHERE = "actions_elsewhere"
_PAUSE_SECONDS = 600.0
#: The first look is not at once, so that a server that ends and comes back does not ask everybody each time.
_FIRST_SECONDS = 5.0
_PATIENCE_SECONDS = 3.0
_RENEW_SECONDS = 60.0
_ANY = "Task"


class MenuWatch:
    """Asks now and then, without waiting. Used by one thread.

    Args:
        journal: Keeps what was found, and the lamp.
        listener: Asks, and hears the answers.
        site: The calling thread's door.
        actions: Ours.
        first: Seconds to the first question.
        patience: Seconds that others have for their answer.
        pause: Seconds from one look to the next.
    """

    def __init__(
        self,
        journal: Journal,
        listener: Listener,
        site: Callable[[], SiteDoor],
        actions: Sequence[Action],
        *,
        first: float = _FIRST_SECONDS,
        patience: float = _PATIENCE_SECONDS,
        pause: float = _PAUSE_SECONDS,
    ) -> None:
        self._journal, self._listener, self._site = journal, listener, site
        self._actions = actions
        self._patience, self._pause = patience, pause
        self._asked: list[str] = []
        self._due = time.monotonic() + first
        self._renew_at = self._due

    def turn(self) -> None:
        """Ask, read the answers, or renew the lamp: what is due. Raises SiteUnreachable, SiteRefusal."""
        now = time.monotonic()
        if now >= self._due and self._asked:
            self._read()
        elif now >= self._due and self._listener.connected:
            self._ask()
        elif now >= self._renew_at:
            self._tell()

    def _ask(self) -> None:
        self._due = time.monotonic() + self._patience
        for place in _places(self._site(), self._actions):
            data = {"selection": [place], "groupers": [], "filters": [], "sorters": []}
            self._asked.append(self._listener.inquire("ftrack.action.discover", data))

    def _read(self) -> None:
        answers = [answer for question in self._asked for answer in self._listener.answers(question)]
        self._asked = []
        self._due = time.monotonic() + self._pause
        found: dict[tuple[str, str], dict[str, str]] = {}
        for answer in answers:
            for one in _same_actions(answer, self._actions, self._listener.id):
                found.setdefault((one["action"], one["by"]), one)
        news = sorted(found.values(), key=lambda one: (one["title"], one["by"]))
        if news != self._journal.fact(ELSEWHERE):
            self._journal.set_fact(ELSEWHERE, news)
            for one in news:
                log.warning("%s", _words(one))
        self._tell()

    def _tell(self) -> None:
        self._renew_at = time.monotonic() + _RENEW_SECONDS
        state, words = answered_elsewhere(self._journal)
        self._journal.set_health("menus", state, words)


def answered_elsewhere(journal: Journal) -> tuple[State, str]:
    """What the last look found, as state and words: a warning only where ours answers too."""
    found = journal.fact(ELSEWHERE)
    if found is None:
        return "off", "not asked yet: who else answers our actions"
    both = [one for one in found if journal.lever(one["action"])[0] != "off"]
    if both:
        return "warning", "; ".join(_words(one) for one in both)
    if found:
        titles = ", ".join(sorted({one["title"] for one in found}))
        return "ok", f"another server still answers {titles}; ours are Off"
    return "ok", "nobody else answers our actions"


def _words(one: Mapping[str, str]) -> str:
    return f'{one["title"]} is also answered by {one["by"]} (as "{one["label"]}", {one["identifier"]})'


def _places(site: SiteDoor, actions: Sequence[Action]) -> Iterator[dict[str, str]]:
    """One entity of each type that an action is offered on, as a menu's selection names it."""
    for entity_type in sorted({kind for action in actions for kind in action.offered_on or {_ANY}}):
        for row in site.rows(f"select id from {entity_type} limit 1"):
            yield {"entityId": str(row["id"]), "entityType": table_of(entity_type)}


def _same_actions(answer: Mapping[str, Any], actions: Sequence[Action], own: str) -> Iterator[dict[str, str]]:
    """Items of somebody else's answer that carry an action's identifier or its name in the menu."""
    source, data = answer.get("source") or {}, answer.get("data")
    if source.get("id") == own or not isinstance(data, Mapping):
        return
    user = str((source.get("user") or {}).get("username") or "somebody")
    by = f"{user} ({source.get('applicationId') or 'unknown program'})"
    for item in data.get("items") or ():
        if not isinstance(item, Mapping):
            continue
        label, identifier = str(item.get("label") or ""), str(item.get("actionIdentifier") or "")
        for action in actions:
            if identifier == PREFIX + action.id or label.strip().casefold() == action.title.casefold():
                yield {"action": action.id, "title": action.title, "label": label, "identifier": identifier, "by": by}
