"""Believable jobs in a journal: what the pictures of the Jobs dock show and what its tests read.

Everything is written through the journal's own interface, as the engine writes it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from app.journal.farm_jobs import RemoteJob, RemoteTask
from app.journal.jobs import NewJob, NewTask
from app.journal.journal import Journal
from app.journal.rows import RunState
from ui.sample_day import Clock

CHUNKS = 9


@dataclass(frozen=True, slots=True)
class SampleJobs:
    """What was written: ids of the jobs by what they show."""

    folder: Path
    running: int
    failed: int
    done: int
    to_confirm: int
    farm: int


def write_jobs(folder: Path, *, now: float) -> SampleJobs:
    """Add jobs that end at `now` (UTC epoch seconds) to the journal in `folder`."""
    clock = Clock(now - 5_400)
    journal = Journal.open(folder, clock=clock)
    try:
        return _Writer(journal, clock, now).write()
    finally:
        journal.close()


class _Writer:
    def __init__(self, journal: Journal, clock: Clock, now: float) -> None:
        self.journal, self.clock, self.now = journal, clock, now

    def write(self) -> SampleJobs:
        farm = self._farm()
        done = self._done()
        failed = self._failed()
        to_confirm = self._to_confirm()
        running = self._running()
        return SampleJobs(self.journal.folder, running, failed, done, to_confirm, farm)

    def _add(self, name: str, job_type: str, tasks: Sequence[NewTask], who: str, *, confirm: bool = False) -> int:
        job = NewJob(
            name,
            job_type,
            tasks,
            settings={"frames": "1001-1250", "fps": 24, "render_output_root": "/data/production/bigbuck/shots"},
            metadata={"project": "bigbuck"},
            who=who,
            script_hash=f"sample-{name}",
            hold="confirm" if confirm else "",
        )
        job_id, _new = self.journal.add_job(job)
        return job_id

    def _move(self, job: int, task: int, state: RunState, reason: str = "", seconds: float = 0.0) -> None:
        self.clock.now = min(self.now, self.clock.now + seconds)
        row = self.journal.job_task(job, task)
        assert row.run_id is not None
        if state == "running":
            self.journal.set_task_worker(row.id, "ws-lighting-04")
        self.journal.set_state([row.run_id], state, reason)

    def _log(self, job: int, task: int, lines: Sequence[str]) -> None:
        path = self.journal.task_log_path(job, task)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")

    @staticmethod
    def _transcode(shot: str) -> list[NewTask]:
        folder = f"/data/production/bigbuck/shots/{shot}/dailies"
        tasks = [
            NewTask("make-folder", "file-management", [{"name": "make-directory", "parameters": {"path": folder}}])
        ]
        for chunk in range(CHUNKS):
            first = 1001 + chunk * 25
            argv = ["-y", "-start_number", str(first), "-i", f"{folder}/{shot}.%04d.exr", "-frames:v", "25"]
            command = {"name": "exec", "parameters": {"exe": "ffmpeg", "args": [*argv, f"{folder}/{chunk:02d}.mov"]}}
            tasks.append(NewTask(f"transcode-{first}-{first + 24}", "ffmpeg", [command], dependencies=[0], steps=25))
        join = {"name": "exec", "parameters": {"exe": "ffmpeg", "args": ["-f", "concat", "-i", "list.txt", "out.mp4"]}}
        tasks.append(NewTask("join", "ffmpeg", [join], dependencies=list(range(1, CHUNKS + 1))))
        return tasks

    def _running(self) -> int:
        self.clock.now, shot = self.now - 95, "BC_0042"
        job = self._add("BC_0042 dailies", "dailies-transcode", self._transcode("BC_0042"), "anna.berg")
        self._move(job, 1, "running", seconds=1)
        self._move(job, 1, "done", seconds=1)
        for task in range(2, 7):
            self._move(job, task, "running", seconds=1)
            self._log(job, task, _ffmpeg_lines(shot, 1001 + (task - 2) * 25, 25))
            self._steps(job, task, 25)
            self._move(job, task, "done", seconds=13)
        self._move(job, 7, "running", seconds=1)
        self._log(job, 7, _ffmpeg_lines(shot, 1126, 16))
        self._steps(job, 7, 16)
        return job

    def _steps(self, job: int, task: int, steps: int) -> None:
        self.journal.set_task_progress(self.journal.job_task(job, task).id, steps)

    def _failed(self) -> int:
        self.clock.now, shot = self.now - 1_500, "BC_0050"
        job = self._add("BC_0050 dailies", "dailies-transcode", self._transcode("BC_0050"), "jonas.weber")
        self._move(job, 1, "running")
        self._move(job, 1, "done", seconds=1)
        for task in (2, 3):
            self._move(job, task, "running")
            self._log(job, task, _ffmpeg_lines(shot, 1001 + (task - 2) * 25, 25))
            self._steps(job, task, 25)
            self._move(job, task, "done", seconds=12)
        why = "exec: ffmpeg ended with 1: BC_0050.1058.exr: No such file or directory"
        self._move(job, 4, "running")
        self._log(job, 4, [*_ffmpeg_lines(shot, 1051, 7), *_FAILURE, f"--- failed: {why} ---"])
        self._move(job, 4, "failed", why, seconds=5)
        for task in range(5, 11):
            self._move(job, task, "running")
            self._log(job, task, _ffmpeg_lines(shot, 1001 + (task - 2) * 25, 25))
            self._steps(job, task, 25)
            self._move(job, task, "done", seconds=12)
        return job

    def _done(self) -> int:
        self.clock.now = self.now - 4_000
        copy = {"name": "copy-file", "parameters": {"src": "/data/a.exr", "dest": "/data/publish/a.exr"}}
        tasks = [NewTask("copy", "file-management", [copy]), NewTask("verify", "misc", [copy], dependencies=[0])]
        job = self._add("BC_0030 publish copy", "publish-copy", tasks, "status_handler")
        for task in (1, 2):
            self._move(job, task, "running", seconds=1)
            self._log(job, task, ["copied /data/a.exr to /data/publish/a.exr"])
            self._move(job, task, "done", seconds=8)
        return job

    def _to_confirm(self) -> int:
        self.clock.now = self.now - 300
        return self._add(
            "Contact sheet test", "contact-sheet", self._transcode("BC_0061")[1:4], "mei.tanaka", confirm=True
        )

    def _farm(self) -> int:
        jobs = [
            RemoteJob(
                f"0000-farm-{number}",
                name,
                "simple-blender-render",
                50,
                status,
                "",
                self.now - age,
                self.now - age / 3,
                done,
                240,
                {"frames": "1-240", "chunk_size": 10},
                {"user.name": who},
                "",
                who,
            )
            for number, (name, status, done, age, who) in enumerate(
                (
                    ("TOS_0110 lighting v012", "completed", 240, 80_000, "sofia.lind"),
                    ("TOS_0120 lighting v003", "active", 150, 2_700, "luca.rossi"),
                )
            )
        ]
        self.journal.mirror_jobs(jobs)
        found = self.journal.job_of_remote("0000-farm-1")
        assert found is not None
        tasks = [
            RemoteTask(
                f"t-{place}",
                place + 1,
                f"render-{place * 10 + 1}-{place * 10 + 10}",
                "blender",
                50,
                "completed" if place < 15 else "active" if place < 18 else "queued",
                "",
                f"render-{place % 3 + 1:02d}" if place < 18 else "",
                self.now - 60,
                10 if place < 15 else 0,
                10,
            )
            for place in range(24)
        ]
        tasks.append(
            RemoteTask("t-video", 25, "frames-to-video", "ffmpeg", 50, "queued", "", "", self.now, 0, 1, range(24))
        )
        self.journal.mirror_tasks(found, tasks)
        return found


_FAILURE = (
    "\x1b[1;31m[image2 @ 0x55d0c8]\x1b[0m \x1b[31mCould not open file : BC_0050.1058.exr\x1b[0m",
    "\x1b[31mError opening input: No such file or directory\x1b[0m",
    "\x1b[33mConversion failed after 7 frames, 18 left\x1b[0m",
)


def _ffmpeg_lines(shot: str, first: int, frames: int) -> list[str]:
    """What a coloured transcode prints."""
    lines = [
        "\x1b[1mffmpeg version 7.1\x1b[0m Copyright (c) 2000-2024 the FFmpeg developers",
        f"\x1b[36mInput #0, image2\x1b[0m, from '{shot}.%04d.exr': start {first}, 24 fps, 2048x1152",
        "  Stream #0:0: Video: exr, gbrapf32le(linear), 2048x1152, \x1b[32m24 fps\x1b[0m",
    ]
    for frame in range(frames):
        slow = frame % 6 == 5
        shade = "\x1b[33mslow disk\x1b[0m " if slow else ""
        lines.append(
            f"frame={frame + 1:5d} fps={'11' if slow else '19'} q=22.0 size={(frame + 1) * 148:7d}kB "
            f"time=00:00:{frame / 24:05.2f} \x1b[90m{shot}.{first + frame}.exr\x1b[0m {shade}"
        )
    return lines
