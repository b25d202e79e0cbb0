"""The settings form as the Blender add-on would show it."""

from __future__ import annotations

import pytest
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QCheckBox, QComboBox, QDoubleSpinBox, QLineEdit, QSpinBox

from app.jobs.api import SettingField
from ui.compiler.settings_form import SettingsForm

FIELDS = (
    SettingField("message", "Message", "string", "text", required=True),
    SettingField("chunk_size", "Chunk Size", "int32", "int", default=10, minimum=1, maximum=100),
    SettingField("fps", "Fps", "float", "float", default=23.976),
    SettingField("format", "Format", "string", "choice", choices=("PNG", "OPEN_EXR"), default="OPEN_EXR"),
    SettingField("use_all", "Use All", "bool", "check", default=True),
    SettingField("root", "Root", "string", "dir", editable=False, default="/render"),
    SettingField("scene", "Scene", "string", "text", visible=False, visibility="hidden", eval="C.scene.name"),
)


@pytest.fixture
def form(qtbot, dark: None) -> SettingsForm:
    made = SettingsForm()
    qtbot.addWidget(made)
    made.resize(280, 700)
    with qtbot.waitExposed(made):
        made.show()
    made.show_fields(FIELDS)
    return made


def test_each_type_has_its_input(form: SettingsForm) -> None:
    kinds = {key: type(field.input) for key, field in form.fields.items()}
    assert kinds["message"] is QLineEdit
    assert issubclass(kinds["chunk_size"], QSpinBox)
    assert issubclass(kinds["fps"], QDoubleSpinBox)
    assert kinds["format"] is QComboBox
    assert kinds["use_all"] is QCheckBox


def test_defaults_are_what_is_sent_and_a_hidden_setting_without_one_stays_away(form: SettingsForm) -> None:
    assert form.values() == {
        "message": "",
        "chunk_size": 10,
        "fps": 23.976,
        "format": "OPEN_EXR",
        "use_all": True,
        "root": "/render",
    }


def test_minimum_and_maximum_hold(form: SettingsForm) -> None:
    spin = form.fields["chunk_size"].input
    assert isinstance(spin, QSpinBox)
    spin.setValue(1000)
    assert form.values()["chunk_size"] == 100


def test_a_setting_that_is_not_editable_cannot_be_edited(form: SettingsForm) -> None:
    assert not form.fields["root"].input.isEnabled()


def test_eval_is_shown_as_text(form: SettingsForm) -> None:
    words = [label.text() for label in form.fields["scene"].findChildren(type(form.fields["scene"]._hint))]
    assert any("C.scene.name" in text for text in words)


def test_a_missing_required_value_is_said_beside_the_field_until_it_is_there(form: SettingsForm) -> None:
    line = form.fields["message"].input
    hint = form.fields["message"]._hint
    assert line.property("state") == "error"
    assert hint.isVisible()
    QTest.keyClicks(line, "hello")
    assert line.property("state") == ""
    assert not hint.isVisible()


def test_typing_announces_a_change_and_is_what_is_kept(form: SettingsForm, qtbot) -> None:
    with qtbot.waitSignal(form.changed):
        QTest.keyClicks(form.fields["message"].input, "h")
    assert form.touched_values() == {"message": "h"}


def test_what_was_entered_survives_a_new_setting_in_the_script(form: SettingsForm) -> None:
    QTest.keyClicks(form.fields["message"].input, "kept")
    rebuilt = form.show_fields((*FIELDS, SettingField("extra", "Extra", "string", "text")))
    assert rebuilt
    assert form.values()["message"] == "kept"
    assert not form.show_fields((*FIELDS, SettingField("extra", "Extra", "string", "text")))


def test_a_setting_that_changed_its_type_starts_anew(form: SettingsForm) -> None:
    QTest.keyClicks(form.fields["message"].input, "text")
    form.show_fields((SettingField("message", "Message", "int32", "int", default=3),))
    assert form.values() == {"message": 3}


def test_a_sample_sets_its_values_and_gives_the_others_their_default(form: SettingsForm) -> None:
    form.set_values({"chunk_size": 25, "scene": "Scene.001"})
    form.set_values({"fps": 24.0})
    assert form.values()["chunk_size"] == 10
    assert form.values()["fps"] == 24.0
    assert form.values().get("scene") is None


def test_values_of_a_wrong_type_in_a_sample_do_not_break_the_form(form: SettingsForm) -> None:
    form.set_values({"chunk_size": "many", "fps": None, "use_all": "yes", "format": 5, "message": None})
    assert form.values()["message"] == ""


def test_two_settings_of_one_key_are_one_row(form: SettingsForm) -> None:
    form.show_fields((FIELDS[0], FIELDS[0]))
    assert list(form.fields) == ["message"]


def test_no_settings_is_said(form: SettingsForm) -> None:
    form.show_fields(())
    assert form._empty.isVisible()
    assert form.values() == {}
