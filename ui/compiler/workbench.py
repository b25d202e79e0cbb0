"""The job compiler workbench: scripts and inputs on the left, the script in the middle, its preview on the right.

    doors -> Document (open, autosave) -> editor -> PreviewRunner (debounce, newest wins) -> PreviewPanel

The widget blocks on nothing: disks, the compiler's child and layouts are on threads of their own.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from PySide6.QtCore import QByteArray, QEvent, QSettings, Qt, QTimer, Signal
from PySide6.QtGui import QCloseEvent, QKeySequence, QShortcut, QShowEvent
from PySide6.QtWidgets import QComboBox, QSplitter, QVBoxLayout, QWidget

from app.jobs import loader
from app.jobs.api import (
    CompileRequest,
    CompileResult,
    DeployReport,
    Diagnostic,
    OutcomeKind,
    SampleJob,
    ScriptInfo,
    ScriptState,
    ScriptText,
    settings_form,
)
from ui import theme
from ui.compiler import outcome
from ui.compiler.background import Background
from ui.compiler.document import Document, time_words
from ui.compiler.doors import PLAIN_VARIABLES, Doors, ManagerFacts
from ui.compiler.editor import make_editor
from ui.compiler.find_bar import FindBar
from ui.compiler.job_panel import InputMemory, JobInputs, JobPanel, inputs_of
from ui.compiler.language import Vocabulary
from ui.compiler.parts import Notice, bar, label, push_button, row, tool_button
from ui.compiler.preview import PAGE, PreviewRunner, wait_for
from ui.compiler.preview_panel import PreviewPanel
from ui.compiler.problems import Problems
from ui.compiler.scripts_list import STATES, NewScriptDialog, ScriptsList
from ui.compiler.shipping import Shipping
from ui.dialogs.job_run import RunWish
from ui.docks.elided import ElidedLabel
from ui.theme import Role

log = logging.getLogger("signalbox.ui.compiler")

VERSIONS = ("3.9", "3.8.5", "3.7", "3.6", "3.5")


class Workbench(QWidget):
    """See the module. `shutdown` must be called before the doors are closed.

    Args:
        doors: What it reaches the world through; None: the installation's own, closed by `shutdown`.
        parent: Qt parent.
        debounce_ms: Pause in typing after which a preview is compiled.
        autosave_ms: Pause in typing after which the draft is written.
        plain_editor: Use the plain editor even where the native one can be loaded.

    Signals:
        previewed: a good preview is on the screen (number of tasks).
        title_changed: name of the open script with a dot when it has unsaved changes.
    """

    previewed = Signal(int)
    title_changed = Signal(str)

    def __init__(
        self,
        doors: Doors | None = None,
        parent: QWidget | None = None,
        *,
        debounce_ms: int = 180,
        autosave_ms: int = 700,
        plain_editor: bool = False,
    ) -> None:
        super().__init__(parent)
        self._own_pool = doors is None
        if doors is None:
            from ui.compiler.standard import standard_doors

            doors = standard_doors()
        self.doors = doors
        self.background = Background(self)
        self.editor = make_editor(plain=plain_editor)
        self.editor.vocabulary = Vocabulary(doors.api)
        self.document = Document(doors.library, doors.scripts_dir, self.editor.text, self, autosave_ms=autosave_ms)
        self.runner = PreviewRunner(doors.pool, self, debounce_ms=debounce_ms)
        self.scripts = ScriptsList()
        self.inputs = JobPanel()
        self.preview = PreviewPanel(doors.pool, self.background)
        self.problems = Problems()
        self.notice = Notice()
        self.find_bar = FindBar(self.editor)
        self.version = QComboBox(editable=True)
        self.shipping = Shipping(
            self,
            doors,
            self.document,
            self.background,
            self.notice,
            self.editor.text,
            self.version.currentText,
        )
        self._memory = InputMemory(doors.memory)
        self._variables = PLAIN_VARIABLES
        self._kept_settings: Mapping[str, Any] | None = None
        self._asked_settings: Mapping[str, Any] = {}
        self._refilled = False
        self._goto: tuple[int, int] | None = None
        self._broken: set[str] = set()
        self._closed = False
        self._runner: Callable[[RunWish], None] | None = None
        self._keep_timer = QTimer(self, singleShot=True, interval=600)
        self._keep_timer.timeout.connect(self._keep_inputs)
        self._build()
        self._join()
        self._shortcuts()
        self.preview.set_variables(self._variables)
        self.preview.set_deployed_request(self._deployed_request)
        self.preview.reset("Choose a script", "Or start a new one from a template.")
        self._set_enabled(False)
        self.refresh_scripts()
        self._ask_manager()
        self.setFocusPolicy(Qt.FocusPolicy.ClickFocus)

    # -- building ----------------------------------------------------------------------------------------------------

    def _build(self) -> None:
        left = QSplitter(Qt.Orientation.Vertical)
        left.addWidget(self.scripts)
        left.addWidget(self.inputs)
        left.setSizes([250, 410])
        left.setChildrenCollapsible(False)
        left.setHandleWidth(1)
        middle = QWidget()
        column = QVBoxLayout(middle)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self._editor_bar())
        column.addWidget(self.notice)
        column.addWidget(self.editor, 1)
        column.addWidget(self.find_bar)
        column.addWidget(self.problems)
        column.addWidget(self._foot())
        self.splitter = QSplitter()
        for widget in (left, middle, self.preview):
            self.splitter.addWidget(widget)
        self.splitter.setChildrenCollapsible(False)
        self.splitter.setHandleWidth(1)
        left.setMinimumWidth(226)
        middle.setMinimumWidth(420)
        self.preview.setMinimumWidth(310)
        self.splitter.setSizes([262, 560, 458])
        for index, stretch in enumerate((0, 3, 2)):
            self.splitter.setStretchFactor(index, stretch)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self.splitter, 1)
        self._splitters = {"workbench": self.splitter, "workbench_left": left}

    def restore_layout(self, memory: QSettings) -> None:
        """Give the panes the sizes that `save_layout` kept."""
        for name, splitter in self._splitters.items():
            state = memory.value(f"splitters/{name}")
            if isinstance(state, QByteArray):
                splitter.restoreState(state)

    def save_layout(self, memory: QSettings) -> None:
        """Keep the sizes of the panes."""
        for name, splitter in self._splitters.items():
            memory.setValue(f"splitters/{name}", splitter.saveState())

    def _editor_bar(self) -> QWidget:
        self.title = ElidedLabel("", kind="heading", mode=Qt.TextElideMode.ElideMiddle, asks=True)
        self.state = label("")
        self.undo_button = tool_button("undo", "Undo (Ctrl+Z)", self.editor.undo)
        self.redo_button = tool_button("redo", "Redo (Ctrl+Shift+Z)", self.editor.redo)
        self.find_button = tool_button("search", "Find and replace (Ctrl+F, Ctrl+H)", self._find_clicked)
        self.format_button = tool_button("format", "Format the document (Ctrl+Shift+F)", self.format_document)
        self.history_button = tool_button(
            "history", "Earlier versions of the deployed script", self.shipping.show_history
        )
        self.run_button = push_button("Run…", self.show_run, icon="play")
        self.run_button.setToolTip("See the command lines, then run this job here or on the farm (Ctrl+Shift+R)")
        self.run_button.hide()
        self.deploy_button = push_button("Deploy…", self.shipping.show_deploy, kind="primary", icon="deploy")
        self.deploy_button.setToolTip("Check, compare and write this script to the Manager's scripts folder")
        self._edit_buttons = (self.undo_button, self.redo_button, self.find_button, self.format_button)
        buttons = (*self._edit_buttons, self.history_button, theme.SPACE.XS, self.run_button, self.deploy_button)
        return bar(row(self.title, self.state, None), theme.SPACE.XS, *buttons)

    def _foot(self) -> QWidget:
        self.place = label("", "muted")
        self.draft_words = ElidedLabel("", kind="muted", asks=True)
        self.version.addItems(VERSIONS)
        self.version.setCurrentText(self.doors.manager_version)
        self.version.setToolTip("Flamenco Manager version to preview for: decides globals, worker commands and lint")
        self.version.setMinimumWidth(84)
        self.manager_words = label("Flamenco", "muted")
        self.manager_words.setBuddy(self.version)
        return bar(self.place, theme.SPACE.M, self.draft_words, self.manager_words, self.version, kind="foot")

    def _join(self) -> None:
        self.scripts.opened.connect(self.open_script)
        self.scripts.new_wanted.connect(self.show_new)
        self.scripts.draft_discarded.connect(self.discard_draft)
        self.document.opened.connect(self._opened)
        self.document.failed.connect(lambda words: self.notice.say("error", words))
        self.document.saved.connect(self._draft_saved)
        self.document.changed_outside.connect(self._changed_outside)
        self.editor.edited.connect(self._edited)
        self.editor.cursor_moved.connect(lambda line, column: self.place.setText(f"Line {line}, column {column}"))
        self.editor.problem_clicked.connect(self._mark_clicked)
        self.problems.chosen.connect(self._go_to_finding)
        self.inputs.changed.connect(self._inputs_changed)
        self.inputs.sample_saved.connect(self._save_sample)
        self.inputs.sample_deleted.connect(self._delete_sample)
        self.preview.place_wanted.connect(self.go_to)
        self.preview.previewed.connect(self.previewed)
        self.preview.recompile_wanted.connect(lambda: self._request(now=True))
        self.runner.finished.connect(self._show_result)
        self.shipping.written.connect(self._written)
        self.version.currentTextChanged.connect(lambda _text: self._request())

    def _shortcuts(self) -> None:
        for keys, call in (
            ("Ctrl+F", self.find_bar.start),
            ("Ctrl+H", lambda: self.find_bar.start(replacing=True)),
            ("F8", self.editor.next_problem),
            ("Shift+F8", lambda: self.editor.next_problem(backwards=True)),
            ("Ctrl+/", self.editor.toggle_comment),
            ("Ctrl+Shift+F", self.format_document),
            ("Ctrl+Space", self.editor.show_completions),
            ("Ctrl+S", self.document.save_draft),
            ("Ctrl+Shift+Z", self.editor.redo),
            ("Ctrl+Shift+D", self.shipping.show_deploy),
            ("Ctrl+Shift+R", self.show_run),
            ("Ctrl+Shift+[", lambda: self.editor.fold_all(True)),
            ("Ctrl+Shift+]", lambda: self.editor.fold_all(False)),
        ):
            shortcut = QShortcut(QKeySequence(keys), self)
            shortcut.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
            shortcut.activated.connect(call)

    def _find_clicked(self) -> None:
        if self.find_bar.isVisible():
            self.find_bar.dismiss()
        else:
            self.find_bar.start(replacing=True)

    def _set_enabled(self, on: bool) -> None:
        for widget in (*self._edit_buttons, self.inputs, self.editor, self.run_button):
            widget.setEnabled(on)
        deployable = on and self.doors.deployer is not None
        self.deploy_button.setEnabled(deployable)
        self.history_button.setEnabled(deployable)
        if self.doors.deployer is None:
            self.deploy_button.setToolTip("Deploying is off: set the Manager's scripts folder in the settings.")

    # -- scripts -----------------------------------------------------------------------------------------------------

    def refresh_scripts(self) -> None:
        """Read the list of scripts again."""

        def show(infos: list[ScriptInfo]) -> None:
            self.scripts.show_scripts(infos, self.document.name)
            self._show_state()
            self._check_all(infos)

        self.background.run(
            lambda _still_wanted: self.doors.library.list(),
            show,
            lambda problem: self.notice.say("error", f"The scripts cannot be listed: {problem}"),
            slot="scripts",
        )

    def _check_all(self, infos: list[ScriptInfo]) -> None:
        """See which scripts a Manager could not load, so that the list shows it before anybody opens them."""
        version = self.version.currentText()

        def work(still_wanted: Any) -> set[str]:
            broken = set()
            for info in infos:
                still_wanted()
                if info.state is ScriptState.UNREADABLE:
                    continue
                text = self.doors.library.open(info.name).text
                request = CompileRequest(
                    scripts={info.name: text},
                    scripts_dir=self.doors.scripts_dir,
                    script=info.name,
                    job=JobInputs(name="check").job(info.job_type),
                    manager_version=version,
                    lint=False,
                )
                result = wait_for(self.doors.pool.submit(request, channel=""), still_wanted)
                if _does_not_load(result):
                    broken.add(info.name)
            return broken

        def show(broken: set[str]) -> None:
            self._broken = broken
            self.scripts.set_broken(broken)

        self.background.run(
            work, show, lambda problem: log.info("The scripts were not all checked: %s", problem), slot="check all"
        )

    def open_script(self, name: str, line: int = 0, column: int = 1) -> None:
        """Open a script by file name, at a line when one is given."""
        self._goto = (line, column) if line else None
        if name == self.document.name:
            if line:
                self.editor.goto(line, column)
            return
        self._keep_inputs()
        self.document.open(name)

    def show_new(self) -> None:
        """Ask for template and name of a new script."""
        taken = {info.name.lower() for info in self.scripts.infos()}
        dialog = NewScriptDialog(self.doors.templates, lambda name: name.lower() in taken, self)
        dialog.chosen.connect(self._create)
        dialog.open()

    def _create(self, template: str, name: str) -> None:
        self._keep_inputs()
        self.document.create(template, name)

    def discard_draft(self, name: str) -> None:
        """Forget the draft of a script and show what lies below it."""

        def then() -> None:
            if name == self.document.name:
                known = self.scripts.info(name)
                self.document.script = None
                if known is not None and known.state is not ScriptState.DRAFT:
                    self.document.open(name)
                else:
                    self._close_script()
            self.refresh_scripts()

        self.document.discard(name, then)

    def _close_script(self) -> None:
        self.runner.reset()
        self.editor.set_text("")
        self.problems.show_findings([])
        self.title.say("")
        self.state.setText("")
        self.preview.reset("Choose a script", "Or start a new one from a template.")
        self._set_enabled(False)

    def _opened(self, script: ScriptText) -> None:
        self.runner.reset()
        self._refilled = False
        self.editor.set_text(script.text)
        self.editor.setEnabled(True)
        self.problems.show_findings([])
        self.preview.reset("Compiling …")
        self.title.say(script.name)
        self.draft_words.say("")
        self.notice.clear()
        if script.recovered:
            self.draft_words.say("Continued from your draft")
        self._set_enabled(True)
        self.scripts.select(script.name)
        self._show_state()
        self.title_changed.emit(script.name)
        name = script.name

        def loaded(answer: tuple[dict[str, Any], list[SampleJob], tuple[str, ...]]) -> None:
            if name == self.document.name:
                self._inputs_loaded(*answer)

        def load(_still_wanted: object) -> tuple[dict[str, Any], list[SampleJob], tuple[str, ...]]:
            return self._memory.load(name), self.doors.samples.list(name), self.doors.samples.problems(name)

        self.document.io.run(load, loaded, self._samples_failed)
        if self.scripts.info(name) is None:
            self.refresh_scripts()

    def _samples_failed(self, problem: Exception) -> None:
        self.notice.say("warning", f"The sample jobs cannot be read: {problem}")
        self._inputs_loaded({}, [], [])

    def _inputs_loaded(self, kept: dict[str, Any], samples: Sequence[SampleJob], problems: Sequence[str]) -> None:
        settings = kept.get("settings")
        self._kept_settings = settings if isinstance(settings, dict) else {}
        self.inputs.show_fields([], {})
        self.inputs.show_inputs(inputs_of(kept))
        self.inputs.show_samples(samples, problems)
        if self._goto is not None:
            self.editor.goto(*self._goto)
            self._goto = None
        self._request(now=True)

    def _show_state(self) -> None:
        """Draft, deployed, changed: beside the name."""
        info = self.scripts.info(self.document.name)
        if info is None:
            self.state.setText("")
            return
        words, role, _icon = STATES[info.state]
        lamp = {Role.OK: "ok", Role.WARNING: "warning", Role.ERROR: "error", Role.INFO: "info"}.get(role, "off")
        theme.mark(self.state, state=lamp)
        self.state.setText(words)

    # -- editing -----------------------------------------------------------------------------------------------------

    def _edited(self) -> None:
        self.document.edited()
        self._request()
        self.title_changed.emit(f"{self.document.name} •")

    def _draft_saved(self, _draft: object) -> None:
        self.draft_words.say(f"Draft saved {time_words(time.time())}")
        self.title_changed.emit(self.document.name)
        info = self.scripts.info(self.document.name)
        if info is None or info.state not in (ScriptState.DRAFT, ScriptState.CHANGED):
            self.refresh_scripts()

    def format_document(self) -> None:
        """Pretty-print the script; one undo takes it back. A script that does not parse is left alone and said so."""
        text, name = self.editor.text(), self.document.name
        if not name:
            return

        def done(formatted: str) -> None:
            # Typing went on: a formatted old text must not swallow it.
            if name == self.document.name and self.editor.text() == text and formatted != text:
                self.editor.replace_text(formatted)

        self.background.run(
            lambda _still_wanted: self.doors.pool.format_document(text),
            done,
            lambda problem: self.notice.say("warning", f"Not formatted: {problem}"),
            slot="format",
        )

    def _changed_outside(self) -> None:
        self.notice.say(
            "warning",
            f"{self.document.name} was changed on disk by somebody else.",
            ("Take theirs", self._take_theirs),
            ("Keep mine", self._keep_mine),
            closable=False,
        )

    def _take_theirs(self) -> None:
        self.notice.clear()
        name = self.document.name

        def then() -> None:
            self.document.script = None
            self.document.open(name)

        self.document.discard(name, then)

    def _keep_mine(self) -> None:
        self.notice.clear()
        self.document.accept_outside()

    # -- preview -----------------------------------------------------------------------------------------------------

    def _request(self, *, now: bool = False) -> None:
        if self.document.script is not None:
            self.runner.request(self._make_request, now=now)

    def _make_request(self) -> CompileRequest:
        inputs = self.inputs.inputs()
        self._asked_settings = dict(inputs.settings)
        return self._request_for(self.editor.text(), inputs)

    def _request_for(self, text: str, inputs: JobInputs) -> CompileRequest:
        name = self.document.name
        return CompileRequest(
            scripts={name: text},
            scripts_dir=self.doors.scripts_dir,
            script=name,
            job=inputs.job(loader.job_type_name(name)),
            created=inputs.created or None,
            timezone=inputs.timezone,
            manager_version=self.version.currentText().strip() or self.doors.manager_version,
            platform=inputs.platform,
            variables=self._variables,
        )

    def _deployed_request(self) -> CompileRequest | None:
        deployed = self.document.deployed
        return None if deployed is None else self._request_for(deployed, self.inputs.inputs())

    def _show_result(self, result: CompileResult, _generation: int, _milliseconds: float) -> None:
        if self.document.script is None or result.outcome is OutcomeKind.CANCELLED:
            return
        name = self.document.name
        filled = False
        if result.job_type is not None:
            settings = result.job_type.get("settings") or []
            self.editor.vocabulary.set_settings(item for item in settings if isinstance(item, Mapping))
            filled = self._kept_settings is not None
            filled |= self.inputs.show_fields(settings_form(result.job_type), self._kept_settings)
            self._kept_settings = None
        elif not self.inputs.form.fields:
            self.inputs.form.say_empty("The settings appear here once the script loads.")
        if filled and not self._refilled and dict(self.inputs.inputs().settings) != self._asked_settings:
            # The form has values the question did not have: what is shown must be the answer to what is shown.
            # Once: a default that is another one at each compilation would go on for ever.
            self._refilled = True
            self._request(now=True)
            return
        self._refilled = False
        found = outcome.findings(result, name)
        self.editor.set_diagnostics(found)
        self.problems.show_findings(found)
        broken = _does_not_load(result)
        if broken != (name in self._broken):
            self._broken = self._broken | {name} if broken else self._broken - {name}
            self.scripts.set_broken(self._broken)
        self.preview.show_result(result, self.version.currentText())

    def go_to(self, file: str, line: int, column: int) -> None:
        """Go to a place; in another file of the scripts folder by opening it."""
        if file and file != self.document.name and self.scripts.info(file) is not None:
            self.open_script(file, line, column)
        elif line:
            self.editor.goto(line, column)

    def _go_to_finding(self, found: Diagnostic) -> None:
        self.go_to(found.file, found.line, max(found.column, 1))

    def _mark_clicked(self, line: int) -> None:
        here = [found for found in self.editor.diagnostics() if found.line == line]
        if here:
            self.editor.goto(line, max(here[0].column, 1))

    # -- inputs and samples ------------------------------------------------------------------------------------------

    def _inputs_changed(self) -> None:
        self._keep_timer.start()
        self._request()

    def _keep_inputs(self) -> None:
        self._keep_timer.stop()
        name = self.document.name
        if not name or self._kept_settings is not None:
            return
        kept = self.inputs.kept()
        self.document.io.run(
            lambda _still_wanted: self._memory.save(name, kept),
            lambda _nothing: None,
            lambda problem: log.warning("The inputs of %s are not kept: %s", name, problem),
        )

    def _save_sample(self, sample_name: str) -> None:
        script = self.document.name
        sample = self.inputs.sample(sample_name, script, loader.job_type_name(script))
        self._change_samples(lambda: self.doors.samples.save(sample), script, sample_name)

    def _delete_sample(self, sample_name: str) -> None:
        script = self.document.name
        self._change_samples(lambda: self.doors.samples.delete(script, sample_name), script, "")

    def _change_samples(self, change: Any, script: str, chosen: str) -> None:
        def work(_still_wanted: object) -> tuple[list[SampleJob], tuple[str, ...]]:
            change()
            return self.doors.samples.list(script), self.doors.samples.problems(script)

        def show(answer: tuple[list[SampleJob], tuple[str, ...]]) -> None:
            if script == self.document.name:
                self.inputs.show_samples(*answer, chosen)

        self.document.io.run(
            work, show, lambda problem: self.notice.say("error", f"The sample job was not saved: {problem}")
        )

    # -- running -----------------------------------------------------------------------------------------------------

    def set_runner(self, runner: Callable[[RunWish], None]) -> None:
        """Where a job that shall run is handed to; without it there is no button."""
        self._runner = runner
        self.run_button.show()

    def show_run(self) -> None:
        """Hand the job as it is shown to whoever runs jobs."""
        result, source = self.preview.newest, self.preview.good
        if self._runner is None or self.document.script is None:
            return
        if result is None or source is None or not result.ok or source.result is not result:
            self.notice.say("warning", "This job does not compile: there is nothing to run yet.")
            return
        inputs, folder = self.inputs.inputs(), self.doors.scripts_dir

        def helpers() -> dict[str, str]:
            files = loader.read_folder(folder) if folder is not None else {}
            return {
                name: text if isinstance(text, str) else text.decode("utf-8", "replace")
                for name, text in files.items()
                if "/" in name
            }

        def tasks() -> Sequence[Mapping[str, Any]]:
            return [task for number in range(-(-len(source) // PAGE)) for task in source.load_page(number)]

        self._runner(
            RunWish(
                script=self.document.name,
                text=self.editor.text(),
                name=inputs.name,
                settings=dict(inputs.settings),
                priority=inputs.priority,
                metadata=dict(inputs.metadata),
                variables=self._variables,
                tasks=tasks,
                helpers=helpers,
                deployed=self.document.deployed == self.editor.text(),
                background=self.background,
            )
        )

    def _written(self, report: DeployReport) -> None:
        if report.script == self.document.name:
            self.document.written(report.sha256, report.target, self._request)
        self.document.io.run(lambda _still_wanted: None, lambda _nothing: self.refresh_scripts())

    # -- the Manager -------------------------------------------------------------------------------------------------

    def _ask_manager(self) -> None:
        ask = self.doors.ask_manager
        if ask is None:
            return

        def show(facts: ManagerFacts) -> None:
            self._variables = {**PLAIN_VARIABLES, **facts.variables}
            self.preview.set_variables(self._variables)
            self.version.setCurrentText(facts.version)

        def unreachable(problem: Exception) -> None:
            theme.mark(self.manager_words, state="warning", kind="")
            self.manager_words.setText("Manager: no answer")
            self.manager_words.setToolTip(f"Version and variables are assumed: {problem}")

        self.background.run(lambda _still_wanted: ask(), show, unreachable, slot="manager")

    # -- end ---------------------------------------------------------------------------------------------------------

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        # Nobody asked for the first button to have the focus ring.
        (self.editor if self.document.script is not None else self).setFocus(Qt.FocusReason.OtherFocusReason)

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.ActivationChange and self.isActiveWindow() and not self._closed:
            self.document.look_outside()

    def shutdown(self) -> None:
        """Save what is unsaved and end all threads. Idempotent."""
        if self._closed:
            return
        self._closed = True
        self._keep_timer.stop()
        self.runner.close()
        try:
            self.document.close()
            if self.document.name and self._kept_settings is None:
                self._memory.save(self.document.name, self.inputs.kept())
        except OSError as problem:
            log.error("The draft of %s could not be saved at the end: %s", self.document.name, problem)
        self.background.close()
        if self._own_pool:
            self.doors.pool.close()

    def closeEvent(self, event: QCloseEvent) -> None:
        self.shutdown()
        super().closeEvent(event)


def _does_not_load(result: CompileResult) -> bool:
    """Whether the Manager gets no job type out of the script, whatever the job."""
    asked_wrongly = result.error is not None and result.error.kind in ("request", "etag")
    return result.job_type is None and not asked_wrongly
