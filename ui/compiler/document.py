"""The script on the table: opening, autosaving as a draft, noticing that somebody else changed the file.

Everything that touches a disk happens on one thread, in order, so that an older draft never lands on a newer one.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from PySide6.QtCore import QFileSystemWatcher, QObject, QTimer, Signal

from app.jobs.api import Draft, ScriptLibraryLike, ScriptText
from ui.compiler.background import Background


class Deployed(NamedTuple):
    """What lies in the scripts folder under a script's name.

    Attributes:
        text: It; None when nothing is there.
        sha256: Hash of the file's bytes, which need not be UTF-8; "" when nothing is there.
    """

    text: str | None = None
    sha256: str = ""


class Document(QObject):
    """One open script.

    Signals:
        opened: a script (a ScriptText); `deployed` has the text that lies under its name in the scripts folder.
        failed: a sentence about what could not be read or written.
        saved: a draft was written (a Draft).
        changed_outside: the file differs from what was opened.
    """

    opened = Signal(object)
    failed = Signal(str)
    saved = Signal(object)
    changed_outside = Signal()

    def __init__(
        self,
        library: ScriptLibraryLike,
        scripts_dir: Path | None,
        read_text: Callable[[], str],
        parent: QObject | None = None,
        *,
        autosave_ms: int = 700,
    ) -> None:
        super().__init__(parent)
        self.library = library
        self.io = Background(self, workers=1)
        self.script: ScriptText | None = None
        self.deployed: str | None = None
        self.dirty = False
        self._target_sha = ""
        self._scripts_dir = scripts_dir
        self._read_text = read_text
        self._warned = False
        self.quiet = False
        """Whether the program itself is writing the file: a change then is not somebody else's."""
        self._timer = QTimer(self, singleShot=True, interval=autosave_ms)
        self._timer.timeout.connect(self.save_draft)
        self._watcher = QFileSystemWatcher(self)
        self._watcher.fileChanged.connect(lambda _path: self._look_soon())
        self._watcher.directoryChanged.connect(lambda _path: self._look_soon())
        self._look = QTimer(self, singleShot=True, interval=150)
        self._look.timeout.connect(self.look_outside)

    @property
    def name(self) -> str:
        """File name of the open script, "" when none is."""
        return self.script.name if self.script is not None else ""

    @property
    def opened_target_sha256(self) -> str:
        """Hash of what was deployed under this name when the script was opened; "" when nothing was."""
        return self._target_sha

    # -- opening -----------------------------------------------------------------------------------------------------

    def open(self, name: str) -> None:
        """Read a script; `opened` or `failed` follows. What was being edited is saved as a draft first."""
        self.save_draft()

        self._bring(name, lambda: self.library.open(name))

    def create(self, template: str, name: str) -> None:
        """A new draft from a template; `opened` or `failed` follows."""
        self.save_draft()

        self._bring(name, lambda: self.library.new_from_template(template, name))

    def _bring(self, name: str, make: Callable[[], ScriptText]) -> None:
        def work(_still_wanted: object) -> tuple[ScriptText, Deployed]:
            return make(), self._read_deployed(name)

        self.io.run(work, lambda answer: self._opened(*answer), lambda problem: self._cannot_open(name, problem))

    def discard(self, name: str, then: Callable[[], None]) -> None:
        """Forget the draft of a script, then call `then`."""
        self._timer.stop()
        if name == self.name:
            self.dirty = False
        self.io.run(
            lambda _still_wanted: self.library.discard_draft(name),
            lambda _nothing: then(),
            lambda problem: self.failed.emit(f"The draft of {name} could not be discarded: {problem}"),
        )

    def written(self, sha256: str, target: Path, then: Callable[[], None]) -> None:
        """The file under the open script was written by us (`sha256` "" = taken away): compare with that from now on.

        A draft that says the same as the file is forgotten; one that differs is kept, on top of the new file.
        """
        script = self.script
        if script is None:
            return
        text = self._read_text()
        self.script = ScriptText(script.name, text, sha256, target if sha256 else None)
        self._warned = False
        if sha256 and hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest() == sha256:
            self._timer.stop()
            self.dirty = False
            name = script.name
            self.io.run(lambda _still_wanted: self.library.discard_draft(name), lambda _nothing: None)
        else:
            self.dirty = True
            self.save_draft()
        self.refresh_deployed(then)

    def refresh_deployed(self, then: Callable[[], None]) -> None:
        """Read again what is deployed under the open script's name, as after a deployment."""
        name = self.name

        def arrived(deployed: Deployed) -> None:
            if name == self.name:
                self.deployed, self._target_sha = deployed
                self._watch()
                then()

        self.io.run(lambda _still_wanted: self._read_deployed(name), arrived)

    def _read_deployed(self, name: str) -> Deployed:
        if self._scripts_dir is None or not name:
            return Deployed()
        try:
            raw = (self._scripts_dir / name).read_bytes()
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError, PermissionError):
            return Deployed()
        return Deployed(raw.decode("utf-8", "surrogateescape"), hashlib.sha256(raw).hexdigest())

    def _opened(self, script: ScriptText, deployed: Deployed) -> None:
        self.script = script
        self.deployed, self._target_sha = deployed
        deployed_one = script.path is not None and script.path.parent == self._scripts_dir
        if script.recovered and script.sha256 and deployed_one:
            # The draft was begun on an older text: deploying over anything else is to be said.
            self._target_sha = script.sha256
        self.dirty = False
        self._warned = False
        self._watch()
        self.opened.emit(script)
        self.look_outside()

    def _cannot_open(self, name: str, problem: Exception) -> None:
        why = "there is no script of that name any more" if isinstance(problem, KeyError) else str(problem)
        self.failed.emit(f"{name} cannot be opened: {why}")

    # -- drafts ------------------------------------------------------------------------------------------------------

    def edited(self) -> None:
        """The text changed: it is saved as a draft after a short pause."""
        self.dirty = True
        self._timer.start()

    def save_draft(self) -> None:
        """Save the text as a draft now, in the background; `saved` or `failed` follows."""
        self._timer.stop()
        script = self.script
        if script is None or not self.dirty:
            return
        self.dirty = False
        text = self._read_text()

        def work(_still_wanted: object) -> Draft:
            return self.library.autosave(script.name, text, script.sha256)

        self.io.run(work, self.saved.emit, lambda problem: self._not_saved(script.name, problem))

    def _not_saved(self, name: str, problem: Exception) -> None:
        if name == self.name:
            self.dirty = True
        self.failed.emit(f"The draft of {name} could not be saved: {problem}. The text is only in this window.")

    def close(self) -> None:
        """Save what is unsaved and stop; waits for the disk."""
        self._timer.stop()
        self._look.stop()
        script, unsaved = self.script, self.dirty
        text = self._read_text() if unsaved else ""
        self.io.close()
        if script is not None and unsaved:
            self.library.autosave(script.name, text, script.sha256)
            self.dirty = False

    # -- others ------------------------------------------------------------------------------------------------------

    def look_outside(self) -> None:
        """See whether the file changed since it was opened; `changed_outside` follows, once an opening."""
        script = self.script
        if script is None or self._warned or self.quiet:
            return

        def answered(changed: bool) -> None:
            if changed and script is self.script and not self._warned and not self.quiet:
                self._warned = True
                self.changed_outside.emit()

        self.io.run(lambda _still_wanted: self.library.changed_outside(script), answered, lambda _problem: None)

    def accept_outside(self) -> None:
        """A person keeps the text in the window: the file as it is now is what it is compared with from here on."""
        script = self.script
        if script is None:
            return

        def rebase() -> None:
            if script is self.script:
                path = script.path if self.deployed is not None else None
                self.script = ScriptText(script.name, script.text, self._target_sha, path)
                self.dirty = True
                self.save_draft()
                self._warned = False

        self.refresh_deployed(rebase)

    def _look_soon(self) -> None:
        self._look.start()

    def _watch(self) -> None:
        watched = self._watcher.files() + self._watcher.directories()
        if watched:
            self._watcher.removePaths(watched)
        script = self.script
        if script is not None and script.path is not None and script.path.exists():
            self._watcher.addPaths([str(script.path), str(script.path.parent)])


def time_words(seconds: float) -> str:
    """A moment of today as 14:05:12 in local time."""
    return time.strftime("%H:%M:%S", time.localtime(seconds))
