"""A studio's own handlers: the folder, hot reload, and what is said when one does not load."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

import pytest
from production import Production

from app.engine.protocol import Handler
from app.handlers import all_handlers, api
from app.handlers.plugins import Plugins
from app.resources import resource

EXAMPLE = "notify_on_note.py"


def write(folder: Path, name: str, text: str) -> Path:
    """Save as editors do: a new file takes the old one's place."""
    path = folder / name
    fresh = folder / f".{name}.new"
    fresh.write_text(textwrap.dedent(text))
    fresh.replace(path)
    return path


def plugin(handler_id: str = "greeter", title: str = "Greeter", more: str = "") -> str:
    return f"""
from app.engine.protocol import Handler, Plan

class Greeter(Handler):
    id = "{handler_id}"
    title = "{title}"
    help = "Says hello."
    def wants(self, change):
        return True
    def key(self, change):
        return "greeting"
    def plan(self, changes, ctx):
        return Plan()
{more}
"""


def settings(declared: str) -> str:
    model = f"""
from collections.abc import Callable
from app.engine.protocol import HandlerSettings
from app.settings.models import setting

class GreeterSettings(HandlerSettings):
    {declared}
"""
    return model + plugin(more="    settings_model = GreeterSettings")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "plugins"
    made.mkdir()
    return made


@pytest.fixture
def plugins(folder: Path) -> Plugins:
    return Plugins(all_handlers(), folder, entry_points=False)


def own(plugins: Plugins) -> dict[str, Handler]:
    return {one.id: one for one in plugins.handlers[len(all_handlers()) :]}


def test_a_file_saved_into_the_folder_is_a_handler_at_the_next_look(plugins: Plugins, folder: Path) -> None:
    assert own(plugins) == {}
    assert not plugins.refresh()
    path = write(folder, "greeter.py", plugin())
    assert plugins.refresh()
    assert own(plugins)["greeter"].title == "Greeter"
    assert plugins.sources == {"greeter": str(path)}
    assert plugins.errors == {}
    assert not plugins.refresh()


def test_a_changed_file_takes_the_place_of_the_old_one(plugins: Plugins, folder: Path) -> None:
    write(folder, "greeter.py", plugin(title="One"))
    plugins.refresh()
    write(folder, "greeter.py", plugin(title="Two"))
    assert plugins.refresh()
    assert own(plugins)["greeter"].title == "Two"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("def broken(:\n", "line 1: SyntaxError"),
        ("\n\nraise RuntimeError('no config')\n", "line 3: RuntimeError: no config"),
        ("import a_module_that_is_not_there\n", "ModuleNotFoundError"),
        ("x = 1\n", "no class derived from Handler"),
        (plugin(handler_id="Not An Id"), "must be lower case"),
        (plugin(handler_id="create_task_folder"), "is taken by another handler"),
        (plugin(title=" "), "lacks a text title"),
        (plugin(more="    batch = 0"), "batch"),
        (plugin(more="    settings_model = dict"), "derived from HandlerSettings"),
        (plugin(more="    icon = None"), "lacks a text icon"),
        (settings("call: Callable[[int], int] = setting(abs, 'A function.')"), "cannot be written down as JSON"),
        (settings("thing: object = setting(object(), 'A thing.')"), "cannot be written down as JSON"),
        (plugin().replace("def key", "def kay"), "lacks key"),
        ("import sys\nsys.exit(3)\n", "SystemExit"),
    ],
)
def test_the_old_one_is_kept_when_the_new_does_not_load_and_the_reason_is_shown(
    plugins: Plugins, folder: Path, text: str, said: str
) -> None:
    path = write(folder, "greeter.py", plugin(title="The good one"))
    plugins.refresh()
    write(folder, "greeter.py", text)
    assert plugins.refresh()
    assert own(plugins)["greeter"].title == "The good one"
    assert said in plugins.errors["greeter"]
    assert plugins.sources["greeter"] == str(path)
    write(folder, "greeter.py", plugin(title="Mended"))
    plugins.refresh()
    assert own(plugins)["greeter"].title == "Mended"
    assert plugins.errors == {}


def test_a_file_that_never_loaded_is_shown_with_its_error_and_wants_nothing(
    plugins: Plugins, folder: Path, show: Production
) -> None:
    write(folder, "my-tool.py", "import nowhere_at_all\n")
    plugins.refresh()
    broken = own(plugins)["plugin_my_tool"]
    assert "nowhere_at_all" in plugins.errors["plugin_my_tool"]
    assert broken.title == "my-tool.py"
    assert not broken.wants(show.added("Project", show.project))


