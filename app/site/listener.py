"""The listener: hears every event of the site, has it kept, and goes back to the socket.

It runs in its own thread, connects by itself and never gives up. What ends the stock hub does not end it: a clean
close frame, a silent peer, a refused connection, an event nobody can match. After each break it leaves a
``signalbox.gap`` event in the journal, from which the engine makes its catch-up runs; a first start begins at now.
"""

from __future__ import annotations

import json
import logging
import queue
import random
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from app.journal.rows import JournalUnwritable, RawEvent
from app.rules.words import many
from app.settings.models import SiteSettings
from app.settings.redact import redact
from app.site.hub import HubConnection, HubLost, event_of, event_packet, new_id
from app.site.types import Credentials, SiteUnreachable, WrongKey

log = logging.getLogger("signalbox.listener")

#: How often the time until which nothing was missed is written down; a crash makes the gap longer by at most this.
_MARK_SECONDS = 10.0
_FLUSH_AGAIN_SECONDS = 1.0
#: A connection that lasted so long was a good one: after it the first attempt comes at once again.
_STEADY_SECONDS = 2.0
#: An answer older than this has nobody waiting for it.
_ANSWER_SECONDS = 60.0
_QUESTIONS = frozenset({"ftrack.action.discover", "ftrack.action.launch"})
#: Not facts about the site: counted, answered, not kept.
_NOT_KEPT = frozenset({"ftrack.action.discover", "ftrack.meta.reply", "ftrack.meta.disconnected"})


class Sink(Protocol):
    """Where events are kept: the journal."""

    def append_events(self, events: Sequence[RawEvent]) -> Sequence[int]:
        """Keep events, durably, in one transaction; known ones are ignored."""

    def heard(self, at: float) -> None:
        """Remember that until then nothing was missed."""

    def last_heard(self) -> float | None:
        """Until when nothing was missed; None before the first connection."""


@dataclass(frozen=True, slots=True)
class ListenerState:
    """What the health strip shows.

    Attributes:
        state: "connected", "connecting", "refused" (a person must act) or "stopped".
        words: In a TD's words.
        since: When this state began, UTC epoch seconds.
    """

    state: Literal["connected", "connecting", "refused", "stopped"]
    words: str
    since: float


