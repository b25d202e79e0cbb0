"""The window: a header, the health strip, and the docks of the signal box around each other."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QByteArray, QEvent, QSettings, QSize, QTimer, Signal
from PySide6.QtGui import QCloseEvent, QGuiApplication, QPaintEvent, QShowEvent
from PySide6.QtWidgets import (
    QApplication,
    QMainWindow,
    QMenu,
    QStackedWidget,
    QSystemTrayIcon,
    QVBoxLayout,
    QWidget,
)

from app.settings.paths import state_folder
from ui import theme
from ui.dock_area import DockArea
from ui.docks.actions import ActionsDock
from ui.docks.browser import BrowserDock
from ui.docks.detail import EventDetailDock
from ui.docks.events import EventsDock
from ui.docks.handlers import HandlersDock
from ui.docks.health import HealthStrip
from ui.docks.lever import use_motion
from ui.docks.log import LogDock
from ui.docks.notice import SITE_EMBEDDED, SITE_WORDS, Notice
from ui.header import Header
from ui.models.alarms import Alarms
from ui.models.hub import Hub
from ui.models.words import many, sentence, use_clock
from ui.theme import Role

if TYPE_CHECKING:
    from app.settings.models import PanelSettings
    from app.settings.store import SettingsStore
    from ui.compiler.workbench import Workbench
    from ui.dialogs.assistant import Assistant
    from ui.dialogs.base import Confirm
    from ui.dialogs.batch_create import BatchCreateDialog
    from ui.dialogs.catch_up import CatchUpDialog
    from ui.dialogs.finder import Finder
    from ui.dialogs.job_run import RunWish
    from ui.dialogs.preview import PreviewDialog
    from ui.dialogs.settings import SettingsDialog
    from ui.dialogs.shadow import ShadowDialog
    from ui.dialogs.undo import UndoDialog
    from ui.dialogs.upload import UploadDialog
    from ui.docks.jobs import JobsDock
    from ui.models.desk import SiteDesk


@dataclass(frozen=True)
class PanelSite:
    """Which site the window shows.

    Attributes:
        name: e.g. "studio.ftrackapp.com".
        embedded: Whether it is the demo's own site, where nothing is real.
    """

    name: str = ""
    embedded: bool = False


def panel_settings() -> QSettings:
    """The window's memory: geometry, columns, saved filters. It moves with SIGNALBOX_HOME."""
    return QSettings(str(state_folder() / "panel.ini"), QSettings.Format.IniFormat)


def read_wishes() -> PanelSettings:
    """The person's settings of the window; the defaults where the file cannot be used."""
    from app.settings.models import PanelSettings
    from app.settings.store import SettingsError
    from ui.dialogs.settings import default_store

    try:
        return default_store().section("panel", PanelSettings)
    except SettingsError:
        return PanelSettings()


