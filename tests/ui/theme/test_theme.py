"""The look: contrast that is measured, icons that exist, a switch while the window is open."""

from __future__ import annotations

import pytest
from PySide6.QtGui import QFontDatabase, QFontInfo, QImage, QTextLayout
from PySide6.QtWidgets import QApplication, QPushButton

from ui import theme
from ui.theme import GROUND_ROLES, TEXT_ROLES, Role, Theme, contrast


@pytest.fixture(autouse=True)
def _back_to_dark(qapp: QApplication):
    yield
    theme.apply(qapp, "dark")


@pytest.mark.parametrize("look", [Theme.dark(), Theme.light()], ids=lambda look: look.name)
def test_every_text_colour_reads_on_every_ground(look: Theme) -> None:
    weak = [
        (role, ground, round(contrast(look.hex(role), look.hex(ground)), 2))
        for role in TEXT_ROLES
        for ground in GROUND_ROLES
        if contrast(look.hex(role), look.hex(ground)) < 4.5
    ]
    assert weak == []


@pytest.mark.parametrize("look", [Theme.dark(), Theme.light()], ids=lambda look: look.name)
def test_where_an_input_is_can_be_seen_on_every_ground(look: Theme) -> None:
    """WCAG 2.1, 1.4.11: 3 to 1."""
    seen = {ground: contrast(look.hex(Role.OUTLINE), look.hex(ground)) for ground in GROUND_ROLES}
    assert min(seen.values()) >= 3.0, seen


@pytest.mark.parametrize("look", [Theme.dark(), Theme.light()], ids=lambda look: look.name)
def test_code_reads_in_the_editor_and_lamps_read_on_their_own_banners(look: Theme) -> None:
    code = [role for role in Role if role.startswith("code_") and role is not Role.CODE_LINE]
    pairs = [(role, ground) for role in code for ground in (Role.SUNKEN, Role.CODE_LINE)]
    pairs += [(Role(name), Role(f"{name}_fill")) for name in ("ok", "warning", "error", "info", "dry")]
    pairs += [(Role.TEXT, Role(f"{name}_fill")) for name in ("ok", "warning", "error", "info", "dry")]
    pairs += [(Role.TEXT, Role.SELECTION), (Role.MUTED, Role.SELECTION), (Role.ON_ACCENT, Role.ACCENT)]
    assert [pair for pair in pairs if contrast(look.hex(pair[0]), look.hex(pair[1])) < 4.5] == []


def test_contrast_is_that_of_the_standard() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21.0)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


def test_both_themes_name_every_role() -> None:
    assert set(Theme.dark().colours) == set(Theme.light().colours) == set(Role)


def test_every_icon_draws_something_in_the_colour_of_its_role(qapp: QApplication) -> None:
    theme.apply(qapp, "dark")
    blank = []
    for name in theme.icon_names():
        image = theme.pixmap(name, Role.ACCENT, 24).toImage().convertToFormat(QImage.Format.Format_ARGB32)
        if not any(image.pixelColor(x, y).alpha() > 200 for x in range(24) for y in range(24)):
            blank.append(name)
    assert blank == []
    with pytest.raises(KeyError, match="no icon is called"):
        theme.icon("no such icon")


def test_icons_are_sharp_on_a_screen_of_two_pixels_a_point(qapp: QApplication) -> None:
    theme.apply(qapp, "dark")
    twice = theme.pixmap("deploy", Role.TEXT, 16, 2.0)
    assert (twice.width(), twice.devicePixelRatio()) == (32, 2.0)


def test_switching_the_theme_recolours_an_icon_that_is_on_screen(qapp: QApplication, qtbot) -> None:
    theme.apply(qapp, "dark")
    button = QPushButton()
    qtbot.addWidget(button)
    theme.set_icon(button, "stop", Role.ERROR)

    def colours() -> set[str]:
        image = button.icon().pixmap(24, 24).toImage()
        return {
            image.pixelColor(x, y).name() for x in range(24) for y in range(24) if image.pixelColor(x, y).alpha() == 255
        }

    assert Theme.dark().hex(Role.ERROR) in colours()
    with qtbot.waitSignal(theme.notifier().changed):
        theme.apply(qapp, "light")
    assert Theme.light().hex(Role.ERROR) in colours()


def test_bundled_fonts_are_the_ones_used(qapp: QApplication) -> None:
    theme.apply(qapp, "dark")
    assert {"Inter", "JetBrains Mono"} <= set(QFontDatabase.families())
    assert theme.mono_font().families()[0] == "JetBrains Mono"


def test_an_arrow_in_the_editor_is_drawn_as_it_was_typed(qapp: QApplication) -> None:
    theme.apply(qapp, "dark")

    def glyphs(text: str) -> list[int]:
        layout = QTextLayout(text, theme.editor_font())
        layout.beginLayout()
        layout.createLine()
        layout.endLayout()
        return [glyph for run in layout.glyphRuns() for glyph in run.glyphIndexes()]

    assert QFontInfo(theme.editor_font()).family() == "JetBrains Mono NL"
    for arrow in ("=>", "->", "!==", "<="):
        assert glyphs(arrow) == [glyph for letter in arrow for glyph in glyphs(letter)]


def test_the_style_sheet_names_no_unknown_role_and_only_images_that_exist(qapp: QApplication) -> None:
    for look in (Theme.dark(), Theme.light()):
        sheet = theme.style_sheet(look)
        assert "@" not in sheet.split("*/", 1)[1]
        images = [part.split(")")[0] for part in sheet.split("url(")[1:]]
        assert images
        assert [path for path in images if not theme.resource(path).is_file()] == []
