"""Effects on the production drives: folders, copied files, and what takes them back.

The root is proved first and never created; paths never leave it, through links neither. Doing an effect twice changes
nothing the second time.
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import stat
import uuid
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar

from app.disk import owner_of
from app.engine.doors import Disk
from app.engine.kinds import DiskEffect, EffectFailed, LeaveAlone
from app.engine.protocol import Effect, Own
from app.rules.outcomes import Later

__all__ = ["CopyFile", "MakeFolder", "RemoveFile", "RemoveFolders"]

_BLOCK = 1024 * 1024


def sha256_of(path: Path) -> str:
    """The hash by which we know a file again, as hexadecimal text."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def prove(disk: Disk, root: Path, path: Path) -> None:
    """Raise unless the drive of ``root`` is there and ``path`` lies below it, links resolved.

    Raises:
        Later: The drive is not mounted.
        EffectFailed: The path leaves its root.
    """
    disk.prove_root(root)
    if not root.is_dir():
        raise Later(f"Drive not mounted: the folder {root} does not exist, and it is never made.")
    real_root, real = root.resolve(), path.resolve()
    if real != real_root and real_root not in real.parents:
        raise EffectFailed(f"{path} leads outside of {root} (to {real}): nothing is written there")


def refused(error: OSError, path: Path) -> Exception:
    """What an error of the system means: permissions are for a person, a full disk is worth a retry."""
    where = Path(error.filename) if error.filename else path
    if error.errno in (errno.EACCES, errno.EPERM):
        return EffectFailed(f"no permission to write {where}{owner_of(where)}: ask for access, then retry")
    if error.errno in (errno.ENAMETOOLONG, errno.ENOTDIR, errno.EISDIR, errno.EINVAL, errno.ELOOP):
        return EffectFailed(f"{where}: {error.strerror or error}")
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return OSError(error.errno, f"the disk is full, cannot write {where}: make room")
    if error.errno == errno.EROFS:
        return OSError(error.errno, f"the drive is read-only, cannot write {where}: mount it writable")
    return error


def _dress(path: Path, mode: int, group: str) -> str:
    """Set mode and group whatever the umask; returns a warning where the drive refuses ("" when it took them)."""
    try:
        if group and os.name == "posix":
            shutil.chown(path, group=group)
        path.chmod(mode)
    except (OSError, LookupError) as error:
        return f"mode {mode:04o}{f' and group {group}' if group else ''} refused for {path}: {error}"
    return ""


def _sync(folder: Path) -> None:
    """Make a new name survive a power cut; drives that cannot are left as they are."""
    if os.name != "posix":
        return
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


class MakeFolder(DiskEffect):
    """Make a folder and what is missing above it, below its root.

    Attributes:
        path: The folder.
        root: An existing folder on the drive; proved first, never made.
        mode: Of every folder that is made.
        group: Of every folder that is made; "": the parent's.
    """

    kind: ClassVar[str] = "folder"

    path: Path
    root: Path
    mode: int = 0o2775
    group: str = ""

    def describe(self) -> str:
        return f"make the folder {self.path}"

    def before(self, disk: Disk) -> dict[str, Any] | None:
        prove(disk, self.root, self.path)
        try:
            # One look, following links: what another worker makes between two looks does not get in the way.
            if stat.S_ISDIR(self.path.stat().st_mode):
                return None
        except (FileNotFoundError, NotADirectoryError):
            if not self.path.is_symlink():
                return {"missing": [str(path) for path in self._missing()]}
        except OSError as error:
            raise refused(error, self.path) from error
        raise EffectFailed(f"{self.path} is in the way: it is not a folder. Move it aside, then retry")

    def _missing(self) -> list[Path]:
        missing = []
        for path in (self.path, *self.path.parents):
            if path == self.root or path.is_dir():
                break
            missing.append(path)
        return missing[::-1]

    def apply(self, disk: Disk, before: Mapping[str, Any]) -> dict[str, Any]:
        del before
        prove(disk, self.root, self.path)
        made, warnings = [], []
        for path in self._missing():
            try:
                path.mkdir()
            except FileExistsError:
                if not path.is_dir():
                    raise EffectFailed(f"{path} is in the way: it is not a folder") from None
                continue
            except OSError as error:
                raise refused(error, path) from error
            made.append(str(path))
            warnings.append(_dress(path, self.mode, self.group))
        _sync(self.path.parent)
        said = "; ".join(warning for warning in warnings if warning)
        return {"made": made, **({"warning": said} if said else {})}

    def is_done(self, disk: Disk, before: Mapping[str, Any]) -> dict[str, Any] | None:
        prove(disk, self.root, self.path)
        if not self.path.is_dir():
            return None
        return {"made": [path for path in before.get("missing", []) if Path(path).is_dir()]}

    def inverse(self, before: Mapping[str, Any], after: Mapping[str, Any], own: Own) -> Sequence[Effect] | str:
        del before, own
        made = tuple(Path(path) for path in after.get("made", ()))
        if not made:
            return f"{self.path} was there before"
        return [
            RemoveFolders(
                slot=f"undo {self.slot}",
                reason=f"made by the run that is undone ({self.reason})",
                entity_id=self.entity_id,
                paths=made[::-1],
                root=self.root,
            )
        ]


