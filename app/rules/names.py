"""Names that come from people and become folders and files.

A name is judged by the strictest system it may be opened on: productions are shared between Linux and Windows.
"""

from __future__ import annotations

import re
import unicodedata
from pathlib import PurePath, PurePosixPath, PureWindowsPath
from typing import Literal

from app.rules.outcomes import PlanError

__all__ = [
    "NAME_LIMIT",
    "PATH_LIMIT_WINDOWS",
    "NamePolicy",
    "NameRefused",
    "check_path_length",
    "folder_name",
    "is_inside",
    "slugify",
    "why_unsafe",
]

NamePolicy = Literal["refuse", "slugify"]

NAME_LIMIT = 255
"""Bytes of one path element on ext4, XFS, NFS and SMB."""

PATH_LIMIT_WINDOWS = 260
"""Characters of a whole path that Windows programs without the long-path manifest can open."""

_SEPARATORS = frozenset("/\\")
_WINDOWS_FORBIDDEN = frozenset('<>:"|?*')
_RESERVED = frozenset(
    ["con", "prn", "aux", "nul", "conin$", "conout$"]
    + [f"com{digit}" for digit in "123456789¹²³"]
    + [f"lpt{digit}" for digit in "123456789¹²³"]
)


class NameRefused(PlanError):
    """A name that cannot become a folder; the text says which character or rule, and what to do."""


def why_unsafe(name: str) -> str | None:
    """Why ``name`` cannot be one element of a path on every system, in words; None when it can."""
    if not name.strip():
        return "it is empty"
    if name.strip() in {".", ".."}:
        return f"{name.strip()!r} means a folder of the system"
    for position, character in enumerate(name, start=1):
        if character in _SEPARATORS:
            return f"character {position} is {character!r}, which separates folders"
        if character in _WINDOWS_FORBIDDEN:
            return f"character {position} is {character!r}, which Windows does not allow"
        if unicodedata.category(character) in {"Cc", "Cf", "Cs", "Zl", "Zp"}:
            return f"character {position} is the invisible character U+{ord(character):04X}"
    if name != name.strip():
        return "it begins or ends with a blank"
    if name.endswith("."):
        return "it ends with a dot, which Windows drops"
    if name.split(".", 1)[0].strip().casefold() in _RESERVED:
        return f"{name.split('.', 1)[0]!r} is a device name on Windows"
    length = len(name.encode("utf-8"))
    if length > NAME_LIMIT:
        return f"it is {length} bytes long, a folder's name has at most {NAME_LIMIT}"
    return None


def slugify(name: str) -> str:
    """The studio's spelling of a name: lower case, no blanks, ``_`` between words; "" when nothing is left.

    Accents are taken off where a plain letter exists; letters of other scripts stay, since they are valid on disk.
    """
    decomposed = unicodedata.normalize("NFKD", name)
    plain = "".join(character for character in decomposed if not unicodedata.combining(character)).casefold()
    slug = re.sub(r"[^\w.-]+", "_", unicodedata.normalize("NFC", plain))
    slug = re.sub(r"_{2,}", "_", slug).strip("_.- ")
    while len(slug.encode("utf-8")) > NAME_LIMIT:
        slug = slug[:-1]
    if slug.split(".", 1)[0] in _RESERVED:
        slug = f"_{slug}"
    return slug


def folder_name(name: str, what: str, policy: NamePolicy | None = None) -> str:
    """``name`` as one element of a path.

    Args:
        name: As it is on ftrack.
        what: What it names, for the message ("the shot", "the task").
        policy: "refuse" keeps a safe name as it is and refuses others; "slugify" makes it the studio's spelling;
            None refuses too, where no setting has a say.

    Raises:
        NameRefused: with the reason and the way out.
    """
    if policy == "slugify":
        slug = slugify(name)
        if not slug:
            raise NameRefused(f"The name of {what}, {_shown(name)}, has no letter or digit: rename it on ftrack.")
        return slug
    reason = why_unsafe(name)
    if reason is not None:
        way_out = ", or set the name policy to slugify" if policy else ""
        raise NameRefused(
            f"The name of {what}, {_shown(name)}, cannot be a folder: {reason}. "
            f"Rename it on ftrack{way_out}, then replay the event."
        )
    return name


def check_path_length(path: PurePath, *, windows: bool) -> None:
    """Refuse a path that artists could not open.

    Args:
        path: The whole path.
        windows: Whether the drive is also used from Windows (260 characters for the whole path).

    Raises:
        NameRefused: naming the path and its length.
    """
    for part in path.parts:
        if len(part.encode("utf-8")) > NAME_LIMIT:
            raise NameRefused(f"{_shown(part)} has more than {NAME_LIMIT} bytes and cannot be a folder or file.")
    if windows and len(str(path)) >= PATH_LIMIT_WINDOWS:
        raise NameRefused(
            f"{path} has {len(str(path))} characters; Windows opens at most {PATH_LIMIT_WINDOWS - 1}. "
            "Shorten a name on ftrack, or switch the Windows limit off in the settings."
        )


def is_inside(path: PurePath, root: PurePath) -> bool:
    """Whether ``path`` is ``root`` or below it, judged by its text: no ``..`` may lead out of it."""
    if ".." in path.parts:
        return False
    if isinstance(path, PurePosixPath) and isinstance(root, PureWindowsPath):
        return False
    return path == root or root in path.parents


def _shown(name: str) -> str:
    return repr(name) if len(name) <= 60 else repr(name[:57] + "...")
