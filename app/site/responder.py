"""Answers to menus and forms, in threads of their own: the web page waits for them, handlers must not delay them.

What is asked is not journalled (only counted); what a launch causes is: the registry leaves an order in the journal
before it answers. A form that is not ready after two seconds is answered "preparing" and pushed when it is.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol

from app.rules.outcomes import PlanError
from app.settings.redact import redact
from app.site.types import SiteRefusal, SiteUnreachable

log = logging.getLogger("signalbox.responder")

Event = Mapping[str, Any]


class Registry(Protocol):
    """What knows the actions. Called from several threads; ``site`` is the calling thread's own door."""

    def discover(self, event: Event, site: Any) -> Sequence[Mapping[str, Any]]:
        """Menu items for a selection."""

    def launch(self, event: Event, site: Any) -> Mapping[str, Any] | None:
        """The answer to a launch: a form, or a message after the run was journalled. None: not one of ours."""


class Answers(Protocol):
    """How answers travel: the listener."""

    def reply(self, question: Event, data: Any) -> None:
        """Answer an event."""

    def send(self, topic: str, data: Any, *, target: str = "", in_reply_to: str | None = None) -> None:
        """Publish an event."""


class Responder:
    """A small pool that answers discover and launch events.

    Args:
        registry: Knows the actions.
        answers: Sends the answers.
        site: The calling thread's door, fresh.
        threads: Size of the pool.
        patience: Seconds after which a launch is answered "preparing".
    """

    def __init__(
        self,
        registry: Registry,
        answers: Answers,
        site: Callable[[], Any],
        *,
        threads: int = 2,
        patience: float = 2.0,
    ) -> None:
        self.answered = 0
        self.failed = 0
        self._registry = registry
        self._answers = answers
        self._site = site
        self._patience = patience
        self._pool = ThreadPoolExecutor(max_workers=threads, thread_name_prefix="responder")

    def ask(self, event: Event) -> None:
        """Take a question and return at once."""
        try:
            self._pool.submit(self._answer, event, time.monotonic())
        except RuntimeError:
            return  # the pool is being closed: nobody answers any more

    def close(self) -> None:
        """Answer what was begun and end the threads."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _answer(self, event: Event, asked: float) -> None:
        try:
            if event["topic"] == "ftrack.action.discover":
                items = list(self._registry.discover(event, self._site()))
                if items:
                    self._answers.reply(event, {"items": items})
            else:
                self._launch(event, asked)
            self.answered += 1
        except (PlanError, SiteRefusal, SiteUnreachable) as error:
            self._failed(event, str(error))
        except Exception as error:
            log.exception("a question of the web page could not be answered")
            self._failed(event, f"Something went wrong here ({type(error).__name__}); the log has the details.")

    def _failed(self, event: Event, words: str) -> None:
        self.failed += 1
        log.warning("%s: %s", event.get("topic"), redact(words))
        if event["topic"] == "ftrack.action.launch":
            self._answers.reply(event, {"success": False, "message": redact(words)})

    def _launch(self, event: Event, asked: float) -> None:
        late = threading.Event()
        timer = threading.Timer(max(0.0, self._patience - (time.monotonic() - asked)), self._preparing, (event, late))
        timer.daemon = True
        timer.start()
        try:
            answer = self._registry.launch(event, self._site())
        finally:
            timer.cancel()
            timer.join()
        if answer is None:
            return
        if late.is_set():
            self._push(event, answer)
        else:
            self._answers.reply(event, answer)

    def _preparing(self, event: Event, late: threading.Event) -> None:
        late.set()
        self._answers.reply(event, {"success": True, "message": "Preparing, this opens by itself in a moment."})

    def _push(self, event: Event, answer: Mapping[str, Any]) -> None:
        user = ((event.get("source") or {}).get("user") or {}).get("id")
        data: dict[str, Any]
        if "items" in answer:
            identifier = (event.get("data") or {}).get("actionIdentifier", "")
            data = {"type": "form", "actionIdentifier": identifier, "title": "", **answer}
        else:
            data = {"type": "message", "success": True, "message": "", **answer}
        self._answers.send(
            "ftrack.action.trigger-user-interface",
            data,
            target=f'applicationId=ftrack.client.web and user.id="{user}"',
        )
