"""Pictures of every dock and dialog, dark and light, small and large: `python -m ui.screenshots OUTDIR`.

They are taken of the real window on a journal filled with a believable day (`ui.sample_day`), without a display.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from PySide6.QtCore import QEventLoop, QTimer
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QApplication, QWidget

from ui import theme
from ui.panel import Panel, PanelSite
from ui.sample_day import Day, write_day
from ui.sample_jobs import write_jobs

SIZES = ((1280, 720), (2560, 1440))
THEMES: tuple[theme.Choice, ...] = ("dark", "light")
PATIENCE = 10.0
"""Seconds that a scene may take to fill."""


@dataclass(frozen=True)
class Scene:
    """A picture to take.

    Attributes:
        name: File name without theme, size and ending.
        build: Makes and shows the widget for a window of this width and height; returns it with what ends it.
        sizes: Window sizes it is taken at.
    """

    name: str
    build: Callable[[int, int], tuple[QWidget, Callable[[], None]]]
    sizes: tuple[tuple[int, int], ...] = SIZES


def turn_until(ready: Callable[[], bool], *, also: int = 150) -> None:
    """Let the event loop turn until something is ready, and `also` milliseconds more. Raises TimeoutError."""
    deadline = time.monotonic() + PATIENCE
    while not ready():
        if time.monotonic() > deadline:
            raise TimeoutError("a scene did not fill in time")
        turn(20)
    turn(also)


def turn(milliseconds: int) -> None:
    """Let the event loop turn for so long."""
    loop = QEventLoop()
    QTimer.singleShot(milliseconds, loop.quit)
    loop.exec()


def scenes(folder: Path) -> Iterator[Scene]:
    """Every picture of the signals page and its dialogs; `folder` takes the journals."""
    day = write_day(folder / "day", now=time.time())
    empty = folder / "empty"

    yield Scene("signals", lambda w, h: _panel(day, w, h))
    yield Scene("signals-empty", lambda w, h: _bare_panel(empty, w, h))
    yield Scene("log", lambda w, h: _with_log(day, w, h))
    yield Scene("levers-by-show", lambda w, h: _with_grid(day, w, h))
    yield Scene("filters", lambda w, h: _with_filters(day, w, h))
    jobs = write_jobs(folder / "day", now=time.time())
    yield Scene("jobs-running", lambda w, h: _jobs(day, jobs.running, w, h))
    yield Scene("jobs-failed-task", lambda w, h: _jobs(day, jobs.failed, w, h))
    yield Scene("jobs-graph", lambda w, h: _jobs(day, jobs.running, w, h, graph=True))
    small = ((1280, 720),)
    yield Scene("jobs-empty", lambda w, h: _no_jobs(empty, w, h), small)
    yield Scene("jobs-confirm", lambda w, h: _confirm_job(day, jobs.to_confirm, w, h), small)
    yield Scene("what-happened", lambda w, h: _finder(day, w, h), small)
    yield Scene("undo", lambda w, h: _undo(day, w, h), small)
    yield Scene("settings", lambda w, h: _settings(day, w, h), small)
    yield Scene("what-would-it-do", lambda w, h: _preview(day, w, h), small)


Built = tuple[QWidget, Callable[[], None]]
Opened = tuple[Panel, Callable[[], None]]


def _open(folder: Path, width: int, height: int, embedded: bool = True) -> Opened:
    panel = Panel(folder, PanelSite("studio.ftrackapp.com", embedded=embedded))
    panel.resize(width, height)
    panel.usual_layout()
    panel.show()

    def end() -> None:
        panel.quit()
        panel.deleteLater()

    return panel, end


def _panel(day: Day, width: int, height: int) -> Opened:
    panel, end = _open(day.folder, width, height)
    turn_until(lambda: panel.events.model.count() > 0 and bool(panel.hub.snapshot.handlers))
    panel.go_to_event(day.project_folder[0])
    turn_until(lambda: bool(panel.detail._cards))
    return panel, end


def _bare_panel(folder: Path, width: int, height: int) -> Built:
    panel, end = _open(folder, width, height, embedded=False)
    turn(400)
    return panel, end


def _jobs(day: Day, job: int, width: int, height: int, *, graph: bool = False) -> Opened:
    panel, end = _open(day.folder, width, height)
    panel.show_page(2)
    panel.go_to_job(job)
    dock = panel.jobs
    turn_until(lambda: dock.list.current_id() == job and dock.log.model.count() > 0, also=400)
    if graph:
        dock.left.setCurrentIndex(1)
        turn_until(lambda: bool(dock.canvas.graph.cards), also=300)
    return panel, end


def _no_jobs(folder: Path, width: int, height: int) -> Built:
    panel, end = _open(folder, width, height, embedded=False)
    panel.show_page(2)
    turn(400)
    return panel, end


def _confirm_job(day: Day, job: int, width: int, height: int) -> Built:
    from ui.dialogs.job_confirm import JobConfirmDialog

    panel, end = _open(day.folder, width, height)
    panel.go_to_job(job, confirm=True)
    turn_until(lambda: bool(panel.findChildren(JobConfirmDialog)))
    dialog = panel.findChildren(JobConfirmDialog)[0]
    turn_until(dialog.confirm.isEnabled)
    return dialog, end


def _with_log(day: Day, width: int, height: int) -> Built:
    panel, end = _panel(day, width, height)
    panel._dock["log"].raise_()
    panel.log.show_only(text="slack")
    turn_until(lambda: panel.log.model.count() > 0)
    return panel, end


def _with_grid(day: Day, width: int, height: int) -> Built:
    panel, end = _panel(day, width, height)
    panel.handlers.tabs.setCurrentIndex(1)
    panel.go_to_run(day.failed_run)
    turn_until(lambda: bool(panel.handlers.grid._levers) and day.failed_run in panel.detail._cards)
    return panel, end


def _with_filters(day: Day, width: int, height: int) -> Built:
    panel, end = _panel(day, width, height)
    panel.events.show_only(state="failed", text="status", user="a")
    turn_until(lambda: panel.events.model.count() > 0)
    return panel, end


def _finder(day: Day, width: int, height: int) -> Built:
    panel, end = _panel(day, width, height)
    finder = panel.open_finder()
    finder.search.setText("BB_0070")
    turn_until(lambda: finder.hits.count() > 0, also=400)
    return finder, end


def _undo(day: Day, width: int, height: int) -> Built:
    panel, end = _panel(day, width, height)
    dialog = panel.open_undo(day.project_folder[1])
    names = ("shots", "reference", "production/editorial", "production", "assets/hdri", "assets/3d", "assets")
    items = [(f"Remove /data/production/bigbukc/{name}", "planned", "", "make_folder") for name in names]
    items.append(("/data/production/bigbukc", "kept", "it holds a file that somebody put there since", ""))
    dialog._show(items)
    turn(300)
    return dialog, end


def _settings(day: Day, width: int, height: int) -> Built:
    panel, end = _panel(day, width, height)
    dialog = panel.open_handler_settings("create_task_folder")
    row = dialog.row("folder_mode")
    row.set_value("27x5")
    row.touched = True
    row.edited.emit()
    turn(300)
    return dialog, end


def _preview(day: Day, width: int, height: int) -> Built:
    panel, end = _panel(day, width, height)
    dialog = panel.open_preview("add_version_to_list")
    turn_until(lambda: dialog.events.count() > 0, also=300)
    return dialog, end


class Picture(Protocol):
    """What `take` needs of a scene, whichever room made it."""

    @property
    def name(self) -> str: ...
    @property
    def build(self) -> Callable[[int, int], Built]: ...
    @property
    def sizes(self) -> tuple[tuple[int, int], ...]: ...


def take(scene: Picture, out: Path, app: QApplication) -> list[Path]:
    """Take a scene's pictures in both themes and all its sizes."""
    made = []
    for choice in THEMES:
        theme.apply(app, choice)
        for width, height in scene.sizes:
            widget, end = scene.build(width, height)
            path = out / f"{scene.name}-{choice}-{width}x{height}.png"
            _save(widget, path)
            made.append(path)
            end()
            turn(30)
    return made


