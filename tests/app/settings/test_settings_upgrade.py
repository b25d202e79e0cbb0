"""Settings of the last version open; those of a newer one are refused politely and left as they are."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.settings.models import EngineSettings
from app.settings.store import SCHEMA, SettingsError, SettingsStore


def test_a_file_without_a_form_is_of_the_first_and_gets_it_when_it_is_written(tmp_path: Path) -> None:
    path = tmp_path / "settings.toml"
    path.write_text("# ours\n\n# about the engine\n[engine]\nworkers = 2 # enough\n")
    store = SettingsStore(path)
    assert store.section("engine", EngineSettings).workers == 2
    store.set("engine", "attempts", 3)
    text = path.read_text()
    assert f"schema = {SCHEMA}" in text
    assert text.startswith("# ours")
    assert "# about the engine\n[engine]" in text
    assert "# enough" in text
    again = SettingsStore(path)
    assert again.section("engine", EngineSettings).attempts == 3
    again.set("engine", "attempts", 4)
    assert path.read_text().count("schema =") == 1


def test_a_file_of_a_newer_program_is_refused_and_untouched(tmp_path: Path) -> None:
    path = tmp_path / "settings.toml"
    newer = f"schema = {SCHEMA + 1}\n\n[engine]\nwheels = 4\n"
    path.write_text(newer)
    with pytest.raises(SettingsError, match="newer Signalbox"):
        SettingsStore(path)
    assert path.read_text() == newer


def test_a_newer_file_that_comes_while_running_is_not_written_over(tmp_path: Path) -> None:
    path = tmp_path / "settings.toml"
    store = SettingsStore(path)
    store.set("engine", "workers", 2)
    newer = f"schema = {SCHEMA + 1}\n\n[engine]\nwheels = 4\n"
    path.write_text(newer)
    with pytest.raises(SettingsError, match="newer Signalbox"):
        store.set("engine", "workers", 3)
    assert path.read_text() == newer
