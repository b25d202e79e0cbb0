"""The look of the window: colours by role, two typefaces, line icons, distances.

    from ui import theme
    theme.apply(app, "dark")                       # or "light", "system"; call again to switch while running
    theme.current().colour(theme.Role.ERROR)       # in a paint event
    theme.set_icon(button, "retry")                # follows a change of theme
    theme.notifier().changed.connect(self.update)  # for what keeps colours of its own

Widgets choose among the style sheet's few kinds by a dynamic property: `theme.mark(button, kind="primary")`.
"""

from __future__ import annotations

from typing import Literal

from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QApplication, QWidget

from ui.theme.colours import BAR, GROUND_ROLES, RADIUS, ROW, SPACE, TEXT_ROLES, Role, contrast
from ui.theme.current import Theme, current, notifier, resource, set_current
from ui.theme.fonts import editor_font, heading_font, load_fonts, mono_font, numbers, ui_font
from ui.theme.icons import icon, icon_names, pixmap, refresh_icons, set_icon
from ui.theme.style import palette, style_sheet

__all__ = [
    "BAR",
    "GROUND_ROLES",
    "RADIUS",
    "ROW",
    "SPACE",
    "TEXT_ROLES",
    "Choice",
    "Role",
    "Theme",
    "apply",
    "contrast",
    "current",
    "editor_font",
    "heading_font",
    "icon",
    "icon_names",
    "mark",
    "mono_font",
    "notifier",
    "numbers",
    "pixmap",
    "resource",
    "set_icon",
    "style_sheet",
    "ui_font",
    "wear_sheet",
]

Choice = Literal["dark", "light", "system"]
"""What a person can set; `system` follows the desktop, and is dark where the desktop does not say."""

_choice: dict[str, Choice] = {}


def apply(app: QApplication, choice: Choice = "system", *, sheet: bool = True) -> Theme:
    """Dress the whole application; may be called again at any time to switch.

    Args:
        app: the running application.
        choice: "dark", "light" or "system".
        sheet: False leaves the style sheet to a later `wear_sheet`. Under a sheet every widget that is put into another
            is styled anew; a window built first and styled once is ready in half the time.

    Returns:
        The theme that is on now.
    """
    first = not _choice
    _choice["choice"] = choice
    theme = _resolve(choice)
    set_current(theme)
    load_fonts()
    if first:
        app.setStyle("Fusion")
        hints = QGuiApplication.styleHints()
        hints.colorSchemeChanged.connect(lambda _scheme: _follow_system(app))
    app.setFont(ui_font())
    app.setPalette(palette(theme))
    if sheet:
        app.setStyleSheet(style_sheet(theme))
    refresh_icons()
    notifier().changed.emit()
    return theme


def wear_sheet() -> None:
    """Put the style sheet on where `apply` left it away."""
    app = QApplication.instance()
    if isinstance(app, QApplication) and _choice and not app.styleSheet():
        app.setStyleSheet(style_sheet(current()))


def chosen() -> Choice:
    """What was last applied: "system" where the desktop decides."""
    return _choice.get("choice", "dark")


def _resolve(choice: Choice) -> Theme:
    if choice == "system":
        light = QGuiApplication.styleHints().colorScheme() == Qt.ColorScheme.Light
        return Theme.light() if light else Theme.dark()
    return Theme.light() if choice == "light" else Theme.dark()


def _follow_system(app: QApplication) -> None:
    if _choice.get("choice") == "system" and _resolve("system") != current():
        apply(app, "system")


def mark(widget: QWidget, **properties: str) -> None:
    """Set dynamic properties (`kind="primary"`, `state="error"`) and let the style sheet look at them again."""
    changed = False
    for name, value in properties.items():
        if widget.property(name) != value:
            widget.setProperty(name, value)
            changed = True
    if changed:
        style = widget.style()
        style.unpolish(widget)
        style.polish(widget)
