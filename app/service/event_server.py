"""The event server as one object: builds the doors, holds the journal's lock, starts and stops every part.

The panel hosts it or `signalbox serve` does; both see the same journal. Threads here: the listener, the housekeeper
(settings, lamps, log, retention: nothing that waits for others), one that asks site and Slack, one that looks at the
drives, the responders. The worker is a child process, kept alive from here.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

from app.actions import all_actions
from app.actions.registry import ActionRegistry
from app.journal.crash import CRASHED
from app.journal.journal import Journal
from app.journal.lock import JournalLock
from app.journal.rows import JournalBusy, JournalUnwritable
from app.process import python_child
from app.process.keeper import ChildKeeper
from app.service.agent import ask_agent
from app.service.alarms import SlackAlarms
from app.service.chores import Chores
from app.service.cutover import is_known_site, settle_site
from app.service.doors import LAST_GOOD, BuiltDoors, Installation, SiteNotSet, build_doors
from app.service.health import DRIVES_SECONDS, SLACK_SECONDS, HealthWatch, State
from app.service.logs import Logs
from app.service.menu import MenuWatch
from app.service.plain_log import PlainLog
from app.service.pulse import Pulse
from app.settings.models import JournalSettings, SlackSettings
from app.settings.paths import cache_folder
from app.settings.redact import redact
from app.site.librarian import Librarian
from app.site.listener import Listener, ListenerState
from app.site.responder import Registry, Responder
from app.site.session import open_session
from app.site.types import SiteUnreachable

__all__ = ["Installation", "Service", "SiteNotSet", "StartGivenUp", "check_key"]

log = logging.getLogger("signalbox.service")

_LOOK_SECONDS = 0.5
_FORGET_SECONDS = 600.0
_ORPHAN_SECONDS = 60.0
#: Who only asks others is given so long at the end; what hangs is left behind.
_END_SECONDS = 5.0
#: A thread that shows no sign of life for so long will not come back: beyond every time-out of its own.
_HUNG_SECONDS = 300.0
#: The worker's lamp goes out after so long without a sign of life; after longer it is started anew.
_SILENT_SECONDS = 60.0
_LOST_SECONDS = 600.0
_RENEW_SECONDS = 20.0
#: A look at the drives that takes longer is told of: the server of one of them is away.
_SLOW_DRIVE_SECONDS = 60.0
#: How old the listener's word about the site's heartbeat may be beyond its silence.
_MARK_SECONDS = 15.0
_DAY = 86_400.0
_LAMPS: dict[str, State] = {
    "connected": "ok",
    "connecting": "warning",
    "refused": "error",
    "stopped": "off",
}


class StartGivenUp(Exception):
    """Told to end while it started."""


class Service:
    """The running event server.

    Args:
        installation: Settings and journal.
        listener: Whether events are listened to (an artist's upload tool does not).
        worker: Whether runs are worked on.
        registry: Answers menus and forms; None: the built-in actions do.
        actions: Whether menus are answered at all.
        log_stream: Whether log lines go to stderr too.
        environment: Environment of the worker; None: ours.

    Raises (from `start`):
        SettingsError: the settings cannot be used.
        JournalBusy: another Signalbox works on this journal.
        JournalError: the journal cannot be used.
    """

    def __init__(
        self,
        installation: Installation,
        *,
        listener: bool = True,
        worker: bool = True,
        registry: Registry | None = None,
        actions: bool = True,
        log_stream: bool = False,
        environment: dict[str, str] | None = None,
    ) -> None:
        self.installation = installation
        self._with_listener = listener
        self._with_worker = worker
        self._registry = registry
        self._log_stream = log_stream
        self._environment = environment
        self._journal: Journal | None = None
        self._built: BuiltDoors | None = None
        self._logs: Logs | None = None
        self._plain_log: PlainLog | None = None
        self._listener: Listener | None = None
        self._responder: Responder | None = None
        self._actions = all_actions() if registry is None and actions else []
        self._worker: ChildKeeper | None = None
        self._worker_state: tuple[State, str] = ("warning", "starting")
        self._pulse: Pulse | None = None
        self._site_settled = not listener
        self._kept_settings = -1
        self._ending = threading.Event()
        self._worker_begins = threading.Lock()
        self._house = Chores("housekeeper")
        self._asking = Chores("asking")
        self._drives = Chores("drives")

    # -- life --------------------------------------------------------------------------------------------------------

    @property
    def journal(self) -> Journal:
        """The open journal; only after `start`."""
        assert self._journal is not None, "the service has not been started"
        return self._journal

    @property
    def built(self) -> BuiltDoors:
        """The doors; only after `start`."""
        assert self._built is not None, "the service has not been started"
        return self._built

    @property
    def listener(self) -> Listener | None:
        """The listener, where this service has one."""
        return self._listener

    @property
    def worker_pid(self) -> int | None:
        """Process id of the worker while it runs."""
        return self._worker.pid if self._worker is not None else None

    def start(self, given_up: Callable[[float], bool] | None = None) -> None:
        """Open the journal and start every part. The site need not be reachable.

        Args:
            given_up: Asked, with seconds it may wait, while this must wait for others; True: nobody wants a start now.

        Raises:
            StartGivenUp: as it says; nothing was started.
        """
        self.installation.check()
        if self._with_listener:
            self.installation.credentials()
        settings = self.installation.store.section("journal", JournalSettings)
        self._journal = _open_journal(self.installation.journal, settings.group, given_up or self._ending.wait)
        try:
            self._logs = Logs(
                self.installation.journal, settings.log_level, stream=self._log_stream, group=settings.group
            )
            if settings.log_file:
                self._plain_log = PlainLog(self.installation.journal, Path(settings.log_file))
            self._keep_settings()
            self._built = build_doors(self.installation)
            known = True
            if self._with_listener:
                # Who looks on edits the file that counts, not one of their own.
                self._journal.set_fact("settings", str(self.installation.store.path.absolute()))
                credentials = self.installation.credentials()
                self._site_settled = settle_site(self._journal, credentials) is not None
                known = self._site_settled or is_known_site(self._journal, credentials)
                self._start_listener()
            if known:
                self._start_worker()
            else:
                # Levers stand by the kind of site: nothing is worked on before that is known.
                words = "nothing is worked on before the site has answered: whether it is real decides on the levers"
                self._worker_state = ("warning", words)
            self._share_out()
        except BaseException:
            self.stop()
            raise
        log.info("started on the journal in %s", self.installation.journal)

    def stop(self) -> bool:
        """End every part, side by side, and the journal last. Safe to call twice.

        Returns:
            Whether all ended. What waits for a site or a drive that hangs is left behind: it has nothing to lose.
        """
        with self._worker_begins:
            self._ending.set()
        until = time.monotonic() + _END_SECONDS
        chores = (self._house, self._asking, self._drives)
        for one in chores:
            one.end()
        if self._listener is not None:
            self._listener.stop(0.0)
        closing = threading.Thread(target=self._close_responder, name="responder-end", daemon=True)
        closing.start()
        if self._worker is not None:
            self._worker.stop()
        ended = [one.join(until - time.monotonic()) for one in chores]
        if self._listener is not None:
            ended.append(self._listener.stop(max(0.0, until - time.monotonic())))
        closing.join(max(0.0, until - time.monotonic()))
        self._close()
        return all(ended) and not closing.is_alive()

    def _close_responder(self) -> None:
        if self._responder is not None:
            self._responder.close()

    def _close(self) -> None:
        if self._built is not None:
            self._built.sites.close()
        if self._journal is not None:
            self._lamps_off()
            log.info("stopped")
        if self._logs is not None:
            self._logs.close()
            self._logs = None
        if self._plain_log is not None:
            self._plain_log.close()
            self._plain_log = None
        if self._pulse is not None:
            self._pulse.close()
            self._pulse = None
        if self._journal is not None:
            self._journal.close()
            self._journal = None

    def __enter__(self) -> Service:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def hung(self) -> str:
        """Which part shows no sign of life and will not come back, in words; "" while all do.

        Those that ask site, Slack and drives are not meant: a drive that hangs must not end what works without it.
        """
        seconds, chore = self._house.silence()
        if seconds > _HUNG_SECONDS:
            return f"the housekeeper shows no sign of life for {seconds:.0f} s ({chore or 'between its chores'})"
        if self._listener is not None and (seconds := self._listener.silence()) > _HUNG_SECONDS:
            return f"the listener shows no sign of life for {seconds:.0f} s"
        return ""

    def wake_worker(self) -> None:
        """Tell the worker that there is something to do (an order, an event)."""
        if self._worker is not None:
            self._worker.wake()

    def read_settings_again(self) -> None:
        """Read the settings file now, here and in the worker, rather than within the next second."""
        self.installation.store.reload_if_changed()
        if self._journal is None:
            return
        try:
            self._journal.order("reload_settings", {}, "hang-up signal")
        except JournalUnwritable as error:
            log.error("%s; the worker reads the settings within a second all the same", error)
        self.wake_worker()

    # -- parts -------------------------------------------------------------------------------------------------------

    def _start_listener(self) -> None:
        credentials = self.installation.credentials()
        settings = self.installation.site_settings()
        if self._actions:
            self._registry = self._built_in_actions()
        if self._registry is None:
            # Nobody here answers menus: the site need not ask us.
            wanted = [one for one in settings.subscriptions if "ftrack.action." not in one]
            settings = settings.model_copy(update={"subscriptions": wanted})
        self._listener = Listener(
            credentials,
            settings,
            self.journal,
            on_question=self._question,
            on_state=self._listener_says,
            on_events=self._events_kept,
        )
        if self._registry is not None:
            self._responder = Responder(
                self._registry,
                self._listener,
                self._fresh_site,
                threads=settings.responders,
                patience=settings.form_patience,
            )
        self._listener.start()

    def _built_in_actions(self) -> Registry:
        for action in self._actions:
            self.installation.store.declare(f"actions.{action.id}", action.settings_model)
        return ActionRegistry(
            self._actions,
            self.journal,
            self.installation.settings,
            lambda action: self.journal.lever(action)[0],
            ordered=self.wake_worker,
            ask_agent=self._ask_agent,
        )

    def _ask_agent(self, user_id: str, username: str, entity_id: str) -> bool:
        return self._listener is not None and ask_agent(self._listener, user_id, username, entity_id)

    def _fresh_site(self) -> object:
        site = self.built.sites()
        site.fresh()
        return site

    def _question(self, event: object) -> None:
        if self._responder is not None and isinstance(event, dict):
            self._responder.ask(event)

    def _events_kept(self, _count: int) -> None:
        self.wake_worker()
        self._asking.wake()

    def _listener_says(self, state: ListenerState) -> None:
        if self._journal is None:
            return
        try:
            self._journal.set_health("site", _LAMPS[state.state], redact(state.words))
        except JournalUnwritable as error:
            # The listener goes on whatever happens to a lamp; the housekeeper says it again.
            log.error("the lamp of the site was not set: %s", error)

    def _renew_site(self) -> None:
        """Say the site's lamp again in a quiet night, while the site's heartbeat is heard."""
        if self._listener is None or self._listener.state.state == "stopped":
            return
        if self._listener.connected:
            heard = self.journal.last_heard() or 0.0
            if time.time() - heard > self.installation.site_settings().silence + _MARK_SECONDS:
                return
        self._listener_says(self._listener.state)

    def _settle_site(self) -> None:
        """What could not be told while the site was down: which kind of site it is."""
        if self._site_settled or self._listener is None or not self._listener.connected:
            return
        self._site_settled = settle_site(self.journal, self.installation.credentials()) is not None
        if self._site_settled:
            self._start_worker()

    def _start_worker(self) -> None:
        with self._worker_begins:
            if self._with_worker and self._worker is None and not self._ending.is_set():
                self._worker = self._made_worker()
                self._worker.start()

    def _made_worker(self) -> ChildKeeper:
        assert self.journal.lock is not None
        descriptor = self.journal.lock.fd
        self._pulse = Pulse() if os.name == "posix" else None
        pulse = (self._pulse.fd,) if self._pulse is not None else ()
        return ChildKeeper(
            "worker",
            python_child(
                "app.service.worker",
                "--journal",
                str(self.installation.journal),
                "--settings",
                str(self.installation.store.path),
                "--lock-fd",
                str(descriptor),
                *(["--log-stream"] if self._log_stream else []),
                *(("--pulse-fd", str(*pulse)) if pulse else ()),
            ),
            pass_fds=(descriptor, *pulse) if os.name == "posix" else (),
            # Some thirty threads that each hoard freed memory would double what the worker needs.
            env={"MALLOC_ARENA_MAX": "2", **(self._environment if self._environment is not None else os.environ)},
            on_state=self._worker_says,
            on_exit=_end_with_a_crash_point,
        )

    def _worker_says(self, alive: bool, words: str) -> None:
        if alive and self._pulse is not None:
            self._pulse.begin()
        self._worker_state = ("ok" if alive else "error", words)
        self._house.wake()

    # -- housekeeping ------------------------------------------------------------------------------------------------

    def _share_out(self) -> None:
        """Who does what now and then; what waits for others has threads of its own."""
        store = self.installation.store
        health = HealthWatch(self.journal, self.built, self._workers_lamp, lambda: store.problem)
        house, asking = self._house, self._asking
        house.add("settings", 1.0, self._read_settings)
        house.add("site's lamp", 1.0, self._renew_site)
        house.add("retention", _FORGET_SECONDS, self._forget_lines)
        if self._plain_log is not None:
            house.add("log file", _LOOK_SECONDS, self._write_plain_log)
        if not self._site_settled:
            asking.add("kind of site", _LOOK_SECONDS, self._settle_site)
        librarian = Librarian(self.journal, self.built.sites, after=max(0, self.journal.last_event_id() - 1000))
        asking.add("names", 0.1, lambda: self._learn(librarian))
        if self._with_worker:
            alarms = SlackAlarms(self.journal, self.built.slack, lambda: store.section("slack", SlackSettings))
            house.add("lamps", 1.0, lambda: self._lamps(health))
            asking.add("slack", SLACK_SECONDS, health.slack)
            asking.add("alarms", 5.0, alarms.turn)
            self._drives.add("drives", DRIVES_SECONDS, health.drives)
        if self._listener is not None and self._actions:
            menu = MenuWatch(self.journal, self._listener, self.built.sites, self._actions)
            asking.add("menus", 1.0, menu.turn)
        for one in (house, asking, self._drives):
            one.start()

    def _workers_lamp(self) -> tuple[State, str]:
        """How the worker is: as its keeper knows it, and whether it shows signs of life."""
        state, words = self._worker_state
        if state != "ok" or self._worker is None or self._pulse is None:
            return state, words
        silence = self._pulse.silence()
        if silence < _SILENT_SECONDS:
            return state, words
        clock = time.strftime("%H:%M:%S", time.localtime(time.time() - silence))
        if silence > _LOST_SECONDS:
            log.error("the worker, %s, shows no sign of life since %s: it is ended and started again", words, clock)
            self._worker.renew(_RENEW_SECONDS)
            return self._worker_state
        return "error", f"{words}, but shows no sign of life: it hangs, or was halted"

    def _lamps(self, health: HealthWatch) -> None:
        health.turn()
        seconds, chore = self._drives.silence()
        if chore and seconds > _SLOW_DRIVE_SECONDS:
            health.drives_hang(time.time() - seconds)

    def _read_settings(self) -> None:
        self.installation.store.reload_if_changed()
        if self.installation.store.revision != self._kept_settings:
            self._keep_settings()

    def _keep_settings(self) -> None:
        """What this process has verified is kept for a worker that must start while the file is broken."""
        store = self.installation.store
        self._kept_settings = store.revision
        if not self._with_worker or store.problem:
            return
        try:
            store.keep_good(self.installation.journal / LAST_GOOD)
        except OSError as error:
            log.warning("the settings were not kept for a worker that starts while their file is broken: %s", error)

    def _learn(self, librarian: Librarian) -> None:
        if self._with_listener and self._listener is not None and self._listener.connected and librarian.turn():
            self._asking.wake()

    def _write_plain_log(self) -> None:
        assert self._plain_log is not None
        before = self._plain_log.problem
        self._plain_log.turn()
        problem = self._plain_log.problem
        if problem != before:
            log.log(logging.ERROR if problem else logging.INFO, "%s", problem or "the log file can be written again")
        if problem or before:
            self.journal.set_health("log file", "error" if problem else "ok", problem or "is written")

    def _forget_lines(self) -> None:
        settings = self.installation.store.section("journal", JournalSettings)
        if self._logs is not None:
            self._logs.forget(time.time() - settings.keep_log_days * _DAY)

    def _lamps_off(self) -> None:
        try:
            for row in self.journal.health():
                self.journal.set_health(row.name, "off", "the event server does not run")
        except Exception:
            log.exception("the lamps could not be put out")


def _open_journal(folder: Path, group: str, given_up: Callable[[float], bool]) -> Journal:
    """The journal with its lock. A worker whose host was killed ends after the runs at work: that is waited for."""
    deadline = time.monotonic() + _ORPHAN_SECONDS
    while True:
        try:
            return Journal.open(folder, "engine", group=group)
        except JournalBusy:
            if time.monotonic() > deadline or not JournalLock.orphaned(folder):
                raise
        if given_up(_LOOK_SECONDS / 5):
            raise StartGivenUp


def _end_with_a_crash_point(code: int) -> None:
    """A worker that ended at an ordered crash point takes this process along, as a power cut would."""
    if code == CRASHED:
        os._exit(CRASHED)


def check_key(installation: Installation) -> None:
    """Sign in once, so that a wrong key is told at the start. A site that does not answer is waited for later.

    Raises:
        WrongKey: the site does not accept user and key.
        SettingsError: the site is not set.
    """
    settings = installation.site_settings()
    try:
        open_session(
            installation.credentials(),
            cache_folder(),
            timeout=min(settings.connect_timeout, settings.request_timeout),
            strict=settings.strict_api,
        ).close()
    except SiteUnreachable as error:
        log.warning("%s; the event server waits for it", error)
