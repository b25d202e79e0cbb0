"""Technical facts of media, read by PyAV in a child process."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

from app.media.model import MediaFacts, MediaRefused, Source
from app.media.sequences import IMAGE_SUFFIXES, frame_path
from app.process import NoProgress, ProgramFailed, python_child, run_program
from app.rules.words import many

_SECONDS = 60.0
THUMBNAIL_WIDTH = 640


def probe(source: Source, *, thumbnail: Path | None = None, seconds: float = _SECONDS) -> MediaFacts:
    """Facts of one source; with ``thumbnail`` also a JPEG of its middle frame there.

    Raises:
        MediaRefused: In words for an artist: empty, damaged, no picture, still being written.
    """
    answer = probe_many([source], thumbnails=[thumbnail], seconds=seconds)[0]
    if isinstance(answer, MediaRefused):
        raise answer
    return answer


def probe_many(
    sources: Sequence[Source], *, thumbnails: Sequence[Path | None] = (), seconds: float = _SECONDS
) -> list[MediaFacts | MediaRefused]:
    """Facts of many sources with one child process; each answer is facts or the reason for a refusal."""
    answers: list[MediaFacts | MediaRefused | None] = [None] * len(sources)
    items: list[dict[str, Any]] = []
    asked: list[tuple[int, int, float]] = []
    for index, source in enumerate(sources):
        try:
            size, modified = _weigh(source)
        except MediaRefused as refused:
            answers[index] = refused
            continue
        picture = thumbnails[index] if index < len(thumbnails) else None
        middle = source.path if source.kind == "file" else frame_path(source, source.frames[len(source.frames) // 2])
        items.append(
            {
                "file": str(middle),
                "image": source.kind == "sequence" or source.path.suffix.lower() in IMAGE_SUFFIXES,
                "thumbnail": None if picture is None else str(picture),
                "width": THUMBNAIL_WIDTH,
            }
        )
        asked.append((index, size, modified))
    for (index, size, modified), raw in zip(asked, _ask(items, seconds), strict=True):
        answers[index] = _answer(sources[index], raw, size, modified)
    return [answer for answer in answers if answer is not None]


def _ask(items: list[dict[str, Any]], seconds: float) -> list[dict[str, Any]]:
    """Ask one child; should it die on one item, ask again item by item so that only the culprit is refused."""
    if not items:
        return []
    with tempfile.TemporaryDirectory(prefix="signalbox-probe-") as folder:
        request, answer = Path(folder, "request.json"), Path(folder, "answer.json")
        request.write_text(json.dumps(items), "utf-8")
        argv = python_child("app.media.probe_child", str(request), str(answer))
        try:
            run_program(argv, silence_seconds=None, total_seconds=seconds * len(items))
        except (ProgramFailed, NoProgress):
            if len(items) > 1:
                return [answer for item in items for answer in _ask([item], seconds)]
            return [{"error": "unreadable", "detail": "the decoder gave up"}]
        return [dict(raw) for raw in json.loads(answer.read_text("utf-8"))]


def _weigh(source: Source) -> tuple[int, float]:
    """Bytes and newest modification of all files of a source. Raises MediaRefused for missing or empty ones."""
    paths = [source.path] if source.kind == "file" else [frame_path(source, n) for n in source.frames]
    size, modified = 0, 0.0
    for path in paths:
        try:
            status = path.stat()
        except OSError as error:
            raise MediaRefused(
                f"{path} cannot be read: {error.strerror}. Check the drive and the permissions."
            ) from error
        if not path.is_file():
            raise MediaRefused(f"{path} is not a file.")
        if status.st_size == 0:
            raise MediaRefused(f"{path.name} is empty (0 bytes). Export it again.")
        size, modified = size + status.st_size, max(modified, status.st_mtime)
    return size, modified


def _answer(source: Source, raw: dict[str, Any], size: int, modified: float) -> MediaFacts | MediaRefused:
    """Turn the child's answer into facts, or into words for an artist."""
    name = source.label
    match raw.get("error"):
        case "invalid":
            return MediaRefused(
                f"{name} is not a movie or an image that can be read: it is damaged, cut short, or has the wrong "
                "ending. Open it in a player; if that fails too, export it again."
            )
        case "no_picture":
            return MediaRefused(f"{name} has no picture (sound only?). Choose a movie or an image.")
        case "unreadable":
            return MediaRefused(f"{name} could not be read ({raw.get('detail', 'unknown reason')}). Export it again.")
    still = source.kind == "file" and source.path.suffix.lower() in IMAGE_SUFFIXES
    if not still and source.kind == "file" and raw["declared"] > raw["frames"]:
        return MediaRefused(
            f"{name} ends early: {raw['frames']} of {many(raw['declared'], 'frame')} can be read. "
            "It was cut short or is still being written. Wait until it is finished, or export it again."
        )
    if raw["frames"] == 0:
        return MediaRefused(f"{name} holds no frames. Export it again.")
    width, height = _displayed(raw)
    warnings = []
    if raw["variable"]:
        warnings.append("The frame rate varies; the review movie gets a constant one.")
    if source.missing:
        warnings.append(f"{many(len(source.missing), 'frame is', 'frames are')} missing: {ranges(source.missing)}.")
    rate = None if still or source.kind == "sequence" or raw["rate"] is None else Fraction(*raw["rate"])
    return MediaFacts(
        kind="still" if still else "sequence" if source.kind == "sequence" else "movie",
        width=width,
        height=height,
        frames=len(source.frames) if source.kind == "sequence" else raw["frames"],
        first_frame=source.frames[0] if source.kind == "sequence" else 0,
        rate=rate,
        variable_rate=bool(raw["variable"]) and rate is not None,
        codec=raw["codec"],
        pixel_format=raw["pixel_format"],
        bits=raw["bits"],
        alpha=raw["alpha"],
        linear=raw["codec"] == "exr",
        rotation=raw["rotation"],
        audio_channels=raw["audio_channels"],
        bytes=size,
        modified=modified,
        missing=source.missing,
        warnings=tuple(warnings),
    )


def _displayed(raw: dict[str, Any]) -> tuple[int, int]:
    width, height = round(raw["width"] * float(Fraction(*raw["aspect"]))), raw["height"]
    return (height, width) if raw["rotation"] in (90, 270) else (width, height)


def ranges(numbers: Sequence[int]) -> str:
    """Frame numbers as a person writes them: "1003, 1007-1010"."""
    parts: list[str] = []
    start = previous = None
    for number in [*numbers, None]:
        if start is not None and number is not None and previous is not None and number == previous + 1:
            previous = number
            continue
        if start is not None:
            parts.append(str(start) if start == previous else f"{start}-{previous}")
        start = previous = number
    return ", ".join(parts)


def unchanged(source: Source, facts: MediaFacts) -> bool:
    """Whether size and modification times still are those of the probe (a file that grows is not finished)."""
    try:
        return _weigh(source) == (facts.bytes, facts.modified)
    except MediaRefused:
        return False
