"""Sends what waits in the outbox: once, at the pace of each lane, and looks outside before it sends again in doubt."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence

from app.engine.crash import crash_point
from app.engine.doors import Doors
from app.engine.endings import ending_of
from app.engine.executor import Ending, Poke
from app.engine.kinds import OutboxEffect
from app.engine.protocol import Effect, Later, PlanError
from app.journal.journal import Journal
from app.journal.outbox import Message, OutboxState
from app.journal.rows import EffectState
from app.settings.models import EngineSettings
from app.settings.redact import redact

__all__ = ["OutboxSender"]

log = logging.getLogger("signalbox.outbox")

#: Messages that go out as one at most.
_DIGEST = 50
#: The key of a message is looked for from this long before it was queued: clocks differ.
_SKEW = 120.0


class OutboxSender:
    """Sends queued outward effects. One thread only.

    Args:
        journal: The journal.
        doors: All doors.
        kinds: Kind of effect to class.
        settings: The engine's settings.
        poke: Tells the pools that runs ended.
    """

    def __init__(
        self,
        journal: Journal,
        doors: Doors,
        kinds: Mapping[str, type[Effect]],
        settings: Callable[[], EngineSettings],
        poke: Poke,
    ) -> None:
        self._journal = journal
        self._doors = doors
        self._kinds = kinds
        self._settings = settings
        self._poke = poke
        self._next: dict[str, float] = {}

    def forget_pace(self) -> None:
        """The clock went back: when each lane is free again was said by the old one."""
        self._next.clear()

    def recover(self) -> None:
        """After a crash: what was on its way is in doubt. Also ends runs whose messages are all settled."""
        for message in self._journal.interrupted_messages():
            self._in_doubt(message, "the program ended while it was being sent")
        for run in self._journal.runs_in_outbox():
            if not self._journal.open_messages(run):
                self._end_run(run)

    def run(self) -> float | None:
        """Send what is due; returns seconds until the next message, None when nothing waits."""
        for message in self._journal.due_messages():
            now = self._journal.now()
            free = self._next.get(message.lane, 0.0)
            if free > now:
                self._journal.postpone(message.id, free)
                continue
            if message.look:
                self._in_doubt(message, "nobody could look whether it had arrived")
                continue
            carried = self._journal.gather(message, _DIGEST)
            if carried:  # else it went out with an earlier one of this round, or was cancelled
                self._send(carried)
        due = self._journal.next_message_due()
        return None if due is None else max(0.0, due - self._journal.now())

    def _effect(self, message: Message) -> OutboxEffect:
        kind = self._kinds.get(message.kind)
        effect = kind.model_validate(message.data) if kind is not None else None
        if not isinstance(effect, OutboxEffect):
            raise PlanError(f"this program does not know how to send {message.kind!r}")
        return effect

    def _send(self, messages: Sequence[Message]) -> None:
        living = [each for each in messages if not self._expired(each)]
        living = self._journal.mark_sending(living) if living else []
        if not living:
            return
        first = living[0]
        try:
            effect = self._effect(first)
            others = [self._effect(each) for each in living[1:]]
        except PlanError as error:
            self._settle(living, "failed", "failed", error=str(error))
            return
        crash_point("outbox_sending")
        rate = float(self._doors.settings("slack").rate) if first.kind == "slack" else 0.0
        if rate:
            self._next[first.lane] = self._journal.now() + 1.0 / rate
        try:
            result = effect.send(self._doors, others)
        except Later as later:
            if getattr(later, "in_doubt", False):
                self._in_doubt(first, str(later))
            else:
                self._later(living, later)
        except PlanError as error:
            log.error("%s: %s", first.words, error, extra=_extra(first))
            self._settle(living, "failed", "failed", error=str(error))
        except Exception as error:  # a defect of an effect's kind must not stop the outbox
            log.exception("%s: sending failed", first.words, extra=_extra(first))
            self._in_doubt(first, f"{type(error).__name__}: {redact(str(error))}")
        else:
            crash_point("outbox_sent")
            self._settle(living, "sent", "sent", result=result)

    def _expired(self, message: Message) -> bool:
        if message.expires is None or message.expires >= self._journal.now():
            return False
        hours = (self._journal.now() - message.created) / 3600
        text = f"dropped: it is too old to be of use ({hours:.1f} h in the outbox)"
        log.warning("%s: %s", message.words, text, extra=_extra(message))
        self._settle([message], "dropped", "dropped", error=text)
        return True

    def _later(self, messages: Sequence[Message], later: Later) -> None:
        """Not sent for sure: again after the pause that was asked for, longer each time."""
        first = messages[0]
        settings = self._settings()
        pause = max(later.seconds, min(settings.retry_longest, settings.retry_first * 2.0**first.attempts))
        self._next[first.lane] = self._journal.now() + later.seconds
        self._journal.settle(
            [each.id for each in messages], "queued", error=str(later), due=self._journal.now() + pause
        )
        log.warning("%s: waits %.0f s: %s", first.words, pause, later, extra=_extra(first))

    def _in_doubt(self, first: Message, why: str) -> None:
        """It may have arrived: look for its key outside, else do what its kind wants."""
        messages = [first, *self._journal.carried_by(first.id)]
        try:
            effect = self._effect(first)
            found = effect.find(self._doors, first.created - _SKEW)
        except Later as later:
            # Nobody can look just now; it stays on its way until somebody can.
            self._retry_look(messages, later)
            return
        except Exception as error:  # noqa: BLE001 - not able to look (no permission, a defect) means doubt
            self._undecided(first, messages, f"{why}; it cannot be looked for ({redact(str(error))})")
            return
        if found is not None:
            self._settle(messages, "sent", "sent", result=found)
            return
        log.info("%s: it did not arrive (%s): sending again", first.words, why, extra=_extra(first))
        self._journal.settle([each.id for each in messages], "queued", error=why, due=self._journal.now())

    def _retry_look(self, messages: Sequence[Message], later: Later) -> None:
        due = self._journal.now() + later.seconds
        self._journal.settle([each.id for each in messages], "queued", error=str(later), due=due, look=True)

    def _undecided(self, first: Message, messages: Sequence[Message], why: str) -> None:
        kind = self._kinds[first.kind]
        assert issubclass(kind, OutboxEffect)
        text = f"in doubt: {why}"
        if kind.on_doubt == "send" and not first.doubt:
            log.warning("%s: %s; sent again, it may arrive twice", first.words, text, extra=_extra(first))
            self._journal.settle(
                [each.id for each in messages], "queued", error=text, due=self._journal.now(), doubt=True
            )
            return
        log.error("%s: %s; a person must look", first.words, text, extra=_extra(first))
        self._settle(messages, "in_doubt", "in_doubt", error=text)

    def _settle(
        self,
        messages: Sequence[Message],
        state: OutboxState,
        effect_state: EffectState,
        *,
        result: Mapping[str, object] | None = None,
        error: str = "",
    ) -> None:
        with self._journal.write(durable=True):
            self._journal.settle([each.id for each in messages], state, result=result, error=error)
            after = {each.effect_id: result for each in messages} if result is not None else None
            effects = [each.effect_id for each in messages]
            self._journal.mark_effects(effects, effect_state, after=after, error=error)
            self._journal.tell_submitters(effects)
            for run in dict.fromkeys(each.run_id for each in messages):
                if not self._journal.open_messages(run):
                    self._end_run(run)
        self._poke()

    def _end_run(self, run_id: int) -> None:
        """All messages of a run are settled: now it has ended."""
        run = self._journal.queued_run(run_id)
        if run.state != "waiting" or run.lane != "outbox":
            return
        batch = [run, *self._journal.followers(run_id)]
        ending: Ending = ending_of(self._journal, run, batch)
        with self._journal.write():
            for each in batch:
                state, reason = ending.each[each.id]
                self._journal.set_state([each.id], state, reason)
            if ending.follow_up:
                self._journal.add_runs(ending.follow_up)


def _extra(message: Message) -> dict[str, object]:
    return {"run_id": message.run_id}
