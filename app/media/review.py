"""Make what a review needs: the mp4 (or image), the thumbnail and ``ftr_meta``, in a temporary folder.

Colour: OpenEXR is scene-linear and gets the sRGB transfer curve (no exposure, no tone mapping, values above 1 clip);
everything else is taken as display-referred Rec. 709. A show with another transform sets a .cube LUT.
Every input is given to ffmpeg under a plain name in the temporary folder, so names with quotes, percent signs, spaces
or emoji need no escaping, and holes of a sequence are filled or closed by the links.
"""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

from app.media.ffmpeg import run_ffmpeg
from app.media.model import MediaFacts, MediaRefused, Progress, ReviewMedia, ReviewSettings, SlateText, Source
from app.media.probe import probe, ranges, unchanged
from app.media.sequences import frame_path
from app.resources import resource
from app.rules.words import many

DEFAULT_RATE = Fraction(24)
_FONT = "fonts/JetBrainsMono-Regular.ttf"
_LETTER = 0.6
"""Width of each of its letters, of the font's size."""
_VIDEO = ["-c:v", "libx264", "-profile:v", "high", "-pix_fmt", "yuv420p", "-movflags", "+faststart"]
_COLOUR = ["-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709", "-color_range", "tv"]
_LINEAR_TO_SRGB = "zscale=tin=linear:t=iec61966-2-1:pin=bt709:p=bt709:min=gbr:m=gbr:rin=full:r=full"
_SOUND = ["-c:a", "aac", "-ac", "2", "-ar", "48000", "-b:a", "160k"]


def make_review(
    source: Source,
    folder: Path,
    *,
    rate: Fraction | None = None,
    slate: SlateText | None = None,
    settings: ReviewSettings | None = None,
    facts: MediaFacts | None = None,
    on_progress: Callable[[Progress], None] | None = None,
    cancel: threading.Event | None = None,
) -> ReviewMedia:
    """Probe, convert, check.

    Args:
        source: What a person handed in; only read.
        folder: An own, empty temporary folder; the caller removes it.
        rate: The shot's or project's rate; used for sequences (movies keep their own), else 24.
        slate: Text to burn in, None for none.
        settings: Sizes, quality, policy for missing frames.
        facts: Facts of an earlier probe, to spare one.
        on_progress: Frames written so far.
        cancel: Ends the conversion when set.

    Raises:
        MediaRefused: For an artist. Cancelled, NoProgress, ProgramMissing.
    """
    settings = settings or ReviewSettings()
    thumbnail = folder / "thumbnail.jpg"
    facts = probe(source, thumbnail=thumbnail) if facts is None or not thumbnail.exists() else facts
    if facts.kind == "still":
        return _still(source, folder, facts, thumbnail, slate, settings, cancel)
    frames = _frames_for(source, settings)
    used = facts.rate or rate or DEFAULT_RATE
    inputs = _inputs(source, folder, frames, used)
    movie = folder / "review.mp4"
    expected = len(frames) if facts.kind == "sequence" else facts.frames
    filters = _filters(facts, folder, slate, settings, used)
    sound = ["-map", "0:a:0", *_SOUND] if facts.audio_channels else ["-an"]
    encode = ["-preset", settings.preset, "-crf", str(settings.crf), "-g", str(max(1, round(float(used))))]
    run_ffmpeg(
        [*inputs, "-filter_complex", filters, "-map", "[out]", *sound, *_VIDEO, *_COLOUR, *encode, movie.name],
        folder=folder,
        frames=expected,
        on_progress=on_progress,
        cancel=cancel,
        silence_seconds=settings.silence_seconds,
    )
    made = _checked(source, facts, movie, expected)
    webm = _webm(folder, movie, settings, cancel) if settings.webm else None
    meta = _meta(made.frames, used, made, settings)
    return ReviewMedia(movie, None, webm, thumbnail, meta, facts, _warnings(facts, settings))


def _frames_for(source: Source, settings: ReviewSettings) -> list[Path]:
    """Files in playing order; holes are refused, held or skipped as the settings say. Empty for a movie."""
    if source.kind == "file":
        return []
    if source.missing and settings.missing == "refuse":
        holes = f"{many(len(source.missing), 'missing frame')} ({ranges(source.missing)})"
        raise MediaRefused(f"{source.label} has {holes}. Render them, or allow holes in the settings.")
    present = set(source.frames)
    first, last = min((*source.frames, *source.missing)), max((*source.frames, *source.missing))
    files: list[Path] = []
    held: Path | None = None
    for number in range(first, last + 1):
        if number in present:
            held = frame_path(source, number)
            files.append(held)
        elif settings.missing == "hold":
            files.append(held if held is not None else frame_path(source, source.frames[0]))
    return files


