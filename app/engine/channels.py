"""Applies the effects of a plan, a channel at a time: journals what is about to be done, does it, journals results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from app.engine.crash import crash_point
from app.engine.executor import Tools
from app.engine.kinds import DiskEffect, EffectFailed, FtrackEffect, LeaveAlone, OutboxEffect, SlowEffect, SlowTools
from app.engine.protocol import RESULT_MARK, Channel, Effect, PlanError
from app.engine.transaction import FtrackTransaction, Step
from app.journal.journal import Journal
from app.journal.outbox import NewMessage
from app.journal.queue import QueuedEffect, QueuedRun

__all__ = ["Channels", "results_of"]

Results = Mapping[str, Mapping[str, Any]]


def results_of(rows: Sequence[QueuedEffect]) -> Results:
    """Results by slot, as later effects refer to them."""
    return {row.slot: row.after for row in rows if row.after_json is not None}


@dataclass(slots=True)
class Channels:
    """What applies the effects of one run.

    Attributes:
        run: The leader of those that share the plan.
        tools: Of this execution.
        leave: What is not as expected is left alone (undo) instead of planned again.
        planned: The effects this execution planned itself, by slot; others are read from the journal.
    """

    run: QueuedRun
    tools: Tools
    leave: bool = False
    planned: dict[str, Effect] = field(default_factory=dict)

    @property
    def journal(self) -> Journal:
        """The journal."""
        return self.tools.journal

    def of(self, row: QueuedEffect) -> Channel:
        """The channel of an effect."""
        return self._kind(row).via

    def next(self, left: Sequence[QueuedEffect]) -> Sequence[QueuedEffect]:
        """The first of them, with its neighbours of the same channel; slow ones go one by one."""
        via, end = self.of(left[0]), 1
        while via != "slow" and end < len(left) and self.of(left[end]) == via:
            end += 1
        return left[:end]

    def apply(self, rows: Sequence[QueuedEffect], results: Results) -> None:
        """Apply effects of one channel.

        Args:
            rows: What `next` gave.
            results: Of the effects before them.

        Raises:
            Mismatch: The site is not as the plan saw it; nothing of what differs was written.
            PlanError, Later, OSError, SiteUnreachable: As the effects raise them.
        """
        ways = {"ftrack": self._ftrack, "disk": self._disk, "outbox": self._outbox, "slow": self._slow}
        ways[self.of(rows[0])](rows, results)

    def foresee(self, rows: Sequence[QueuedEffect]) -> None:
        """The list of an undo tells what would be left alone; a read, nothing else."""
        self._transaction().foresee(self._steps([row for row in rows if self.of(row) == "ftrack"], {}))

    def settle(self, rows: Sequence[QueuedEffect]) -> None:
        """After a crash: find out what of the steps that were being applied happened."""
        results = results_of(rows)
        rows = [row for row in rows if row.state == "applying"]
        ftrack = [row for row in rows if self.of(row) == "ftrack"]
        if ftrack:
            self._transaction().settle(self._steps(ftrack, results))
        for row in rows:
            effect = self._effect(row, results)
            done: dict[str, Any] | None = None
            if isinstance(effect, DiskEffect):
                done = effect.is_done(self.tools.doors.disk, row.before)
            elif isinstance(effect, SlowEffect):
                done = effect.is_done(self._slow_tools(results))
            else:
                continue
            if done is None:
                self.journal.mark_effects([row.id], "planned")
            else:
                self.journal.mark_effects([row.id], "applied", after={row.id: done})

    # -- effects -------------------------------------------------------------------------------------------------

    def _kind(self, row: QueuedEffect) -> type[Effect]:
        kind = self.tools.kinds.get(row.kind)
        if kind is None:
            raise PlanError(f"the plan has an effect of the kind {row.kind!r}, which this program does not know")
        return kind

    def _effect(self, row: QueuedEffect, results: Results) -> Effect:
        """The effect as it was planned, with the results of earlier ones filled in."""
        effect = self.planned.get(row.slot) or self._kind(row).model_validate(row.data)
        return effect.resolved(results) if RESULT_MARK in row.data_json else effect

    def _fail(self, row: QueuedEffect, text: str) -> None:
        self.tools.log.error("%s: %s", row.words, text)
        self.journal.mark_effects([row.id], "failed", error=text)

    # -- the channels --------------------------------------------------------------------------------------------

    def _ftrack(self, rows: Sequence[QueuedEffect], results: Results) -> None:
        work = self._transaction()
        work.apply(self._steps(rows, results))
        for text in dict.fromkeys(work.failed.values()):
            self.tools.log.error("the site refused: %s", text)

    def _transaction(self) -> FtrackTransaction:
        return FtrackTransaction(self.journal, self.tools.site, self.run, self.tools.settings.chunk, self.leave)

    def _steps(self, rows: Sequence[QueuedEffect], results: Results) -> list[Step]:
        steps = []
        for row in rows:
            effect = self._effect(row, results)
            assert isinstance(effect, FtrackEffect)
            steps.append(Step(row.id, effect))
        return steps

    def _disk(self, rows: Sequence[QueuedEffect], results: Results) -> None:
        todo = self._disk_todo(rows, results)
        if not todo:
            return
        self.journal.mark_applying({row.id: before for row, _, before in todo}, [])
        crash_point("applying")
        done: dict[int, dict[str, Any]] = {}
        left = {row.id: None for row, _, _ in todo}
        try:
            for row, effect, before in todo:
                done[row.id] = effect.apply(self.tools.doors.disk, before)
                del left[row.id]
        except EffectFailed as error:
            del left[row.id]
            self._fail(row, str(error))
        except LeaveAlone as error:
            del left[row.id]
            self.journal.mark_effects([row.id], "kept", error=str(error))
        finally:
            crash_point("committed")
            self.journal.mark_effects(done, "applied", after=done)
            self.journal.mark_effects(left, "planned")
            crash_point("applied")
        for after in done.values():
            if after.get("warning"):
                self.tools.log.warning("%s", after["warning"])

    def _disk_todo(
        self, rows: Sequence[QueuedEffect], results: Results
    ) -> list[tuple[QueuedEffect, DiskEffect, dict[str, Any]]]:
        """What there is to do on disk, with what is there before it; up to the first that cannot be done."""
        todo: list[tuple[QueuedEffect, DiskEffect, dict[str, Any]]] = []
        for row in rows:
            effect = self._effect(row, results)
            assert isinstance(effect, DiskEffect)
            try:
                before = effect.before(self.tools.doors.disk)
            except EffectFailed as error:
                self._fail(row, str(error))
                break
            except LeaveAlone as error:
                self.journal.mark_effects([row.id], "kept", error=str(error))
                continue
            if before is None:
                self.journal.mark_effects([row.id], "already")
            else:
                todo.append((row, effect, before))
        return todo

    def _outbox(self, rows: Sequence[QueuedEffect], results: Results) -> None:
        messages = [self._message(row, results) for row in rows]
        with self.journal.write(durable=True):
            for row, (_, earlier) in zip(rows, self.journal.post(messages), strict=True):
                if earlier is None:
                    self.journal.mark_effects([row.id], "queued")
                else:
                    self.journal.mark_effects([row.id], "already", error="the same message was sent before")

    def _message(self, row: QueuedEffect, results: Results) -> NewMessage:
        effect = self._effect(row, results)
        assert isinstance(effect, OutboxEffect)
        lifetime = effect.lifetime()
        window = self.tools.doors.settings("slack").digest_window if effect.digest_key() else 0.0
        return NewMessage(
            dedupe=effect.dedupe,
            effect_id=row.id,
            run_id=self.run.id,
            kind=effect.kind,
            lane=effect.lane(),
            digest=effect.digest_key(),
            words=row.words,
            data=effect.model_dump(mode="json"),
            due=self.journal.now() + window,
            expires=self.run.received + lifetime if lifetime is not None else None,
        )

    def _slow(self, rows: Sequence[QueuedEffect], results: Results) -> None:
        (row,) = rows
        effect = self._effect(row, results)
        assert isinstance(effect, SlowEffect)
        tools = self._slow_tools(results)
        self.journal.mark_applying({row.id: {}}, [])
        crash_point("applying")
        tools.progress(row.words)
        try:
            after = effect.apply(tools)
        except EffectFailed as error:
            self._fail(row, str(error))
            return
        finally:
            # Cancelled, or silent for too long: what the effect raised is only how it noticed.
            self.tools.check_cancel(self.run.id)
        crash_point("committed")
        self.journal.mark_effects([row.id], "applied", after={row.id: after})
        crash_point("applied")

    def _slow_tools(self, results: Results) -> SlowTools:
        return SlowTools(
            site=self.tools.site,
            doors=self.tools.doors,
            cancel=self.tools.cancel,
            progress=lambda words: self.tools.sign_of_life(self.run.id, words),
            log=self.tools.log,
            results=results,
        )
