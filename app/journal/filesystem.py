"""Where a journal may live: on a local disk, in a folder its group may write."""

from __future__ import annotations

import ctypes
import os
import sys
from contextlib import suppress
from pathlib import Path

from app.journal.rows import JournalError

#: Magic numbers of statfs(2). SQLite's shared memory and locks are not kept by these across machines.
NETWORK_FILE_SYSTEMS = {
    0x6969: "NFS",
    0x517B: "SMB",
    0xFF534D42: "CIFS",
    0xFE534D42: "SMB2",
    0x65735546: "FUSE",
}
_FOLDER_MODE = 0o2770


def file_system_magic(folder: Path) -> int | None:
    """The kind of file system that holds ``folder``, as statfs(2) numbers it; None where the system cannot say."""
    if not sys.platform.startswith("linux"):
        return None
    libc = ctypes.CDLL(None, use_errno=True)
    buffer = ctypes.create_string_buffer(512)
    if libc.statfs(os.fsencode(folder), buffer) != 0:
        return None
    return int(ctypes.c_long.from_buffer(buffer).value) & 0xFFFFFFFF


def refuse_network(folder: Path, magic: int | None) -> None:
    """Raise JournalError when ``magic`` is that of a network file system."""
    name = NETWORK_FILE_SYSTEMS.get(magic or 0)
    if name is not None:
        raise JournalError(
            f"the journal cannot live in {folder}: it is on {name}, where SQLite's locks are not safe. "
            "Put it on a local disk, e.g. /var/lib/signalbox, by setting SIGNALBOX_HOME to a folder there"
        )


def prepare_folder(folder: Path, group: str) -> None:
    """Make the journal's folder (2770 and the group, where that group exists) and refuse network file systems.

    Raises:
        JournalError: The folder cannot be made, or must not hold a journal.
    """
    if not folder.exists():
        try:
            folder.mkdir(parents=True)
            folder.chmod(0o700)
        except OSError as error:
            raise JournalError(
                f"cannot make the journal's folder {folder}: {error.strerror or error}. "
                "Make it, or set SIGNALBOX_HOME to a folder you may write"
            ) from error
        _share(folder, group)
    if not folder.is_dir():
        raise JournalError(f"{folder} is not a folder: the journal needs one")
    refuse_network(folder, file_system_magic(folder))


def _share(folder: Path, group: str) -> None:
    """Give a new folder to the group; a stranger to the group keeps it to themselves."""
    if os.name != "posix" or not group:
        return
    import grp

    try:
        gid = grp.getgrnam(group).gr_gid
    except KeyError:
        return
    # A user outside the group may not give the folder away: it stays private, which is safe.
    with suppress(PermissionError):
        os.chown(folder, -1, gid)
        folder.chmod(_FOLDER_MODE)
