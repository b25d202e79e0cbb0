"""For every test: Qt without a display, and the helpers of ``tests/support`` importable by name."""

import gc
import os
import sys
from pathlib import Path

# Before anything imports Qt.
os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
os.environ.setdefault("QT_API", "pyside6")

sys.path.insert(0, str(Path(__file__).parent / "support"))


def pytest_collection_finish() -> None:
    """What was imported and collected stays to the end: looking through it again and again costs time."""
    gc.collect()
    gc.freeze()