class Panel(QMainWindow):
    """Signalbox's window.

    Args:
        folder: The journal's folder.
        site: Which site it shows.

    Attributes:
        hosting: Whether the event server runs behind this window, and will make the journal.

    Signals:
        closing: the window is closed for good; the program ends.
        settings_saved: a section of the settings was written; its name.
        painted: the first paint is done: heavy things may start now.
    """

    closing = Signal()
    settings_saved = Signal(str)
    painted = Signal()

    def __init__(self, folder: Path, site: PanelSite | None = None, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("panel")
        self.hub = Hub(folder, self)
        self.site = site or PanelSite()
        self.settings = panel_settings()
        self.hosting = False
        self._quitting = False
        self._was_painted = False
        self._page = 0
        self._workbench: Workbench | None = None
        self._jobs: JobsDock | None = None
        self._tray: QSystemTrayIcon | None = None
        self._wishes: PanelSettings | None = None
        self._build()
        self._wire()
        theme.wear_sheet()
        self._restore()
        self._show_site()

    # Building

    def _build(self) -> None:
        self.notice = Notice()
        self.health = HealthStrip(self.hub)
        self.docks = DockArea()
        self.handlers = HandlersDock(self.hub)
        self.events = EventsDock(self.hub, lambda: self.settings)
        self.detail = EventDetailDock(self.hub)
        self.log = LogDock(self.hub, lambda: self.settings)
        self.actions_dock = ActionsDock(self.hub)
        self.browser = BrowserDock()
        self.desk: SiteDesk | None = None
        for name, title, widget in (
            ("handlers", "Handlers", self.handlers),
            ("events", "Events", self.events),
            ("event_detail", "Event detail", self.detail),
            ("log", "Log", self.log),
            ("actions", "Actions", self.actions_dock),
            ("browser", "Browser", self.browser),
        ):
            self.docks.add(name, title, widget)
        self._dock = self.docks.by_name
        self.header = self._build_header()
        self.site_chip, self.why = self.header.chip, self.header.why
        self.pages = QStackedWidget()
        self.pages.addWidget(self.docks)
        column = QVBoxLayout()
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        for part in (self.header, self.health, self.notice, self.pages):
            column.addWidget(part)
        column.setStretchFactor(self.pages, 1)
        holder = QWidget()
        holder.setLayout(column)
        self.setCentralWidget(holder)
        self.alarms = Alarms(self.hub, self)
        self.events.view.setFocus()

    def _build_header(self) -> Header:
        header = Header([dock.toggleViewAction() for dock in self._dock.values()])
        header.page_wanted.connect(self.show_page)
        header.theme_wanted.connect(self.set_theme)
        header.theme_turned.connect(self.toggle_theme)
        header.finder_wanted.connect(self.open_finder)
        header.settings_wanted.connect(self.open_settings)
        header.layout_wanted.connect(self.usual_layout)
        header.assistant_wanted.connect(self.open_assistant)
        header.shadow_wanted.connect(self.open_shadow)
        header.catch_up_wanted.connect(self.open_catch_up)
        header.quit_wanted.connect(self.quit)
        return header

    def _wire(self) -> None:
        hub = self.hub
        hub.trouble.connect(lambda text: self.notice.say("warning", text))
        hub.said.connect(lambda text: self.notice.say("ok", text))
        hub.reading_only.connect(self._tell_read_only)
        hub.journal.unavailable.connect(self._journal_shut)
        hub.journal.opened.connect(self._journal_open)
        self.events.chosen.connect(self._show_event)
        self.events.order_wanted.connect(self._event_order)
        self.detail.event_wanted.connect(self.events.view.go_to)
        self.detail.replay_wanted.connect(self.replay)
        self.detail.undo_wanted.connect(self.open_undo)
        self.detail.job_wanted.connect(self.go_to_job)
        self.log.event_wanted.connect(self.go_to_event)
        self.handlers.settings_wanted.connect(self.open_handler_settings)
        self.handlers.preview_wanted.connect(self.open_preview)
        self.handlers.run_wanted.connect(self.go_to_run)
        self.handlers.events_wanted.connect(self._events_of)
        self.handlers.kept_wanted.connect(self.open_kept)
        self.actions_dock.settings_wanted.connect(self.open_action_settings)
        self.actions_dock.run_wanted.connect(self.go_to_run)
        self.actions_dock.undo_wanted.connect(self.open_undo)
        self.browser.batch_wanted.connect(self.open_batch)
        self.browser.upload_wanted.connect(self.open_upload)
        self.health.clicked.connect(self._lamp_clicked)
        self.alarms.raised.connect(self._alarm)
        self.settings_saved.connect(self._saved)

    def focusNextPrevChild(self, forward: bool) -> bool:
        """Tab passes by what nobody sees; back where it began it stays."""
        passed: set[QWidget] = set()
        moved = super().focusNextPrevChild(forward)
        while moved and (now := QApplication.focusWidget()) and now not in passed and self.docks.covers(now):
            passed.add(now)
            moved = super().focusNextPrevChild(forward)
        return moved

    # Layout

    def usual_layout(self) -> None:
        """Put every dock where it belongs."""
        self.docks.usual_layout(self.size())

    def _restore(self) -> None:
        geometry = self.settings.value("geometry")
        if isinstance(geometry, QByteArray) and not geometry.isEmpty():
            self.restoreGeometry(geometry)
        else:
            self.resize(self._first_size())
        self.usual_layout()
        self.docks.restore(self.settings)
        for name, view in (("events", self.events.view), ("log", self.log.view)):
            columns = self.settings.value(f"columns/{name}")
            if isinstance(columns, QByteArray):
                view.restore_columns(columns)

    def _first_size(self) -> QSize:
        screen = QGuiApplication.primaryScreen()
        room = screen.availableSize() if screen is not None else QSize(1_280, 720)
        # A small screen is used in its whole width: the events' lamps stand at the right.
        wide = min(room.width(), max(1_280, int(room.width() * 0.92)), 1_720)
        return QSize(wide, min(1_000, int(room.height() * 0.9))).expandedTo(QSize(960, 600))

    def save_layout(self) -> None:
        """Remember geometry, docks and columns."""
        self.settings.setValue("geometry", self.saveGeometry())
        self.docks.save(self.settings)
        self.settings.setValue("columns/events", self.events.view.save_columns())
        self.settings.setValue("columns/log", self.log.view.save_columns())
        if self._workbench is not None:
            self._workbench.save_layout(self.settings)
        self.settings.sync()

    # What it says

    def set_site(self, site: PanelSite) -> None:
        """Say which site it is."""
        self.site = site
        self._show_site()

    def _show_site(self) -> None:
        site = self.site
        # Qt adds the program's name.
        where = "Embedded demo site" if site.embedded else site.name
        words = f"Real site: {site.name}" if site.name else ""
        if site.embedded:
            self.site_chip.say("Embedded demo site: nothing here is real", Role.DRY, Role.DRY_FILL)
        else:
            self.site_chip.say(words, Role.TEXT, Role.RAISED)
        self.setProperty(SITE_WORDS, "Embedded demo site" if site.embedded else words)
        self.setProperty(SITE_EMBEDDED, site.embedded)
        self.setWindowTitle(where or "Signalbox")

    def _tell_read_only(self, why: str) -> None:
        if why:
            self.notice.say("warning", f"Read-only: {why}. Levers and orders are locked.")

    def _journal_shut(self, why: str) -> None:
        new = self.hub.is_new()
        if new and (self.hosting or self.notice.isVisible()):
            # The server behind this very window is about to make the journal, or it is told already why none does.
            return
        self.notice.say("info" if new else "error", f"{sentence(why)}.", about="journal")

    def _journal_open(self) -> None:
        self.notice.settle("journal")

    def _alarm(self, title: str, text: str, run: int) -> None:
        if run:
            self.notice.say("error", f"{title}: {text}", "Show", lambda: self.go_to_run(run))
        else:
            self.notice.say("error", f"{title}: {text}")
        notify = not run or self._wishes is None or self._wishes.notify_failures
        if self._tray is not None and notify:
            self._tray.showMessage(title, text, QSystemTrayIcon.MessageIcon.Warning, 10_000)

    # Ways around

    def show_page(self, index: int) -> None:
        """0: the signals; 1: the job compiler, 2: the jobs, both built when they are first wanted."""
        page = self._compiler() if index == 1 else self.jobs if index == 2 else self.docks
        if page is not None:
            self._page = index
            self.pages.setCurrentWidget(page)
        self.header.show_page(self._page)

    @property
    def jobs(self) -> JobsDock:
        """The jobs of both engines, built when they are first wanted."""
        if self._jobs is None:
            from ui.docks.jobs import JobsDock

            self._jobs = JobsDock(self.hub, lambda: self.settings)
            self._jobs.compiler_wanted.connect(partial(self.show_page, 1))
            self._jobs.run_wanted.connect(self.go_to_run)
            self._jobs.restore()
            self.pages.addWidget(self._jobs)
        return self._jobs

    def go_to_job(self, job_id: int, *, confirm: bool = False) -> None:
        """Show a job with its tasks and logs; `confirm`: and its command lines, where they wait for a person."""
        self.show_page(2)
        self.jobs.go_to_job(job_id, confirm=confirm)

    def _compiler(self) -> Workbench | None:
        """The job compiler; None where the settings file cannot be used, which is told."""
        if self._workbench is None:
            from app.settings.store import SettingsError
            from ui.compiler.workbench import Workbench

            try:
                self._workbench = Workbench()
            except SettingsError as problem:
                self.notice.say("error", str(problem))
                return None
            self._workbench.restore_layout(self.settings)
            self._workbench.set_runner(self._run_from_workbench)
            self.pages.addWidget(self._workbench)
        return self._workbench

    def _run_from_workbench(self, wish: RunWish) -> None:
        from ui.dialogs.job_run import JobRunDialog

        dialog = JobRunDialog(self.hub, wish, self)
        dialog.submitted.connect(partial(self.go_to_job, confirm=True))
        dialog.open()

    def _show_event(self, row: int) -> None:
        self.detail.show_event(row)
        self.docks.bring_forward("event_detail")

    def go_to_event(self, row: int) -> None:
        """Show an event in the list and its detail."""
        self.show_page(0)
        self.docks.bring_forward("events")
        self.events.go_to(row)
        self._show_event(row)

    def go_to_run(self, run: int) -> None:
        """Show a run with its event."""
        self.show_page(0)
        self.docks.bring_forward("event_detail")
        self.detail.show_run(run)

    def _events_of(self, handler: str) -> None:
        self.docks.bring_forward("events")
        self.events.show_only(handler=handler)

    def _lamp_clicked(self, name: str) -> None:
        words = {"slack": "slack", "site": "site", "listener": "site", "drives": "drive"}.get(name, "")
        self.docks.bring_forward("log")
        self.log.show_only(text=words)

    # Orders

    def replay(self, event_row: int, handler: str = "", dry: bool = False) -> None:
        """Give an event to the handlers again."""
        args: dict[str, Any] = {"event_row": event_row, "dry": dry}
        if handler:
            args["handler"] = handler

        words = "Dry run of the event" if dry else "Replay of the event"

        def made(result: Mapping[str, Any]) -> None:
            if not result.get("run"):
                return
            self.hub.said.emit(f"{words}: done.")
            # The newest run is the last of the list: whoever asked for it sees it.
            if self.detail.event_row == event_row:
                self.detail.show_event(event_row, int(result["run"]))

        self.hub.order("replay", args, words, made)

    def _event_order(self, kind: str, event_row: int) -> None:
        if kind == "raw":
            self.hub.journal.ask("raw", lambda journal: journal.event(event_row)["raw"], self._copy_raw, owner=self)
        else:
            self.replay(event_row, dry=kind == "dry")

    @staticmethod
    def _copy_raw(raw: object) -> None:
        import json

        QGuiApplication.clipboard().setText(json.dumps(raw, indent=2, ensure_ascii=False))

    # Dialogs

    def open_finder(self) -> Finder:
        """ "Why is there no folder for this task?"."""
        from ui.dialogs.finder import Finder

        dialog = Finder(self.hub, self)
        dialog.event_wanted.connect(self.go_to_event)
        dialog.open()
        return dialog

    def open_undo(self, run: int) -> UndoDialog:
        """The list of what an undo takes back, and the undo."""
        from ui.dialogs.undo import UndoDialog

        dialog = UndoDialog(self.hub, run, self)
        dialog.open()
        return dialog

    def take_desk(self, desk: SiteDesk) -> None:
        """The way to the site: the browser and the dialogs ask there."""
        if self.desk is not None:
            self.desk.close()
        self.desk = desk
        self.browser.set_desk(desk)

    def _desk_or_say(self) -> SiteDesk | None:
        if self.desk is None:
            self.notice.say("warning", "No site is connected yet: enter one in the settings.")
        return self.desk

    def open_batch(self, entity_type: str = "", entity_id: str = "", name: str = "") -> BatchCreateDialog | None:
        """Batch Create as a sheet, below this place."""
        from ui.dialogs.batch_create import BatchCreateDialog

        if (desk := self._desk_or_say()) is None:
            return None
        place = (entity_type, entity_id, name) if entity_id else None
        dialog = BatchCreateDialog(self.hub, desk, place, self)
        dialog.open()
        return dialog

    def open_upload(self, task: str = "") -> UploadDialog | None:
        """The upload dialog, for this task."""
        from ui.dialogs.upload import UploadDialog

        if (desk := self._desk_or_say()) is None:
            return None
        dialog = UploadDialog(self.hub, desk, task, draft=state_folder() / "panel-upload-draft.json", parent=self)
        dialog.open()
        return dialog

    def open_action_settings(self, action: str) -> SettingsDialog | None:
        """The settings of an action."""
        return self._open_settings(f"actions.{action}")

    def open_preview(self, handler: str) -> PreviewDialog:
        """ "What would it do?"."""
        from ui.dialogs.preview import PreviewDialog

        dialog = PreviewDialog(self.hub, handler, self.detail.event_row, self)
        dialog.open()
        return dialog

    def open_kept(self, handler: str, kept: int) -> Confirm:
        """Offer the events that came while a lever was Off. The default is to leave them."""
        from ui.dialogs.base import Confirm

        title = self.hub.snapshot.title(handler)
        dialog = Confirm(
            f"Process {many(kept, 'kept event')}?",
            f"They came while {title} was Off. Processing them now does what it would have done then; "
            "leaving them does nothing, and each can still be replayed.",
            [],
            "Process them",
            self,
        )
        dialog.cancel.setText("Leave them")
        dialog.prefer_cancel()
        dialog.accepted.connect(
            lambda: self.hub.order("process_kept", {"handler": handler}, f"Processing the kept events of {title}")
        )
        dialog.open()
        return dialog

    def open_handler_settings(self, handler: str) -> SettingsDialog | None:
        """The settings of a handler."""
        return self._open_settings(handler)

    def open_settings(self) -> SettingsDialog | None:
        """All settings."""
        return self._open_settings("")

    def _settings_store(self) -> SettingsStore | None:
        """The settings file as it is now; None where it cannot be used, which is told."""
        from app.settings.store import SettingsError
        from ui.dialogs.settings import default_store

        try:
            return default_store()
        except SettingsError as problem:
            self.notice.say("error", str(problem))
            return None

    def _open_settings(self, section: str) -> SettingsDialog | None:
        from ui.dialogs.settings import SettingsDialog

        store = self._settings_store()
        if store is None:
            return None
        dialog = SettingsDialog(self.hub, section, self, store)
        dialog.saved.connect(self.settings_saved)
        dialog.assistant_wanted.connect(self.open_assistant)
        dialog.open()
        return dialog

    def open_assistant(self) -> Assistant | None:
        """Site, drives, Slack, people, farm: step by step, at the first start and again whenever wanted."""
        from ui.dialogs.assistant import Assistant

        store = self._settings_store()
        if store is None:
            return None
        dialog = Assistant(store, self, journal=self.hub.folder)
        dialog.kept.connect(self.settings_saved)
        dialog.open()
        return dialog

    def open_shadow(self) -> ShadowDialog | None:
        """What the dry runs planned, beside what another server on the site did."""
        from ui.dialogs.shadow import ShadowDialog

        if (desk := self._desk_or_say()) is None:
            return None
        dialog = ShadowDialog(self.hub, desk, self)
        dialog.run_wanted.connect(self.go_to_run)
        dialog.open()
        return dialog

    def open_catch_up(self) -> CatchUpDialog:
        """How far back the handlers shall look for what they missed."""
        from ui.dialogs.catch_up import CatchUpDialog

        dialog = CatchUpDialog(self.hub.snapshot.handlers, self)
        dialog.chosen.connect(self._look_back)
        dialog.open()
        return dialog

    def _look_back(self, seconds: float, handler: str, dry: bool) -> None:
        args = {"since": time.time() - seconds, "handler": handler, "dry": dry}

        def answered(result: Mapping[str, Any]) -> None:
            if not result.get("refused"):
                self.hub.said.emit(
                    f"{many(len(result['runs']), 'handler')} looking for what was missed: what they find stands among "
                    "the events, and the log tells what each has found."
                )

        self.hub.order("catch_up", args, "Looking for what was missed", answered)

    # Theme

    def set_theme(self, choice: theme.Choice) -> None:
        """Dress the window; remembered."""
        app = QApplication.instance()
        assert isinstance(app, QApplication)
        theme.apply(app, choice)
        self.settings.setValue("theme", choice)

    def toggle_theme(self) -> None:
        """Dark to light and back."""
        self.set_theme("light" if theme.current().is_dark else "dark")

    # Coming and going

    def take_wishes(self, wishes: PanelSettings) -> None:
        """Follow the person's settings of the window (section ``panel``)."""
        self._wishes = wishes
        use_clock(wishes.time_format)
        use_motion(wishes.motion)
        if wishes.tray:
            self.add_tray()

    def _saved(self, section: str) -> None:
        if section == "panel":
            wishes = read_wishes()
            self.take_wishes(wishes)
            self.set_theme(wishes.theme)
            self.events.model.restart()
            self.log.model.restart()

    def add_tray(self) -> None:
        """Live in the tray where there is one."""
        if self._tray is not None or not QSystemTrayIcon.isSystemTrayAvailable():
            return
        self._tray = QSystemTrayIcon(theme.icon("signalbox", Role.ACCENT), self)
        self._tray.setToolTip(self.windowTitle())
        menu = QMenu(self)
        menu.addAction("Open Signalbox", self.come_forward)
        menu.addAction("Quit", self.quit)
        self._tray.setContextMenu(menu)
        self._tray.activated.connect(
            lambda why: self.come_forward() if why == QSystemTrayIcon.ActivationReason.Trigger else None
        )
        self._tray.show()

    def come_forward(self) -> None:
        """Show the window, whatever hides it."""
        self.showNormal() if self.isMinimized() else self.show()
        self.raise_()
        self.activateWindow()

    def quit(self) -> None:
        """Close for good, tray or not."""
        self._quitting = True
        self.close()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.hub.set_watched(True)

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.WindowStateChange:
            self.hub.set_watched(not self.isMinimized())

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        if not self._was_painted:
            self._was_painted = True
            QTimer.singleShot(0, self, self.painted.emit)

    def closeEvent(self, event: QCloseEvent) -> None:
        self.save_layout()
        if self._tray is not None and not self._quitting:
            event.ignore()
            self.hide()
            self.hub.set_watched(False)
            self._tray.showMessage("Signalbox keeps running", "Events are still handled. Quit from the tray's menu.")
            return
        if self.hosting and not self.site.embedded and not self._quitting:
            event.ignore()
            self._ask_to_end()
            return
        self.shut()
        event.accept()
        self.closing.emit()

    def _ask_to_end(self) -> None:
        """Closing the window that runs the event server ends it: somebody says so."""
        from ui.dialogs.base import Confirm

        dialog = Confirm(
            "End the event server?",
            f"It runs behind this window{f' for {self.site.name}' if self.site.name else ''}, and there is no tray to "
            "keep it in. Closed, nothing is handled until it runs again; what was missed is caught up with then.",
            [],
            "End it and close",
            self,
        )
        dialog.setObjectName("confirm_end")
        dialog.prefer_cancel()
        dialog.accepted.connect(self.quit)
        dialog.open()

    def shut(self) -> None:
        """Let go of the journal and of everything that runs."""
        if self._tray is not None:
            self._tray.hide()
        self.log.close_files()
        if self._jobs is not None:
            self._jobs.save()
            self._jobs.close_files()
        if self._workbench is not None:
            self._workbench.shutdown()
        if self.desk is not None:
            self.desk.close()
        self.hub.close()