def _inputs(source: Source, folder: Path, frames: list[Path], rate: Fraction) -> list[str]:
    """Link the source into the folder under plain names and give ffmpeg's input arguments."""
    if not frames:
        name = "source" + _plain_suffix(source.path)
        _link(source.path, folder / name)
        return ["-i", name]
    links = folder / "frames"
    links.mkdir()
    suffix = _plain_suffix(source.path)
    for index, path in enumerate(frames):
        _link(path, links / f"{index:07d}{suffix}")
    return [
        "-framerate",
        _fraction(rate),
        "-f",
        "image2",
        "-start_number",
        "0",
        "-i",
        f"frames/%07d{suffix}",
    ]


def _plain_suffix(path: Path) -> str:
    suffix = path.suffix.lower()
    return suffix if suffix[1:].isalnum() and suffix.isascii() else ""


def _link(source: Path, target: Path) -> None:
    """A symbolic link where the system allows it, else a copy: the source itself is never touched."""
    try:
        target.symlink_to(source.resolve())
    except OSError:
        shutil.copyfile(source, target)


def _filters(facts: MediaFacts, folder: Path, slate: SlateText | None, settings: ReviewSettings, rate: Fraction) -> str:
    """One filter graph: shape, alpha over black, LUT, even size, constant rate, slate, yuv420p."""
    width, height = fitted(facts.width, facts.height, settings.max_width, settings.max_height)
    steps = ["setsar=1" if facts.kind == "sequence" else "scale=iw*sar:ih,setsar=1"]
    head = "[0:v:0]"
    graph = ""
    if facts.linear:
        graph, head = f"[0:v:0]{_LINEAR_TO_SRGB}[lit];", "[lit]"
    if facts.alpha:
        graph += (
            f"{head}scale={width}:{height},setsar=1,format=yuva444p[fg];"
            f"color=c=black:s={width}x{height}:r={_fraction(rate)}[bg];"
            "[bg][fg]overlay=shortest=1:format=auto[flat];"
        )
        head, steps = "[flat]", []
    if settings.lut is not None:
        shutil.copyfile(settings.lut, folder / "look.cube")
        steps.append("lut3d=look.cube")
    steps.append(f"scale={width}:{height}:flags=bicubic:out_color_matrix=bt709:out_range=tv")
    if facts.variable_rate:
        steps.append(f"fps={_fraction(rate)}")
    if slate is not None:
        steps.extend(_slate_steps(folder, slate, width, height))
    steps.append("format=yuv420p")
    return graph + head + ",".join(step for step in steps if step) + "[out]"