class CopyFile(DiskEffect):
    """Copy a file to where none is yet; an existing file is never overwritten.

    Attributes:
        source: What is copied.
        path: Where to; its folder must exist by then.
        root: An existing folder on the drive; proved first.
        mode: Of the new file.
        group: Of the new file; "": the folder's.
    """

    kind: ClassVar[str] = "copy"

    source: Path
    path: Path
    root: Path
    mode: int = 0o664
    group: str = ""

    def describe(self) -> str:
        return f"copy {self.source} to {self.path}"

    def before(self, disk: Disk) -> dict[str, Any] | None:
        prove(disk, self.root, self.path)
        if self.path.exists() or self.path.is_symlink():
            return None
        # Journalled, so that what a crash leaves half written is found again.
        return {"sha256": self._source_hash(), "part": self._part_name()}

    def _part_name(self) -> str:
        """A name of its own: two servers may copy to the same place at once."""
        return f".{self.path.name[:180]}.{uuid.uuid4().hex[:12]}.signalbox-part"

    def _source_hash(self) -> str:
        try:
            return sha256_of(self.source)
        except FileNotFoundError:
            raise EffectFailed(f"the file {self.source} vanished before it could be copied to {self.path}") from None
        except OSError as error:
            raise EffectFailed(
                f"{self.source} cannot be read: {error.strerror or error}{owner_of(self.source)}"
            ) from error

    def apply(self, disk: Disk, before: Mapping[str, Any]) -> dict[str, Any]:
        prove(disk, self.root, self.path)
        part = self.path.with_name(before.get("part") or self._part_name())
        try:
            digest, size = self._write(part)
            warning = _dress(part, self.mode, self.group)
            ours = _place(part, self.path)
        except FileNotFoundError as error:
            if error.filename and Path(error.filename) == self.source:
                raise EffectFailed(f"the file {self.source} vanished before it could be copied") from error
            raise refused(error, self.path) from error
        except OSError as error:
            raise refused(error, self.path) from error
        finally:
            with suppress(OSError):
                part.unlink(missing_ok=True)
        _sync(self.path.parent)
        if not ours:
            return {"kept": "somebody else made the file meanwhile"}
        return {"sha256": digest, "size": size, **({"warning": warning} if warning else {})}

    def _write(self, part: Path) -> tuple[str, int]:
        digest, size = hashlib.sha256(), 0
        with self.source.open("rb") as source, part.open("wb") as target:
            while block := source.read(_BLOCK):
                digest.update(block)
                target.write(block)
                size += len(block)
            target.flush()
            os.fsync(target.fileno())
        return digest.hexdigest(), size

    def is_done(self, disk: Disk, before: Mapping[str, Any]) -> dict[str, Any] | None:
        prove(disk, self.root, self.path)
        if part := before.get("part"):
            with suppress(OSError):
                self.path.with_name(part).unlink(missing_ok=True)
        if not self.path.is_file() or not before.get("sha256"):
            return None
        digest = sha256_of(self.path)
        return {"sha256": digest, "size": self.path.stat().st_size} if digest == before["sha256"] else None

    def inverse(self, before: Mapping[str, Any], after: Mapping[str, Any], own: Own) -> Sequence[Effect] | str:
        del before, own
        if not after.get("sha256"):
            return f"{self.path} is not ours"
        return [
            RemoveFile(
                slot=f"undo {self.slot}",
                reason=f"copied by the run that is undone ({self.reason})",
                entity_id=self.entity_id,
                path=self.path,
                root=self.root,
                sha256=after["sha256"],
            )
        ]


