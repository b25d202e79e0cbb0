"""A thumbnail with rounded corners, or a quiet stand-in."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QPainter, QPainterPath, QPaintEvent, QPixmap
from PySide6.QtWidgets import QWidget

from ui import theme
from ui.theme import Role

_PICTURE = QSize(96, 54)


class Picture(QWidget):
    """A thumbnail, or a quiet stand-in."""

    def __init__(self, size: QSize = _PICTURE, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFixedSize(size)
        self._pixmap = QPixmap()
        self.setAccessibleName("Picture")
        theme.notifier().changed.connect(self.update)

    def show_file(self, path: str) -> None:
        """Show a picture's file; "" for none."""
        self._pixmap = QPixmap(path) if path else QPixmap()
        self.update()

    def has_picture(self) -> bool:
        """Whether there is something to see."""
        return not self._pixmap.isNull()

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHints(QPainter.RenderHint.Antialiasing | QPainter.RenderHint.SmoothPixmapTransform)
        shape = QPainterPath()
        shape.addRoundedRect(QRectF(self.rect()), 4, 4)
        painter.setClipPath(shape)
        painter.fillRect(self.rect(), theme.current().colour(Role.SUNKEN))
        if self._pixmap.isNull():
            mark = theme.pixmap("image", Role.BORDER_STRONG, 20, self.devicePixelRatioF())
            painter.drawPixmap((self.width() - 20) // 2, (self.height() - 20) // 2, mark)
            return
        fitted = self._pixmap.size().scaled(self.size(), Qt.AspectRatioMode.KeepAspectRatio)
        area = QRectF((self.width() - fitted.width()) / 2, (self.height() - fitted.height()) / 2, fitted.width(),
                      fitted.height())  # fmt: skip
        painter.drawPixmap(area, self._pixmap, QRectF(self._pixmap.rect()))
