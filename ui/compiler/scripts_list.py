"""The list of scripts: built-in, deployed and drafts, each with its state."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from PySide6.QtCore import QAbstractListModel, QModelIndex, QPersistentModelIndex, QPoint, QRect, QSize, Qt, Signal
from PySide6.QtGui import QFontMetrics, QPainter
from PySide6.QtWidgets import (
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QFormLayout,
    QFrame,
    QLineEdit,
    QListView,
    QMenu,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QVBoxLayout,
    QWidget,
)

from app.jobs.api import ScriptInfo, ScriptState
from ui import theme
from ui.compiler.parts import bar, label, tool_button
from ui.models.words import tip
from ui.theme import Role

STATES: Mapping[ScriptState, tuple[str, Role, str]] = {
    ScriptState.BUILT_IN: ("built-in", Role.MUTED, "package"),
    ScriptState.DEPLOYED: ("deployed", Role.OK, "script"),
    ScriptState.DRAFT: ("draft", Role.INFO, "draft"),
    ScriptState.CHANGED: ("changed", Role.WARNING, "draft"),
    ScriptState.HIDES_BUILT_IN: ("hides built-in", Role.WARNING, "script"),
    ScriptState.UNREADABLE: ("unreadable", Role.ERROR, "error"),
}
_INFO = Qt.ItemDataRole.UserRole
_HEIGHT = 44
Index = QModelIndex | QPersistentModelIndex


class TemplateLike(Protocol):
    """A template of `app.jobs.api.TEMPLATES`."""

    @property
    def name(self) -> str: ...
    @property
    def title(self) -> str: ...
    @property
    def description(self) -> str: ...
    @property
    def file_name(self) -> str: ...


class _Listed(QAbstractListModel):
    """The scripts that the filter lets through."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.infos: Sequence[ScriptInfo] = ()

    def show_scripts(self, infos: Sequence[ScriptInfo]) -> None:
        self.beginResetModel()
        self.infos = infos
        self.endResetModel()

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008  # Qt's signature
        return 0 if parent.isValid() else len(self.infos)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        info = self.infos[index.row()]
        if role == Qt.ItemDataRole.DisplayRole:
            return info.name
        if role == _INFO:
            return info
        if role == Qt.ItemDataRole.ToolTipRole:
            return tip("\n".join(part for part in (str(info.path or "a draft"), info.problem) if part))
        return None


class _Row(QStyledItemDelegate):
    """Two lines and a lamp: name, job type and state."""

    broken: set[str]

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.broken = set()

    def sizeHint(self, _option: QStyleOptionViewItem, _index: Index) -> QSize:
        return QSize(120, _HEIGHT)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        info: ScriptInfo = index.data(_INFO)
        look = theme.current()
        area: QRect = option.rect
        state: QStyle.StateFlag = option.state
        painter.save()
        if state & QStyle.StateFlag.State_Selected:
            painter.fillRect(area, look.colour(Role.SELECTION))
        elif state & QStyle.StateFlag.State_MouseOver:
            painter.fillRect(area, look.colour(Role.HOVER, 0.5))
        words, role, icon = STATES[info.state]
        broken = info.name in self.broken
        if broken:
            words, role, icon = f"broken · {words}", Role.ERROR, "error"
        scale = painter.device().devicePixelRatioF()
        painter.drawPixmap(QPoint(area.left() + 12, area.top() + 13), theme.pixmap(icon, role, 18, scale))
        text = area.adjusted(40, 5, -10, -5)
        name_font = theme.ui_font(0, theme.ui_font().Weight.Medium)
        painter.setFont(name_font)
        painter.setPen(look.colour(Role.TEXT))
        name = QFontMetrics(name_font).elidedText(info.name, Qt.TextElideMode.ElideMiddle, text.width())
        painter.drawText(text, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop, name)
        small = theme.ui_font(-1)
        metrics = QFontMetrics(small)
        painter.setFont(small)
        painter.setPen(look.colour(role))
        painter.drawText(text, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignBottom, words)
        used = metrics.horizontalAdvance(words)
        painter.setPen(look.colour(Role.MUTED))
        rest = metrics.elidedText(f"  ·  {info.job_type}", Qt.TextElideMode.ElideRight, text.width() - used)
        painter.drawText(text.adjusted(used, 0, 0, 0), Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignBottom, rest)
        painter.restore()


