"""Carries out what people order: levers, replay, retry, cancel, undo, preview, launch."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

from app.engine.catch_up import order_catch_up
from app.engine.dispatch import Dispatcher
from app.engine.protocol import Action, Handler, Launch
from app.journal.journal import Journal
from app.journal.order_words import order_words
from app.journal.queue import NewRun, QueuedRun
from app.journal.rows import JOB_ORDERS, OrderRow, RunState
from app.settings.models import EngineSettings

__all__ = ["Orders"]

log = logging.getLogger("signalbox.orders")

_WAITING: tuple[RunState, ...] = ("queued", "retry", "waiting", "paused")
_ENDED: tuple[RunState, ...] = (
    "planned",
    "skipped",
    "superseded",
    "failed",
    "stopped",
    "cancelled",
    "in_doubt",
    "done",
)


class Refused(Exception):
    """An order that cannot be carried out; the text says why. ``ask``: the argument with which a person confirms."""

    def __init__(self, why: str, ask: str = "") -> None:
        super().__init__(why)
        self.ask = ask


class Orders:
    """Answers open orders. One thread only.

    Args:
        journal: The journal.
        dispatcher: Makes runs of events again.
        handlers: By id.
        actions: By id.
        settings: The engine's settings.
        cancel: Tells a running run's executor to stop.
        cancelled: Told in the transaction that cancels a run that waited, with who did it in words; returns at once.
        reload: Reads the settings again.
    """

    def __init__(
        self,
        journal: Journal,
        dispatcher: Dispatcher,
        handlers: Mapping[str, Handler],
        actions: Mapping[str, Action],
        settings: Callable[[], EngineSettings],
        cancel: Callable[[int], None],
        cancelled: Callable[[QueuedRun, str], None],
        reload: Callable[[], None],
    ) -> None:
        self._journal = journal
        self._dispatcher = dispatcher
        self._handlers = handlers
        self._actions = actions
        self._settings = settings
        self._cancel_running = cancel
        self._cancelled = cancelled
        self._reload = reload

    def run(self) -> int:
        """Answer every open order but those about jobs, which the job room answers; returns how many there were."""
        orders = [order for order in self._journal.open_orders() if order.kind not in JOB_ORDERS]
        for order in orders:
            self._journal.answer(order.id, self._answer(order))
        return len(orders)

    def _answer(self, order: OrderRow) -> dict[str, Any]:
        act = getattr(self, f"_order_{order.kind}", None)
        if act is None:
            return {"refused": f"this program does not know the order {order.kind!r}"}
        words = order_words(self._journal, order)
        try:
            result: dict[str, Any] = act(order)
        except Refused as refused:
            return {"refused": str(refused), **({"ask": refused.ask} if refused.ask else {})}
        except KeyError as error:
            # Look-ups of the journal raise it with a sentence, a missing argument with its name.
            text = str(error.args[0]) if error.args else ""
            return {"refused": text if " " in text else f"the order {order.kind} lacks {text!r}"}
        except (TypeError, ValueError) as error:
            return {"refused": f"the order {order.kind} cannot be understood: {error}"}
        log.info("%s", words)
        return result

    # -- levers --------------------------------------------------------------------------------------------------

    def _order_set_lever(self, order: OrderRow) -> dict[str, Any]:
        handler, project = str(order.args["handler"]), str(order.args.get("project") or "")
        position = order.args["position"]
        if handler not in self._handlers and handler not in self._actions:
            known = ", ".join(sorted({*self._handlers, *self._actions}))
            raise Refused(f"there is no handler or action {handler!r}; there are {known}")
        if position is None and project:
            self._journal.clear_lever(handler, project)
            return {}
        if position not in ("off", "dry", "on"):
            raise Refused(f"a lever stands at off, dry or on, not {position!r}")
        self._mind_the_old_server(handler, position, order)
        self._dispatcher.run()
        self._journal.set_lever(handler, project, position, order.who, str(order.args.get("why") or ""))
        kept = next(
            (row.kept_events for row in self._journal.levers() if (row.handler, row.project) == (handler, project)), 0
        )
        return {"kept_events": kept} if position != "off" else {}

    def _mind_the_old_server(self, handler: str, position: str, order: OrderRow) -> None:
        """At a newly connected real site a person confirms, once for each, that no other server does the same."""
        if position != "on" or not self._journal.fact("cut_over"):
            return
        confirmed = dict(self._journal.fact("old_server_off") or {})
        if handler in confirmed:
            return
        if not order.args.get("old_server_off"):
            raise Refused(
                f"{handler} goes On at {self._journal.fact('cut_over')} only after somebody confirms that the old "
                "server's is switched off, else both would do the work",
                ask="old_server_off",
            )
        confirmed[handler] = {"who": order.who, "at": self._journal.now(), "why": str(order.args.get("why") or "")}
        self._journal.set_fact("old_server_off", confirmed, durable=True)

    def _order_process_kept(self, order: OrderRow) -> dict[str, Any]:
        handler = str(order.args["handler"])
        if self._journal.lever(handler)[0] == "off":
            raise Refused(f"the lever of {handler} is Off: move it first")
        number, runs = self._dispatcher.process_kept(handler)
        return {"runs": number, "run": runs[0] if runs else None}

    def _order_resume_breaker(self, order: OrderRow) -> dict[str, Any]:
        return {"runs": self._journal.close_breaker(str(order.args["handler"]))}

    # -- events --------------------------------------------------------------------------------------------------

    def _order_replay(self, order: OrderRow) -> dict[str, Any]:
        dry = bool(order.args.get("dry"))
        handler = str(order.args.get("handler") or "")
        return self._again(order, handler, "handler", dry=dry)

    def _order_preview(self, order: OrderRow) -> dict[str, Any]:
        return self._again(order, str(order.args["handler"]), "preview", dry=True)

    def _again(self, order: OrderRow, handler: str, kind: str, *, dry: bool) -> dict[str, Any]:
        if handler and handler not in self._handlers:
            raise Refused(f"there is no handler {handler!r}")
        runs = self._dispatcher.replay(int(order.args["event_row"]), handler, kind=kind, mark=str(order.id), dry=dry)
        if not runs:
            whom = f"{handler} does not want" if handler else "no handler wants"
            raise Refused(f"{whom} this event")
        return {"run": runs[0], "runs": runs}

    def _order_catch_up(self, order: OrderRow) -> dict[str, Any]:
        since, now = float(order.args["since"]), self._journal.now()
        if not since < now:
            raise Refused("only what has happened can be looked for: begin in the past")
        wanted = str(order.args.get("handler") or "")
        if wanted and wanted not in self._handlers:
            raise Refused(f"there is no handler {wanted!r}; there are {', '.join(sorted(self._handlers))}")
        runs = order_catch_up(
            self._journal,
            [wanted] if wanted else list(self._handlers),
            since,
            now,
            self._settings(),
            f"order-{order.id}",
            dry=bool(order.args.get("dry")),
        )
        return {"runs": runs}

    # -- runs ----------------------------------------------------------------------------------------------------

    # Each looks at its run and moves it in one transaction: a worker may claim or end the run at the same moment.

    def _leader(self, order: OrderRow) -> QueuedRun:
        run = self._journal.queued_run(int(order.args["run"]))
        return self._journal.queued_run(run.leader) if run.leader is not None else run

    def _whole(self, run: QueuedRun) -> list[int]:
        return [run.id, *(each.id for each in self._journal.followers(run.id))]

    def _order_retry(self, order: OrderRow) -> dict[str, Any]:
        with self._journal.write():
            run = self._leader(order)
            if run.state in ("queued", "running"):
                raise Refused(f"run {run.id} is {run.state} already")
            if run.state not in (*_ENDED, *_WAITING) or run.lane == "outbox":
                raise Refused(f"run {run.id} is {run.state} and cannot be tried again")
            # From fresh facts: a plan made when it failed is old by now. What was applied stays in the journal.
            self._journal.forget_plan(run.id)
            self._journal.set_state(self._whole(run), "queued", "", fresh_attempts=True, lane="main", release=True)
        return {"run": run.id}

    def _order_resume(self, order: OrderRow) -> dict[str, Any]:
        with self._journal.write():
            run = self._leader(order)
            if run.state not in ("stopped", "paused"):
                raise Refused(f"run {run.id} is {run.state}: only stopped and paused runs are resumed")
            self._journal.set_state(self._whole(run), "queued", "", fresh_attempts=True)
        return {"run": run.id}

    def _order_cancel(self, order: OrderRow) -> dict[str, Any]:
        words = f"cancelled by {order.who}"
        with self._journal.write():
            run = self._leader(order)
            waits = run.state in _WAITING
            if run.state == "running":
                self._journal.ask_cancel(run.id)
            elif waits:
                self._journal.set_state(self._whole(run), "cancelled", words)
                waiting = [each.id for each in self._journal.messages_of(run.id) if each.state == "queued"]
                self._journal.settle(waiting, "cancelled", error=words)
                self._cancelled(run, words)
            else:
                raise Refused(f"run {run.id} is {run.state}: there is nothing to cancel")
        if not waits:
            self._cancel_running(run.id)
        return {"run": run.id}

    def _order_apply_planned(self, order: OrderRow) -> dict[str, Any]:
        expected = str(order.args["plan_hash"])
        with self._journal.write():
            run = self._leader(order)
            if run.state != "planned" or run.kind == "preview":
                raise Refused(f"run {run.id} is {run.state}: only a planned run can be applied")
            self._journal.set_facts(run.id, {**run.facts, "plan_hash": expected})
            self._journal.forget_plan(run.id)
            self._journal.set_state(self._whole(run), "queued", "", fresh_attempts=True, dry=False)
        return {"run": run.id}

    def _order_undo(self, order: OrderRow) -> dict[str, Any]:
        return self._take_back(order, "undo")

    def _order_preview_undo(self, order: OrderRow) -> dict[str, Any]:
        return self._take_back(order, "preview")

    def _take_back(self, order: OrderRow, kind: Any) -> dict[str, Any]:
        run = self._leader(order)
        if run.state in (*_WAITING, "running") and run.lane != "outbox":
            raise Refused(f"run {run.id} is {run.state}: cancel it first")
        undo = NewRun(
            kind=kind,
            handler=run.handler,
            identity=f"{kind}:{order.id}:{run.id}",
            key=run.key if kind == "undo" else "",
            seq=self._journal.last_event_id(),
            received=self._journal.now(),
            event_row=run.event_row,
            dry=kind == "preview",
            depth=run.depth,
            project=run.project,
            project_id=run.project_id,
            entity_type=run.entity_type,
            entity_id=run.entity_id,
            entity=run.entity,
            user=order.who,
            undo_of=run.id,
            facts={"effects": list(order.args["effects"])} if order.args.get("effects") else {},
        )
        return {"run": self._journal.add_runs([undo])[0]}

    # -- actions and settings ------------------------------------------------------------------------------------

    def _order_launch(self, order: OrderRow) -> dict[str, Any]:
        name = str(order.args["action"])
        action = self._actions.get(name)
        if action is None:
            raise Refused(f"there is no action {name!r}")
        if self._journal.lever(name)[0] == "off":
            raise Refused(f"the lever of {name} is Off")
        selection = tuple((str(each[0]), str(each[1])) for each in order.args.get("selection", ()))
        launch = Launch(
            selection, order.args.get("values") or {}, order.args.get("user_id"), order.args.get("username")
        )
        run = NewRun(
            kind="action",
            handler=name,
            identity=f"launch:{order.id}",
            key=action.key(launch),
            seq=self._journal.last_event_id(),
            received=self._journal.now(),
            event_row=order.args.get("event_row"),
            dry=bool(order.args.get("dry")),
            entity_type=selection[0][0] if selection else "",
            entity_id=selection[0][1] if selection else "",
            entity=(self._journal.name_of(selection[0][1]) or "") if selection else "",
            user=order.args.get("username") or order.who,
            facts={
                "launch": {
                    "selection": [list(each) for each in selection],
                    "values": dict(launch.values),
                    "user_id": launch.user_id,
                    "username": launch.username,
                    "job": order.args.get("job"),
                }
            },
        )
        return {"run": self._journal.add_runs([run])[0]}

    def _order_reload_settings(self, order: OrderRow) -> dict[str, Any]:
        del order
        self._reload()
        return {}
