"""What needs a site and an engine: the dialogs of artists and production, the browser, a job at work. On the demo."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from PySide6.QtWidgets import QTreeWidgetItem

from app.demo import Demo
from ui.dialogs.batch_create import BatchCreateDialog
from ui.dialogs.job_run import JobRunDialog
from ui.dialogs.shadow import ShadowDialog
from ui.dialogs.sign_in import SignIn
from ui.dialogs.undo import UndoDialog
from ui.dialogs.upload import UploadDialog
from ui.models.desk import SiteDesk
from ui.models.hub import Hub
from ui.panel import Panel, PanelSite
from ui.pictures.stage import SIZES, SMALL, Built, Scene, turn, turn_until
from ui.sample_shadow import sample_report

_LONG = "nightjar_sq010_sh0450_a_very_long_name_of_a_take_that_somebody_typed_in_a_hurry_v012.mov"
_NOTE = "Second pass on the wing. The last 12 frames are still blocking."
_ACTS_SECONDS = 6.0
_PLATES = 250


@dataclass(frozen=True)
class _Ground:
    """The demo and what the scenes use of it.

    Attributes:
        clips: A movie of a long name, another one, frames with a hole, and a text that calls itself a movie.
        plates: Frames enough for a job of some seconds.
        numbers: Each scene that makes shots makes others.
    """

    demo: Demo
    hub: Hub
    folder: Path
    clips: tuple[Path, ...]
    plates: Path
    project: str
    task: str
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(20, 10))

    def desk(self) -> SiteDesk:
        """A new way to the site."""
        from app.service.browser import desk_of

        home = self.demo.folder / "home"
        return SiteDesk(lambda: desk_of(home / "settings.toml", home / "journal"), embedded=True)


def scenes(folder: Path, wanted: Callable[[str], bool]) -> Iterator[Scene]:
    """The wanted pictures; the demo lives as long as one asks for the next."""
    every: tuple[tuple[str, Callable[[_Ground, int, int], Built], tuple[tuple[int, int], ...]], ...] = (
        ("upload-empty", _upload_empty, (SMALL,)),
        ("upload", _upload, (SMALL,)),
        ("upload-on-the-way", _upload_working, (SMALL,)),
        ("upload-done", _upload_done, (SMALL,)),
        ("sign-in", _sign_in, (SMALL,)),
        ("batch-create-empty", _batch, (SMALL,)),
        ("batch-create", _batch_sheet, (SMALL,)),
        ("batch-create-wrong", _batch_wrong, (SMALL,)),
        ("batch-create-done", _batch_done, (SMALL,)),
        ("undo", _undo, (SMALL,)),
        ("what-would-it-do", _preview, (SMALL,)),
        ("shadow-empty", _shadow_empty, (SMALL,)),
        ("shadow", _shadow, (SMALL,)),
        ("catch-up", _catch_up, (SMALL,)),
        ("browser", _browser, SIZES),
        ("actions", _actions, SIZES),
        ("jobs-live", _job_live, SIZES),
        ("job-run", _job_run, (SMALL,)),
    )
    chosen = [one for one in every if wanted(one[0])]
    if not chosen:
        return
    with _ground(folder) as ground:
        for name, build, sizes in chosen:
            yield Scene(name, partial(build, ground), sizes)


@contextmanager
def _ground(folder: Path) -> Iterator[_Ground]:
    from app.service.browser import desk_of

    with Demo(keep=folder / "demo") as demo:
        demo.wait_connected()
        demo.act(_ACTS_SECONDS)
        demo.drain()
        home = demo.folder / "home"
        hub = Hub(home / "journal")
        plain = desk_of(home / "settings.toml", home / "journal")
        project = next(one for one in plain.look_ups.projects() if one.name == "nightjar").id
        task = plain.look_ups.search_tasks("nightjar animation")[0].id
        plain.close()
        drive = demo.folder / "drive" / "nightjar"
        try:
            yield _Ground(demo, hub, folder, _clips(drive / "io"), _plates(drive / "plates"), project, task)
        finally:
            hub.close()


def _clips(folder: Path) -> tuple[Path, ...]:
    from app.media.ffmpeg import run_ffmpeg

    folder.mkdir(parents=True)
    source = ["-f", "lavfi", "-i", "testsrc2=size=1280x720:rate=24"]
    for name in (_LONG, "layout_v03.mov"):
        arguments = [*source, "-frames:v", "240", "-preset", "ultrafast", "-pix_fmt", "yuv420p", name]
        run_ffmpeg(arguments, folder=folder, frames=240)
    run_ffmpeg([*source, "-frames:v", "8", "-start_number", "1001", "plate.%04d.png"], folder=folder, frames=8)
    (folder / "plate.1004.png").unlink()
    (folder / "notes from <b>the client.mov").write_text("not a movie")
    return tuple(sorted(folder.iterdir()))


def _plates(folder: Path) -> Path:
    from app.media.ffmpeg import run_ffmpeg

    folder.mkdir(parents=True)
    source = ["-f", "lavfi", "-i", "testsrc2=size=1280x720:rate=24", "-frames:v", str(_PLATES), "-q:v", "3"]
    run_ffmpeg([*source, "-start_number", "1001", "NJ_0010.%04d.jpg"], folder=folder, frames=_PLATES)
    return folder / "NJ_0010.%04d.jpg"


# Upload


def _upload_with(ground: _Ground, width: int, height: int, clips: tuple[Path, ...]) -> tuple[UploadDialog, SiteDesk]:
    draft = ground.folder / f"draft-{len(clips)}.json"
    draft.unlink(missing_ok=True)
    desk = ground.desk()
    dialog = UploadDialog(ground.hub, desk, ground.task, [str(one) for one in clips], draft=draft)
    dialog.resize(min(width, 1080), min(height, 680))
    dialog.show()
    turn_until(lambda: dialog.picker.task() is not None, "the task")
    if clips:
        dialog.note.setPlainText(_NOTE)
        dialog.slate.setChecked(True)
        turn_until(
            lambda: all(one.state != "looking" for one in dialog.uploads.clips.values()) and bool(dialog._rows),
            "the clips",
        )
        turn_until(dialog.preview.has_picture, "the preview", also=600)
    return dialog, desk


def _shut(dialog: UploadDialog, desk: SiteDesk) -> None:
    for key in list(dialog.uploads.clips):
        dialog.uploads.remove(key)
    turn_until(lambda: not dialog.uploads.busy(), "the clips to stop")
    dialog._leave()
    desk.close()


def _upload_empty(ground: _Ground, width: int, height: int) -> Built:
    dialog, desk = _upload_with(ground, width, height, ())
    return dialog, partial(_shut, dialog, desk)


def _upload(ground: _Ground, width: int, height: int) -> Built:
    dialog, desk = _upload_with(ground, width, height, ground.clips)
    return dialog, partial(_shut, dialog, desk)


def _upload_working(ground: _Ground, width: int, height: int) -> Built:
    dialog, desk = _upload_with(ground, width, height, ground.clips)
    dialog.publish()
    turn_until(
        lambda: any(one.phase == "transcode" and one.fraction > 0.3 for one in dialog.uploads.clips.values()),
        "a transcode",
        also=0,
    )
    return dialog, partial(_shut, dialog, desk)


def _upload_done(ground: _Ground, width: int, height: int) -> Built:
    dialog, desk = _upload_with(ground, width, height, ground.clips)
    dialog.publish()
    turn_until(lambda: not dialog.uploads.busy() and not dialog.uploads.ready(), "the end", also=400)
    return dialog, partial(_shut, dialog, desk)


def _sign_in(ground: _Ground, _width: int, _height: int) -> Built:
    desk = ground.desk()
    dialog = SignIn(desk, "https://studio.ftrackapp.com", "ada")
    dialog.show()
    dialog._refused("https://studio.ftrackapp.com does not accept the API key of user 'ada'")
    turn(200)

    def end() -> None:
        dialog.reject()
        desk.close()

    return dialog, end


# Batch Create


def _batch(ground: _Ground, width: int, height: int) -> tuple[BatchCreateDialog, Callable[[], None]]:
    desk = ground.desk()
    dialog = BatchCreateDialog(ground.hub, desk, ("Project", ground.project, "nightjar"))
    dialog.resize(min(width, 1240), min(height, 680))
    dialog.show()
    turn_until(lambda: dialog._below is not None and dialog.picker.tree.topLevelItemCount() > 0, "the project")

    def end() -> None:
        dialog.reject()
        desk.close()

    return dialog, end


def _sheet(number: int) -> str:
    lines = ["sequence\tshot\tframe in\tframe out\ttasks\tdescription"]
    lines += [f"001\t001_00{n}0\t1001\t{1040 + n}\tAnimation 16h; Lighting 8h\t" for n in (1, 2)]
    name = f"SQ{number}"
    lines += [
        f"{name}\t{name}_{n:04d}\t1001\t{1060 + n}\tAnimation 16h; Compositing 2d\twide, rain"
        for n in range(10, 150, 10)
    ]
    lines += [f"{name}\t{name}_0150\tten\t1100\tAnimation\t", f"{name}\t{name}/0160\t\t\tKnitting\t"]
    return "\n".join(lines)


def _batch_sheet(ground: _Ground, width: int, height: int) -> tuple[BatchCreateDialog, Callable[[], None]]:
    dialog, end = _batch(ground, width, height)
    dialog.take_text(_sheet(next(ground.numbers)))
    dialog.tasks.add.click()
    dialog.tasks.add.click()
    turn(300)
    return dialog, end


def _batch_wrong(ground: _Ground, width: int, height: int) -> Built:
    dialog, end = _batch(ground, width, height)
    dialog.numbers.setText("10-200:1o")
    turn_until(dialog.wrong.isVisible, "the message")
    return dialog, end


def _batch_done(ground: _Ground, width: int, height: int) -> tuple[BatchCreateDialog, Callable[[], None]]:
    dialog, end = _batch_sheet(ground, width, height)
    dialog.create_rows()
    turn_until(dialog.undo_button.isVisible, "the shots", also=800)
    return dialog, end


def _undo(ground: _Ground, width: int, height: int) -> Built:
    dialog, end = _batch_done(ground, width, height)
    dialog.undo_button.click()
    undo = dialog.findChildren(UndoDialog)[0]
    turn_until(undo.confirm.isEnabled, "the list", also=300)

    def close() -> None:
        undo.reject()
        end()

    return undo, close


# In the window


def _panel(ground: _Ground, width: int, height: int) -> tuple[Panel, Callable[[], None]]:
    panel = Panel(ground.demo.folder / "home" / "journal", PanelSite(ground.demo.site.url, embedded=True))
    panel.take_desk(ground.desk())
    panel.resize(width, height)
    panel.usual_layout()
    panel.show()
    turn_until(lambda: panel.events.model.count() > 0 and bool(panel.hub.snapshot.handlers), "the events")

    def end() -> None:
        panel.quit()
        panel.deleteLater()

    return panel, end


def _preview(ground: _Ground, width: int, height: int) -> Built:
    panel, end = _panel(ground, width, height)
    runs = ground.demo.service.journal.runs(handler="create_task_folder", states=("done",))
    run = next(one for one in runs if one.project == "salt_marsh")
    assert run.event_row is not None
    # Done already, it would do nothing.
    shutil.rmtree(ground.demo.folder / "drive" / "salt_marsh" / "shots", ignore_errors=True)
    panel.go_to_event(run.event_row)
    turn_until(lambda: bool(panel.detail._cards), "the event")
    dialog = panel.open_preview("create_task_folder")
    planned: list[int] = []
    dialog.planned.connect(planned.append)
    turn_until(lambda: bool(planned), "the plan", also=300)
    return dialog, end


def _catch_up(ground: _Ground, width: int, height: int) -> Built:
    panel, end = _panel(ground, width, height)
    return panel.open_catch_up(), end


def _shadow_empty(ground: _Ground, width: int, height: int) -> tuple[ShadowDialog, Callable[[], None]]:
    panel, end = _panel(ground, width, height)
    dialog = panel.open_shadow()
    assert dialog is not None
    turn_until(dialog.compare.isEnabled, "the comparison")
    dialog.show_report(replace(sample_report(), runs=0, differences=[], doubles=[]))
    return dialog, end


def _shadow(ground: _Ground, width: int, height: int) -> Built:
    dialog, end = _shadow_empty(ground, width, height)
    # There is no second server on the demo's site: this is what one with a few mistakes leaves.
    dialog.show_report(sample_report())
    return dialog, end


def _browser(ground: _Ground, width: int, height: int) -> Built:
    panel, end = _panel(ground, width, height)
    panel._dock["browser"].raise_()
    dock = panel.browser
    turn_until(lambda: dock.tree.topLevelItemCount() > 0, "the projects")
    item = dock.tree.topLevelItem(0)
    for _ in range(3):
        assert item is not None
        item.setExpanded(True)
        turn_until(partial(_filled, item), "the tree", also=100)
        item = item.child(0)
    assert item is not None
    dock.tree.setCurrentItem(item)
    turn_until(lambda: bool(dock.buttons), "the actions", also=500)
    dock.launch("signalbox.upload_media")
    turn_until(lambda: dock.form is not None, "the form")
    return panel, end


def _filled(item: QTreeWidgetItem) -> bool:
    child = item.child(0)
    return child is not None and child.text(0) != "reading…"


def _actions(ground: _Ground, width: int, height: int) -> Built:
    panel, end = _panel(ground, width, height)
    panel._dock["actions"].raise_()
    turn_until(lambda: bool(panel.actions_dock._cards), "the actions", also=900)
    return panel, end


def _transcode(ground: _Ground) -> dict[str, Any]:
    return {
        "input": str(ground.plates),
        "frames": f"1001-{1000 + _PLATES}",
        "output": str(ground.plates.parent / f"NJ_0010_v{next(ground.numbers):03d}.mp4"),
        "chunk_size": 25,
    }


def _job_live(ground: _Ground, width: int, height: int) -> Built:
    panel, end = _panel(ground, width, height)
    panel.show_page(2)
    asked = {"job_type": "dailies-transcode", "name": "NJ_0010 dailies", "settings": _transcode(ground)}
    made: list[int] = []
    panel.hub.order("submit_job", asked, "Job", lambda answer: made.append(int(answer["job"])), quiet=True)
    turn_until(lambda: bool(made), "the job")
    panel.go_to_job(made[0])
    dock = panel.jobs
    dock.left.setCurrentIndex(1)
    journal = ground.demo.service.journal
    turn_until(lambda: journal.job(made[0]).completed >= 3 and dock.log.model.count() > 4, "the job at work", also=250)

    def close() -> None:
        panel.hub.order("job_cancel", {"job": made[0]}, "Cancel", quiet=True)
        turn_until(lambda: journal.job(made[0]).status in {"canceled", "completed"}, "the job's end")
        end()

    return panel, close


def _job_run(ground: _Ground, width: int, height: int) -> Built:
    panel, end = _panel(ground, width, height)
    panel.show_page(1)
    workbench: Any = panel._workbench
    turn_until(lambda: bool(workbench.scripts.infos()), "the scripts")
    workbench.open_script("dailies_transcode.js")
    turn_until(lambda: workbench.document.name == "dailies_transcode.js" and not workbench.runner.busy, "the script")
    form = workbench.inputs.form
    form.set_values({**form.values(), **_transcode(ground)})
    workbench._request(now=True)
    turn_until(lambda: workbench.preview.good is not None and not workbench.runner.busy, "the tasks")
    workbench.run_button.click()
    dialog = panel.findChildren(JobRunDialog)[0]
    turn_until(dialog.submit.isEnabled, "the command lines", also=200)
    return dialog, end
