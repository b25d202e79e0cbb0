"""Pictures of what artists and production use, taken on an embedded site: for `python -m ui.screenshots`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from PySide6.QtCore import QEventLoop, QTimer
from PySide6.QtWidgets import QTreeWidgetItem, QWidget

from ui.dialogs.batch_create import BatchCreateDialog
from ui.dialogs.sign_in import SignIn
from ui.dialogs.upload import UploadDialog
from ui.docks.actions import ActionsDock
from ui.docks.browser import BrowserDock
from ui.models.desk import SiteDesk
from ui.models.hub import Hub

SMALL = ((1280, 720),)
PATIENCE_MS = 30_000
_LONG = "nightjar_sq010_sh0450_a_very_long_name_of_a_take_that_somebody_typed_in_a_hurry_v012.mov"
Built = tuple[QWidget, Callable[[], None]]


@dataclass(frozen=True)
class Scene:
    """A picture to take; see `ui.screenshots.Scene`."""

    name: str
    build: Callable[[int, int], Built]
    sizes: tuple[tuple[int, int], ...] = SMALL


@dataclass(frozen=True)
class _Ground:
    hub: Hub
    desk: SiteDesk
    folder: Path
    clips: tuple[Path, ...]
    project: str
    task: str


def _until(ready: Callable[[], bool], also: int = 200) -> None:
    """Let the event loop turn until something is ready. Raises TimeoutError."""
    waited = 0
    while not ready():
        if waited > PATIENCE_MS:
            raise TimeoutError("a scene did not fill in time")
        _turn(50)
        waited += 50
    _turn(also)


def _turn(milliseconds: int) -> None:
    loop = QEventLoop()
    QTimer.singleShot(milliseconds, loop.quit)
    loop.exec()


@contextmanager
def _ground(folder: Path) -> Iterator[_Ground]:
    from app.demo import Demo
    from app.service_browser import desk_of

    with Demo(keep=folder / "demo") as demo:
        demo.wait_connected()
        home = demo.folder / "home"
        hub = Hub(home / "journal")
        desk = SiteDesk(lambda: desk_of(home / "settings.toml", home / "journal"), embedded=True)
        plain = desk_of(home / "settings.toml", home / "journal")
        project = next(one for one in plain.look_ups.projects() if one.name == "nightjar").id
        task = plain.look_ups.search_tasks("nightjar animation")[0].id
        plain.close()
        try:
            yield _Ground(hub, desk, folder, _clips(folder / "clips"), project, task)
        finally:
            hub.close()
            desk.close()


def _clips(folder: Path) -> tuple[Path, ...]:
    from app.media.ffmpeg import run_ffmpeg

    folder.mkdir(parents=True)
    source = ["-f", "lavfi", "-i", "testsrc2=size=640x360:rate=24"]
    for name in (_LONG, "layout_v03.mov"):
        arguments = [*source, "-frames:v", "48", "-preset", "ultrafast", "-pix_fmt", "yuv420p", name]
        run_ffmpeg(arguments, folder=folder, frames=48)
    run_ffmpeg([*source, "-frames:v", "8", "-start_number", "1001", "plate.%04d.png"], folder=folder, frames=8)
    (folder / "plate.1004.png").unlink()
    (folder / "notes from <b>the client.mov").write_text("not a movie")
    return tuple(sorted(folder.iterdir()))


@contextmanager
def scenes(folder: Path) -> Iterator[list[Scene]]:
    """Every picture; the site lives as long as the context."""
    with _ground(folder) as ground:
        yield [
            Scene("upload-empty", lambda w, h: _upload(ground, w, h, ())),
            Scene("upload", lambda w, h: _upload(ground, w, h, ground.clips)),
            Scene("upload-on-the-way", lambda w, h: _upload_working(ground, w, h)),
            Scene("sign-in", partial(_sign_in, ground)),
            Scene("batch-create-empty", lambda w, h: _batch(ground, w, h)),
            Scene("batch-create", lambda w, h: _batch_sheet(ground, w, h)),
            Scene("batch-create-wrong", lambda w, h: _batch_wrong(ground, w, h)),
            Scene("browser", lambda w, h: _browser(ground, w, h)),
            Scene("actions", partial(_actions, ground)),
        ]


def _upload(ground: _Ground, width: int, height: int, clips: tuple[Path, ...]) -> Built:
    draft = ground.folder / f"draft-{len(clips)}.json"
    draft.unlink(missing_ok=True)
    dialog = UploadDialog(ground.hub, ground.desk, ground.task, [str(one) for one in clips], draft=draft)
    dialog.resize(min(width, 1080), min(height, 680))
    dialog.show()
    _until(lambda: dialog.picker.task() is not None)
    if clips:
        dialog.note.setPlainText("Second pass on the wing. The last 12 frames are still blocking.")
        dialog.slate.setChecked(True)
        _until(lambda: all(one.state != "looking" for one in dialog.uploads.clips.values()) and bool(dialog._rows))
        _until(dialog.preview.has_picture, 600)
    return dialog, lambda: _shut(dialog)


def _shut(dialog: UploadDialog) -> None:
    for key in list(dialog.uploads.clips):
        dialog.uploads.remove(key)
    dialog._leave()


def _upload_working(ground: _Ground, width: int, height: int) -> Built:
    dialog, end = _upload(ground, width, height, ground.clips)
    assert isinstance(dialog, UploadDialog)
    dialog.publish()
    _until(lambda: any(one.phase == "transcode" for one in dialog.uploads.clips.values()), 0)
    return dialog, end


def _sign_in(ground: _Ground, _width: int, _height: int) -> Built:
    dialog = SignIn(ground.desk, "https://studio.ftrackapp.com", "ada")
    dialog.show()
    dialog._refused("https://studio.ftrackapp.com does not accept this user and key: copy the key again.")
    _turn(200)
    return dialog, dialog.reject


def _batch(ground: _Ground, width: int, height: int) -> Built:
    dialog = BatchCreateDialog(ground.hub, ground.desk, ("Project", ground.project, "nightjar"))
    dialog.resize(min(width, 1240), min(height, 680))
    dialog.show()
    _until(lambda: dialog._below is not None and dialog.picker.tree.topLevelItemCount() > 0)
    return dialog, dialog.reject


def _batch_sheet(ground: _Ground, width: int, height: int) -> Built:
    dialog, end = _batch(ground, width, height)
    assert isinstance(dialog, BatchCreateDialog)
    lines = ["sequence\tshot\tframe in\tframe out\ttasks\tdescription"]
    lines += [f"001\t001_00{n}0\t1001\t{1040 + n}\tAnimation 16h; Lighting 8h\t" for n in (1, 2)]
    lines += [
        f"SQ20\tSQ20_{n:04d}\t1001\t{1060 + n}\tAnimation 16h; Compositing 2d\twide, rain" for n in range(10, 150, 10)
    ]
    lines += ["SQ20\tSQ20_0150\tten\t1100\tAnimation\t", "SQ20\tSQ20/0160\t\t\tKnitting\t"]
    dialog.take_text("\n".join(lines))
    dialog.tasks.add.click()
    dialog.tasks.add.click()
    _turn(300)
    return dialog, end


def _batch_wrong(ground: _Ground, width: int, height: int) -> Built:
    dialog, end = _batch(ground, width, height)
    assert isinstance(dialog, BatchCreateDialog)
    dialog.numbers.setText("10-200:1o")
    _until(dialog.wrong.isVisible)
    return dialog, end


def _browser(ground: _Ground, width: int, height: int) -> Built:
    dock = BrowserDock()
    dock.resize(width - 400, height)
    dock.set_desk(ground.desk)
    dock.show()
    _until(lambda: dock.tree.topLevelItemCount() > 0)
    item = dock.tree.topLevelItem(0)
    for _ in range(3):
        assert item is not None
        item.setExpanded(True)
        _until(partial(_filled, item), 100)
        item = item.child(0)
    assert item is not None
    dock.tree.setCurrentItem(item)
    _until(lambda: bool(dock.buttons), 500)
    dock.launch("signalbox.upload_media")
    _until(lambda: dock.form is not None)
    return dock, lambda: _drop(dock)


def _filled(item: QTreeWidgetItem) -> bool:
    child = item.child(0)
    return child is not None and child.text(0) != "reading…"


def _actions(ground: _Ground, _width: int, _height: int) -> Built:
    dock = ActionsDock(ground.hub)
    dock.resize(430, 700)
    dock.show()
    _until(lambda: bool(dock._cards), 900)
    return dock, lambda: _drop(dock)


def _drop(widget: QWidget) -> None:
    widget.close()
    widget.deleteLater()
