"""The colour roles of the window, once for dark and once for light.

A widget names a role, never a colour: `Role.ERROR`, not `#f07178`. The pairs are chosen so that every text role reads
at a contrast of at least 4.5 to 1 on background, surface and raised surface alike (WCAG 2.1, 1.4.3), as tests measure.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """What a colour means. Lamps, texts and icons of one meaning share one role in every room of the window."""

    BACKGROUND = "background"  # the floor: window, dock contents
    SUNKEN = "sunken"  # wells: editor, tables, inputs
    SURFACE = "surface"  # panels, tool bars, headers
    RAISED = "raised"  # buttons, menus, cards
    HOVER = "hover"  # a raised thing under the pointer
    BORDER = "border"  # hairlines between areas
    BORDER_STRONG = "border_strong"  # outlines of buttons and menus
    OUTLINE = "outline"  # what shows where an input, a box to tick or a scroll bar's handle is; 3 to 1 on any ground
    TEXT = "text"
    MUTED = "muted"  # second-line text, hints, units
    ACCENT = "accent"  # selection, focus, the one primary button
    ON_ACCENT = "on_accent"  # text on accent
    SELECTION = "selection"  # background of selected rows and text
    OK = "ok"  # done, connected, lever on
    WARNING = "warning"  # needs a look; retrying; paused
    ERROR = "error"  # failed; the Manager would refuse
    INFO = "info"  # running, neutral news
    OFF = "off"  # switched off, disabled, absent
    DRY = "dry"  # dry run: planned, nothing touched
    OK_FILL = "ok_fill"  # quiet backgrounds behind the five meanings: banners, diff lines
    WARNING_FILL = "warning_fill"
    ERROR_FILL = "error_fill"
    INFO_FILL = "info_fill"
    DRY_FILL = "dry_fill"
    # The editor's colours.
    CODE_KEYWORD = "code_keyword"
    CODE_STRING = "code_string"
    CODE_NUMBER = "code_number"
    CODE_COMMENT = "code_comment"
    CODE_API = "code_api"
    CODE_OPERATOR = "code_operator"
    CODE_REGEX = "code_regex"
    CODE_LINE = "code_line"  # the current line


TEXT_ROLES = (
    Role.TEXT,
    Role.MUTED,
    Role.ACCENT,
    Role.OK,
    Role.WARNING,
    Role.ERROR,
    Role.INFO,
    Role.OFF,
    Role.DRY,
)
"""The roles that may colour text or a meaningful icon on any of `GROUND_ROLES`."""

GROUND_ROLES = (Role.BACKGROUND, Role.SUNKEN, Role.SURFACE, Role.RAISED)

DARK: dict[Role, str] = {
    Role.BACKGROUND: "#171b21",
    Role.SUNKEN: "#12161b",
    Role.SURFACE: "#1d222a",
    Role.RAISED: "#262d37",
    Role.HOVER: "#303845",
    Role.BORDER: "#2c343f",
    Role.BORDER_STRONG: "#46515f",
    Role.OUTLINE: "#6b7785",
    Role.TEXT: "#e3e8ee",
    Role.MUTED: "#a0abb8",
    Role.ACCENT: "#52bfc4",
    Role.ON_ACCENT: "#0d1417",
    Role.SELECTION: "#1a3940",
    Role.OK: "#62c98c",
    Role.WARNING: "#e6b04f",
    Role.ERROR: "#f2837b",
    Role.INFO: "#8ab4f0",
    Role.OFF: "#949fac",
    Role.DRY: "#86a8ff",
    Role.OK_FILL: "#183226",
    Role.WARNING_FILL: "#362b16",
    Role.ERROR_FILL: "#3c2023",
    Role.INFO_FILL: "#1c2c42",
    Role.DRY_FILL: "#1f2a4a",
    Role.CODE_KEYWORD: "#c5a5f2",
    Role.CODE_STRING: "#a5cf8a",
    Role.CODE_NUMBER: "#e9a66b",
    Role.CODE_COMMENT: "#8490a0",
    Role.CODE_API: "#6cc7d6",
    Role.CODE_OPERATOR: "#b9c3cf",
    Role.CODE_REGEX: "#e08fae",
    Role.CODE_LINE: "#1a2027",
}

LIGHT: dict[Role, str] = {
    Role.BACKGROUND: "#f2f4f6",
    Role.SUNKEN: "#ffffff",
    Role.SURFACE: "#f8f9fa",
    Role.RAISED: "#ffffff",
    Role.HOVER: "#e6eaee",
    Role.BORDER: "#dce1e6",
    Role.BORDER_STRONG: "#b3bcc6",
    Role.OUTLINE: "#838d99",
    Role.TEXT: "#1b2129",
    Role.MUTED: "#56606c",
    Role.ACCENT: "#0b6f78",
    Role.ON_ACCENT: "#ffffff",
    Role.SELECTION: "#d3ecee",
    Role.OK: "#17713f",
    Role.WARNING: "#845300",
    Role.ERROR: "#b3261e",
    Role.INFO: "#1b5bb0",
    Role.OFF: "#5f6974",
    Role.DRY: "#3450bd",
    Role.OK_FILL: "#def3e6",
    Role.WARNING_FILL: "#fbeecd",
    Role.ERROR_FILL: "#fbe3e1",
    Role.INFO_FILL: "#e0ecfb",
    Role.DRY_FILL: "#e4e9fd",
    Role.CODE_KEYWORD: "#7a3fb8",
    Role.CODE_STRING: "#2f6d1c",
    Role.CODE_NUMBER: "#97480a",
    Role.CODE_COMMENT: "#626d79",
    Role.CODE_API: "#0b6b80",
    Role.CODE_OPERATOR: "#414b57",
    Role.CODE_REGEX: "#a8245f",
    Role.CODE_LINE: "#f3f6f8",
}


@dataclass(frozen=True, slots=True)
class Space:
    """Distances in logical pixels. Nothing in the window is set apart by another number."""

    XXS: int = 2
    XS: int = 4
    S: int = 8
    M: int = 12
    L: int = 16
    XL: int = 24
    XXL: int = 40


SPACE = Space()
RADIUS = 5
"""Corner radius of buttons, inputs and cards, in logical pixels."""
ROW = 26
"""Height of a table row, in logical pixels."""
BAR = 38
"""Height of a tool bar or header strip, in logical pixels."""


def luminance(colour: str) -> float:
    """The relative luminance (0 to 1) of `#rrggbb` as WCAG 2.1 defines it."""

    def channel(value: int) -> float:
        share = value / 255
        return share / 12.92 if share <= 0.03928 else float(((share + 0.055) / 1.055) ** 2.4)

    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return 0.2126 * channel(red) + 0.7152 * channel(green) + 0.0722 * channel(blue)


def contrast(first: str, second: str) -> float:
    """The contrast ratio (1 to 21) of two `#rrggbb` colours as WCAG 2.1 defines it."""
    high, low = sorted((luminance(first), luminance(second)), reverse=True)
    return (high + 0.05) / (low + 0.05)
