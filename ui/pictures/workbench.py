"""The workbench's pictures: a good script, an error, a finding, a graph of 1,000 tasks, a difference before deploying.

Each scene is built on folders of its own with the real compiler; what ends it also ends the compiler and the folders.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from PySide6.QtWidgets import QApplication

from app.settings.models import FlamencoSettings
from ui.compiler.deploy import DeployDialog
from ui.compiler.standard import standard_doors
from ui.compiler.workbench import Workbench
from ui.pictures.stage import SMALL, Built, Scene, turn, turn_until
from ui.theme import resource

Opened = tuple[Workbench, Callable[[], None]]

SEQUENCE_RENDER = resource("examples", "sequence_render.js").read_text(encoding="utf-8")
_SHEET = next(line for line in SEQUENCE_RENDER.splitlines(keepends=True) if "contact-sheet" in line)
OLD_RENDER = (
    SEQUENCE_RENDER.replace("default: 2, propargs: { min: 1, max: 200 },", "default: 10,")
    .replace(_SHEET, "")
    .replace("movie, sheet);", "movie);")
)
BROKEN = SEQUENCE_RENDER.replace("  const composited = [];", "  const composited = [;")
SUSPECT = SEQUENCE_RENDER.replace(
    "  job.addTask(made);\n  return made;", "  job.addTask(made);\n  made.priority = 80;\n  return made;"
)


def scenes() -> Iterator[Scene]:
    """Every picture of the workbench."""
    yield Scene("compiler", lambda w, h: _workbench(w, h, SEQUENCE_RENDER))
    yield Scene("compiler-syntax-error", lambda w, h: _workbench(w, h, BROKEN, before=SEQUENCE_RENDER), (SMALL,))
    yield Scene("compiler-lint", lambda w, h: _workbench(w, h, SUSPECT), (SMALL,))
    yield Scene("compiler-graph", _graph)
    yield Scene("compiler-changes", _changes, (SMALL,))
    yield Scene("compiler-deploy", _deploy, (SMALL,))
    yield Scene("compiler-empty", _empty, (SMALL,))


def _stage(width: int, height: int, deployed: str) -> Opened:
    """A workbench on a scripts folder that holds a studio's few scripts."""
    folder = tempfile.TemporaryDirectory(prefix="signalbox-scene-")
    scripts = Path(folder.name, "scripts")
    scripts.mkdir()
    (scripts / "sequence_render.js").write_text(deployed, encoding="utf-8")
    tiles = resource("job_types", "blender_frames.js").read_text(encoding="utf-8")
    (scripts / "single_image_tiles.js").write_text(tiles, encoding="utf-8")
    doors = standard_doors(Path(folder.name, "state"), FlamencoSettings(scripts_folder=str(scripts)))
    window = Workbench(doors, debounce_ms=20)
    window.resize(width, height)
    window.show()

    def end() -> None:
        window.shutdown()
        window.close()
        window.deleteLater()
        doors.pool.close()
        folder.cleanup()

    turn_until(lambda: bool(window.scripts.infos()), "the list of scripts")
    return window, end


def _open(window: Workbench) -> None:
    window.open_script("sequence_render.js")
    turn_until(lambda: window.document.name == "sequence_render.js", "the script")
    turn_until(lambda: window.preview.head.state() != "off" and not window.runner.busy, "the preview")


def _workbench(width: int, height: int, text: str, before: str = "") -> Opened:
    """The script open; with `before`, that one was good first and `text` was typed over it."""
    window, end = _stage(width, height, before or text)
    _open(window)
    turn_until(lambda: window.preview.good is not None, "the tasks")
    if before:
        window.editor.replace_text(text)
        turn_until(lambda: window.preview.head.state() == "error", "the error")
    found = next((found for found in window.editor.diagnostics() if found.line), None)
    if found is not None:
        window.editor.goto(found.line, max(found.column, 1))
    turn(500)
    return window, end


def _graph(width: int, height: int) -> Built:
    window, end = _workbench(width, height, SEQUENCE_RENDER)
    window.preview.tabs.setCurrentWidget(window.preview.graph)
    window.splitter.setSizes([round(width * 0.18), round(width * 0.33), round(width * 0.49)])
    turn_until(lambda: bool(window.preview.graph.canvas.graph.cards), "the graph")
    window.preview.graph.canvas.fit()
    turn(300)
    return window, end


def _changes(width: int, height: int) -> Built:
    window, end = _workbench(width, height, SEQUENCE_RENDER)
    window.preview.tabs.setCurrentWidget(window.preview.changes)
    window.inputs.form.fields["chunk_size"].set_value(10)
    window.inputs.form.changed.emit()
    turn_until(lambda: not isinstance(window.preview.changes.changes(0), str), "the comparison")
    turn(300)
    return window, end


def _deploy(width: int, height: int) -> Built:
    window, end = _stage(width, height, OLD_RENDER)
    _open(window)
    window.editor.replace_text(SEQUENCE_RENDER)
    turn_until(lambda: window.preview.head.state() != "off" and not window.runner.busy, "the preview")
    window.shipping.show_deploy()
    dialogs = [widget for widget in QApplication.topLevelWidgets() if isinstance(widget, DeployDialog)]
    dialog = dialogs[-1]
    turn_until(lambda: dialog.plan is not None, "the checks")
    turn(300)

    def close() -> None:
        dialog.reject()
        turn(10)
        end()

    return dialog, close


def _empty(width: int, height: int) -> Built:
    window, end = _stage(width, height, SEQUENCE_RENDER)
    turn(300)
    return window, end