class Listener:
    """Hears the events of one site.

    Args:
        credentials: Who listens where.
        settings: Subscriptions and time-outs.
        journal: Keeps the events.
        on_question: Given each discover and launch event (from the listener's thread: it must return at once).
        on_state: Told of each change of state.
        on_events: Told how many events were kept (to wake the engine).
        clock: UTC epoch seconds.
    """

    def __init__(
        self,
        credentials: Credentials,
        settings: SiteSettings,
        journal: Sink,
        *,
        on_question: Callable[[Mapping[str, Any]], None] | None = None,
        on_state: Callable[[ListenerState], None] | None = None,
        on_events: Callable[[int], None] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.id = new_id()
        self.events = 0
        self.questions = 0
        self.reconnects = -1
        self.last_event: float | None = None
        self.state = ListenerState("stopped", "not started", clock())
        self._credentials = credentials
        self._settings = settings
        self._journal = journal
        self._on_question = on_question
        self._on_state = on_state
        self._on_events = on_events
        self._clock = clock
        self._pending: list[RawEvent] = []
        self._flush_at = 0.0
        self._told_waiting = ""
        self._outgoing: deque[tuple[float, Mapping[str, Any]]] = deque(maxlen=2000)
        self._unacknowledged: dict[int, str] = {}
        self._asked: dict[str, queue.SimpleQueue[Mapping[str, Any]]] = {}
        self._numbers = 0
        self._heard = 0.0
        self._alive: float | None = None
        self._marked = 0.0
        self._turned = time.monotonic()
        self._stopping = threading.Event()
        self._connected = threading.Event()
        self._wake_out, self._wake_in = socket.socketpair()
        self._wake_in.setblocking(False)
        self._wake_out.setblocking(False)
        self._thread = threading.Thread(target=self._run, name="listener", daemon=True)

    # -- for other threads -------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to listen."""
        self._alive = self._journal.last_heard()
        self._turned = time.monotonic()
        self._thread.start()

    def stop(self, timeout: float = 10.0) -> bool:
        """Hang up and end the thread; whether it ended in time. What was received is kept first."""
        self._stopping.set()
        self._wake()
        if self._thread.ident is not None:
            self._thread.join(timeout)
        if self._thread.is_alive():
            return False
        self._wake_in.close()
        self._wake_out.close()
        return True

    def silence(self) -> float:
        """Seconds since the thread's last sign of life. It shows one at least every 10 s, and between time-outs."""
        return time.monotonic() - self._turned

    def wait_connected(self, seconds: float) -> bool:
        """Wait until every subscription is in force."""
        return self._connected.wait(seconds)

    @property
    def connected(self) -> bool:
        """Whether every subscription is in force."""
        return self._connected.is_set()

    def send(
        self, topic: str, data: Any, *, target: str = "", in_reply_to: str | None = None, event_id: str = ""
    ) -> None:
        """Publish an event; queued while there is no connection."""
        event = {
            "id": event_id or new_id(),
            "topic": topic,
            "data": data,
            "source": {
                "id": self.id,
                "applicationId": "signalbox",
                "user": {"username": self._credentials.api_user},
            },
            "target": target,
            "sent": None,
            "inReplyToEvent": in_reply_to,
        }
        self._outgoing.append((self._clock(), event))
        self._wake()

    def ask(self, topic: str, data: Any, *, target: str = "", seconds: float) -> Any:
        """Publish an event and wait for the first answer; None when nobody answers in time, or nobody listens."""
        if not self.connected:
            return None
        question = self.inquire(topic, data, target=target)
        try:
            return self._asked[question].get(timeout=seconds).get("data")
        except queue.Empty:
            return None
        finally:
            del self._asked[question]

    def inquire(self, topic: str, data: Any, *, target: str = "") -> str:
        """Publish an event that several may answer, and do not wait: `answers` gives what came of this question."""
        question = new_id()
        self._asked[question] = queue.SimpleQueue()
        self.send(topic, data, target=target, event_id=question)
        return question

    def answers(self, question: str) -> list[Mapping[str, Any]]:
        """The replies that came to a question of `inquire`, as events; later ones are nobody's."""
        came = self._asked.pop(question)
        return [came.get() for _ in range(came.qsize())]

    def reply(self, question: Mapping[str, Any], data: Any) -> None:
        """Answer an event."""
        asker = (question.get("source") or {}).get("id", "")
        self.send("ftrack.meta.reply", data, target=f"id={asker}", in_reply_to=question.get("id"))

    def _wake(self) -> None:
        try:
            self._wake_in.send(b".")
        except (BlockingIOError, OSError):
            return  # a full pipe wakes as well; a closed one has nobody to wake

    # -- the thread --------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        pause = self._settings.reconnect_first
        while not self._stopping.is_set():
            self._turned = time.monotonic()
            self._set_state("connecting", f"connecting to {self._credentials.server}")
            began = time.monotonic()
            try:
                self._connect_and_listen()
                break
            except WrongKey as error:
                pause = self._settings.reconnect_longest
                self._set_state("refused", f"{error}. Correct the user and the key in the settings")
            except (SiteUnreachable, HubLost) as error:
                self._set_state("connecting", f"{error}; trying again")
            except Exception as error:
                log.exception("the listener met something unexpected and connects anew")
                self._set_state("connecting", f"unexpected: {redact(str(error))[:200]}; trying again")
            finally:
                self._connected.clear()
            if time.monotonic() - began > _STEADY_SECONDS:
                pause = self._settings.reconnect_first
            self._rest(pause * random.uniform(0.75, 1.25))  # noqa: S311 - spreads clients after an outage
            pause = min(pause * 2, self._settings.reconnect_longest)
        self._flush(force=True)
        self._set_state("stopped", "stopped")

    def _rest(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while not self._stopping.is_set() and (left := until - time.monotonic()) > 0:
            self._turned = time.monotonic()
            self._flush()
            self._stopping.wait(min(left, _FLUSH_AGAIN_SECONDS))

    def _connect_and_listen(self) -> None:
        """One connection from beginning to end; returns only when the listener is to stop."""
        connection = HubConnection(self._credentials, timeout=self._settings.connect_timeout)
        try:
            self._unacknowledged.clear()
            self._heard = time.monotonic()
            deadline = self._heard + self._settings.connect_timeout
            self._subscribe(connection)
            while not self._stopping.is_set():
                self._turn(connection)
                if not self.connected and time.monotonic() > deadline:
                    raise HubLost("the site did not confirm the subscriptions")
        finally:
            self._mark(force=True)
            connection.close()

    def _turn(self, connection: HubConnection) -> None:
        """Wait, read everything that has arrived, have it kept, send what is to be sent."""
        self._turned = time.monotonic()
        silence = self._settings.silence - (time.monotonic() - self._heard)
        if silence <= 0:
            raise HubLost(f"the site was silent for {self._settings.silence:g} s")
        longest = min(silence, _FLUSH_AGAIN_SECONDS if self._pending else _MARK_SECONDS)
        if connection.wait(self._wake_out, longest):
            try:
                packets = connection.receive()
                self._heard = time.monotonic()
                for packet in packets:
                    try:
                        self._take(connection, packet)
                    except (ValueError, KeyError, TypeError, AttributeError):
                        # One packet of a strange shape must not take those behind it along.
                        log.exception("a packet that cannot be read was left out: %s", redact(packet[:200]))
            finally:
                self._flush()
            if connection.ended:
                raise HubLost("the site closed the connection")
        self._drain_wake()
        self._send_queued(connection)
        self._mark()

    def _drain_wake(self) -> None:
        try:
            while self._wake_out.recv(4096):
                pass
        except (BlockingIOError, OSError):
            return

    def _subscribe(self, connection: HubConnection) -> None:
        self._publish(connection, self._subscription("topic=ftrack.meta.reply", self.id))
        for expression in self._settings.subscriptions:
            self._publish(connection, self._subscription(expression, new_id()))

    def _subscription(self, expression: str, subscriber: str) -> Mapping[str, Any]:
        metadata = {"id": subscriber, "applicationId": "signalbox", "user": {"username": self._credentials.api_user}}
        return {
            "id": new_id(),
            "topic": "ftrack.meta.subscribe",
            "data": {"subscriber": metadata, "subscription": expression},
            "source": {"id": self.id, "applicationId": "signalbox", "user": {"username": self._credentials.api_user}},
            "target": "",
            "sent": None,
            "inReplyToEvent": None,
        }

    def _publish(self, connection: HubConnection, event: Mapping[str, Any]) -> None:
        self._numbers += 1
        if event["topic"] == "ftrack.meta.subscribe":
            self._unacknowledged[self._numbers] = event["data"]["subscription"]
        connection.send(event_packet(event, self._numbers))

    def _send_queued(self, connection: HubConnection) -> None:
        while self._outgoing and self.connected:
            queued, event = self._outgoing[0]
            if self._clock() - queued < _ANSWER_SECONDS:
                self._publish(connection, event)
            self._outgoing.popleft()

    # -- packets -----------------------------------------------------------------------------------------------------

    def _take(self, connection: HubConnection, packet: str) -> None:
        parts = packet.split(":", 3)
        code = parts[0]
        if code == "5" and len(parts) == 4:
            self._take_event(parts[3])
        elif code == "2":
            connection.send("2::")
        elif code == "6" and len(parts) == 4:
            self._acknowledged(parts[3])
        elif code == "0":
            raise HubLost("the site ended the connection")
        elif code == "7":
            log.warning("the event hub reports an error: %s", redact(packet[:300]))

    def _take_event(self, data: str) -> None:
        event = event_of(data)
        if event is None:
            log.warning("an event packet that cannot be read was left out: %s", redact(data[:200]))
            return
        now = self._clock()
        topic = event["topic"]
        self.last_event = now
        if topic in _QUESTIONS and self._on_question is not None and not self._is_own(event):
            self.questions += 1
            self._on_question(event)
        if topic == "ftrack.meta.reply":
            waiting = self._asked.get(str(event.get("inReplyToEvent") or ""))
            if waiting is not None:
                waiting.put(event)
        if topic not in _NOT_KEPT:
            self._pending.append(RawEvent(event, now))

    def _is_own(self, event: Mapping[str, Any]) -> bool:
        """Whether it is a question of ours, which comes back as to everybody who listens."""
        return bool((event.get("source") or {}).get("id") == self.id)

    def _acknowledged(self, data: str) -> None:
        number, _, answer = data.partition("+")
        expression = self._unacknowledged.pop(int(number), None) if number.isdigit() else None
        arguments = json.loads(answer) if answer else []
        told = arguments[0] if arguments and isinstance(arguments[0], dict) else {}
        if told.get("success") is False:
            what = f"the subscription {expression!r}" if expression else "an event of ours"
            log.error("the event hub refused %s: %s", what, redact(str(told.get("message") or "no reason given")))
        if not self._unacknowledged and not self.connected:
            self._now_connected()

    def _now_connected(self) -> None:
        """Every subscription is in force: from here on nothing is missed. What was before is a gap."""
        now = self._clock()
        since = self._alive
        if since is not None and now - since > self._settings.gap_tolerance:
            self._pending.append(_gap(since, now))
            # Before the mark moves: should this process end here, the next one finds the same gap again.
            self._flush()
        self._alive = now
        self.reconnects += 1
        self._connected.set()
        self._mark(force=True)
        self._set_state("connected", f"connected to {self._credentials.server}")

    # -- keeping -----------------------------------------------------------------------------------------------------

    def _flush(self, *, force: bool = False) -> None:
        """Have the journal keep what was received. What it cannot take now stays here and is tried again."""
        if not self._pending or (not force and time.monotonic() < self._flush_at):
            return
        try:
            self._journal.append_events(self._pending)
        except Exception as error:
            # A full disk, a locked file: whatever it is, what was received stays in memory until it can be kept.
            self._flush_at = time.monotonic() + _FLUSH_AGAIN_SECONDS
            waiting = many(len(self._pending), "event waits", "events wait")
            if not isinstance(error, JournalUnwritable):
                log.exception("%s in memory: the journal cannot take more now", waiting)
            elif waiting != self._told_waiting:
                # Tried again every second: each line of that into a full disk's log would say the same.
                log.error("%s in memory: %s", waiting, error)
            self._told_waiting = waiting
            return
        self._told_waiting = ""
        count = len(self._pending)
        self._pending = []
        self._flush_at = 0.0
        self.events += count
        if self._on_events is not None:
            self._on_events(count)

    def _mark(self, *, force: bool = False) -> None:
        """Write down until when nothing was missed."""
        if not self.connected or self._pending:
            return
        # What the site last said is what is known to have been heard; a silent peer may have been dead since.
        self._alive = self._clock() - (time.monotonic() - self._heard)
        if force or time.monotonic() - self._marked > _MARK_SECONDS:
            self._marked = time.monotonic()
            try:
                self._journal.heard(self._alive)
            except Exception:
                log.exception("the time of the last sign of the site was not written down")

    def _set_state(self, state: Literal["connected", "connecting", "refused", "stopped"], words: str) -> None:
        if (state, words) == (self.state.state, self.state.words):
            return
        level = logging.INFO if state in {"connected", "stopped"} or self.state.state == "stopped" else logging.WARNING
        log.log(level, "%s", words)
        self.state = ListenerState(state, words, self._clock())
        if self._on_state is not None:
            self._on_state(self.state)


def _gap(since: float, until: float) -> RawEvent:
    payload = {
        "id": f"signalbox-gap:{new_id()}",
        "topic": "signalbox.gap",
        "data": {"since": since, "until": until},
        "source": {"applicationId": "signalbox"},
        "target": "",
        "sent": None,
        "inReplyToEvent": None,
    }
    return RawEvent(payload, until, origin="signalbox")
