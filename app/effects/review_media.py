"""Make review media in the heavy pool: probe, transcode, slate, thumbnail, in an own temporary folder."""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from fractions import Fraction
from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field

from app.engine.kinds import EffectFailed, SlowEffect, SlowTools
from app.engine.protocol import Own
from app.media import MediaRefused, Progress, ReviewSettings, SlateText, gather, make_review
from app.process import ProgramMissing

__all__ = ["DropReviewMedia", "MakeReviewMedia"]

_KEPT_SECONDS = 2 * 86400.0
_DONE = "done.json"


class _Temporary(SlowEffect):
    """Shares the folder: named after the work, so that a resumed run finds what was made."""

    work: str

    def folder(self, tools: SlowTools) -> Path:
        base = tools.doors.temp_root or Path(tempfile.gettempdir()) / "signalbox"
        return base / f"review-{self.work}"


class MakeReviewMedia(_Temporary):
    """Results: ``movie``, ``image``, ``webm``, ``thumbnail`` (paths or ""), ``meta``, ``facts``, ``frames``.

    Attributes:
        source: What a person chose: a file, or a sequence pattern with its range.
        work: Name of the temporary folder.
        rate: Frames per second of shot or project, "24000/1001" or "24".
        slate: Texts of the slate, or None.
        date: Date on the slate.
        first_frame: Number burnt into the first frame; None takes the sequence's own, 1 for a movie.
        options: `app.media.ReviewSettings` by name.
    """

    kind: ClassVar[str] = "review_media"

    source: str
    rate: str = "24"
    slate: tuple[str, ...] | None = None
    date: str = ""
    first_frame: int | None = None
    options: dict[str, Any] = Field(default_factory=dict)

    def describe(self) -> str:
        slate = " with a slate" if self.slate is not None else ""
        return f"make the review media of {self.source}{slate}"

    def apply(self, tools: SlowTools) -> dict[str, Any]:
        folder = self.folder(tools)
        _sweep(folder.parent)
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        try:
            results = self._make(folder, tools)
        except MediaRefused as refused:
            shutil.rmtree(folder, ignore_errors=True)
            raise EffectFailed(str(refused)) from refused
        except ProgramMissing as missing:
            raise EffectFailed(str(missing)) from missing
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        (folder / _DONE).write_text(json.dumps(results), "utf-8")
        return results

    def _make(self, folder: Path, tools: SlowTools) -> dict[str, Any]:
        sources = gather([self.source])
        if len(sources) != 1:
            raise MediaRefused(f"{self.source} holds {len(sources)} media; choose one.")
        tools.progress(f"looking at {sources[0].label}")
        first = self.first_frame
        if first is None:
            first = sources[0].frames[0] if sources[0].frames else 1
        slate = None if self.slate is None else SlateText(self.slate, self.date, first)

        def said(progress: Progress) -> None:
            tools.progress(f"transcoding {progress.fraction:.0%} ({progress.speed:.0f} frames/s)")

        media = make_review(
            sources[0],
            folder,
            rate=Fraction(self.rate),
            slate=slate,
            settings=ReviewSettings(**self.options),
            on_progress=said,
            cancel=tools.cancel,
        )
        for warning in media.warnings:
            tools.log.warning("%s", warning)
        return {
            "movie": str(media.movie or ""),
            "image": str(media.image or ""),
            "webm": str(media.webm or ""),
            "thumbnail": str(media.thumbnail),
            "meta": json.dumps(media.meta),
            "facts": media.facts.words(),
            "frames": media.facts.frames,
            "warnings": list(media.warnings),
        }

    def is_done(self, tools: SlowTools) -> dict[str, Any] | None:
        try:
            results: dict[str, Any] = json.loads((self.folder(tools) / _DONE).read_text("utf-8"))
        except (OSError, ValueError):
            return None
        made = [results[key] for key in ("movie", "image", "webm", "thumbnail") if results[key]]
        return results if all(Path(path).is_file() for path in made) else None

    def inverse(self, before: Any, after: Any, own: Own) -> list[Any]:
        del before, after, own
        return []


class DropReviewMedia(_Temporary):
    """Remove the temporary folder when everything is published."""

    kind: ClassVar[str] = "drop_review_media"

    def describe(self) -> str:
        return "remove the temporary files"

    def apply(self, tools: SlowTools) -> dict[str, Any]:
        shutil.rmtree(self.folder(tools), ignore_errors=True)
        return {}

    def inverse(self, before: Any, after: Any, own: Own) -> list[Any]:
        del before, after, own
        return []


def _sweep(base: Path) -> None:
    """Remove what runs that never ended left behind."""
    if not base.is_dir():
        return
    for folder in base.glob("review-*"):
        try:
            if time.time() - folder.stat().st_mtime > _KEPT_SECONDS:
                shutil.rmtree(folder, ignore_errors=True)
        except OSError:
            continue
