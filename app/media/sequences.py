"""From what a person drops or pastes to sources: files, folders, `file://` URLs, patterns, frame ranges."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import unquote, urlsplit
from urllib.request import url2pathname

from app.media.model import MediaRefused, Source

IMAGE_SUFFIXES = frozenset({".exr", ".dpx", ".png", ".jpg", ".jpeg", ".tif", ".tiff", ".tga", ".cin", ".bmp", ".webp"})
MOVIE_SUFFIXES = frozenset({".mov", ".mp4", ".m4v", ".mkv", ".avi", ".mxf", ".webm", ".mpg", ".mpeg", ".gif", ".wmv"})
_RANGE = re.compile(r"^(?P<pattern>.*?)\s*\[(?P<first>-?\d+)\s*-\s*(?P<last>-?\d+)\]\s*$")
_MARK = re.compile(r"#+|@+|%0?(\d*)d")


def clean_path(text: str) -> Path:
    """The path a person meant: quotes and spaces around it dropped, ``file://`` URLs decoded.

    Raises MediaRefused for other URLs and for an empty text.
    """
    text = text.strip().strip("\"'").strip()
    if not text:
        raise MediaRefused("No path was given. Drop a file, or paste its path.")
    parts = urlsplit(text)
    if parts.scheme == "file":
        if parts.netloc in ("", "localhost"):
            return Path(url2pathname(parts.path))
        return Path(f"//{parts.netloc}{unquote(parts.path)}")
    if len(parts.scheme) > 1 and "://" in text:
        raise MediaRefused(f"{parts.scheme}:// addresses cannot be uploaded. Save the file on a drive first.")
    return Path(text).expanduser()


def gather(inputs: Iterable[str | Path]) -> list[Source]:
    """Group inputs into sources, in the order given; numbered images given together become sequences.

    A folder stands for the media inside it (not below). One numbered image alone is a still; its sequence is meant by
    a pattern ("plate.####.exr", "plate.%04d.exr", with or without " [1001-1010]").

    Raises:
        MediaRefused: A path does not exist or holds no media.
    """
    sources: list[Source] = []
    loose: list[Path] = []
    for item in inputs:
        text = str(item)
        ranged = _RANGE.match(text)
        pattern = ranged["pattern"] if ranged else text
        path = clean_path(pattern)
        if not path.exists() and _MARK.search(path.name):
            limits = (int(ranged["first"]), int(ranged["last"])) if ranged else None
            sources.append(_from_pattern(path, limits))
        elif path.is_dir():
            inside = sorted(p for p in path.iterdir() if p.suffix.lower() in IMAGE_SUFFIXES | MOVIE_SUFFIXES)
            if not inside:
                raise MediaRefused(f"The folder {path} holds no movies or images.")
            loose.extend(inside)
        elif path.exists():
            loose.append(path)
        else:
            raise MediaRefused(f"{path} does not exist. Is the drive connected, and is the path spelled right?")
    return sources + _group(loose)


def _group(paths: list[Path]) -> list[Source]:
    """Numbered images of one name in one folder become a sequence; the rest stay files."""
    order: dict[tuple[Path, str, str, int], list[tuple[int, Path]]] = {}
    keys: list[tuple[Path, str, str, int] | Path] = []
    for path in dict.fromkeys(paths):
        match = re.match(r"^(.*?)(\d+)(\.[^.]+)$", path.name)
        if match and path.suffix.lower() in IMAGE_SUFFIXES:
            key = (path.parent, match[1], match[3], _width(match[2]))
            if key not in order:
                order[key] = []
                keys.append(key)
            order[key].append((int(match[2]), path))
        else:
            keys.append(path)
    sources: list[Source] = []
    for entry in keys:
        if isinstance(entry, Path):
            sources.append(Source("file", entry))
            continue
        members = sorted(order[entry])
        if len(members) == 1:
            sources.append(Source("file", members[0][1]))
            continue
        folder, head, tail, width = entry
        sources.append(_sequence(folder / f"{head}{_number(width)}{tail}", members))
    return sources


def _sequence(pattern: Path, members: list[tuple[int, Path]]) -> Source:
    frames = tuple(sorted({number for number, _ in members}))
    present = set(frames)
    missing = tuple(n for n in range(frames[0], frames[-1] + 1) if n not in present)
    return Source("sequence", members[0][1], str(pattern), frames, missing)


def _from_pattern(path: Path, limits: tuple[int, int] | None) -> Source:
    """Frames on disk that match a pattern, optionally only those within limits (inclusive)."""
    if not path.parent.is_dir():
        raise MediaRefused(f"The folder {path.parent} does not exist. Is the drive connected?")
    head, width, tail = _parts(path.name)
    shape = re.compile(f"{re.escape(head)}(-?\\d+){re.escape(tail)}")
    found = [match for one in path.parent.iterdir() if (match := shape.fullmatch(one.name))]
    if not found:
        raise MediaRefused(f"No frames of {path.name} were found in {path.parent}.")
    # As many digits as the pattern asks for; where no frame has so many, as they come.
    exact = [match for match in found if match[0] == f"{head}{int(match[1]):0{width}d}{tail}"]
    if not exact:
        width = _width(found[0][1])
    members = sorted((int(match[1]), path.parent / match[0]) for match in exact or found)
    if limits is not None:
        members = [m for m in members if limits[0] <= m[0] <= limits[1]]
        if not members:
            raise MediaRefused(f"{path.name} has no frame between {limits[0]} and {limits[1]}.")
    source = _sequence(path.parent / f"{head}{_number(width)}{tail}", members)
    if limits is None:
        return source
    present = set(source.frames)
    missing = tuple(n for n in range(limits[0], limits[1] + 1) if n not in present)
    return Source("sequence", source.path, source.pattern, source.frames, missing)


def _parts(name: str) -> tuple[str, int, str]:
    """What is before the frame's number, how many digits it has (0: as many as it needs), and what is after it."""
    *_, mark = _MARK.finditer(name)
    width = int(mark[1] or 0) if mark[0].startswith("%") else len(mark[0])
    return name[: mark.start()], width, name[mark.end() :]


def _number(width: int) -> str:
    return f"%0{width}d" if width > 1 else "%d"


def _width(digits: str) -> int:
    """Digits of the numbers of a sequence, told by one of them: 0 where they are not filled up."""
    return len(digits) if digits.startswith("0") or len(digits) >= 4 else 0


def padding(source: Source) -> int:
    """Digits of a sequence's frame numbers: 4 for ``%04d``, 0 for ``%d``."""
    return _parts(Path(source.pattern).name)[1]


def frame_path(source: Source, frame: int) -> Path:
    """Path of one frame of a sequence, whatever its padding on disk."""
    pattern = Path(source.pattern)
    head, width, tail = _parts(pattern.name)
    direct = pattern.with_name(f"{head}{frame:0{width}d}{tail}")
    return direct if direct.exists() else pattern.with_name(f"{head}{frame}{tail}")
