"""What every picture needs: a scene, patience until it has filled, and a small file in the end."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from PIL import Image
from PySide6.QtCore import QEventLoop, QTimer
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QApplication, QWidget

from ui import theme

SMALL = (1280, 720)
SIZES = (SMALL, (2560, 1440))
THEMES: tuple[theme.Choice, ...] = ("dark", "light")
PATIENCE = 60.0
"""Seconds that a scene may take to fill."""

Built = tuple[QWidget, Callable[[], None]]


@dataclass(frozen=True)
class Scene:
    """A picture to take.

    Attributes:
        name: File name without theme, size and ending.
        build: Makes and shows the widget for a window of this width and height; returns it with what ends it.
        sizes: Window sizes it is taken at.
    """

    name: str
    build: Callable[[int, int], Built]
    sizes: tuple[tuple[int, int], ...] = SIZES


def turn(milliseconds: int) -> None:
    """Let the event loop turn for so long."""
    loop = QEventLoop()
    QTimer.singleShot(milliseconds, loop.quit)
    loop.exec()


def turn_until(ready: Callable[[], bool], what: str, *, also: int = 150) -> None:
    """Let the event loop turn until something is ready, and `also` milliseconds more. Raises TimeoutError."""
    deadline = time.monotonic() + PATIENCE
    while not ready():
        if time.monotonic() > deadline:
            raise TimeoutError(f"a scene did not fill in time: {what}")
        turn(20)
    turn(also)


def take(scene: Scene, out: Path, app: QApplication) -> list[Path]:
    """Take a scene's pictures in both themes and all its sizes."""
    made = []
    for choice in THEMES:
        theme.apply(app, choice)
        for width, height in scene.sizes:
            widget, end = scene.build(width, height)
            path = out / f"{scene.name}-{choice}-{width}x{height}.png"
            _save(widget, path)
            made.append(path)
            end()
            turn(30)
    return made


def _save(widget: QWidget, path: Path) -> None:
    """A picture with a palette of its own: a quarter of the size, and no eye tells them apart."""
    image = widget.grab().toImage().convertToFormat(QImage.Format.Format_RGB888)
    data = bytes(image.constBits())
    raw = Image.frombuffer("RGB", (image.width(), image.height()), data, "raw", "RGB", image.bytesPerLine(), 1)
    # Octree: the others give the few amber pixels of a lamp to the many red ones of a text.
    palette = raw.quantize(256, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
    palette.save(path, optimize=True)
