"""Palette and style sheet over Qt's Fusion style.

The palette colours everything, so that a widget nobody thought of still fits; the sheet (`resources/theme.qss`) only
shapes what a palette cannot reach. It holds no `::item` rule: those make every table cell slower to paint.
"""

from __future__ import annotations

from PySide6.QtGui import QPalette

from ui.theme.colours import RADIUS, Role
from ui.theme.current import Theme, resource


def palette(theme: Theme) -> QPalette:
    """The QPalette of `theme`, all three colour groups."""
    made = QPalette()
    roles = {
        QPalette.ColorRole.Window: Role.BACKGROUND,
        QPalette.ColorRole.WindowText: Role.TEXT,
        QPalette.ColorRole.Base: Role.SUNKEN,
        QPalette.ColorRole.AlternateBase: Role.CODE_LINE,
        QPalette.ColorRole.Text: Role.TEXT,
        QPalette.ColorRole.PlaceholderText: Role.MUTED,
        QPalette.ColorRole.Button: Role.RAISED,
        QPalette.ColorRole.ButtonText: Role.TEXT,
        QPalette.ColorRole.BrightText: Role.ERROR,
        QPalette.ColorRole.ToolTipBase: Role.RAISED,
        QPalette.ColorRole.ToolTipText: Role.TEXT,
        QPalette.ColorRole.Highlight: Role.SELECTION,
        QPalette.ColorRole.HighlightedText: Role.TEXT,
        QPalette.ColorRole.Link: Role.ACCENT,
        QPalette.ColorRole.LinkVisited: Role.ACCENT,
        QPalette.ColorRole.Accent: Role.ACCENT,
        # Fusion draws frames, grids and unchecked boxes with these; left alone they vanish on a dark ground.
        QPalette.ColorRole.Light: Role.HOVER,
        QPalette.ColorRole.Midlight: Role.BORDER,
        QPalette.ColorRole.Mid: Role.BORDER,
        QPalette.ColorRole.Dark: Role.BORDER_STRONG,
        QPalette.ColorRole.Shadow: Role.SUNKEN,
    }
    for colour_role, role in roles.items():
        made.setColor(colour_role, theme.colour(role))
    for colour_role in (
        QPalette.ColorRole.WindowText,
        QPalette.ColorRole.Text,
        QPalette.ColorRole.ButtonText,
        QPalette.ColorRole.HighlightedText,
    ):
        made.setColor(QPalette.ColorGroup.Disabled, colour_role, theme.colour(Role.OFF, 0.7))
    made.setColor(QPalette.ColorGroup.Disabled, QPalette.ColorRole.Highlight, theme.colour(Role.HOVER))
    return made


def style_sheet(theme: Theme) -> str:
    """The sheet of `theme`.

    Dynamic properties that it knows: `kind` on QPushButton (`primary`, `danger`, `quiet`), on QToolButton (`segment`),
    on QFrame (`card`, `bar`, `foot`, `line`), on QLabel (`title`, `heading`, `muted`) and `state` on QLabel and QFrame
    (`ok`, `warning`, `error`, `info`, `dry`, `off`).
    """
    values = {role.value: colour for role, colour in theme.colours.items()}
    values["radius"] = f"{RADIUS}px"
    for name in ("down", "up", "right", "check", "partial", "radio"):
        values[f"img_{name}"] = resource("icons", "qss", f"{name}-{theme.name}.svg").as_posix()
    sheet = resource("theme.qss").read_text(encoding="utf-8")
    # Longest first: @border_strong must not be read as @border.
    for name in sorted(values, key=len, reverse=True):
        sheet = sheet.replace("@" + name, values[name])
    return sheet
