"""The strip of lamps: what is wrong is read without a click."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ui.panel import Panel
from ui.sample_day import Day


def test_what_is_wrong_is_read_whole_in_a_small_window_and_what_is_well_gives_way(
    show_panel: Callable[..., Panel], day: Day, qtbot: Any
) -> None:
    panel = show_panel(day.folder, 1280, 720)
    strip = panel.health
    qtbot.waitUntil(lambda: strip.lamp("drives").trouble and strip.lamp("slack").trouble)

    def read(name: str) -> bool:
        return bool(strip.lamp(name).words.text() == strip.lamp(name).words.whole())

    qtbot.waitUntil(lambda: read("drives") and read("slack"))
    assert strip.lamp("drives").words.text() == "bigbuck not reachable"
    assert strip.lamp("slack").words.text() == "not in #tos-lighting"
    assert read("site"), "short words stay whole too"
