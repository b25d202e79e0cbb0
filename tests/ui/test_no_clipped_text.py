"""Every text of the window can be read at 1280x720, in both themes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from PySide6.QtCore import QSize
from PySide6.QtWidgets import (
    QAbstractButton,
    QApplication,
    QCheckBox,
    QComboBox,
    QDockWidget,
    QLabel,
    QPushButton,
    QScrollArea,
    QTabBar,
    QToolButton,
    QWidget,
)

from ui import theme
from ui.dialogs.base import Confirm
from ui.dialogs.job_actions import PriorityDialog
from ui.dialogs.job_confirm import JobConfirmDialog
from ui.docks.elided import ElidedLabel
from ui.panel import Panel
from ui.sample_day import Day
from ui.sample_jobs import write_jobs


def clipped(root: QWidget) -> Iterator[str]:
    """Widgets within `root` whose text needs more room than they have."""
    for widget in root.findChildren(QWidget):
        if not widget.isVisible() or _in_a_tab_behind(widget) or isinstance(widget, ElidedLabel):
            # An elided label shows its ellipsis and has the whole as its tooltip: nothing is lost unseen.
            continue
        need = _need(widget)
        if need is None:
            continue
        if widget.width() < need.width() - 1 or widget.height() < need.height() - 1:
            yield f"{type(widget).__name__} {_text(widget)!r}: has {widget.size().toTuple()}, needs {need.toTuple()}"
        elif cutter := _cut_by(widget):
            yield f"{type(widget).__name__} {_text(widget)!r} sticks out of {cutter}"


def _in_a_tab_behind(widget: QWidget) -> bool:
    """Qt keeps a dock whose tab is behind another's outside the window."""
    parent = widget.parentWidget()
    while parent is not None:
        if isinstance(parent, QDockWidget) and not parent.isFloating():
            return not parent.geometry().intersects(parent.parentWidget().rect())
        parent = parent.parentWidget()
    return False


def _text(widget: Any) -> str:
    return widget.currentText() if isinstance(widget, QComboBox) else getattr(widget, "text", str)()


def _need(widget: QWidget) -> QSize | None:
    metrics = widget.fontMetrics()
    if isinstance(widget, QLabel):
        if not widget.text() or (widget.pixmap().cacheKey() and not widget.text()):
            return None
        if widget.wordWrap():
            return QSize(0, widget.heightForWidth(widget.width()))
        margins = widget.contentsMargins()
        return QSize(metrics.horizontalAdvance(widget.text()) + margins.left() + margins.right(), metrics.height())
    if isinstance(widget, (QPushButton, QCheckBox)) or (isinstance(widget, QToolButton) and widget.text()):
        assert isinstance(widget, QAbstractButton)
        icon = 0 if widget.icon().isNull() or _icon_only(widget) else widget.iconSize().width() + 4
        wide = 0 if _icon_only(widget) else metrics.horizontalAdvance(widget.text().replace("&", ""))
        return QSize(wide + icon, metrics.height())
    if isinstance(widget, QComboBox):
        return QSize(metrics.horizontalAdvance(widget.currentText()) + 22, metrics.height())
    if isinstance(widget, QTabBar):
        wide = sum(metrics.horizontalAdvance(widget.tabText(index)) for index in range(widget.count()))
        return QSize(wide, metrics.height())
    return None


def _icon_only(widget: QAbstractButton) -> bool:
    from PySide6.QtCore import Qt

    return (
        isinstance(widget, QToolButton)
        and not widget.icon().isNull()
        and (widget.toolButtonStyle() == Qt.ToolButtonStyle.ToolButtonIconOnly)
    )


def _cut_by(widget: QWidget) -> str:
    """The parent that cuts it off, where no scroll area lets a person bring it into sight; "" for none."""
    rect, parent = widget.geometry(), widget.parentWidget()
    while parent is not None and not parent.isWindow():
        if isinstance(parent.parentWidget(), QScrollArea) or isinstance(parent, QScrollArea):
            cut = rect.right() > parent.width() + 1 and not isinstance(parent, QScrollArea)
            return f"the scrolled {type(parent).__name__}" if cut else ""
        if not parent.rect().adjusted(-1, -1, 1, 1).contains(rect):
            return f"{type(parent).__name__} {parent.objectName()} {parent.size().toTuple()}: {rect.getRect()}"
        rect.translate(parent.pos())
        parent = parent.parentWidget()
    return ""


