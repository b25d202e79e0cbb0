"""The theme that is on, and where the program's resources are."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import cast

from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QColor

from ui.theme.colours import DARK, LIGHT, Role


def resource(*parts: str) -> Path:
    """A path below `resources/`, in a checkout, an installed wheel and a packed program alike."""
    return Path(__file__).resolve().parents[2].joinpath("resources", *parts)


@dataclass(frozen=True, slots=True)
class Theme:
    """One set of colours: `Theme.dark()` or `Theme.light()`."""

    name: str
    colours: dict[Role, str]

    @classmethod
    def dark(cls) -> Theme:
        return cls("dark", DARK)

    @classmethod
    def light(cls) -> Theme:
        return cls("light", LIGHT)

    @property
    def is_dark(self) -> bool:
        return self.name == "dark"

    def hex(self, role: Role | str) -> str:
        """The colour of `role` as `#rrggbb`. Raises ValueError for an unknown role."""
        # A role is its own name: looking up first spares a paint event some thousand conversions.
        found = self.colours.get(cast("Role", role))
        return found if found is not None else self.colours[Role(role)]

    def colour(self, role: Role | str, alpha: float = 1.0) -> QColor:
        """The colour of `role`; `alpha` from 0 (clear) to 1 (solid). Raises ValueError for an unknown role."""
        made = QColor(self.hex(role))
        made.setAlphaF(alpha)
        return made


class _Notifier(QObject):
    """Says when the theme was changed.

    Signals:
        changed: another theme is on; colours taken from `current()` before are stale.
    """

    changed = Signal()


_state: dict[str, Theme] = {"theme": Theme.dark()}
_notifier: list[_Notifier] = []


def current() -> Theme:
    """The theme that is on (dark before `apply` was called)."""
    return _state["theme"]


def set_current(theme: Theme) -> None:
    """Make `theme` the one that `current()` answers. Only `ui.theme.apply` calls this."""
    _state["theme"] = theme


def notifier() -> _Notifier:
    """The object whose `changed` signal follows every change of theme."""
    if not _notifier:
        _notifier.append(_Notifier())
    return _notifier[0]
