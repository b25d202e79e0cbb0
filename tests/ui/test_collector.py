"""What the window gives up is destroyed on the thread of Qt, whichever thread makes the most garbage."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

BUSY_BEHIND_THE_WINDOW = """
import threading, weakref
from PySide6.QtCore import QObject
from ui.app import make_app

def gone():
    print("destroyed on the", threading.current_thread().name)
    app.quit()

def busy():
    for _ in range(200_000):
        one = []
        one.append(one)

app = make_app()
dialog = QObject()
dialog.itself = dialog
weakref.finalize(dialog, gone)
del dialog
threading.Thread(target=busy, name="listener").start()
app.exec()
"""


def test_a_dialog_given_up_is_destroyed_on_qts_thread_while_another_thread_is_busy(home: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", BUSY_BEHIND_THE_WINDOW], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout.strip() == "destroyed on the MainThread", done.stderr