def _save(widget: QWidget, path: Path) -> None:
    """A picture with a palette of its own: a quarter of the size, and no eye tells them apart."""
    from PIL import Image

    image = widget.grab().toImage().convertToFormat(QImage.Format.Format_RGB888)
    data = bytes(image.constBits())
    raw = Image.frombuffer("RGB", (image.width(), image.height()), data, "raw", "RGB", image.bytesPerLine(), 1)
    # Octree: the others give the few amber pixels of a lamp to the many red ones of a text.
    palette = raw.quantize(256, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
    palette.save(path, optimize=True)


def main(arguments: list[str]) -> int:
    """Take all pictures into a folder; those of the job compiler too."""
    out = Path(arguments[0] if arguments else "docs/screenshots")
    out.mkdir(parents=True, exist_ok=True)
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    with tempfile.TemporaryDirectory(prefix="signalbox-pictures-") as name:
        os.environ["SIGNALBOX_HOME"] = str(Path(name) / "home")
        from ui.app import make_app

        app = make_app()
        for scene in scenes(Path(name)):
            for path in take(scene, out, app):
                sys.stdout.write(f"{path}\n")
        _compiler(out, app)
        _artist(Path(name), out, app)
    return 0


def _artist(folder: Path, out: Path, app: QApplication) -> None:
    """What artists and production use, on an embedded site."""
    from ui.artist_pictures import scenes as artist_scenes

    with artist_scenes(folder / "artist") as pictures:
        for scene in pictures:
            for path in take(scene, out, app):
                sys.stdout.write(f"{path}\n")


def _compiler(out: Path, app: QApplication) -> None:
    """The job compiler's own scenes."""
    from ui.compiler.screenshots import scenes as compiler_scenes

    for scene in compiler_scenes():
        for path in take(scene, out, app):
            sys.stdout.write(f"{path}\n")


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