def fitted(width: int, height: int, max_width: int, max_height: int) -> tuple[int, int]:
    """Largest even size within the limits that keeps the shape; never larger than the source, at least 2x2."""
    scale = min(1.0, max_width / width, max_height / height)
    return max(2, int(width * scale) // 2 * 2), max(2, int(height * scale) // 2 * 2)


def _slate_steps(folder: Path, slate: SlateText, width: int, height: int) -> list[str]:
    """drawtext filters. Texts come from files, so nothing an artist types is read as a filter."""
    size, margin = max(10, height // 45), max(6, height // 60)
    beside_the_date = int((width - 4 * margin) / (_LETTER * size)) - len(slate.date)
    shutil.copyfile(resource(_FONT), folder / "font.ttf")
    (folder / "slate_left.txt").write_text(_lines(slate.fields, beside_the_date), "utf-8")
    (folder / "slate_right.txt").write_text(slate.date, "utf-8")
    look = f"fontfile=font.ttf:fontsize={size}:fontcolor=white:box=1:boxcolor=black@0.55:boxborderw={max(3, size // 3)}"
    number = f"%{{eif\\:n+{slate.first_frame}\\:d\\:4}}"
    return [
        f"drawtext={look}:textfile=slate_left.txt:expansion=none:x={margin}:y={margin}",
        f"drawtext={look}:textfile=slate_right.txt:expansion=none:x=w-tw-{margin}:y={margin}",
        f"drawtext={look}:text='{number}':x=(w-tw)/2:y=h-th-{margin}",
    ]


def _lines(fields: tuple[str, ...], most: int) -> str:
    """The fields in one line, or of a narrow picture or long names in several of at most so many letters."""
    lines: list[str] = []
    for field in filter(None, fields):
        longer = f"{lines[-1]} | {field}" if lines else field
        lines[-1:] = [longer] if not lines or len(longer) <= most else [lines[-1], field]
    return "\n".join(lines)


def _still(
    source: Source,
    folder: Path,
    facts: MediaFacts,
    thumbnail: Path,
    slate: SlateText | None,
    settings: ReviewSettings,
    cancel: threading.Event | None,
) -> ReviewMedia:
    """A still becomes one JPEG review image."""
    image = folder / "review.jpg"
    inputs = _inputs(source, folder, [], DEFAULT_RATE)
    filters = _filters(facts, folder, slate, settings, DEFAULT_RATE)
    filters = filters.removesuffix("format=yuv420p[out]") + "format=yuvj444p[out]"
    filters = filters.replace("out_range=tv", "out_range=pc").replace(
        "out_color_matrix=bt709", "out_color_matrix=bt601"
    )
    run_ffmpeg(
        [
            *inputs,
            "-filter_complex",
            filters,
            "-map",
            "[out]",
            "-frames:v",
            "1",
            "-update",
            "1",
            "-q:v",
            "2",
            image.name,
        ],
        folder=folder,
        frames=1,
        cancel=cancel,
        silence_seconds=settings.silence_seconds,
    )
    made = probe(Source("file", image))
    meta: dict[str, Any] = {"format": "image", "width": made.width, "height": made.height}
    return ReviewMedia(None, image, None, thumbnail, meta, facts, _warnings(facts, settings))


def slate_preview(source: Source, folder: Path, slate: SlateText | None, facts: MediaFacts) -> Path:
    """One frame of the review as it will look, for the dialog: a JPEG in ``folder``."""
    settings = ReviewSettings()
    middle = source
    if source.kind == "sequence":
        middle = Source("file", frame_path(source, source.frames[len(source.frames) // 2]))
    return _preview_frame(middle, folder, slate, facts, settings)


def _preview_frame(
    source: Source, folder: Path, slate: SlateText | None, facts: MediaFacts, settings: ReviewSettings
) -> Path:
    image = folder / "preview.jpg"
    rate = facts.rate or DEFAULT_RATE
    seek = ["-ss", f"{facts.frames / 2 / float(rate):.3f}"] if facts.kind == "movie" and facts.frames > 2 else []
    inputs = _inputs(source, folder, [], rate)
    filters = _filters(facts, folder, slate, settings, rate)
    run_ffmpeg(
        [*seek, *inputs, "-filter_complex", filters, "-map", "[out]", "-frames:v", "1", "-update", "1", image.name],
        folder=folder,
        frames=1,
    )
    return image


def _webm(folder: Path, movie: Path, settings: ReviewSettings, cancel: threading.Event | None) -> Path:
    webm = folder / "review.webm"
    run_ffmpeg(
        [
            "-i",
            movie.name,
            "-c:v",
            "libvpx-vp9",
            "-crf",
            "32",
            "-b:v",
            "0",
            "-row-mt",
            "1",
            "-c:a",
            "libopus",
            webm.name,
        ],
        folder=folder,
        cancel=cancel,
        silence_seconds=settings.silence_seconds,
    )
    return webm


def _checked(source: Source, facts: MediaFacts, movie: Path, expected: int) -> MediaFacts:
    """Probe what was made; a source that changed meanwhile, or lost frames, is refused rather than published."""
    if not unchanged(source, facts):
        raise MediaRefused(f"{source.label} changed while it was converted. Wait until it is finished and try again.")
    made = probe(Source("file", movie))
    if not facts.variable_rate and abs(made.frames - expected) > 1:
        could = f"{made.frames} of {many(expected, 'frame')} could be converted"
        raise MediaRefused(f"{source.label} is damaged: {could}. Export it again.")
    return made


def _meta(frames: int, rate: Fraction, made: MediaFacts, settings: ReviewSettings) -> dict[str, Any]:
    """``ftr_meta`` as ftrack's player wants it: frameIn 0, frameOut the count (or the last frame), the rate."""
    out = frames if settings.frame_out == "count" else frames - 1
    meta: dict[str, Any] = {"frameIn": 0, "frameOut": out, "frameRate": float(rate)}
    if settings.picture_size_in_meta:
        meta.update(width=made.width, height=made.height)
    return meta


def _warnings(facts: MediaFacts, settings: ReviewSettings) -> tuple[str, ...]:
    words = list(facts.warnings)
    if facts.missing and facts.kind == "sequence":
        how = "the frame before is held" if settings.missing == "hold" else "left out of the movie"
        words[-1:] = [f"{many(len(facts.missing), 'frame is', 'frames are')} missing ({ranges(facts.missing)}); {how}."]
    return tuple(words)


def _fraction(rate: Fraction) -> str:
    return f"{rate.numerator}/{rate.denominator}"
