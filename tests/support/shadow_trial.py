"""A studio whose old server still works, with mistakes in it, while artists hand in one step after another."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from listening import until
from program import program_environment
from studio import Studio

from app.journal.journal import Journal

_SCRIPT = Path(__file__).with_name("old_server.py")


class ShadowTrial:
    """The old server beside a Signalbox whose levers stand at Dry run.

    Args:
        studio: Where.
        folder: For the old server's log.
        mistakes: What the old server gets wrong, and at what (see `old_server`).

    Attributes:
        old_user: Whom the old server signs in as, so that what it does can be told from what people do.
        asset: The asset that the artists' versions are of.
    """

    def __init__(self, studio: Studio, folder: Path, mistakes: Mapping[str, Sequence[str]]) -> None:
        self._studio, self._mistakes = studio, mistakes
        self._log = folder / "old.log"
        rows = studio.rows("select username from User where is_active is true order by username")
        self.old_user = next(row["username"] for row in rows if row["username"] != studio.site.user)
        upload = studio.named("AssetType", "Upload")
        self.asset = studio.create("Asset", name="steps", context_id=studio.shot["id"], type_id=upload)

    @contextmanager
    def old_server(self) -> Iterator[None]:
        """The old server, listening."""
        environment = program_environment(self._studio.home, **self._studio.environment())
        environment["FTRACK_API_USER"] = self.old_user
        said = self._log.with_suffix(".err")
        with said.open("w") as errors:
            process = subprocess.Popen(
                [sys.executable, _SCRIPT, self._studio.drive, self._log, json.dumps(self._mistakes)],
                env=environment,
                stdout=subprocess.DEVNULL,
                stderr=errors,
            )
        try:
            assert until(lambda: self._log.exists() and "listening" in self._log.read_text(), 60), said.read_text()
            yield
        finally:
            process.terminate()
            process.wait(20)

    def hand_in(self, numbers: range) -> None:
        """Artists' steps: a task, a version of it, and the version is handed in."""
        for number in numbers:
            self._studio.shot = self._studio._shots[number % len(self._studio._shots)]
            task = self._studio.create_task(f"step{number:03}")
            version = self._studio.create("AssetVersion", asset_id=self.asset, task_id=task, comment=f"take {number}")
            self._studio.set_status("AssetVersion", version, "Pending Internal Review")

    def stray(self) -> None:
        """A task directly under the project, which gets no folder from Signalbox."""
        project = self._studio.project["id"]
        kind = self._studio.named("Type", "Compositing")
        self._studio.create("Task", name="stray", parent_id=project, project_id=project, type_id=kind)

    def wait_settled(self, journal: Journal, looks: int) -> None:
        """Until the old server has dealt with the stray task, and Signalbox with what both did.

        What the old server does is heard by Signalbox too: so many looks in a row must find nothing new.
        """
        assert until((self._studio.drive / self._studio.project["name"] / "stray").is_dir, 120)
        newest: list[int] = []

        def quiet() -> bool:
            newest.append(journal.last_event_id())
            settled = journal.cursor() >= newest[-1] and not journal.queue_length()
            return settled and len(newest) > looks and newest[-looks] == newest[-1]

        assert until(quiet, 120)