class ScriptsList(QWidget):
    """The list and its filter.

    Signals:
        opened: name of the script that was chosen.
        new_wanted: a person asks for a new script.
        draft_discarded: name of a script whose draft is to be forgotten.
    """

    opened = Signal(str)
    new_wanted = Signal()
    draft_discarded = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._infos: list[ScriptInfo] = []
        self.filter = QLineEdit(placeholderText="Filter scripts")
        self.filter.setClearButtonEnabled(True)
        self.filter.textChanged.connect(lambda _text: self._fill())
        self.list = QListView()
        self._listed = _Listed(self.list)
        self.list.setModel(self._listed)
        self.list.setFrameShape(QFrame.Shape.NoFrame)
        self.list.setMouseTracking(True)
        self.list.setUniformItemSizes(True)
        self.list.setAccessibleName("Job compiler scripts")
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._rows = _Row(self.list)
        self.list.setItemDelegate(self._rows)
        # Not the current row: the list gives itself one when it gets the focus, and nobody chose that.
        self._filling = False
        self.list.selectionModel().selectionChanged.connect(self._chosen)
        self.list.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.list.customContextMenuRequested.connect(self._menu)
        self.new_button = tool_button("new", "New script from a template", self.new_wanted.emit, role=Role.TEXT)
        self.empty = label("No scripts here. Start one from a template.", "muted", wrap=True)
        self.empty.setContentsMargins(theme.SPACE.M, theme.SPACE.M, theme.SPACE.M, theme.SPACE.M)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(bar(label("Scripts", "heading"), None, self.new_button))
        self._filter_bar = bar(self.filter)
        layout.addWidget(self._filter_bar)
        layout.addWidget(self.empty)
        layout.addWidget(self.list, 1)

    def show_scripts(self, infos: Sequence[ScriptInfo], current: str = "") -> None:
        """Replace the list, keeping the current row; does not announce a choice."""
        self._infos = list(infos)
        self._fill(current)

    def set_broken(self, names: set[str]) -> None:
        """Scripts that do not load in a Manager: their lamp is red."""
        self._rows.broken = names
        self.list.viewport().update()

    def infos(self) -> list[ScriptInfo]:
        """All scripts known, whatever the filter."""
        return list(self._infos)

    def names(self) -> list[str]:
        """Names listed, in order."""
        return [info.name for info in self._listed.infos]

    def info(self, name: str) -> ScriptInfo | None:
        """The row of a script, None when it is not known."""
        return next((info for info in self._infos if info.name == name), None)

    def select(self, name: str) -> None:
        """Make a script current without announcing it."""
        self._fill(name)

    def _fill(self, current: str = "") -> None:
        row = self.list.currentIndex().row()
        wanted = current or (self._listed.infos[row].name if row >= 0 else "")
        needle = self.filter.text().strip().lower()
        shown = [info for info in self._infos if needle in info.name.lower() or needle in info.job_type.lower()]
        self._filling = True
        self._listed.show_scripts(shown)
        if (place := next((at for at, info in enumerate(shown) if info.name == wanted), -1)) >= 0:
            self.list.setCurrentIndex(self._listed.index(place))
        self._filling = False
        self.empty.setVisible(not self._infos)
        self._filter_bar.setVisible(len(self._infos) > 8 or bool(needle))

    def _chosen(self) -> None:
        if not self._filling:
            for index in self.list.selectedIndexes():
                self.opened.emit(self._listed.infos[index.row()].name)

    def _menu(self, at: QPoint) -> None:
        index = self.list.indexAt(at)
        if not index.isValid():
            return
        info = self._listed.infos[index.row()]
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        discard = menu.addAction("Discard draft")
        theme.set_icon(discard, "trash")
        discard.setEnabled(info.state in (ScriptState.DRAFT, ScriptState.CHANGED))
        discard.triggered.connect(lambda: self.draft_discarded.emit(info.name))
        menu.popup(self.list.viewport().mapToGlobal(at))


class NewScriptDialog(QDialog):
    """Template and file name of a new script.

    Signals:
        chosen: template name and file name.
    """

    chosen = Signal(str, str)

    def __init__(self, templates: Sequence[TemplateLike], taken: Callable[[str], bool], parent: QWidget) -> None:
        super().__init__(parent)
        self.setWindowTitle("New script")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setMinimumWidth(440)
        self._templates = list(templates)
        self._taken = taken
        self.template = QComboBox()
        for template in self._templates:
            self.template.addItem(template.title, template.name)
        self.description = label("", "muted", wrap=True)
        self.description.setMinimumHeight(38)
        self.file_name = QLineEdit()
        self.problem = label("", state="error", wrap=True)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Ok | QDialogButtonBox.StandardButton.Cancel)
        self.create_button = buttons.button(QDialogButtonBox.StandardButton.Ok)
        self.create_button.setText("Create")
        theme.mark(self.create_button, kind="primary")
        buttons.accepted.connect(self._accept)
        buttons.rejected.connect(self.reject)
        form = QFormLayout()
        form.setVerticalSpacing(theme.SPACE.S)
        form.addRow("Template", self.template)
        form.addRow("", self.description)
        form.addRow("File name", self.file_name)
        form.addRow("", self.problem)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(theme.SPACE.L, theme.SPACE.L, theme.SPACE.L, theme.SPACE.L)
        layout.setSpacing(theme.SPACE.M)
        layout.addLayout(form)
        layout.addWidget(buttons)
        self.template.currentIndexChanged.connect(self._template_chosen)
        self.file_name.textChanged.connect(lambda _text: self._check())
        self._template_chosen(0)

    def _template_chosen(self, index: int) -> None:
        if not 0 <= index < len(self._templates):
            return
        template = self._templates[index]
        self.description.setText(template.description)
        stem, name, number = template.file_name.removesuffix(".js"), template.file_name, 2
        while self._taken(name):
            name, number = f"{stem}_{number}.js", number + 1
        self.file_name.setText(name)

    def _check(self) -> None:
        name = self.file_name.text().strip()
        problem = ""
        if not name.endswith(".js") or name == ".js":
            problem = "The Manager only loads files whose name ends in .js."
        elif "/" in name or "\\" in name:
            problem = "The Manager only looks at the top of its scripts folder: no folders in the name."
        elif self._taken(name):
            problem = "A script of this name exists."
        self.problem.setText(problem)
        self.create_button.setEnabled(not problem)

    def _accept(self) -> None:
        self.chosen.emit(self.template.currentData(), self.file_name.text().strip())
        self.accept()
