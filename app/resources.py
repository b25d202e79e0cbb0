"""Where the program's own data files are: in a checkout, an installed wheel or a frozen bundle."""

from __future__ import annotations

import sys
from pathlib import Path


def resource(name: str) -> Path:
    """Path of a file below ``resources/``.

    Raises FileNotFoundError naming it: the installation is broken.
    """
    base = Path(getattr(sys, "_MEIPASS", Path(__file__).resolve().parent.parent))
    path = base / "resources" / name
    if not path.exists():
        raise FileNotFoundError(f"the installation lacks its file resources/{name}: install Signalbox again")
    return path
