"""The upload dialog as an artist uses it: on the embedded site, with the real engine and real movies."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from artist_room import Studio, studio_in
from hand import Hand, tab_to
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent, QGuiApplication
from PySide6.QtWidgets import QApplication, QLabel
from pytestqt.qtbot import QtBot

from app.service.event_server import Installation
from ui.dialogs.clip_row import ClipRow
from ui.dialogs.upload import UploadDialog
from ui.models.uploads import Clip, Uploads, progress_of
from ui.upload_app import Agent, ArtistStation


@pytest.fixture
def studio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Studio]:
    with studio_in(tmp_path, monkeypatch) as made:
        yield made


@pytest.fixture
def station(studio: Studio, qtbot: QtBot, dark: None) -> Iterator[ArtistStation]:
    made = ArtistStation(Installation(studio.installation.store, studio.folder / "home" / "uploads"))
    yield made
    end(made, qtbot)


def end(station: ArtistStation, qtbot: QtBot) -> None:
    if not station._closed:
        with qtbot.waitSignal(station.stopped):
            station.close()
        station.deleteLater()


def opened(station: ArtistStation, qtbot: QtBot, task: str = "", *files: str) -> UploadDialog:
    station.open(task, files)
    dialog = station.dialog
    assert dialog is not None
    qtbot.waitExposed(dialog)
    qtbot.waitUntil(lambda: dialog.picker.list.count() > 0)
    return dialog


def task_of(studio: Studio) -> str:
    rows = studio.rows('select id, name, parent.name from Task where project.name is "nightjar" order by name limit 1')
    return str(rows[0]["id"])


def drop(dialog: UploadDialog, *paths: Path | str) -> None:
    """As a file manager does."""
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
    actions, button, keys = Qt.DropAction.CopyAction, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    enter = QDragEnterEvent(QPoint(40, 200), actions, mime, button, keys)
    QApplication.sendEvent(dialog, enter)
    assert enter.isAccepted()
    QApplication.sendEvent(dialog, QDropEvent(QPointF(40, 200), actions, mime, button, keys))


def states(dialog: UploadDialog) -> list[str]:
    return [clip.state for clip in dialog.uploads.clips.values()]


def test_an_artist_publishes_a_dropped_clip_with_two_clicks_after_the_drop(
    studio: Studio, station: ArtistStation, qtbot: QtBot
) -> None:
    clip = studio.clip('take "one" 50% <b>v07.mov')
    dialog = opened(station, qtbot)
    drop(dialog, clip)
    hand = Hand(qtbot)
    qtbot.waitUntil(lambda: states(dialog) == ["ready"])
    row = next(iter(dialog._rows.values()))
    assert "12 frames" in row.facts.whole()
    assert row.picture.has_picture()
    assert not dialog.publish_button.isEnabled(), "nobody has chosen a task"
    tasks = dialog.picker.list
    qtbot.keyClicks(dialog.picker.search, "nightjar 001_0010 animation")
    qtbot.waitUntil(lambda: dialog.picker._view == "search" and len(dialog.picker._rows) == 1)
    hand.click(tasks.viewport(), tasks.visualItemRect(tasks.item(0)).center())
    qtbot.waitUntil(dialog.publish_button.isEnabled)
    chosen = dialog.picker.task()
    assert chosen is not None
    task = chosen.id
    hand.click(dialog.publish_button)
    qtbot.waitUntil(lambda: states(dialog) == ["done"])
    assert hand.clicks <= 3
    versions = studio.rows(f'select id, comment, status.name, asset.name from AssetVersion where task_id is "{task}" '
                           'and asset.name is "ReviewAsset"')  # fmt: skip
    assert [(one["status"]["name"], one["comment"]) for one in versions] == [
        ("Pending Internal Review", "Upload for Internal Review")
    ]


def test_names_that_look_like_markup_are_shown_as_they_are(
    studio: Studio, station: ArtistStation, qtbot: QtBot
) -> None:
    dialog = opened(station, qtbot, task_of(studio))
    dialog.add_files([str(studio.folder / "<img src=x><b>gone.mov")])
    qtbot.waitUntil(lambda: states(dialog) == ["refused"])
    row = next(iter(dialog._rows.values()))
    assert "<img src=x>" in row.name.whole()
    assert "does not exist" in row.state.whole()
    plain = [label for label in row.findChildren(QLabel) if label.text()]
    assert plain
    assert all(label.textFormat() == Qt.TextFormat.PlainText for label in plain)
    assert "<b>" not in row.name.toolTip()


def test_paths_and_addresses_are_pasted_and_frames_become_one_sequence(
    studio: Studio, station: ArtistStation, qtbot: QtBot
) -> None:
    import subprocess

    from app.media.ffmpeg import ffmpeg_path

    folder = studio.drive / "nightjar" / "io" / "plate one"
    folder.mkdir(parents=True)
    command = [str(ffmpeg_path()), "-nostdin", "-loglevel", "error", "-f", "lavfi", "-i", "testsrc2=size=64x36",
               "-frames:v", "4", "-start_number", "1001", str(folder / "plate.%04d.png")]  # fmt: skip
    subprocess.run(command, check=True)
    (folder / "plate.1003.png").unlink()
    movie = studio.clip("take_v02.mov")
    dialog = opened(station, qtbot, task_of(studio))
    frames = "\n".join(str(path) for path in sorted(folder.iterdir()))
    QGuiApplication.clipboard().setText(f"{frames}\nfile://{movie}\n/nowhere/gone.mov\nhttps://elsewhere/clip.mov")
    dialog.setFocus()
    qtbot.keyClick(dialog, Qt.Key.Key_V, Qt.KeyboardModifier.ControlModifier)
    qtbot.waitUntil(lambda: len(states(dialog)) == 4 and "looking" not in states(dialog))
    clips = {clip.label: clip for clip in dialog.uploads.clips.values()}
    assert clips["plate.%04d.png [1001-1004]"].facts is not None
    assert clips["plate.%04d.png [1001-1004]"].facts.missing == (1003,)
    assert clips["take_v02.mov"].state == "ready"
    assert {clip.state for label, clip in clips.items() if "gone" in label or "clip.mov" in label} == {"refused"}


def test_everything_is_done_by_keyboard_alone(studio: Studio, station: ArtistStation, qtbot: QtBot) -> None:
    clip = studio.clip("keys.mov", 3)
    dialog = opened(station, qtbot)
    assert dialog.picker.search.hasFocus() or dialog.focusWidget() is dialog.picker.search
    task = studio.rows('select name, parent.name from Task where project.name is "nightjar" order by name limit 1')[0]
    qtbot.keyClicks(dialog.picker.search, f"{task['parent']['name']} {task['name']}")
    qtbot.waitUntil(lambda: bool(dialog.picker._rows) and dialog.picker._view == "search")
    qtbot.waitUntil(lambda: all(task["name"] in row.name for row in dialog.picker._rows.values()))
    qtbot.keyClick(dialog.picker.search, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: dialog.picker.task() is not None)
    QGuiApplication.clipboard().setText(str(clip))
    tab_to(qtbot, dialog, dialog.paste_button)
    qtbot.keyClick(dialog.paste_button, Qt.Key.Key_Space)
    qtbot.waitUntil(lambda: states(dialog) == ["ready"])
    tab_to(qtbot, dialog, dialog.note)
    qtbot.keyClicks(dialog.note, "please look at the wing")
    qtbot.keyClick(dialog.note, Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)
    qtbot.waitUntil(lambda: states(dialog) == ["done"])
    assert any(note["content"] == "please look at the wing" for note in studio.rows("select content from Note"))
    qtbot.waitUntil(lambda: dialog.note.toPlainText() == "")


def test_a_typed_note_and_waiting_clips_survive_a_crash_and_go_on(
    studio: Studio, station: ArtistStation, qtbot: QtBot
) -> None:
    one, two = studio.clip("one.mov", 3), studio.clip("two.mov", 3)
    dialog = opened(station, qtbot, task_of(studio), str(one), str(two))
    qtbot.waitUntil(lambda: states(dialog) == ["ready", "ready"])
    dialog.note.setPlainText("never lost\n  so much typed")
    dialog.pause_button.setEnabled(True)
    dialog.pause_button.setChecked(True)
    dialog.publish_button.click()
    assert states(dialog) == ["waiting", "waiting"]
    draft = studio.folder / "home" / "state" / "upload-draft.json"
    qtbot.waitUntil(lambda: draft.exists() and "never lost" in draft.read_text())
    kept = draft.read_text()
    end(station, qtbot)
    draft.write_text(kept)  # what a power cut leaves: the draft of that moment, no farewell
    again = ArtistStation(Installation(studio.installation.store, studio.folder / "home" / "uploads"))
    fresh = opened(again, qtbot)
    try:
        assert fresh.note.toPlainText() == "never lost\n  so much typed"
        qtbot.waitUntil(lambda: states(fresh) == ["done", "done"])
        runs = [clip.run for clip in fresh.uploads.clips.values()]
        assert len(set(runs)) == 2
    finally:
        end(again, qtbot)


def test_a_clip_on_its_way_is_stopped_and_retried(studio: Studio, station: ArtistStation, qtbot: QtBot) -> None:
    clip = studio.clip("long.mov", 300, "640x360")
    task = task_of(studio)
    dialog = opened(station, qtbot, task, str(clip))
    qtbot.waitUntil(lambda: states(dialog) == ["ready"])
    dialog.publish_button.click()
    key = next(iter(dialog.uploads.clips))
    phases: set[str] = set()

    def transcoding() -> bool:
        phases.add(dialog.uploads.clips[key].phase)
        return "transcode" in phases

    qtbot.waitUntil(transcoding)
    assert dialog.row(key).bar.accessibleName().endswith("of 4")
    dialog.row(key).drop_button.click()
    qtbot.waitUntil(lambda: states(dialog) == ["cancelled"])
    assert studio.rows(f'select id from AssetVersion where task_id is "{task}" and asset.name is "ReviewAsset"') == []
    dialog.row(key).retry_button.click()
    qtbot.waitUntil(lambda: states(dialog) == ["done"])
    assert (
        len(studio.rows(f'select id from AssetVersion where task_id is "{task}" and asset.name is "ReviewAsset"')) == 1
    )


def test_the_slate_is_seen_before_it_is_burnt_in(studio: Studio, station: ArtistStation, qtbot: QtBot) -> None:
    clip = studio.clip("slate_v04.mov", 24)
    dialog = opened(station, qtbot, task_of(studio), str(clip))
    qtbot.waitUntil(dialog.preview.has_picture)
    plain = dialog.preview._pixmap.toImage()
    dialog.slate.click()
    qtbot.waitUntil(lambda: dialog.preview._pixmap.toImage() != plain)


def test_who_has_never_signed_in_is_asked_once(
    studio: Studio, qtbot: QtBot, dark: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("FTRACK_SERVER", "FTRACK_API_USER", "FTRACK_API_KEY"):
        monkeypatch.delenv(name)
    station = ArtistStation(Installation.load(journal=studio.folder / "home" / "uploads"))
    try:
        station.open()
        asks = station.sign_in
        assert asks is not None
        qtbot.keyClicks(asks.server, studio.site.url)
        qtbot.keyClicks(asks.user, studio.site.user)
        qtbot.keyClicks(asks.key, "wrong")
        asks.enter.click()
        qtbot.waitUntil(asks.problem.isVisible)
        assert "wrong" not in asks.problem.text().split()
        asks.key.clear()
        qtbot.keyClicks(asks.key, studio.site.key)
        qtbot.keyClick(asks.key, Qt.Key.Key_Return)
        qtbot.waitUntil(lambda: station.dialog is not None)
        settings = (studio.folder / "home" / "settings.toml").read_text()
        assert studio.site.key not in settings
        assert station.signed_in()
    finally:
        end(station, qtbot)


def test_a_damaged_draft_is_no_reason_not_to_open(studio: Studio, station: ArtistStation, qtbot: QtBot) -> None:
    draft = studio.folder / "home" / "state" / "upload-draft.json"
    draft.parent.mkdir(parents=True, exist_ok=True)
    draft.write_text(json.dumps({"note": 3, "clips": "?"}))
    dialog = opened(station, qtbot)
    assert dialog.note.toPlainText() == ""
    assert isinstance(dialog.uploads, Uploads)


@pytest.mark.parametrize(
    ("words", "phase", "said"),
    [("looking at a.mov", "probe", "Looking at the clip"),
     ("transcoding 45% (30 frames/s)", "transcode", "Making the review media, 45 %, 30 frames/s"),
     ("upload review.mp4 as ftrackreview-mp4 to ftrack.server", "upload", "Uploading review.mp4"),
     ("uploading a take as made to order.mov", "upload", "Uploading a take as made to order.mov"),
     ("remove the temporary files", "publish", "Setting the version's status"),
     ("the drive is not mounted", "upload", "the drive is not mounted")],
)  # fmt: skip
def test_progress_is_told_in_the_artists_four_steps(words: str, phase: str, said: str) -> None:
    assert (found := progress_of(words, "upload"))[0] == phase
    assert found[2] == said
    assert 0 <= found[1] <= 1


def test_each_step_of_a_clip_has_a_bar_of_its_own(dark: None, qtbot: QtBot) -> None:
    clip = Clip("k", "/p/take.mov", "take.mov", state="working", phase="upload", fraction=0.5, words="Uploading a.mov")
    row = ClipRow(clip)
    qtbot.addWidget(row)
    assert row.bar.filled() == [1.0, 1.0, 0.5, 0.0]
    assert row.bar.accessibleName() == "Upload, step 3 of 4"
    assert row.state.whole() == "Uploading a.mov"


def test_an_agent_that_was_started_before_the_network_hears_its_person_once_the_site_answers(
    studio: Studio, station: ArtistStation, qtbot: QtBot
) -> None:
    port = studio.site.port
    studio.site.stop()
    agent = Agent(station, again_ms=200)
    try:
        with qtbot.waitSignal(agent.cannot_hear, timeout=30_000) as told:
            agent.start()
        assert "does not answer" in told.args[0]
        assert agent.ear is None
        studio.site.start(port)
        qtbot.waitUntil(lambda: agent.ear is not None, timeout=30_000)
    finally:
        agent.close()
