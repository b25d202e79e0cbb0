"""Lamps: a colour and a shape a state, so that they are told apart without colour too."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QPainter, QPaintEvent, QPen, QPolygonF
from PySide6.QtWidgets import QSizePolicy, QWidget

from ui import theme
from ui.theme import Role

LAMP = 9.0
"""Size of a lamp in logical pixels."""


def paint_lamp(painter: QPainter, rect: QRectF, role: Role, shape: str) -> None:
    """Draw a lamp.

    Args:
        painter: On any widget.
        rect: Where; square.
        role: Its colour.
        shape: "disc", "ring", "half", "dash", "diamond", "square", "cross", "bars" or "point".
    """
    colour = theme.current().colour(role)
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    pen = QPen(colour, 1.5)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(colour)
    inner = rect.adjusted(0.75, 0.75, -0.75, -0.75)
    middle = rect.center()
    if shape == "disc":
        glow = theme.current().colour(role, 0.22)
        painter.setBrush(glow)
        painter.drawEllipse(rect.adjusted(-2, -2, 2, 2))
        painter.setBrush(colour)
        painter.drawEllipse(rect.adjusted(0.5, 0.5, -0.5, -0.5))
    elif shape == "diamond":
        half = rect.width() / 2 + 0.7
        offsets = ((0, -half), (half, 0), (0, half), (-half, 0))
        painter.drawPolygon(QPolygonF([QPointF(middle.x() + dx, middle.y() + dy) for dx, dy in offsets]))
    elif shape == "square":
        painter.drawRoundedRect(inner, 1.5, 1.5)
    elif shape == "dash":
        painter.drawRoundedRect(QRectF(rect.left() + 1, middle.y() - 1, rect.width() - 2, 2), 1, 1)
    elif shape == "bars":
        wide = rect.width() / 3.4
        painter.drawRect(QRectF(rect.left() + 1, rect.top() + 1, wide, rect.height() - 2))
        painter.drawRect(QRectF(rect.right() - 1 - wide, rect.top() + 1, wide, rect.height() - 2))
    elif shape == "point":
        painter.drawEllipse(middle, 1.3, 1.3)
    else:
        painter.setPen(pen)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        if shape == "cross":
            painter.drawLine(inner.topLeft(), inner.bottomRight())
            painter.drawLine(inner.topRight(), inner.bottomLeft())
        else:
            painter.drawEllipse(inner)
            if shape == "half":
                painter.setBrush(colour)
                painter.drawPie(inner, 90 * 16, 180 * 16)
    painter.restore()


class Lamp(QWidget):
    """A lamp that stands alone."""

    def __init__(self, parent: QWidget | None = None, role: Role = Role.OFF, shape: str = "ring") -> None:
        super().__init__(parent)
        self._role, self._shape = role, shape
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        theme.notifier().changed.connect(self.update)

    def sizeHint(self) -> QSize:
        return QSize(16, 16)

    def set_look(self, role: Role, shape: str) -> None:
        """Change colour and shape."""
        if (role, shape) != (self._role, self._shape):
            self._role, self._shape = role, shape
            self.update()

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        rect = QRectF(0, 0, LAMP, LAMP)
        rect.moveCenter(QRectF(self.rect()).center())
        paint_lamp(painter, rect, self._role, self._shape)
