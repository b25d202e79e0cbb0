"""The line icons of `resources/icons`, drawn in the colour of a role and sharp at every scale.

The files carry `currentColor`; here it becomes the colour of the theme that is on. Pixmaps are cached by name, colour
and size, so that asking for an icon in a paint event costs a dictionary look-up.
"""

from __future__ import annotations

import weakref
from functools import lru_cache
from typing import Protocol, cast

from PySide6.QtCore import QByteArray, QRectF, QSize, Qt
from PySide6.QtGui import QIcon, QPainter, QPixmap
from PySide6.QtSvg import QSvgRenderer

from ui.theme.colours import Role
from ui.theme.current import current, resource

_SIZES = (16, 24, 32)
"""Logical pixels of what buttons and menus show, and the same for screens of two device pixels a point; Qt scales down
to what lies between. An icon is drawn at each when it is made, and a window makes forty before its first paint."""


class TakesIcon(Protocol):
    """A QAction, a button, a line-edit action: whatever shows an icon."""

    def setIcon(self, icon: QIcon, /) -> None: ...


def icon_names() -> list[str]:
    """The names of all icons, sorted."""
    return sorted(path.stem for path in resource("icons").glob("*.svg"))


@lru_cache(maxsize=256)
def _source(name: str) -> str:
    path = resource("icons") / f"{name}.svg"
    if not path.is_file():
        raise KeyError(f"no icon is called {name!r}; see resources/icons")
    return path.read_text(encoding="utf-8")


@lru_cache(maxsize=512)
def _renderer(name: str, colour: str) -> QSvgRenderer:
    return QSvgRenderer(QByteArray(_source(name).replace("currentColor", colour).encode()))


@lru_cache(maxsize=4096)
def _pixmap(name: str, colour: str, pixels: int) -> QPixmap:
    renderer = _renderer(name, colour)
    pixmap = QPixmap(QSize(pixels, pixels))
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    renderer.render(painter, QRectF(0, 0, pixels, pixels))
    painter.end()
    return pixmap


def pixmap(name: str, role: Role | str = Role.TEXT, size: int = 16, scale: float = 1.0) -> QPixmap:
    """The icon as a pixmap of `size` logical pixels for a screen of `scale` device pixels each.

    Raises:
        KeyError: no icon is called `name`.
    """
    made = QPixmap(_pixmap(name, current().hex(role), round(size * scale)))
    made.setDevicePixelRatio(scale)
    return made


def icon(name: str, role: Role | str = Role.TEXT) -> QIcon:
    """The icon in the colour of `role` in the theme that is on, with a disabled state in the colour of `Role.OFF`.

    It keeps its colour when the theme changes later: use `set_icon` for what stays on screen.

    Raises:
        KeyError: no icon is called `name`.
    """
    made = QIcon()
    colour, disabled, on_accent = current().hex(role), current().hex(Role.BORDER_STRONG), current().hex(Role.TEXT)
    for size in _SIZES:
        made.addPixmap(_pixmap(name, colour, size), QIcon.Mode.Normal)
        made.addPixmap(_pixmap(name, disabled, size), QIcon.Mode.Disabled)
        if size <= 24:
            made.addPixmap(_pixmap(name, on_accent if role == Role.MUTED else colour, size), QIcon.Mode.Active)
    return made


# What carries an icon now, so that a change of theme redraws it. Weak: a closed window leaves nothing behind.
_bound: weakref.WeakKeyDictionary[TakesIcon, tuple[str, Role | str]] = weakref.WeakKeyDictionary()


def set_icon(target: TakesIcon, name: str, role: Role | str = Role.TEXT) -> None:
    """Give `target` (an action or a button) the icon, and give it again in the new colours when the theme changes."""
    target.setIcon(icon(name, role))
    _bound[target] = (name, role)


def refresh_icons() -> None:
    """Redraw every icon given by `set_icon`; called when the theme changes."""
    from shiboken6 import isValid

    for target, (name, role) in list(_bound.items()):
        if isValid(cast(object, target)):
            target.setIcon(icon(name, role))
