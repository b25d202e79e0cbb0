"""What the media room says of files: plain data, safe to import anywhere (no decoder is loaded)."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

Kind = Literal["movie", "still", "sequence"]


class MediaRefused(Exception):
    """The media cannot be used; the text tells an artist what is wrong and what to do about it."""


@dataclass(frozen=True, slots=True)
class Source:
    """Something a person handed in: one file, or an image sequence.

    Attributes:
        kind: "file" or "sequence".
        path: The file; for a sequence its first frame.
        pattern: For a sequence "name.%04d.exr" with its folder, else "". The last such mark of the name is the frame's
            number; every other character, "%" and "#" too, is itself.
        frames: Frame numbers present, ascending; empty for a file.
        missing: Frame numbers absent between the first and the last.
    """

    kind: Literal["file", "sequence"]
    path: Path
    pattern: str = ""
    frames: tuple[int, ...] = ()
    missing: tuple[int, ...] = ()

    @property
    def label(self) -> str:
        """Name a person knows it by: "plate.%04d.exr [1001-1010]" or the file's name."""
        if self.kind == "file":
            return self.path.name
        return f"{Path(self.pattern).name} [{self.frames[0]}-{self.frames[-1]}]"

    @property
    def written(self) -> str:
        """As one text that `app.media.gather` understands again: the path, or the pattern with its range."""
        if self.kind == "file":
            return str(self.path)
        numbers = (*self.frames, *self.missing)
        return f"{self.pattern} [{min(numbers)}-{max(numbers)}]"


@dataclass(frozen=True, slots=True)
class MediaFacts:
    """Technical facts of a source, as probed.

    Attributes:
        kind: movie, still or sequence.
        width: Pixels as displayed (rotation and pixel aspect applied).
        height: Pixels as displayed.
        frames: Number of frames that can be read.
        first_frame: Number of the first frame: a sequence's own, 0 for a movie.
        rate: Frames per second as a rational; None for stills and sequences (the shot's rate applies).
        variable_rate: The file has no constant rate; ``rate`` is the nearest usual one to its average.
        codec: Name of the video codec, e.g. "prores", "h264", "exr".
        pixel_format: ffmpeg's name of it, e.g. "yuv422p10le".
        bits: Bits per component.
        alpha: Whether it carries an alpha channel.
        linear: Scene-linear data (OpenEXR): a display transform is applied.
        rotation: Degrees the picture is turned for display.
        audio_channels: 0 without sound.
        bytes: Size on disk of all files.
        modified: Newest modification time, UTC epoch seconds.
        missing: Missing frame numbers of a sequence.
        warnings: What an artist should know.
    """

    kind: Kind
    width: int
    height: int
    frames: int
    first_frame: int
    rate: Fraction | None
    variable_rate: bool
    codec: str
    pixel_format: str
    bits: int
    alpha: bool
    linear: bool
    rotation: int
    audio_channels: int
    bytes: int
    modified: float
    missing: tuple[int, ...] = ()
    warnings: tuple[str, ...] = ()

    def words(self) -> str:
        """One line for a list: "1920x1080, 240 frames, 23.976 fps, prores 10 bit"."""
        parts = [f"{self.width}x{self.height}"]
        if self.kind != "still":
            parts.append(f"{self.frames} frame{'s' if self.frames != 1 else ''}")
        if self.rate is not None:
            parts.append(f"{float(self.rate):.3f}".rstrip("0").rstrip(".") + " fps")
        parts.append(f"{self.codec} {self.bits} bit" + (", alpha" if self.alpha else ""))
        if self.kind == "movie":
            parts.append(f"{self.audio_channels} channel sound" if self.audio_channels else "no sound")
        return ", ".join(parts)


@dataclass(frozen=True, slots=True)
class SlateText:
    """What the slate burns in (studio rule: project | shot | task | version | artist top left, date top right).

    Attributes:
        fields: Joined with " | " at the top left; empty ones are left out.
        date: Top right.
        first_frame: Number of the first frame, burnt in at the bottom.
    """

    fields: tuple[str, ...]
    date: str
    first_frame: int = 1


@dataclass(frozen=True, slots=True)
class ReviewSettings:
    """How the review movie is made.

    Attributes:
        max_width: Larger pictures are scaled down to fit, keeping their shape.
        max_height: See ``max_width``.
        crf: x264 quality, lower is better (18 to 28 are usual).
        preset: x264 preset.
        missing: What happens with holes of a sequence: refuse, hold the frame before, or skip them.
        frame_out: Whether ``ftr_meta`` counts frames (ftrack's own examples) or names the last frame.
        picture_size_in_meta: Add width and height to ``ftr_meta`` (some servers do not play with them).
        lut: A .cube file applied to the picture, or None.
        webm: Also make a ``ftrackreview-webm`` (ftrack itself no longer does).
        silence_seconds: "No progress" time-out of ffmpeg.
    """

    max_width: int = 1920
    max_height: int = 1080
    crf: int = 20
    preset: str = "medium"
    missing: Literal["refuse", "hold", "skip"] = "hold"
    frame_out: Literal["count", "last"] = "count"
    picture_size_in_meta: bool = False
    lut: Path | None = None
    webm: bool = False
    silence_seconds: float = 120.0


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a transcode is: frames written of frames expected, and frames per second."""

    frame: int
    of: int
    speed: float

    @property
    def fraction(self) -> float:
        return min(1.0, self.frame / self.of) if self.of else 0.0


@dataclass(frozen=True, slots=True)
class ReviewMedia:
    """Files made for a review, all in the caller's temporary folder.

    Attributes:
        movie: The review mp4, None for a still.
        image: The review image of a still, None for a movie.
        webm: The webm, where asked for.
        thumbnail: A JPEG for version and task.
        meta: ``ftr_meta`` of the movie or image component.
        facts: Facts of the source.
        warnings: What the artist should know.
    """

    movie: Path | None
    image: Path | None
    webm: Path | None
    thumbnail: Path
    meta: dict[str, Any]
    facts: MediaFacts
    warnings: tuple[str, ...] = field(default=())
