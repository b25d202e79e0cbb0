"""A studio's own handlers on a running server: saved into the folder they act, broken they say so and go on."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest
from listening import until
from program import Program, run_program_line
from studio import Studio

from app.journal.journal import Journal
from app.journal.rows import CatalogueRow

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


def greeter(folder: str, handler_id: str = "greeter") -> str:
    """A handler that makes a folder beside each new task's project."""
    return textwrap.dedent(f"""
        from pathlib import Path

        from app.effects.disk import MakeFolder
        from app.engine.protocol import Handler, HandlerSettings, Plan
        from app.settings.models import setting

        class GreeterSettings(HandlerSettings):
            prefix: str = setting("hello", "How the folder's name begins.", per_project=True)

        class Greeter(Handler):
            id = "{handler_id}"
            title = "Greeter"
            help = "Makes a folder for each new task."
            settings_model = GreeterSettings

            def wants(self, change):
                return change.action == "add" and change.entity_type == "Task"

            def key(self, change):
                return f"task:{{change.entity_id}}"

            def plan(self, changes, ctx):
                root = Path(ctx.doors.settings("studio").disk_map["/data/production"])
                name = ctx.settings.prefix + "_" + changes[0].changes["name"][1]
                path = root / "{folder}" / name
                return Plan((MakeFolder(slot="f", reason="a new task", path=path, root=root),))
    """)


class Served:
    """A running server with a plug-in folder."""

    def __init__(self, studio: Studio, server: Program, journal: Journal, folder: Path) -> None:
        self.studio, self.server, self.journal, self.folder = studio, server, journal, folder

    def save(self, text: str, name: str = "greeter.py") -> None:
        """Save as editors do: a new file takes the old one's place."""
        fresh = self.folder / f".{name}.new"
        fresh.write_text(text)
        fresh.replace(self.folder / name)

    def row(self, handler: str = "greeter") -> CatalogueRow | None:
        """What the panel shows of a handler."""
        return next((row for row in self.journal.catalogue() if row.id == handler), None)

    def error(self) -> str:
        found = self.row()
        return found.error if found else ""

    def made(self, folder: str, name: str) -> bool:
        return until((self.studio.drive / folder / name).is_dir)


@pytest.fixture(scope="module")
def plugin_studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    folder = tmp_path_factory.mktemp("plugins")
    (folder / "own").mkdir()
    with Studio(folder, {"engine.plugins": str(folder / "own")}) as studio:
        yield studio


@pytest.fixture
def served(plugin_studio: Studio, tmp_path: Path) -> Iterator[Served]:
    studio = plugin_studio
    studio.renew()
    package = tmp_path / "packages"
    (package / "studio_tools.dist-info").mkdir(parents=True)
    (package / "studio_tools.py").write_text(greeter("from_package", "packaged"))
    (package / "studio_tools.dist-info/METADATA").write_text("Metadata-Version: 2.1\nName: studio-tools\nVersion: 1\n")
    (package / "studio_tools.dist-info/entry_points.txt").write_text(
        "[signalbox.handlers]\npackaged = studio_tools:Greeter\n"
    )
    own = studio.home.parent / "own"
    with studio.server(PYTHONPATH=str(package)) as server:
        journal = Journal.open(Path(server.wait_line()["journal"]), "read")
        try:
            assert until(lambda: any(lamp.name == "site" and lamp.state == "ok" for lamp in journal.health()))
            yield Served(studio, server, journal, own)
        finally:
            journal.close()
            for path in own.iterdir():
                path.unlink()
        assert server.stop() == 0, server.errors[-3000:]


def test_a_handler_saved_into_the_folder_acts_and_a_broken_one_leaves_the_old_at_work(served: Served) -> None:
    served.save(greeter("first"))
    assert until(lambda: served.row() is not None)
    row = served.row()
    assert row is not None
    assert row.source == str(served.folder / "greeter.py")
    assert "prefix" in row.settings_schema["properties"]
    assert any(lever.handler == "greeter" for lever in served.journal.levers())
    served.studio.create_task("one")
    assert served.made("first", "hello_one")

    served.save("def broken(:\n")
    assert until(lambda: "line 1: SyntaxError" in served.error())
    _, facts = run_program_line("status", "--json", home=served.studio.home)
    told = next(one for one in facts["handlers"] if one["id"] == "greeter")
    assert (told["source"], told["error"]) == (str(served.folder / "greeter.py"), served.error())
    served.studio.create_task("two")
    assert served.made("first", "hello_two")

    served.save(greeter("second"))
    assert until(lambda: served.row() is not None and served.error() == "")
    served.studio.create_task("three")
    assert served.made("second", "hello_three")
    assert not (served.studio.drive / "first/hello_three").exists()


def test_an_installed_package_gives_a_handler_and_shows_where_it_comes_from(served: Served) -> None:
    assert until(lambda: served.row("packaged") is not None)
    row = served.row("packaged")
    assert row is not None
    assert "studio-tools" in row.source
    served.studio.create_task("four")
    assert served.made("from_package", "hello_four")


def test_a_removed_file_takes_its_handler_along(served: Served) -> None:
    served.save(greeter("third"))
    assert until(lambda: served.row() is not None)
    (served.folder / "greeter.py").unlink()
    assert until(lambda: served.row() is None)
