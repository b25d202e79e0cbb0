"""The production drives: where a project's folder is, and whether its drive is really there.

A drive that is not mounted leaves an empty folder behind at its mount point. Writing there would look like success
and hide the files under the drive when it comes back, so a root is proved before anything is written: the folder or
one above it is a mount point, or carries a marker file (`.signalbox-drive`) that only the drive itself has.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path, PurePath
from typing import Any

from app.rules.names import folder_name
from app.rules.outcomes import Later, PlanError

__all__ = ["MARKER", "ProductionDrives"]

MARKER = ".signalbox-drive"


class ProductionDrives:
    """The Disk door. Settings are read at each call, so that a reload takes effect at once.

    Args:
        studio: Gives the studio's settings: ``disk_map`` (prefix on ftrack to prefix here) and ``drive_marker``.
        wait: Seconds a run waits for a drive before it looks again.
        windows: Whether this machine uses the disks' Windows prefixes.
        is_mount: How a mount point is recognised.
    """

    def __init__(
        self,
        studio: Callable[[], Any],
        *,
        wait: Callable[[], float] = lambda: 30.0,
        windows: bool = sys.platform == "win32",
        is_mount: Callable[[Path], bool] = os.path.ismount,
    ) -> None:
        self._studio = studio
        self._wait = wait
        self._windows = windows
        self._is_mount = is_mount

    def project_root(self, project: Mapping[str, Any]) -> Path:
        """Folder of a project: its ``root`` when set, else its disk's prefix for this system joined with its name.

        Args:
            project: ``name``, ``root`` and ``disk`` (with ``unix``, ``windows``, ``name``) as read from ftrack.

        Raises:
            PlanError: neither root nor disk, no prefix for this system, a relative root, or a name that is no folder.
            Later: the drive is not mounted.
        """
        root = self.located(project)
        self.prove_root(root)
        return root

    def located(self, project: Mapping[str, Any]) -> Path:
        """The same without looking whether the drive is there."""
        name = str(project.get("name") or "")
        shown = f"project {name!r}"
        own = str(project.get("root") or "").strip()
        if own:
            return self._absolute(self._mapped(own), f"The root {own!r} of {shown}")
        disk = project.get("disk")
        if not disk:
            raise PlanError(f"The {shown} has neither a root nor a disk on ftrack: set one in its project settings.")
        system = "windows" if self._windows else "unix"
        prefix = str(disk.get(system) or "").strip()
        if not prefix:
            raise PlanError(
                f"The disk {disk.get('name') or ''!r} of {shown} has no {system.capitalize()} path on ftrack: "
                "fill it in there, or set the project's root."
            )
        folder = self._absolute(self._mapped(prefix), f"The disk path {prefix!r} of {shown}")
        return folder / folder_name(name, "the project")

    def _mapped(self, text: str) -> str:
        """The path as this machine sees it; the longest prefix of ``disk_map`` that fits is replaced."""
        plain = text.replace("\\", "/")
        best = ""
        for prefix in self._studio().disk_map:
            known = prefix.replace("\\", "/").rstrip("/")
            fits = plain.casefold() == known.casefold() or plain.casefold().startswith(known.casefold() + "/")
            if fits and len(prefix) > len(best):
                best = prefix
        if not best:
            return text
        rest = plain[len(best.rstrip("/\\")) :].lstrip("/")
        return str(Path(self._studio().disk_map[best]) / rest)

    def _absolute(self, text: str, what: str) -> Path:
        path = Path(text)
        if ".." in path.parts:
            wrong = "has '..' in it"
        elif not path.is_absolute():
            wrong = "is not an absolute path on this machine"
        else:
            return path
        raise PlanError(
            f"{what} {wrong}, so the project's folder is not known: write the whole path on ftrack, "
            "or map its prefix under studio.disk_map."
        )

    def prove_root(self, root: Path) -> None:
        """Raise Later("drive not mounted ...") unless the drive that holds ``root`` is really there.

        A proof is a mount point (other than the system's own ``/``) or the marker file, at ``root`` or above it, on
        the way as written or as links lead.
        """
        if self.drive(root) is None:
            marker = self._studio().drive_marker
            raise Later(
                f"Drive not mounted: {root} lies on no mount point and neither it nor a folder above it holds the file "
                f"{marker}. Mount the drive; if this is a plain folder on purpose, put an empty {marker} into the "
                "production folder once.",
                seconds=self._wait(),
            )

    def drive(self, root: Path) -> Path | None:
        """The folder that proves the drive of ``root``, or None."""
        marker = self._studio().drive_marker
        for start in dict.fromkeys((root, _resolved(root))):
            for folder in (start, *start.parents):
                if str(folder) == "/":
                    break  # the system's own disk proves nothing
                if self._is_mount(folder) or (marker and _is_file(folder / marker)):
                    return folder
        return None

    def exists(self, path: Path) -> bool:
        """Whether something is there; a folder that may not be searched counts as an error, not as absence.

        Raises:
            PlanError: this machine's user may not look.
        """
        try:
            path.lstat()
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError as error:
            raise PlanError(_why(path, error)) from error
        return True

    def listing(self, folder: Path) -> Sequence[str]:
        """Names in a folder, sorted; empty when it does not exist.

        Raises:
            PlanError: the folder cannot be read; names its owner.
        """
        try:
            return sorted(os.listdir(folder))  # noqa: PTH208 - names only, a share answers it in one request
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            raise PlanError(_why(folder, error)) from error


def _why(path: PurePath, error: OSError) -> str:
    return f"{path} cannot be read: {error.strerror or error}{owner_of(Path(path))}. Ask for access, then replay."


def owner_of(path: Path) -> str:
    """ " (/data/show belongs to anna, mode 0755)" of the nearest folder that can be looked at, "" when none can."""
    for folder in (path, *path.parents):
        try:
            state = folder.stat()
        except OSError:
            continue
        try:
            owner = folder.owner()
        except (KeyError, NotImplementedError, OSError):
            owner = str(state.st_uid)
        return f" ({folder} belongs to {owner}, mode {state.st_mode & 0o7777:04o})"
    return ""


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:
        return False


def _resolved(path: Path) -> Path:
    try:
        return path.resolve()
    except (OSError, RuntimeError):  # a loop of links
        return path
