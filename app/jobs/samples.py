"""Sample jobs kept per script: what a preview and a deployment are tried with."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import platformdirs

from app.jobs import files
from app.jobs.model import DEFAULT_TIMEZONE, SampleJob

_SAFE = re.compile(r"[^A-Za-z0-9._-]+")


class SampleJobs:
    """One JSON file a sample below ``folder/SCRIPT/``."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder or Path(platformdirs.user_data_dir("signalbox")) / "sample_jobs"

    def _script_folder(self, script: str) -> Path:
        return self.folder / (_SAFE.sub("_", script) + "-" + files.sha256(script)[:8])

    def _file(self, script: str, name: str) -> Path:
        return self._script_folder(script) / (_SAFE.sub("_", name) + "-" + files.sha256(name)[:8] + ".json")

    def list(self, script: str) -> list[SampleJob]:
        """Saved samples, by name; broken files are left out (see ``problems``)."""
        found = []
        for path in self._paths(script):
            try:
                found.append(_sample(json.loads(path.read_text("utf-8"))))
            except (OSError, ValueError, KeyError, TypeError):
                continue
        return sorted(found, key=lambda sample: sample.name)

    def _paths(self, script: str) -> tuple[Path, ...]:
        folder = self._script_folder(script)
        return tuple(sorted(folder.glob("*.json"))) if folder.is_dir() else ()

    def problems(self, script: str) -> tuple[str, ...]:
        """One sentence for each sample that cannot be read."""
        found = []
        for path in self._paths(script):
            try:
                _sample(json.loads(path.read_text("utf-8")))
            except (OSError, ValueError, KeyError, TypeError) as error:
                found.append(f"the sample job {path.name} cannot be read ({error}); delete it or save it anew")
        return tuple(found)

    def save(self, sample: SampleJob) -> None:
        """Write or replace. OSError."""
        target = self._file(sample.script, sample.name)
        target.parent.mkdir(parents=True, exist_ok=True)
        content = {
            "name": sample.name,
            "script": sample.script,
            "job": dict(sample.job),
            "timezone": sample.timezone,
            "created": sample.created,
            "platform": sample.platform,
        }
        files.write_atomically(target, json.dumps(content, indent=1).encode())

    def delete(self, script: str, name: str) -> None:
        """Remove; no error when absent."""
        self._file(script, name).unlink(missing_ok=True)


def _sample(raw: dict[str, Any]) -> SampleJob:
    if not isinstance(raw["job"], dict):
        raise TypeError('"job" must hold a JSON object')
    return SampleJob(
        name=str(raw["name"]),
        script=str(raw["script"]),
        job=raw["job"],
        timezone=str(raw.get("timezone", DEFAULT_TIMEZONE)),
        created=str(raw.get("created", "")),
        platform=str(raw.get("platform", "linux")),
    )
