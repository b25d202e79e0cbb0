"""For every test of the window: a home of its own, a journal with a day in it, and nothing left behind."""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QThread
from PySide6.QtWidgets import QApplication, QWidget

from app.journal.journal import Journal
from ui import theme
from ui.sample_day import Day, write_day


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Settings, state and journal of this test alone."""
    folder = tmp_path / "home"
    monkeypatch.setenv("SIGNALBOX_HOME", str(folder))
    return folder


@pytest.fixture(autouse=True)
def nothing_left_behind(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fails a test that leaves a window, a QThread or a reader's thread; a window freed later by chance would crash."""
    before = set(_windows())
    threads = _threads()
    yield
    if "qapp" not in request.fixturenames:
        return
    app = QApplication.instance()
    assert app is not None
    deadline = time.monotonic() + 3
    left: set[QWidget] = set()
    while time.monotonic() < deadline:
        app.sendPostedEvents(None, 52)  # QEvent.DeferredDelete
        app.processEvents()
        left = set(_windows()) - before
        if not left and not (_threads() - threads):
            break
    assert not left, f"windows left behind: {[f'{type(w).__name__} {w.objectName()}' for w in left]}"
    assert not (_threads() - threads), f"threads left behind: {_threads() - threads}"
    gc.collect()


def _windows() -> list[QWidget]:
    # A menu or a completer's popup belongs to a widget and goes with it; only parentless windows are somebody's.
    return [w for w in QApplication.topLevelWidgets() if w.parent() is None] if QApplication.instance() else []


def _threads() -> set[str]:
    running = {t.name for t in threading.enumerate() if t.name.startswith(("reader-", "host-"))}
    running |= {repr(t) for t in gc.get_objects() if isinstance(t, QThread) and t.isRunning() and t != _main()}
    return running


def _main() -> QThread | None:
    app = QApplication.instance()
    return app.thread() if app is not None else None


@pytest.fixture
def dark(qapp: QApplication) -> None:
    """The window's usual clothes."""
    theme.apply(qapp, "dark")


@pytest.fixture
def day(home: Path) -> Day:
    """A journal with a day of events, runs, effects and log lines."""
    return write_day(home / "journal", now=time.time(), events=60)


@pytest.fixture
def engine(day: Day) -> Iterator[Journal]:
    """The journal as the engine holds it, to answer orders with."""
    journal = Journal.open(day.folder)
    yield journal
    journal.close()


@pytest.fixture
def show_panel(qtbot: object, dark: None) -> Iterator[Callable[..., object]]:
    """Opens panels on a journal and closes them at the end."""
    from ui.panel import Panel, PanelSite

    opened: list[Panel] = []

    def show(folder: Path, width: int = 1280, height: int = 720, *, wait: bool = True) -> Panel:
        panel = Panel(folder, PanelSite(embedded=True))
        opened.append(panel)
        panel.resize(width, height)
        panel.usual_layout()
        with qtbot.waitExposed(panel):  # type: ignore[attr-defined]
            panel.show()
        if wait:
            qtbot.waitUntil(lambda: bool(panel.hub.snapshot.handlers), timeout=15_000)  # type: ignore[attr-defined]
            qtbot.waitUntil(lambda: panel.events.model.count() > 0, timeout=15_000)  # type: ignore[attr-defined]
        return panel

    yield show
    for panel in opened:
        panel.quit()
        panel.deleteLater()
