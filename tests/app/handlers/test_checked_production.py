"""Seeded random productions, judged by the independent checker: nothing missing, nothing too much."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from checker import HANDLERS, Judge, Site, Studio, Verdict
from sandbox_process import SandboxProcess
from signal_room import SignalRoom

from app.resources import resource
from app.sandbox.simulate import BAD_NAMES, Artists
from app.sandbox.slack_api import Member, SlackServer


class Play:
    """A site, artists, a drive and a workspace: one random production."""

    def __init__(self, folder: Path, seed: int, workers: int) -> None:
        self.folder = folder
        self.closed = False
        self.site = SandboxProcess(folder / "site")
        self.artists = Artists(self.site.url, self.site.key, self.site.user, seed)
        people = self.artists._client.query(
            self.site.user, "select username, email from User where is_active is true order by username"
        )
        members = [Member(f"U{n:08d}", one["username"], "", one["email"] or "") for n, one in enumerate(people, 1)]
        self.directory = {one.email.lower(): one.id for one in members if one.email}
        self.slack = SlackServer(members)
        self.slack.start()
        self.room = SignalRoom(
            folder / "room", self.site.url, self.site.user, self.site.key, self.slack, workers=workers
        )
        self.drive = self.room.room.drive
        self.room.set("studio", "disk_map", {"/data/production": str(self.drive)})
        for project in ("nightjar", "salt_marsh"):
            target = self.drive / project / "template_files"
            target.mkdir(parents=True)
            for file in resource("task_templates").iterdir():
                shutil.copyfile(file, target / file.name)

    def act(self, steps: int, chunk: int = 25) -> None:
        """Let the artists act, a burst at a time, and the engine follow."""
        for _ in range(0, steps, chunk):
            self.artists.act(chunk)
            self.room.feed()

    def judge(self, on: Sequence[str] = tuple(HANDLERS)) -> Verdict:
        self.close()
        studio = Studio(
            drive=self.drive,
            prefix="/data/production",
            templates=sorted(path.name for path in resource("task_templates").iterdir()),
            server=self.site.user,
            zone=ZoneInfo("Africa/Nairobi"),
            directory=self.directory,
            messages=[(one.channel, one.text) for one in self.slack.messages],
        )
        return Judge(Site(self.folder / "site"), studio, on).judge()

    def close(self) -> None:
        if self.closed:
            return
        self.closed = True
        self.room.close()
        self.artists.close()
        self.slack.stop()
        self.site.stop()


def failures(play: Play) -> list[str]:
    return [f"{run.handler}: {run.reason}" for run in play.room.runs(states=("failed", "retry", "waiting", "in_doubt"))]


def played(folder: Path, *, seed: int, steps: int, workers: int, levers: dict[str, str] | None = None) -> Verdict:
    levers = levers or {}
    play = Play(folder, seed, workers)
    try:
        play.room.start(**levers)
        play.act(steps)
        wrong = failures(play)
        if "create_task_folder" not in levers:
            # The two deliberately bad tasks, and nothing else.
            assert len(wrong) == len(BAD_NAMES), wrong
            assert all("cannot be a folder" in text for text in wrong)
        return play.judge([one for one in HANDLERS if one not in levers])
    finally:
        play.close()


@pytest.mark.parametrize("workers", [1, 8])
def test_a_random_production_is_exactly_what_its_history_demands(tmp_path: Path, workers: int) -> None:
    verdict = played(tmp_path, seed=20 + workers, steps=120, workers=workers)
    assert verdict.differences == []
    assert all(verdict.compared[what] for what in ("path on the drive", "task status", "version on a list", "message"))


@pytest.mark.parametrize("position", ["off", "dry"])
def test_handlers_that_are_not_on_did_nothing(tmp_path: Path, position: str) -> None:
    verdict = played(tmp_path, seed=5, steps=60, workers=4, levers=dict.fromkeys(HANDLERS, position))
    assert verdict.differences == []
    assert verdict.compared["path on the drive"] > 0


@pytest.mark.parametrize(
    "levers",
    [
        {"create_task_folder": "off", "assign_task_status": "dry"},
        {"create_project_folder": "dry", "status_handler": "off"},
        {"add_version_to_list": "off", "set_task_thumbnail": "dry"},
    ],
    ids="-".join,
)
def test_some_handlers_rest_while_the_others_work(tmp_path: Path, levers: dict[str, str]) -> None:
    assert played(tmp_path, seed=7, steps=40, workers=4, levers=levers).differences == []


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("workers", [1, 8])
def test_two_thousand_events_leave_no_difference(tmp_path: Path, workers: int) -> None:
    play = Play(tmp_path, 100 + workers, workers)
    try:
        play.room.start()
        events = 0
        while events < 2000:
            play.artists.act(40)
            events += play.room.feed(300)
        assert len(failures(play)) == len(BAD_NAMES)
        assert play.judge().differences == []
    finally:
        play.close()


def test_the_checker_notices_what_is_missing_and_what_is_too_much(tmp_path: Path) -> None:
    play = Play(tmp_path, 3, 4)
    try:
        play.room.start()
        play.act(60)
        folder = next(path for path in play.drive.rglob("scene/*") if path.is_dir() and not list(path.iterdir()))
        folder.rmdir()
        (play.drive / "nightjar/shots/999/999_0010").mkdir(parents=True)
        play.slack.messages.pop()
        verdict = play.judge()
    finally:
        play.close()
    assert any(str(folder) in one for one in verdict.missing)
    assert any("message" in one for one in verdict.missing)
    assert any("999_0010" in one for one in verdict.unexpected)
