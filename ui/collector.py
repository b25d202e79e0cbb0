"""Python's garbage collector beside Qt: on Qt's thread alone, and seldom."""

from __future__ import annotations

import gc

from PySide6.QtCore import QObject, QTimerEvent

OBJECTS = (20_000, 10, 20)
"""Objects before a round of the garbage collector, and how often a round goes deeper; Python's own habit is 700."""
_LOOK_MS = 100
_ALL = 2


class Collector(QObject):
    """While it is there, Python looks for garbage on the thread of Qt's loop, by its own thresholds.

    By itself it does so on whichever thread makes the one object too many, and what is found is destroyed there:
    windows on a thread that must not touch them. And PySide (6.11) cuts a collected receiver off its signals with a
    lock of Qt's and without Python's, for which it then waits; a `connect` on Qt's thread waits the other way round:
    for ever.
    """

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._old = 0
        gc.disable()
        self._timer = self.startTimer(_LOOK_MS)

    def close(self) -> None:
        """Leave it to Python again."""
        self.killTimer(self._timer)
        gc.enable()

    def timerEvent(self, _event: QTimerEvent) -> None:
        counts, limits = gc.get_count(), gc.get_threshold()
        if counts[0] <= limits[0]:
            return
        depth = max(depth for depth in range(3) if counts[depth] > limits[depth])
        # As Python has it: a round over everything waits until a quarter more has grown old.
        if depth == _ALL and len(gc.get_objects(_ALL)) < self._old * 1.25:
            depth -= 1
        gc.collect(depth)
        if depth == _ALL:
            self._old = len(gc.get_objects(_ALL))


def calm_collector() -> None:
    """Take what is there now out of the garbage collector's rounds, and let those come seldom.

    A full round over everything that was imported holds the window for some 40 ms. Called when the application is made,
    and again when what runs behind the window has been loaded.
    """
    gc.freeze()
    gc.set_threshold(*OBJECTS)
