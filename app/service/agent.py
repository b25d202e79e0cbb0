"""The agent of one artist: hears that its person chose Upload Media on ftrack's page, and says that it opens here.

The server asks with an event that only this person's agent is subscribed to; what the agent hears is a task's id and
nothing else, so that nobody can make it open or send a file.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from app.journal.rows import RawEvent
from app.service.browser import Person
from app.service.doors import Installation
from app.site.listener import Listener

__all__ = ["ASK_SECONDS", "TOPIC", "AgentEar", "ask_agent"]

log = logging.getLogger("signalbox.agent")

TOPIC = "signalbox.agent.upload"
ASK_SECONDS = 1.0
"""How long the server waits for a person's agent before the form of the web page comes."""
_ID = re.compile(r"[0-9A-Za-z-]{8,64}")


class AgentEar:
    """Listens for one person.

    Args:
        installation: The site.
        person: Whose agent it is; only events for exactly this person are heard.
        asked: Called with a task's id, from the listener's thread.
    """

    def __init__(self, installation: Installation, person: Person, asked: Callable[[str], None]) -> None:
        self._person = person
        self._asked = asked
        expression = f'topic={TOPIC} and data.user_id="{person.id}"'
        settings = installation.site_settings().model_copy(update={"subscriptions": [expression]})
        self.listener = Listener(installation.credentials(), settings, self)

    def start(self) -> None:
        """Begin to listen."""
        self.listener.start()

    def close(self) -> None:
        """Hang up."""
        self.listener.stop()

    # The listener's sink: an agent keeps nothing.

    def append_events(self, events: Sequence[RawEvent]) -> Sequence[int]:
        """Answer what is for this person."""
        for event in events:
            data = event.payload.get("data")
            if event.payload.get("topic") == TOPIC and isinstance(data, Mapping):
                self._take(event.payload, data)
        return []

    def heard(self, at: float) -> None:
        """Nothing was missed until then; nothing is caught up either."""

    def last_heard(self) -> float | None:
        """An agent begins at now."""
        return None

    def _take(self, event: Mapping[str, Any], data: Mapping[str, Any]) -> None:
        task = str(data.get("task_id") or "")
        if str(data.get("user_id")) != self._person.id or not _ID.fullmatch(task):
            log.warning("a request that is not for %s was left alone", self._person.username)
            return
        self.listener.reply(event, {"opens": True})
        self._asked(task)


def ask_agent(listener: Listener, user_id: str, username: str, task_id: str) -> bool:
    """Whether the person's own agent opens the dialog; waits `ASK_SECONDS` at most."""
    if not user_id:
        return False
    data = {"user_id": user_id, "task_id": task_id}
    target = f'user.username="{username}"' if username and '"' not in username else ""
    answer = listener.ask(TOPIC, data, target=target, seconds=ASK_SECONDS)
    return isinstance(answer, Mapping) and answer.get("opens") is True
