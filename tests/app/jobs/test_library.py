"""The list of scripts, drafts that survive a crash, sample jobs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from app.jobs.library import ScriptLibrary
from app.jobs.model import SampleJob, ScriptState
from app.jobs.samples import SampleJobs
from app.jobs.templates import TEMPLATES

ROOT = Path(__file__).parents[3]
TEXT = "// mine\n"


@pytest.fixture
def library(tmp_path: Path) -> ScriptLibrary:
    (tmp_path / "scripts").mkdir()
    return ScriptLibrary(tmp_path / "scripts", tmp_path / "drafts")


def states(library: ScriptLibrary) -> dict[str, ScriptState]:
    return {info.name: info.state for info in library.list()}


def test_the_list_shows_where_each_script_stands(library: ScriptLibrary) -> None:
    assert library.scripts_dir is not None
    (library.scripts_dir / "mine.js").write_text(TEXT)
    (library.scripts_dir / "log_and_sleep.js").write_text(TEXT)
    (library.scripts_dir / "echo_sleep_test.js").write_text(TEXT)
    library.autosave("fresh.js", "// new")
    library.autosave("mine.js", "// changed")
    seen = states(library)
    assert seen["dailies_transcode.js"] is ScriptState.BUILT_IN
    assert seen["mine.js"] is ScriptState.CHANGED
    assert seen["fresh.js"] is ScriptState.DRAFT
    assert seen["log_and_sleep.js"] is ScriptState.HIDES_BUILT_IN
    assert seen["echo_sleep_test.js"] is ScriptState.HIDES_BUILT_IN


def test_an_unreadable_script_is_listed_with_its_problem(library: ScriptLibrary) -> None:
    assert library.scripts_dir is not None
    (library.scripts_dir / "gone.js").symlink_to(library.scripts_dir / "nowhere.js")
    info = next(info for info in library.list() if info.name == "gone.js")
    assert info.state is ScriptState.UNREADABLE
    assert info.problem


def test_a_vanished_scripts_folder_leaves_the_built_in_scripts(tmp_path: Path) -> None:
    library = ScriptLibrary(tmp_path / "nowhere", tmp_path / "drafts")
    assert "log_and_sleep.js" in states(library)


def test_a_script_changed_or_removed_by_somebody_else_is_noticed(library: ScriptLibrary) -> None:
    assert library.scripts_dir is not None
    path = library.scripts_dir / "mine.js"
    path.write_text(TEXT)
    opened = library.open("mine.js")
    assert not library.changed_outside(opened)
    path.write_text("// by a colleague\n")
    assert library.changed_outside(opened)
    path.unlink()
    assert library.changed_outside(opened)


def test_a_draft_saved_just_before_the_program_was_killed_is_recovered(library: ScriptLibrary) -> None:
    code = (
        "import os, signal, sys\nfrom pathlib import Path\nfrom app.jobs.library import ScriptLibrary\n"
        "ScriptLibrary(None, Path(sys.argv[1])).autosave('mine.js', '// unsaved work', 'base')\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    process = subprocess.run(
        [sys.executable, "-c", code, str(library.drafts_dir)], cwd=ROOT, env=dict(os.environ), check=False
    )
    assert process.returncode == -signal.SIGKILL
    opened = library.open("mine.js")
    assert opened.text == "// unsaved work"
    assert opened.recovered
    assert opened.sha256 == "base"
    library.discard_draft("mine.js")
    with pytest.raises(KeyError):
        library.open("mine.js")


def test_a_damaged_draft_does_not_hide_the_script(library: ScriptLibrary) -> None:
    assert library.scripts_dir is not None
    (library.scripts_dir / "mine.js").write_text(TEXT)
    library.autosave("mine.js", "// draft")
    (library.drafts_dir / "mine.js.draft.json").write_text('{"name": "mi')
    assert library.open("mine.js").text == TEXT


def test_a_new_script_starts_from_a_template_and_never_replaces_another(library: ScriptLibrary) -> None:
    opened = library.new_from_template("empty", "mine.js")
    assert opened.text == TEMPLATES["empty"].text
    with pytest.raises(FileExistsError):
        library.new_from_template("empty", "mine.js")
    with pytest.raises(ValueError, match="name of a script"):
        library.new_from_template("empty", "../mine.js")


def test_sample_jobs_are_kept_per_script_and_a_broken_one_is_named(tmp_path: Path) -> None:
    samples = SampleJobs(tmp_path)
    sample = SampleJob("night shot", "a.js", {"name": "x", "settings": {"n": 1}}, "Asia/Tokyo", "2026-01-01T00:00:00")
    samples.save(sample)
    samples.save(SampleJob("other", "b.js", {}))
    assert samples.list("a.js") == [sample]
    next(tmp_path.glob("a.js*/*.json")).write_text("{")
    assert samples.list("a.js") == []
    assert len(samples.problems("a.js")) == 1
    samples.delete("a.js", "night shot")
    assert samples.problems("a.js") == ()
