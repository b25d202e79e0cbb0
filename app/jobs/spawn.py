"""How a second process of this program is started, from a checkout and from a frozen bundle alike."""

from __future__ import annotations

import sys


def python_module(module: str) -> list[str]:
    """Argument list that runs ``module`` as a program.

    A frozen bundle has no interpreter: its program runs a module by its hidden command ``child``.
    """
    if getattr(sys, "frozen", False):
        return [sys.executable, "child", module]
    return [sys.executable, "-m", module]
