"""The first-run assistant: site, drives, Slack, people, farm. Each step is tried before it is kept, or skipped."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QListWidget,
    QPushButton,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from app.journal.lock import JournalLock
from app.settings.secrets import of_a_service, secrets_file
from app.settings.store import SettingsStore
from ui import theme
from ui.compiler.background import Background
from ui.dialogs.base import Dialog

Answers = dict[str, str]


@dataclass(frozen=True, slots=True)
class Field:
    """One thing to enter.

    Attributes:
        name: Its key among the answers.
        words: Its label.
        example: Shown while it is empty.
        value: What stands there at first.
        secret: Shown as dots, and forgotten when it was kept.
    """

    name: str
    words: str
    example: str = ""
    value: str = ""
    secret: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    """One page.

    Attributes:
        name: Its key.
        title: In the list of steps.
        about: What it is for, and what skipping it means.
        fields: What is entered.
        verb: On the button that tries and keeps.
        does: Tries and keeps, on a thread; returns what came of it. Raises StepRefused.
    """

    name: str
    title: str
    about: str
    fields: tuple[Field, ...]
    verb: str
    does: Callable[[Answers], str]


def steps_of(store: SettingsStore) -> tuple[Step, ...]:
    """The steps on a settings file, filled with what is there."""
    # The doors behind them are loaded by the thread that needs them, long after the first paint.
    from app.settings.models import FlamencoSettings, SiteSettings, SlackSettings

    site, slack = store.section("site", SiteSettings), store.section("slack", SlackSettings)
    farm = store.section("flamenco", FlamencoSettings)
    return (
        Step(
            "site",
            "ftrack site",
            "Where events come from. Address, user and key are tried before they are kept. At a real site every "
            "handler then starts at Dry run and every action at Off: nothing is touched before you say so.",
            (
                Field("server", "Address", "https://studio.ftrackapp.com", site.server),
                Field("user", "API user", "the name of the server's ftrack user", site.api_user),
                Field("key", "API key", "ftrack: My account, Security settings", secret=True),
            ),
            "Try and keep",
            lambda given: _assistant().connect_studio_site(store, given["server"], given["user"], given["key"]),
        ),
        Step(
            "drive",
            "Production drive",
            "Where folders are made. ftrack's paths begin with a prefix; on this operating system that is a folder. A "
            "file is written and removed there. Do this once for each drive; skipped, ftrack's own paths are used.",
            (
                Field("prefix", "Paths on ftrack begin with", "/data/production", "/data/production"),
                Field("folder", "Folder on this machine", "/mnt/production"),
            ),
            "Write a test file and keep",
            lambda given: _assistant().connect_drive(store, given["prefix"], Path(given["folder"]).expanduser()),
        ),
        Step(
            "slack",
            "Slack",
            "Who is told. A test message is sent before the token is kept. Skipped, nobody is told anything.",
            (
                Field("token", "Bot token", "xoxb-…", secret=True),
                Field("channel", "Channel for the test", "#general", slack.default_channel),
            ),
            "Send a test message and keep",
            lambda given: _assistant().connect_slack(store, given["token"], given["channel"]),
        ),
        Step(
            "people",
            "People",
            "The studio's file slack_ftrack_users.json: ftrack user to Slack user, project to channel. Skipped, people "
            "are found by their e-mail address.",
            (Field("file", "File", "/data/pipeline/slack_ftrack_users.json", slack.mapping_file),),
            "Read and keep",
            lambda given: _assistant().connect_people(store, Path(given["file"]).expanduser()),
        ),
        Step(
            "farm",
            "Flamenco",
            "Where jobs go, and the folder of the Manager's job type scripts. Skipped, jobs run on this machine alone.",
            (
                Field("manager", "Manager", "http://farm:8080", farm.manager),
                Field("scripts", "Scripts folder", "empty: deploying stays off", farm.scripts_folder),
            ),
            "Ask the Manager and keep",
            lambda given: _assistant().connect_farm(
                store, given["manager"], Path(given["scripts"]).expanduser() if given["scripts"] else None
            ),
        ),
    )


def _assistant() -> ModuleType:
    """The steps' own room, loaded when the first of them is tried."""
    from app.service import assistant as service_assistant

    return service_assistant


def _note(step: Step, store: SettingsStore) -> str:
    """What is said where a secret is typed that the event server, run by another account, does not read."""
    name = {"site": "site.api_key", "slack": "slack.token"}.get(step.name)
    return of_a_service(name, store.path) if name else ""


