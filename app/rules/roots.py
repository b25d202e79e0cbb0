"""Which files the server's account may open for somebody who typed a path into a web page."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path, PureWindowsPath

from app.rules.outcomes import PlanError

__all__ = ["PathRefused", "local_path", "within_roots"]


class PathRefused(PlanError):
    """A path outside the configured roots; the text names the path, not what is there."""


def within_roots(path: Path, roots: Iterable[Path]) -> Path:
    """The path with every link resolved, when it then lies below one of the roots (resolved too).

    Raises PathRefused. Whether the file exists is not told for a path outside: that would be a way to look around.
    """
    try:
        real = path.resolve()
        allowed = [root.resolve() for root in roots]
    except (OSError, RuntimeError) as error:
        raise PathRefused(f"{path} cannot be followed: its links go round in a circle.") from error
    if not path.is_absolute():
        raise PathRefused(f"{path} is not a whole path: begin with the drive.")
    if any(real == root or root in real.parents for root in allowed):
        return real
    names = ", ".join(str(root) for root in roots) or "none are set"
    raise PathRefused(f"{path} does not lie on a production drive ({names}). Copy the file there first.")


def local_path(text: str, maps: Mapping[str, str]) -> Path:
    """A path as this machine sees it: prefixes of other operating systems are exchanged.

    Args:
        text: As a person or another machine wrote it, e.g. ``P:\\\\show\\\\a.mov``.
        maps: Prefix there = prefix here. The longest that fits wins; case counts only where it does on that system.
    """
    plain = text.strip()
    slashed = plain.replace("\\", "/") if _windows(plain) else plain
    best = ""
    for prefix in maps:
        wanted = prefix.replace("\\", "/").rstrip("/")
        same = slashed.casefold() if _windows(prefix) else slashed
        start = wanted.casefold() if _windows(prefix) else wanted
        if (same == start or same.startswith(start + "/")) and len(wanted) > len(best.replace("\\", "/").rstrip("/")):
            best = prefix
    if not best:
        return Path(plain)
    rest = slashed[len(best.replace("\\", "/").rstrip("/")) :]
    return Path(maps[best].rstrip("/") + rest)


def _windows(text: str) -> bool:
    """Whether a path is written the Windows way: a drive letter or a share."""
    return bool(PureWindowsPath(text).drive)
