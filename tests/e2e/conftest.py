"""A screen to show windows on."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator

import pytest


@pytest.fixture
def display() -> Iterator[str]:
    """A virtual screen of 1600 by 900, with a number of its own choice."""
    if shutil.which("Xvfb") is None:
        pytest.skip("Xvfb is not installed")
    theirs, ours = os.pipe()
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", str(ours), "-screen", "0", "1600x900x24", "-nolisten", "tcp"],
        pass_fds=(ours,),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(ours)
    with os.fdopen(theirs) as stream:
        number = stream.readline().strip()
    assert number, "Xvfb did not start"
    yield f":{number}"
    server.terminate()
    server.wait(10)