class Page(QWidget):
    """One step: what it is for, its fields, its button, what came of it."""

    def __init__(self, step: Step, note: str = "", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.step = step
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 4, 0, 0)
        column.setSpacing(10)
        heading = QLabel(step.title)
        theme.mark(heading, kind="heading")
        column.addWidget(heading)
        about = QLabel(step.about)
        about.setWordWrap(True)
        theme.mark(about, kind="muted")
        column.addWidget(about)
        form = QFormLayout()
        form.setSpacing(8)
        self.fields: dict[str, QLineEdit] = {}
        for field in step.fields:
            line = QLineEdit(field.value)
            line.setPlaceholderText(field.example)
            line.setObjectName(f"{step.name}_{field.name}")
            if field.secret:
                line.setEchoMode(QLineEdit.EchoMode.Password)
            form.addRow(field.words, line)
            self.fields[field.name] = line
        column.addLayout(form)
        self.note = QLabel(note)
        self.note.setWordWrap(True)
        self.note.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.note.setVisible(bool(note))
        theme.mark(self.note, state="warning")
        column.addWidget(self.note)
        row = QHBoxLayout()
        self.button = QPushButton(step.verb)
        theme.mark(self.button, kind="primary")
        self.button.setAutoDefault(False)
        row.addWidget(self.button)
        row.addStretch(1)
        column.addLayout(row)
        self.outcome = QLabel()
        self.outcome.setWordWrap(True)
        self.outcome.setTextFormat(Qt.TextFormat.PlainText)
        self.outcome.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        column.addWidget(self.outcome)
        column.addStretch(1)

    def answers(self) -> Answers:
        """What was entered."""
        return {name: line.text().strip() for name, line in self.fields.items()}

    def tell(self, words: str, state: str) -> None:
        """What came of it: state "ok", "error" or "muted"."""
        self.outcome.setText(words)
        theme.mark(self.outcome, state=state)

    def forget_secrets(self) -> None:
        """What was kept needs not stand in the window."""
        for field in self.step.fields:
            if field.secret:
                self.fields[field.name].clear()


class Assistant(Dialog):
    """The steps one after the other; each may be skipped, and done again at any time.

    Args:
        store: The settings that are written.
        steps: Other steps than the usual ones.
        journal: The journal's folder; who works on it tells whether secrets kept here are read there.

    Signals:
        kept: a step was tried and kept; its name.
    """

    kept = Signal(str)

    def __init__(
        self,
        store: SettingsStore,
        parent: QWidget | None = None,
        steps: Sequence[Step] = (),
        journal: Path | None = None,
    ) -> None:
        super().__init__(
            "Connect the studio",
            f"Each step is tried before it is kept; skip what you do not need. Settings go to {store.path}, secrets to "
            f"the keyring, or where there is none to {secrets_file()}, which only you can read. The menu and the "
            "settings open this again.",
            parent,
        )
        self.setObjectName("assistant")
        self._work = Background(self, workers=1)
        self._done: set[str] = set()
        self.list = QListWidget()
        self.list.setAccessibleName("Steps")
        self.list.setFixedWidth(170)
        self.list.setSpacing(2)
        self.stack = QStackedWidget()
        self.pages: dict[str, Page] = {}
        beside = journal is not None and JournalLock.held_by_another_account(journal)
        for step in steps or steps_of(store):
            page = Page(step, _note(step, store) if beside else "")
            page.button.clicked.connect(lambda _checked=False, page=page: self._try(page))
            self.pages[step.name] = page
            self.stack.addWidget(page)
            self.list.addItem(step.title)
        row = QHBoxLayout()
        row.addWidget(self.list)
        row.addWidget(self.stack, 1)
        self.body.addLayout(row)
        self.list.currentRowChanged.connect(self._show)
        self.add_cancel("Close")
        self.next = self.add_button("Skip", default=False)
        self.next.clicked.connect(self._go_on)
        self.finished.connect(self._work.close)
        self.list.setCurrentRow(0)
        self.resize(760, 460)

    def _show(self, index: int) -> None:
        self.stack.setCurrentIndex(index)
        self._label()

    def _page(self) -> Page:
        page = self.stack.currentWidget()
        assert isinstance(page, Page)
        return page

    def _label(self) -> None:
        last = self.stack.currentIndex() == self.stack.count() - 1
        done = self._page().step.name in self._done
        self.next.setText("Finish" if last else "Next" if done else "Skip")

    def _go_on(self) -> None:
        if self.stack.currentIndex() == self.stack.count() - 1:
            self.accept()
        else:
            self.list.setCurrentRow(self.stack.currentIndex() + 1)

    def _try(self, page: Page) -> None:
        given = page.answers()
        page.button.setEnabled(False)
        page.tell("Trying…", "muted")
        self._work.run(
            lambda _wanted: page.step.does(given),
            lambda words: self._keep(page, words),
            lambda problem: self._refuse(page, problem),
        )

    def _keep(self, page: Page, words: str) -> None:
        page.button.setEnabled(True)
        page.forget_secrets()
        page.tell(words, "ok")
        self._done.add(page.step.name)
        item = self.list.item(list(self.pages).index(page.step.name))
        item.setText(f"✓ {page.step.title}")
        self._label()
        self.kept.emit(page.step.name)

    def _refuse(self, page: Page, problem: Exception) -> None:
        from app.settings.redact import redact

        page.button.setEnabled(True)
        page.tell(redact(str(problem)) or type(problem).__name__, "error")
