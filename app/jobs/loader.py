"""Which script the Manager would run for a job type: the rules of its scripts folder."""

from __future__ import annotations

import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

TINY = 8
"""Files of fewer bytes are ignored by the Manager."""
MAX_FILE = 16 * 1024 * 1024
"""Larger files are not read: nobody wrote them as scripts. The Manager has no such limit."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """A scripts folder as the Manager sees it.

    Attributes:
        types: Job type name to the file that provides it.
        files: Everything ``require`` can reach, by path below the folder.
        shadowed: File that lost its job type name to another one: file -> winner.
        ignored: File -> why the Manager does not look at it.
    """

    types: dict[str, str]
    files: dict[str, str]
    shadowed: dict[str, str]
    ignored: dict[str, str]


def job_type_name(file: str) -> str:
    """Job type of a script file: the name without extension, every ``_`` a ``-``."""
    return file.removesuffix(".js").replace("_", "-")


def decode(source: str | bytes) -> str:
    """Script text as the engine reads it: bad bytes become U+FFFD, a byte order mark is dropped."""
    if isinstance(source, str):
        if source.isascii():
            return source
        source = source.encode("utf-8", "surrogatepass")
    text = source.decode("utf-8", "replace")
    return text.removeprefix("\ufeff")


def load(scripts: Mapping[str, str | bytes]) -> Loaded:
    """Apply the folder's rules to files given by name ("/" separated)."""
    types: dict[str, str] = {}
    shadowed: dict[str, str] = {}
    ignored: dict[str, str] = {}
    files = {name: decode(source) for name, source in scripts.items()}
    for name in sorted(scripts, key=lambda n: n.encode("utf-8", "surrogatepass")):
        if "/" in name:
            continue
        if not name.endswith(".js"):
            ignored[name] = "its name does not end in .js"
            continue
        source = scripts[name]
        if len(source if isinstance(source, bytes) else source.encode("utf-8", "surrogatepass")) < TINY:
            ignored[name] = f"it has fewer than {TINY} bytes"
            continue
        job_type = job_type_name(name)
        if job_type in types:
            shadowed[types[job_type]] = name
        types[job_type] = name
    return Loaded(types, files, shadowed, ignored)


def read_folder(folder: Path) -> dict[str, str | bytes]:
    """Scripts and helper files of a folder, as bytes. Symlinks in the root are skipped as the Manager does.

    Raises OSError when the folder cannot be listed; single unreadable files are left out.
    """
    found: dict[str, str | bytes] = {}
    for path in sorted(folder.iterdir()):
        mode = path.lstat().st_mode
        if stat.S_ISREG(mode) and path.suffix in {".js", ".json"} and path.stat().st_size <= MAX_FILE:
            _read_into(found, folder, path)
        elif stat.S_ISDIR(mode):
            for helper in sorted(path.rglob("*")):
                if helper.suffix in {".js", ".json"} and helper.is_file() and helper.stat().st_size <= MAX_FILE:
                    _read_into(found, folder, helper)
    return found


def _read_into(found: dict[str, str | bytes], folder: Path, path: Path) -> None:
    try:
        found[path.relative_to(folder).as_posix()] = path.read_bytes()
    except OSError:
        return
