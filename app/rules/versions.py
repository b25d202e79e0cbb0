"""Version numbers and frame numbers in file names."""

from __future__ import annotations

import re
from collections.abc import Iterable

__all__ = ["frame_name", "newest_version", "version_label", "version_number"]

# A version stands at the end of a word: `_v01`, `.v001`, `-v1`, or the whole name. `previous1` has none.
_VERSION = re.compile(r"(?:^|[._\-/\\ ])v(\d{1,6})(?=$|[^0-9A-Za-z])", re.IGNORECASE)
_FRAME = re.compile(r"(?P<stem>.*?)(?P<separator>[._-])(?P<frame>-?\d+)(?P<extension>\.[A-Za-z0-9]+)$")


def version_number(name: str) -> int | None:
    """The version a file or folder name carries (``001_0010_v012.mb`` -> 12), the last one where there are several."""
    found = _VERSION.findall(name)
    return int(found[-1]) if found else None


def version_label(number: int, padding: int = 2) -> str:
    """``v01`` for 1."""
    return f"v{number:0{padding}d}"


def newest_version(names: Iterable[str], *, pattern: str = "") -> str | None:
    """The name with the highest version; names without one are ignored.

    ``v1`` and ``v001`` are the same version: of equals the one sorted last wins, so that the answer does not depend
    on the order of the folder.

    Args:
        names: File or folder names.
        pattern: A regular expression the whole name must match (case ignored); "" accepts every name.
    """
    wanted = re.compile(pattern, re.IGNORECASE) if pattern else None
    best: tuple[int, str] | None = None
    for name in names:
        if wanted is not None and wanted.fullmatch(name) is None:
            continue
        number = version_number(name)
        if number is not None and (best is None or (number, name) > best):
            best = (number, name)
    return None if best is None else best[1]


def frame_name(name: str) -> tuple[str, int, int, str] | None:
    """A frame's file name taken apart: stem with separator, frame number, its padding, extension.

    ``beauty.0101.exr`` -> ``("beauty.", 101, 4, ".exr")``; None for a name without a frame number.
    """
    match = _FRAME.fullmatch(name)
    if match is None:
        return None
    frame = match["frame"]
    return match["stem"] + match["separator"], int(frame), len(frame.lstrip("-")), match["extension"]
