"""The signals page, the Jobs page and their dialogs, on a journal filled with a believable day."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

from ui.panel import Panel, PanelSite
from ui.pictures.stage import SMALL, Built, Scene, turn, turn_until
from ui.sample_day import Day, write_day
from ui.sample_jobs import write_jobs


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
    yield Scene("jobs-empty", lambda w, h: _no_jobs(empty, w, h), (SMALL,))
    yield Scene("jobs-confirm", lambda w, h: _confirm_job(day, jobs.to_confirm, w, h), (SMALL,))
    yield Scene("what-happened", lambda w, h: _finder(day, w, h), (SMALL,))
    yield Scene("settings", lambda w, h: _settings(day, w, h), (SMALL,))
    yield Scene("connect", lambda w, h: _assistant(day, w, h), (SMALL,))
    yield Scene("kept-events", lambda w, h: _kept(day, w, h), (SMALL,))


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
    turn_until(lambda: panel.events.model.count() > 0 and bool(panel.hub.snapshot.handlers), "the events")
    panel.go_to_event(day.project_folder[0])
    turn_until(lambda: bool(panel.detail._cards), "the runs")
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
    turn_until(lambda: dock.list.current_id() == job and dock.log.model.count() > 0, "the job", also=400)
    if graph:
        dock.left.setCurrentIndex(1)
        turn_until(lambda: bool(dock.canvas.graph.cards), "the graph", also=300)
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
    turn_until(lambda: bool(panel.findChildren(JobConfirmDialog)), "the question")
    dialog = panel.findChildren(JobConfirmDialog)[0]
    turn_until(dialog.confirm.isEnabled, "the command lines")
    return dialog, end


def _with_log(day: Day, width: int, height: int) -> Built:
    panel, end = _panel(day, width, height)
    panel._dock["log"].raise_()
    panel.log.show_only(text="slack")
    turn_until(lambda: panel.log.model.count() > 0, "the log")
    return panel, end


def _with_grid(day: Day, width: int, height: int) -> Built:
    panel, end = _panel(day, width, height)
    panel.handlers.tabs.setCurrentIndex(1)
    panel.go_to_run(day.failed_run)
    turn_until(lambda: bool(panel.handlers.grid._levers) and day.failed_run in panel.detail._cards, "the grid")
    return panel, end


def _with_filters(day: Day, width: int, height: int) -> Built:
    panel, end = _panel(day, width, height)
    panel.events.show_only(state="failed", text="status", user="a")
    turn_until(lambda: panel.events.model.count() > 0, "the hits")
    return panel, end


def _finder(day: Day, width: int, height: int) -> Built:
    panel, end = _panel(day, width, height)
    finder = panel.open_finder()
    finder.search.setText("BB_0070")
    turn_until(lambda: finder.hits.count() > 0, "the hits", also=400)
    return finder, end


def _settings(day: Day, width: int, height: int) -> Built:
    panel, end = _panel(day, width, height)
    dialog = panel.open_handler_settings("create_task_folder")
    assert dialog is not None
    row = dialog.row("folder_mode")
    row.set_value("27x5")
    row.touched = True
    row.edited.emit()
    turn(300)
    return dialog, end


def _assistant(day: Day, width: int, height: int) -> Built:
    panel, end = _panel(day, width, height)
    dialog = panel.open_assistant()
    assert dialog is not None
    page = dialog.pages["site"]
    page.fields["server"].setText("http://127.0.0.1:9")
    page.fields["user"].setText("signalbox")
    page.fields["key"].setText("not a key")
    page.button.click()
    turn_until(page.button.isEnabled, "the refusal")
    return dialog, end


def _kept(day: Day, width: int, height: int) -> Built:
    panel, end = _panel(day, width, height)
    dialog = panel.open_kept("status_handler", 12)
    turn(300)
    return dialog, end
