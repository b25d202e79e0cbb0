"""A whole random production: site, artists, drive, workspace, engine with all handlers, and the judge at the end."""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from zoneinfo import ZoneInfo

from checker import HANDLERS, Judge, Site, Studio, Verdict
from sandbox_process import SandboxProcess
from signal_room import SignalRoom

from app.resources import resource
from app.sandbox.simulate import Artists
from app.sandbox.slack_api import Member, SlackServer


class Play:
    """A site, artists, a drive and a workspace: one random production."""

    def __init__(self, folder: Path, seed: int, workers: int) -> None:
        self.folder = folder
        self.closed = False
        self.behind = 0.0
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

    def act(self, steps: int, chunk: int = 15) -> None:
        """Let the artists act, a burst at a time, and the engine follow."""
        for _ in range(0, steps, chunk):
            began = time.monotonic()
            self.artists.act(chunk)
            self.room.feed()
            self.behind = max(self.behind, time.monotonic() - began)

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
        return Judge(Site(self.folder / "site"), studio, on, close=self.behind + 1).judge()

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
