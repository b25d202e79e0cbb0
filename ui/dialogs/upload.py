"""Publishing clips for review: drop them, choose the task, press Publish. Everything else has an answer already."""

from __future__ import annotations

import datetime as dt
import shutil
import tempfile
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QMimeData, QSize, Qt, QTimer, Signal
from PySide6.QtGui import (
    QDragEnterEvent,
    QDragLeaveEvent,
    QDropEvent,
    QGuiApplication,
    QKeyEvent,
    QKeySequence,
    QPainter,
    QPaintEvent,
    QPen,
    QShortcut,
)
from PySide6.QtWidgets import (
    QCheckBox,
    QFileDialog,
    QFrame,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPlainTextEdit,
    QPushButton,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from app.media.model import SlateText
from app.rules.versions import version_label, version_number
from app.settings.paths import state_folder
from ui import theme
from ui.dialogs.base import Confirm, Dialog
from ui.dialogs.clip_row import ClipRow
from ui.dialogs.task_picker import TaskPicker, task_words
from ui.docks.notice import Notice
from ui.docks.picture import Picture
from ui.models.desk import SiteDesk
from ui.models.hub import Hub
from ui.models.uploads import Clip, Order, Uploads
from ui.models.words import many, tip
from ui.panel import panel_settings
from ui.theme import Role

if TYPE_CHECKING:
    from app.service.browser import Desk

_PREVIEW_MS = 350
_PREVIEW = QSize(320, 180)
DEFAULT_ASSET = "ReviewAsset"
_DROP_WORDS = "Drop movies, images or sequences here\nor paste their paths"


def texts_of(mime: QMimeData) -> list[str]:
    """Paths in what was dropped or pasted: files, `file://` addresses, or one path a line."""
    if mime.hasUrls():
        return [url.toLocalFile() or url.toString() for url in mime.urls()]
    if mime.hasText():
        return [line.strip() for line in mime.text().splitlines() if line.strip()]
    return []


class DropHint(QLabel):
    """The empty list: a place to drop on."""

    def __init__(self, words: str, parent: QWidget | None = None) -> None:
        super().__init__(words, parent)
        self._words = words
        self._invites = False
        self.setAlignment(Qt.AlignmentFlag.AlignCenter)
        theme.mark(self, kind="muted")

    def invite(self, invites: bool) -> None:
        """Something that can be dropped is held over the window, or not any more."""
        self._invites = invites
        self.setText("Drop to add" if invites else self._words)
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        pen = QPen(theme.current().colour(Role.ACCENT if self._invites else Role.BORDER_STRONG), 1.5)
        pen.setStyle(Qt.PenStyle.DashLine)
        painter.setPen(pen)
        painter.drawRoundedRect(self.rect().adjusted(1, 1, -2, -2), 8, 8)
        painter.end()
        super().paintEvent(event)


class UploadDialog(Dialog):
    """Publishes clips on a task.

    Args:
        hub: The engine that publishes.
        desk: The site.
        task_id: The task that is chosen at first.
        files: Clips that are in the list at first.
        draft: Where what is typed is kept; None: the usual place.

    Signals:
        closed: the dialog is gone; what was being published goes on.
    """

    closed = Signal()

    def __init__(
        self,
        hub: Hub,
        desk: SiteDesk,
        task_id: str = "",
        files: Sequence[str] = (),
        *,
        draft: Path | None = None,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__("Upload media", "", parent)
        self.setObjectName("upload_dialog")
        self.setAcceptDrops(True)
        self.setWindowFlag(Qt.WindowType.WindowMaximizeButtonHint)
        self._desk = desk
        self._hub = hub
        self._shut = False
        self._previews = Path(tempfile.mkdtemp(prefix="signalbox-preview-"))
        self._shown = ""
        self._rows: dict[str, ClipRow] = {}
        self.uploads = Uploads(hub, desk, draft or state_folder() / "upload-draft.json", self)
        self.notice = Notice()
        self.body.addWidget(self.notice)
        columns = QHBoxLayout()
        columns.setSpacing(16)
        columns.addLayout(self._build_clips(), 3)
        columns.addLayout(self._build_form(), 2)
        self.body.addLayout(columns, 1)
        self._build_foot()
        self._wire()
        self.resize(1080, 680)
        self._start(task_id, files)

    # Building

    def _build_clips(self) -> QVBoxLayout:
        column = QVBoxLayout()
        column.setSpacing(8)
        self.hint = DropHint(_DROP_WORDS)
        holder = QWidget()
        self._cards = QVBoxLayout(holder)
        self._cards.setContentsMargins(0, 0, 4, 0)
        self._cards.setSpacing(6)
        self._cards.addWidget(self.hint, 1)
        self._cards.addStretch(0)
        self.listing = QScrollArea()
        # The keyboard goes to what is in it.
        self.listing.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.listing.setWidgetResizable(True)
        self.listing.setFrameShape(QFrame.Shape.NoFrame)
        self.listing.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.listing.setWidget(holder)
        self.listing.setAccessibleName("Clips")
        column.addWidget(self.listing, 1)
        line = QHBoxLayout()
        self.add_files_button = self._small("Add files…", "plus")
        self.add_files_button.clicked.connect(self.choose_files)
        self.paste_button = self._small("Paste", "copy")
        self.paste_button.setToolTip("Take the copied files, paths or file:// addresses  (Ctrl+V)")
        self.paste_button.clicked.connect(self.paste)
        line.addWidget(self.add_files_button)
        line.addWidget(self.paste_button)
        line.addStretch(1)
        column.addLayout(line)
        return column

    def _small(self, words: str, icon: str) -> QPushButton:
        button = QPushButton(words)
        button.setAutoDefault(False)
        theme.set_icon(button, icon, Role.MUTED)
        return button

    def _build_form(self) -> QVBoxLayout:
        column = QVBoxLayout()
        column.setSpacing(5)
        self.picker = TaskPicker(self._desk, panel_settings())
        column.addWidget(self._heading("Task", self.picker.search))
        column.addWidget(self.picker, 3)
        self.asset = QLineEdit(DEFAULT_ASSET)
        column.addWidget(self._heading("Asset name", self.asset))
        column.addWidget(self.asset)
        self.note = QPlainTextEdit()
        self.note.setPlaceholderText("For the reviewers")
        self.note.setTabChangesFocus(True)
        self.note.setMinimumHeight(48)
        self.note.setAccessibleName("Note")
        column.addWidget(self._heading("Note", self.note))
        column.addWidget(self.note, 2)
        self.slate = QCheckBox("Burn in the slate and frame numbers")
        column.addWidget(self.slate)
        self.preview = Picture(_PREVIEW)
        self.preview.setAccessibleName("Preview of one frame")
        column.addWidget(self.preview, 0, Qt.AlignmentFlag.AlignHCenter)
        return column

    def _heading(self, words: str, buddy: QWidget) -> QLabel:
        label = QLabel(words)
        theme.mark(label, kind="heading")
        label.setBuddy(buddy)
        return label

    def _build_foot(self) -> None:
        self.summary = QLabel()
        self.summary.setTextFormat(Qt.TextFormat.PlainText)
        theme.mark(self.summary, kind="muted")
        self.foot.insertWidget(0, self.summary)
        self.pause_button = self.add_button("Pause")
        self.pause_button.setCheckable(True)
        self.pause_button.toggled.connect(self._pause)
        self.add_cancel("Close")
        self.publish_button = self.add_button("Publish", "primary", default=True)
        self.publish_button.setToolTip("Ctrl+Return")
        self.publish_button.clicked.connect(self.publish)

    def _wire(self) -> None:
        uploads = self.uploads
        uploads.added.connect(self._added)
        uploads.changed.connect(self._changed)
        uploads.removed.connect(self._removed)
        uploads.trouble.connect(lambda words: self.notice.say("warning", words))
        uploads.published.connect(self._published)
        self._desk.trouble.connect(lambda words: self.notice.say("warning", words))
        self.picker.picked.connect(self._picked)
        self.picker.trouble.connect(lambda words: self.notice.say("error", words, "Try again", self._retry_tasks))
        self.note.textChanged.connect(self._typed)
        self.asset.textChanged.connect(self._typed)
        self.slate.toggled.connect(self._typed)
        self._preview_soon = QTimer(self)
        self._preview_soon.setSingleShot(True)
        self._preview_soon.setInterval(_PREVIEW_MS)
        self._preview_soon.timeout.connect(self._make_preview)
        QShortcut(QKeySequence("Ctrl+Return"), self, self.publish)
        QShortcut(QKeySequence("Ctrl+O"), self, self.choose_files)

    def _start(self, task_id: str, files: Sequence[str]) -> None:
        uploads = self.uploads
        uploads.restore()
        draft = uploads.draft
        self.note.setPlainText(draft.note)
        self.asset.setText(draft.asset_name or DEFAULT_ASSET)
        self.slate.setChecked(draft.slate)
        self.picker.start(task_id or draft.task_id)
        self.picker.search.setFocus()
        self._say()
        self.add_files(files)

    def _retry_tasks(self) -> None:
        self.picker.start(self.uploads.draft.task_id)

    # Clips

    def add_files(self, files: Iterable[str | Path]) -> None:
        """Put clips into the list."""
        self.uploads.add(files)

    def choose_files(self) -> None:
        """Let the person look for files."""
        chooser = QFileDialog(self, "Add movies, images or sequences")
        chooser.setFileMode(QFileDialog.FileMode.ExistingFiles)
        chooser.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        chooser.filesSelected.connect(self.add_files)
        chooser.open()

    def paste(self) -> None:
        """Take what was copied."""
        texts = texts_of(QGuiApplication.clipboard().mimeData())
        if texts:
            self.add_files(texts)
        else:
            self.notice.say("info", "Nothing was copied that is a file or a path.")

    def row(self, key: str) -> ClipRow:
        """A clip's card."""
        return self._rows[key]

    def _added(self, key: str) -> None:
        self.hint.hide()
        row = ClipRow(self.uploads.clips[key])
        row.chosen.connect(self._choose)
        row.retry.connect(self.uploads.retry)
        row.drop.connect(self.uploads.remove)
        self._rows[key] = row
        self._cards.insertWidget(self._cards.count() - 1, row)
        if not self._shown:
            self._shown = key
        self._say()

    def _changed(self, key: str) -> None:
        clip = self.uploads.clips.get(key)
        if clip is None:
            return
        self._rows[key].show_clip(clip)
        if key == self._shown and clip.state == "ready":
            self._preview_soon.start()
        self._say()

    def _removed(self, key: str) -> None:
        row = self._rows.pop(key)
        self._cards.removeWidget(row)
        row.hide()
        row.deleteLater()
        if key == self._shown:
            self._shown = next(iter(self._rows), "")
            self.preview.show_file("")
            self._preview_soon.start()
        self.hint.setVisible(not self._rows)
        self._say()

    def _choose(self, key: str) -> None:
        self._shown = key
        self._preview_soon.start()

    # The form

    def _picked(self, task_id: str) -> None:
        if task_id:
            self.uploads.draft.task_id = task_id
            self.uploads.save_soon()
            self._preview_soon.start()
        self._say()

    def _typed(self) -> None:
        draft = self.uploads.draft
        draft.note, draft.asset_name = self.note.toPlainText(), self.asset.text().strip()
        if draft.slate != self.slate.isChecked():
            draft.slate = self.slate.isChecked()
            self._preview_soon.start()
        self.uploads.save_soon()
        self._say()

    def _say(self) -> None:
        """What the button would do, and what is missing for it."""
        ready, busy = len(self.uploads.ready()), len(self.uploads.busy())
        task = self.picker.task()
        looking = sum(clip.state == "looking" for clip in self.uploads.clips.values())
        missing = ""
        if not self._rows:
            missing = "No clip yet"
        elif not ready and not busy and looking:
            missing = "Looking at the clips…"
        elif ready and task is None:
            missing = "Choose the task"
        elif ready and not self.asset.text().strip():
            missing = "The asset needs a name"
        parts = [missing] if missing else []
        if busy:
            parts.append(f"{many(busy, 'clip')} on the way" + (", paused" if self.uploads.paused else ""))
        done = sum(clip.state == "done" for clip in self.uploads.clips.values())
        if done:
            parts.append(f"{done} published")
        self.summary.setText("   ".join(parts))
        self.publish_button.setEnabled(bool(ready) and not missing)
        self.publish_button.setText(f"Publish {many(ready, 'clip')}" if ready > 1 else "Publish")
        self.pause_button.setEnabled(bool(busy))

    def _make_preview(self) -> None:
        clip = self.uploads.clips.get(self._shown)
        if clip is None or clip.source is None or clip.facts is None:
            return
        task = self.picker.task()
        fields: tuple[str, ...] | None = None
        if self.slate.isChecked():
            label = version_label(version_number(clip.source.path.stem) or 1)
            place = (task.project, task.path.rpartition(" / ")[2], task.name) if task is not None else ("", "", "")
            fields = (*place, label)
        folder = Path(tempfile.mkdtemp(dir=self._previews))
        self._desk.ask(
            "preview",
            partial(_preview, clip, fields, folder),
            partial(self._take_preview, clip.key),
            owner=self,
            problem=self._no_preview,
        )

    def _take_preview(self, key: str, path: Path) -> None:
        if key == self._shown:
            self.preview.show_file(str(path))

    def _no_preview(self, why: str) -> None:
        self.preview.show_file("")
        self.preview.setToolTip(tip(why))

    # Publishing

    def publish(self) -> None:
        """Put what is ready into the queue."""
        if not self.publish_button.isEnabled():
            return
        task = self.picker.task()
        assert task is not None
        self.picker.remember()
        note = self.note.toPlainText().strip()
        words = task_words(task)
        self.uploads.publish(Order(task.id, words, self.asset.text().strip(), note, self.slate.isChecked()))
        self._say()

    def _published(self, count: int) -> None:
        whose = "the version is" if count == 1 else "the versions are"
        self.notice.say("ok", f"{many(count, 'clip')} published; {whose} pending internal review.")
        # The note went along with them; only then does the next clip begin with an empty one.
        if not any(clip.state in {"ready", "failed", "cancelled"} for clip in self.uploads.clips.values()):
            self.note.clear()

    def _pause(self, paused: bool) -> None:
        self.pause_button.setText("Go on" if paused else "Pause")
        self.uploads.pause(paused)
        self._say()

    # Drop, paste, close

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if texts_of(event.mimeData()):
            event.acceptProposedAction()
            self.hint.invite(True)

    def dragLeaveEvent(self, event: QDragLeaveEvent) -> None:
        super().dragLeaveEvent(event)
        self.hint.invite(False)

    def dropEvent(self, event: QDropEvent) -> None:
        self.hint.invite(False)
        event.acceptProposedAction()
        self.add_files(texts_of(event.mimeData()))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        # Text fields take the key themselves; everywhere else a paste means clips.
        if event.matches(QKeySequence.StandardKey.Paste):
            self.paste()
            return
        super().keyPressEvent(event)

    def reject(self) -> None:
        busy = self.uploads.busy()
        if busy and not self._shut:
            ask = Confirm(
                "Close while clips are on the way?",
                "They are not lost: they go on the next time Upload is open, and the note with them.",
                [clip.label for clip in busy],
                "Close",
                self,
            )
            ask.accepted.connect(self._leave)
            ask.open()
            return
        self._leave()

    def _leave(self) -> None:
        self.shut()
        super().reject()

    def shut(self) -> None:
        """Keep the draft and tidy up."""
        if self._shut:
            return
        self._shut = True
        self.uploads.close()
        shutil.rmtree(self._previews, ignore_errors=True)
        self.closed.emit()


def _preview(clip: Clip, fields: tuple[str, ...] | None, folder: Path, desk: Desk) -> Path:
    from app.media.review import slate_preview

    assert clip.source is not None
    assert clip.facts is not None
    slate = None
    if fields is not None:
        first = clip.source.frames[0] if clip.source.frames else 1
        slate = SlateText((*fields, desk.person().name), dt.datetime.now().astimezone().date().isoformat(), first)
    return slate_preview(clip.source, folder, slate, clip.facts)
