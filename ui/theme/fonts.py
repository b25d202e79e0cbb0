"""The two typefaces: Inter for the window, JetBrains Mono for code, logs and identifiers.

Both are bundled (SIL Open Font License, see `resources/fonts`); where a file cannot be loaded the system's own faces
take their place and nothing else changes.
"""

from __future__ import annotations

import logging
from functools import lru_cache
from pathlib import Path

from PySide6.QtGui import QFont, QFontDatabase

from ui.theme.current import resource

log = logging.getLogger("signalbox.ui.theme")

UI_FAMILIES = ["Inter", "Segoe UI", "SF Pro Text", "Noto Sans", "DejaVu Sans", "Sans Serif"]
EDITOR_FAMILY = "JetBrains Mono NL"
"""JetBrains Mono without its ligatures: Scintilla takes a family's name and no features. Loaded by `editor_font`."""
MONO_FAMILIES = ["JetBrains Mono", "Cascadia Mono", "SF Mono", "DejaVu Sans Mono", "Noto Sans Mono", "Monospace"]
UI_SIZE = 9.5
"""Points."""
MONO_SIZE = 9.5
"""Points."""

_EDITOR_FILE = "JetBrainsMonoNL-Regular.ttf"
_loaded: set[str] = set()


def load_fonts() -> None:
    """Register the bundled fonts with Qt, once a process."""
    for path in sorted(resource("fonts").glob("*.[ot]tf")):
        if path.name != _EDITOR_FILE:
            _load(path)


def _load(path: Path) -> None:
    if path.name in _loaded:
        return
    _loaded.add(path.name)
    if QFontDatabase.addApplicationFont(str(path)) < 0:
        log.warning("The bundled font %s could not be loaded; the system's fonts are used instead.", path.name)


def ui_font(delta: float = 0.0, weight: QFont.Weight = QFont.Weight.Normal) -> QFont:
    """The window's face, `delta` points larger or smaller than normal text."""
    font = QFont()
    font.setFamilies(UI_FAMILIES)
    font.setPointSizeF(UI_SIZE + delta)
    font.setWeight(weight)
    return font


def heading_font(delta: float = 2.5) -> QFont:
    """The face of headings: semi-bold and `delta` points above normal text."""
    return ui_font(delta, QFont.Weight.DemiBold)


def mono_font(delta: float = 0.0) -> QFont:
    """The fixed-width face, `delta` points larger or smaller than normal. Ligatures are off: `->` stays so."""
    return QFont(_mono(delta))


@lru_cache(maxsize=16)
def _mono(delta: float) -> QFont:
    font = QFont()
    font.setFamilies(MONO_FAMILIES)
    font.setStyleHint(QFont.StyleHint.Monospace)
    font.setFixedPitch(True)
    font.setPointSizeF(MONO_SIZE + delta)
    font.setFeature(QFont.Tag("calt"), 0)
    return font


def editor_font() -> QFont:
    """The face of the code editor, for one that cannot switch ligatures off itself."""
    _load(resource("fonts", _EDITOR_FILE))
    font = mono_font()
    font.setFamilies([EDITOR_FAMILY, *MONO_FAMILIES])
    return font


def numbers(font: QFont) -> QFont:
    """A copy of `font` whose digits all have one width, for counters that must not dance."""
    steady = QFont(font)
    steady.setFeature(QFont.Tag("tnum"), 1)
    return steady
