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


def test_a_wide_window_says_every_lamps_words_from_its_first_look_on(
    show_panel: Callable[..., Panel], day: Day, qtbot: Any
) -> None:
    strip = show_panel(day.folder, 1920, 1080).health
    qtbot.waitUntil(lambda: "menus" in strip._lamps)
    qtbot.waitUntil(lambda: all(lamp.words.text() == lamp.words.whole() for lamp in strip._lamps.values()))
    assert strip.lamp("journal").words.text() == "61 GB free"