def test_a_removed_file_takes_its_handler_along(plugins: Plugins, folder: Path) -> None:
    path = write(folder, "greeter.py", plugin())
    plugins.refresh()
    path.unlink()
    assert plugins.refresh()
    assert own(plugins) == {}


def test_two_files_cannot_take_one_id(plugins: Plugins, folder: Path) -> None:
    write(folder, "a.py", plugin(title="First"))
    write(folder, "b.py", plugin(title="Second"))
    plugins.refresh()
    assert own(plugins)["greeter"].title == "First"
    assert "is taken" in plugins.errors["plugin_b"]


def test_hidden_files_and_helpers_are_left_alone(plugins: Plugins, folder: Path) -> None:
    write(folder, "_helper.py", "raise RuntimeError")
    (folder / ".#greeter.py").write_text("raise RuntimeError")
    (folder / "readme.txt").write_text("hello")
    assert not plugins.refresh()


def test_a_folder_that_is_not_there_is_an_empty_one(tmp_path: Path) -> None:
    assert own(Plugins(all_handlers(), tmp_path / "nowhere", entry_points=False)) == {}
    assert own(Plugins(all_handlers(), None)) == {}


def test_an_installed_package_offers_handlers_by_its_entry_point(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "site"
    (package / "studio_tools.dist-info").mkdir(parents=True)
    (package / "studio_tools.py").write_text(textwrap.dedent(plugin(handler_id="from_package")))
    (package / "studio_tools.dist-info/METADATA").write_text("Metadata-Version: 2.1\nName: studio-tools\nVersion: 1\n")
    (package / "studio_tools.dist-info/entry_points.txt").write_text(
        "[signalbox.handlers]\ngreeter = studio_tools:Greeter\nbroken = studio_tools:Missing\n"
    )
    monkeypatch.syspath_prepend(str(package))
    plugins = Plugins(all_handlers(), None)
    assert own(plugins)["from_package"].title == "Greeter"
    assert "studio-tools" in plugins.sources["from_package"]
    assert any("Missing" in error for error in plugins.errors.values())


def test_the_example_loads_and_tells_of_a_marked_note_once(show: Production, folder: Path) -> None:
    (folder / EXAMPLE).write_text(resource(f"examples/{EXAMPLE}").read_text())
    plugins = Plugins(all_handlers(), folder, entry_points=False)
    assert plugins.errors == {}
    handler = own(plugins)["notify_on_note"]
    marked = note(show, "URGENT: the <rig> is broken")
    plain = note(show, "nice")
    context = show.context(handler)
    before = context.clock.now().replace(microsecond=0)
    since = before.replace(year=before.year - 1)
    changes = {one.entity_id: one for one in handler.catch_up(context, since) if one.project_id == show.project}
    assert set(changes) == {marked, plain}
    done = show.run(handler, changes[marked], changes[plain])
    assert [one.entity_id for one in done.plan.notes] == [plain]
    show.run(handler, changes[marked])
    (message,) = show.messages()
    assert message.channel == "#general"
    assert "URGENT: the &lt;rig&gt; is broken" in message.text


@pytest.mark.parametrize("kind", ["Shot", "AssetBuild", "Sequence"])
def test_a_plug_in_catches_up_with_what_was_added_anywhere_in_the_tree(show: Production, kind: str) -> None:
    since = show.clock.now().replace(microsecond=0)
    made = {"Shot": show.shot, "AssetBuild": show.asset, "Sequence": lambda: show.context_of("Sequence", "777")}[kind]()
    context = show.context(all_handlers()[0])
    (found,) = [one for one in api.added_since(context, since, kind) if one.project_id == show.project]
    live = show.added(kind, made)
    assert (found.action, found.entity_type, found.table, found.entity_id) == ("add", kind, live.table, made)
    assert found.parents == live.parents
    assert found.event_id == f"catch-up:added:{made}"
    assert found.origin == "catch_up"


def test_the_page_for_plug_ins_names_what_they_may_import() -> None:
    page = (Path(__file__).parents[3] / "docs/writing-a-handler.md").read_text()
    assert [name for name in api.__all__ if not re.search(rf"\b{name}\b", page)] == []


def note(show: Production, text: str) -> str:
    author = show.one(f'select id from User where username is "{show.user}"')["id"]
    return show.make("Note", content=text, parent_id=show.project, parent_type="Project", user_id=author)


def test_every_setting_of_every_handler_has_a_help_text_and_a_valid_default() -> None:
    for handler in all_handlers():
        handler.settings_model()
        for name, declared in handler.settings_model.model_fields.items():
            assert declared.description, f"{handler.id}.{name}"
        assert handler.settings_model.model_json_schema()["properties"]
