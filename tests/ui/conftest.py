"""For every test of the window: a home of its own, a journal with a day in it, and nothing left behind."""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QEvent, QThread, QTimer
from PySide6.QtWidgets import QApplication, QWidget
from pytestqt.qtbot import QtBot
from shiboken6 import isValid

from app.journal.journal import Journal
from ui import theme
from ui.collector import Collector
from ui.sample_day import Day, write_day

PATIENCE = 90_000
"""Milliseconds that a wait may take where a test names no other: the condition decides, not how busy the machine is."""


class PatientBot(QtBot):  # type: ignore[misc]
    """A person at the window who waits for what must come, however long it takes here."""

    def waitUntil(self, callback: Callable[[], object], *, timeout: int = PATIENCE) -> None:
        super().waitUntil(callback, timeout=timeout)

    def waitSignal(self, signal: Any, *, timeout: int = PATIENCE, **options: Any) -> Any:
        return super().waitSignal(signal, timeout=timeout, **options)

    def waitExposed(self, widget: QWidget, *, timeout: int = PATIENCE) -> Any:
        return super().waitExposed(widget, timeout=timeout)


@pytest.fixture
def qtbot(qapp: QApplication, request: pytest.FixtureRequest) -> QtBot:
    return PatientBot(request)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Settings, state and journal of this test alone."""
    folder = tmp_path / "home"
    monkeypatch.setenv("SIGNALBOX_HOME", str(folder))
    return folder


@pytest.fixture(autouse=True)
def nothing_left_behind(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fails a test that leaves a window or something that runs; what is freed later by chance would crash."""
    if "qapp" not in request.fixturenames:
        yield
        return
    # Thousands of tests leave millions of objects in a process: these are neither searched nor collected.
    gc.freeze()
    collector = Collector()
    windows, running = set(_windows()), _running()
    yield
    app = QApplication.instance()
    assert app is not None
    deadline = time.monotonic() + PATIENCE / 1000
    while True:
        app.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
        app.processEvents()
        left, runs = set(_windows()) - windows, _running() - running
        if (not left and not runs) or time.monotonic() > deadline:
            break
    assert not left, f"windows left behind: {[f'{type(w).__name__} {w.objectName()}' for w in left]}"
    assert not runs, f"left running: {sorted(runs)}"
    gc.collect()
    collector.close()


def _windows() -> list[QWidget]:
    # A menu or a completer's popup belongs to a widget and goes with it; only parentless windows are somebody's.
    return [w for w in QApplication.topLevelWidgets() if w.parent() is None] if QApplication.instance() else []


def _running() -> set[str]:
    """Threads of readers and hosts, QThreads and QTimers that run, in words."""
    app = QApplication.instance()
    main = app.thread() if app is not None else None
    found = {f"thread {t.name}" for t in threading.enumerate() if t.name.startswith(("reader-", "host-"))}
    for one in gc.get_objects():
        if isinstance(one, QThread) and one != main and isValid(one) and one.isRunning():
            found.add(f"{one!r}")
        elif isinstance(one, QTimer) and isValid(one) and one.isActive():
            found.add(f"{one!r} every {one.interval()} ms of {one.parent()!r}")
    return found


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
            qtbot.waitUntil(lambda: bool(panel.hub.snapshot.handlers))  # type: ignore[attr-defined]
            qtbot.waitUntil(lambda: panel.events.model.count() > 0)  # type: ignore[attr-defined]
        return panel

    yield show
    for panel in opened:
        panel.quit()
        panel.deleteLater()