@pytest.fixture(params=["dark", "light"])
def panel(request: Any, show_panel: Callable[..., Panel], day: Day, qapp: QApplication, qtbot: Any) -> Panel:
    theme.apply(qapp, request.param)
    made = show_panel(day.folder)
    made.go_to_event(day.project_folder[0])
    qtbot.waitUntil(lambda: bool(made.detail._cards), timeout=15_000)
    return made


def assert_nothing_is_clipped(qtbot: Any, root: QWidget) -> None:
    """Layouts settle within a few turns of the event loop; what is cut after that stays cut."""
    import contextlib

    with contextlib.suppress(qtbot.TimeoutError):
        qtbot.waitUntil(lambda: not list(clipped(root)), timeout=1_500)
    assert list(clipped(root)) == []


def test_no_text_of_the_signals_page_is_clipped(panel: Panel, qtbot: Any) -> None:
    assert panel.size() == QSize(1280, 720)
    assert_nothing_is_clipped(qtbot, panel)
    panel.handlers.tabs.setCurrentIndex(1)
    panel._dock["log"].raise_()
    panel.events.bar._more_button.setChecked(True)
    qtbot.waitUntil(lambda: len(panel.handlers.grid._levers) > 0, timeout=15_000)
    assert_nothing_is_clipped(qtbot, panel)


@pytest.mark.parametrize("opens", ["finder", "undo", "preview", "settings", "handler_settings", "kept"])
def test_no_text_of_a_dialog_is_clipped(panel: Panel, opens: str, day: Day, qtbot: Any) -> None:
    dialogs: dict[str, Callable[[], QWidget]] = {
        "finder": panel.open_finder,
        "undo": lambda: panel.open_undo(day.project_folder[1]),
        "preview": lambda: panel.open_preview("create_task_folder"),
        "settings": panel.open_settings,
        "handler_settings": lambda: panel.open_handler_settings("create_task_folder"),
        "kept": lambda: panel.open_kept("create_task_folder", 12),
    }
    dialog = dialogs[opens]()
    assert_nothing_is_clipped(qtbot, dialog)
    dialog.close()


def test_the_check_itself_notices_a_clipped_text(qapp: QApplication, qtbot: Any) -> None:
    holder = QWidget()
    qtbot.addWidget(holder)
    label = QLabel("A text that does not fit", holder)
    label.setGeometry(0, 0, 30, 20)
    with qtbot.waitExposed(holder):
        holder.show()
    assert len(list(clipped(holder))) == 1


def test_no_text_of_the_jobs_page_is_clipped(panel: Panel, day: Day, qtbot: Any) -> None:
    jobs = write_jobs(day.folder, now=time.time())
    for job in (jobs.to_confirm, jobs.running, jobs.failed, jobs.farm):
        panel.go_to_job(job)
        qtbot.waitUntil(lambda job=job: panel.jobs.list.current_id() == job, timeout=15_000)
        qtbot.waitUntil(lambda: panel.jobs.task() is not None, timeout=15_000)
        assert_nothing_is_clipped(qtbot, panel)
    panel.jobs.left.setCurrentIndex(1)
    for place in range(panel.jobs.right.count()):
        panel.jobs.right.setCurrentIndex(place)
        assert_nothing_is_clipped(qtbot, panel)


def test_no_text_of_the_jobs_dialogs_is_clipped(panel: Panel, day: Day, qtbot: Any) -> None:
    jobs = write_jobs(day.folder, now=time.time())
    panel.go_to_job(jobs.to_confirm, confirm=True)
    qtbot.waitUntil(lambda: bool(panel.findChildren(JobConfirmDialog)), timeout=15_000)
    dialog = panel.findChildren(JobConfirmDialog)[0]
    qtbot.waitUntil(dialog.confirm.isEnabled, timeout=15_000)
    assert_nothing_is_clipped(qtbot, dialog)
    dialog.reject()
    panel.go_to_job(jobs.running)
    qtbot.waitUntil(lambda: panel.jobs.list.current_id() == jobs.running, timeout=15_000)
    for kind, made in (("job_priority", PriorityDialog), ("job_cancel", Confirm)):
        qtbot.waitUntil(panel.jobs.actions_[kind].isEnabled, timeout=15_000)
        panel.jobs.actions_[kind].click()
        opened = panel.jobs.findChildren(made)[0]
        assert_nothing_is_clipped(qtbot, opened)
        opened.reject()
