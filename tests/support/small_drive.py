"""A drive that is really mounted, and small: full and read-only are the kernel's own answers."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def small_drive(folder: Path, options: str) -> Iterator[Path]:
    """Mount memory on ``folder`` (``size=256k,nr_inodes=20``), where this user may; else the test is skipped."""
    folder.mkdir(exist_ok=True)
    mounted = shutil.which("mount") and subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], check=False, capture_output=True
    )
    if not mounted or mounted.returncode:
        pytest.skip("only root may mount a small drive")
    (folder / ".signalbox-drive").touch()
    try:
        yield folder
    finally:
        gone = subprocess.run(["umount", str(folder)], check=False, capture_output=True, text=True)
        if gone.returncode:
            # Somebody still uses it, which is a defect; left mounted it would be in the way of all later runs too.
            subprocess.run(["umount", "--lazy", str(folder)], check=False)
    assert not gone.returncode, gone.stderr


def remount(folder: Path, options: str) -> None:
    """Change how it is mounted (``ro``, ``rw``, ``nr_inodes=200``)."""
    subprocess.run(["mount", "-o", f"remount,{options}", str(folder)], check=True)
