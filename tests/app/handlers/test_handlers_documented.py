"""The handlers' page is true: every setting with its default, every handler, every entry of the tables."""

from __future__ import annotations

import json
import re
from pathlib import Path

from app.engine.protocol import HandlerSettings
from app.handlers import all_handlers
from app.settings.store import SettingsStore

DOCS = Path(__file__).resolve().parents[3] / "docs"


def test_every_handler_and_every_setting_is_in_the_page() -> None:
    page = (DOCS / "handlers.md").read_text(encoding="utf-8")
    sections = {match[1]: match[0] for match in re.finditer(r"^## [^\n]*\(`(\w+)`\).*?(?=^## |\Z)", page, re.M | re.S)}
    assert set(sections) == {handler.id for handler in all_handlers()}
    for handler in all_handlers():
        listed = re.findall(r"^\| `(\w+)`( \*)? \| ", sections[handler.id], re.M)
        fields = handler.settings_model.model_fields
        assert [name for name, _ in listed] == list(fields)
        for name, star in listed:
            extra = fields[name].json_schema_extra
            assert isinstance(extra, dict)
            assert bool(star) == bool(extra.get("per_project")), name


def test_the_page_on_writing_a_handler_names_what_exists() -> None:
    page = (DOCS / "writing-a-handler.md").read_text(encoding="utf-8")
    root = DOCS.parent
    for path in re.findall(r"`((?:resources|app)/[\w/.]+)`", page):
        assert (root / path).exists(), path
    for module in re.findall(r"`(app\.[\w.]+)`", page):
        assert (root / (module.replace(".", "/") + ".py")).exists(), module


def test_every_setting_survives_the_file_and_its_schema_is_plain_json(tmp_path: Path) -> None:
    path = tmp_path / "settings.toml"
    store = SettingsStore(path)
    for handler in all_handlers():
        section, model = f"handlers.{handler.id}", handler.settings_model
        store.declare(section, model)
        json.dumps(model.model_json_schema())
        for name in model.model_fields:
            present = getattr(model(), name)
            # A number or a text may be anything valid; the default, written out, is.
            store.set(section, name, present, project="bigbuck") if _per_project(model, name) else store.set(
                section, name, present
            )
    again = SettingsStore(path)
    for handler in all_handlers():
        for project in (None, "bigbuck"):
            found = again.section(f"handlers.{handler.id}", handler.settings_model, project)
            assert found == handler.settings_model()


def _per_project(model: type[HandlerSettings], name: str) -> bool:
    extra = model.model_fields[name].json_schema_extra
    return isinstance(extra, dict) and bool(extra.get("per_project"))
