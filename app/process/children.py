"""How this program starts another copy of itself: from a checkout, an installed wheel or a frozen bundle."""

from __future__ import annotations

import sys


def python_child(module: str, *arguments: str) -> list[str]:
    """Argument list that runs ``module`` (``python -m`` style) in a child of the same program.

    A frozen bundle has no interpreter to hand a module to; its own executable takes the hidden command ``child``.
    """
    if getattr(sys, "frozen", False):
        return [sys.executable, "child", module, *arguments]
    return [sys.executable, "-m", module, *arguments]