def _place(part: Path, path: Path) -> bool:
    """Give the finished file its name unless the name is taken; False when it is."""
    try:
        os.link(part, path)
    except FileExistsError:
        return False
    except OSError as error:
        if error.errno not in (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EXDEV, errno.EMLINK):
            raise
        # A share without hard links: nobody else may take the name between the look and the move there.
        if path.exists():
            return False
        part.rename(path)
    return True


class RemoveFolders(DiskEffect):
    """Take folders back that a run made: only those that are empty by now.

    Attributes:
        paths: Deepest first.
        root: An existing folder on the drive; proved first, never removed.
    """

    kind: ClassVar[str] = "remove_folders"

    paths: tuple[Path, ...]
    root: Path

    def describe(self) -> str:
        return f"remove the folder {self.paths[0]}" + (f" and {len(self.paths) - 1} above" if self.paths[1:] else "")

    def before(self, disk: Disk) -> dict[str, Any] | None:
        prove(disk, self.root, self.paths[0])
        there = [str(path) for path in self.paths if path.is_dir()]
        # Whether it is empty is seen when its turn comes: files of the same run may go just before.
        return {"there": there} if there else None

    def apply(self, disk: Disk, before: Mapping[str, Any]) -> dict[str, Any]:
        del before
        prove(disk, self.root, self.paths[0])
        removed: list[str] = []
        for path in self.paths:
            try:
                path.rmdir()
            except FileNotFoundError:
                continue
            except OSError as error:
                if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                    raise refused(error, path) from error
                if not removed:
                    raise LeaveAlone(_in_use(path)) from error
                break  # others use it by now: it and what is above it stay
            removed.append(str(path))
        return {"removed": removed}

    def is_done(self, disk: Disk, before: Mapping[str, Any]) -> dict[str, Any] | None:
        del disk
        return None if self.paths[0].is_dir() else {"removed": list(before.get("there", []))}


def _in_use(folder: Path) -> str:
    names = sorted(each.name for each in folder.iterdir())
    return f"{folder} is not empty ({', '.join(names[:3])})"


class RemoveFile(DiskEffect):
    """Take a copied file back: only if it is still the file that was copied.

    Attributes:
        path: The file.
        root: An existing folder on the drive; proved first.
        sha256: What it must still be.
    """

    kind: ClassVar[str] = "remove_file"

    path: Path
    root: Path
    sha256: str

    def describe(self) -> str:
        return f"remove the file {self.path}"

    def before(self, disk: Disk) -> dict[str, Any] | None:
        prove(disk, self.root, self.path)
        if not self.path.exists():
            return None
        if not self.path.is_file() or sha256_of(self.path) != self.sha256:
            raise LeaveAlone(f"{self.path} was changed since it was copied")
        return {"sha256": self.sha256}

    def apply(self, disk: Disk, before: Mapping[str, Any]) -> dict[str, Any]:
        del before
        prove(disk, self.root, self.path)
        try:
            self.path.unlink(missing_ok=True)
        except OSError as error:
            raise refused(error, self.path) from error
        return {"removed": [str(self.path)]}

    def is_done(self, disk: Disk, before: Mapping[str, Any]) -> dict[str, Any] | None:
        del disk, before
        return None if self.path.exists() else {"removed": [str(self.path)]}
