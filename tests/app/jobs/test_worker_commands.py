"""Every observed case of the Worker's commands holds here: same errors, logs, outputs, steps and argument lists."""

from __future__ import annotations

import json
import os
import re
import shutil
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from app.jobs.task_runs import TaskFiles, allowed_programs, carry_out
from app.jobs.worker_commands import CommandFailed, Machine, argument_list, run_task, split_words
from app.jobs.worker_format import number, plain, quoted
from app.process import Cancelled

CASES = json.loads((Path(__file__).parents[2] / "data" / "flamenco_cases.json").read_text("utf-8"))["worker_cases"]


@dataclass
class Spec:
    name: str
    parameters: dict[str, Any]
    total_step_count: int = 0


@dataclass
class Ear:
    """Hears a task as the Manager would."""

    logs: list[str] = field(default_factory=list)
    outputs: list[str] = field(default_factory=list)
    steps: int = 0

    def log(self, text: str) -> None:
        self.logs.append(text)

    def output(self, path: str) -> None:
        self.outputs.append(path)

    def step(self) -> None:
        self.steps += 1


def located(value: Any, folder: str) -> Any:
    if isinstance(value, str):
        return value.replace("$TMP", folder)
    if isinstance(value, list):
        return [located(item, folder) for item in value]
    if isinstance(value, dict):
        return {key: located(item, folder) for key, item in value.items()}
    return value


def whole(chunks: list[str]) -> str:
    """A task's log as one text: chunks end with a line break each."""
    return re.sub(r"pid=\d+", "pid=N", "\n".join(chunks)).rstrip("\n")


@pytest.fixture
def stage(tmp_path: Path) -> Path:
    """The folders the cases were observed in."""
    (tmp_path / "x" / "y").mkdir(parents=True)
    (tmp_path / "a.txt").write_text("a")
    (tmp_path / "src").mkdir()
    (tmp_path / "m2").mkdir()
    return tmp_path


@pytest.mark.parametrize("case", CASES, ids=[case["id"] for case in CASES])
def test_an_observed_case_holds(case: dict[str, Any], stage: Path) -> None:
    if case["id"] == "move":
        (stage / "m2").rmdir()
    folder, observed = str(stage), located(case["observed"], str(stage))
    commands = [Spec(c["name"], located(c["parameters"], folder), c["total_step_count"]) for c in case["commands"]]
    if observed["cli"] is not None:
        assert [argument_list(c, lambda: Path("/opt/ffmpeg")) for c in commands] == observed["cli"]
    if case["fake_subprocess"]:
        if observed["error"]:
            with pytest.raises(CommandFailed) as failed:
                argument_list(commands[0], lambda: Path("/opt/ffmpeg"))
            assert str(failed.value) == observed["error"]
        return
    ear, error = Ear(), ""
    try:
        run_task(commands, ear, Machine(lambda: Path("/opt/ffmpeg")), threading.Event())
    except CommandFailed as failed:
        error = str(failed)
    assert error == observed["error"]
    assert whole(ear.logs) == whole(observed["logs"] or [])
    assert ear.outputs == (observed["outputs"] or [])
    assert ear.steps == observed["steps"]


@pytest.mark.parametrize(
    ("name", "parameters", "error"),
    [
        ("copy-file", {"dest": "/x"}, 'copy-file: mandatory parameter "src" is missing: map[dest:/x]'),
        (
            "copy-file",
            {"src": "a", "dest": "/x"},
            'copy-file: parameter "src" has invalid value a: path is not absolute',
        ),
        ("make-directory", {}, 'make-directory: mandatory parameter "path" is missing: map[]'),
        ("exec", {"exe": "surely-not-here"}, 'exec: "surely-not-here": executable file not found in $PATH'),
        (
            "exec",
            {"exe": "/bin/true", "args": None},
            'exec: parameter "args" has invalid value <nil>: cannot convert to list of strings',
        ),
        (
            "sleep",
            {"duration_in_seconds": None},
            'sleep: parameter "duration_in_seconds" has invalid value <nil>: bad type <nil>, expecting int or float',
        ),
        ("exec", {"exe": "/bin/sh", "args": ["-c", "kill -9 $$"]}, "command exited abnormally with code -1"),
    ],
)
def test_bad_parameters_are_refused_in_the_workers_words(name: str, parameters: dict[str, Any], error: str) -> None:
    with pytest.raises(CommandFailed) as failed:
        run_task([Spec(name, parameters)], Ear(), Machine(lambda: Path("/opt/ffmpeg")), threading.Event())
    assert str(failed.value) == error


def test_a_moved_directory_keeps_what_was_at_its_destination(stage: Path) -> None:
    for round_number in range(3):
        (stage / "new").mkdir()
        (stage / "new" / "f").write_text(str(round_number))
        os.utime(stage / "m2", (1_700_000_000, 1_700_000_000))
        run_task(
            [Spec("move-directory", {"src": str(stage / "new"), "dest": str(stage / "m2")})],
            Ear(),
            Machine(lambda: Path("ffmpeg")),
            threading.Event(),
        )
    backups = sorted(p.name for p in stage.glob("m2-*"))
    assert len(backups) == 3
    assert backups[1].endswith("-001")
    assert backups[2].endswith("-002")
    assert (stage / "m2" / "f").read_text() == "2"


def test_a_copied_file_is_whole_and_never_overwrites(stage: Path) -> None:
    (stage / "big").write_bytes(os.urandom(3_000_000))
    copy = Spec("copy-file", {"src": str(stage / "big"), "dest": str(stage / "new" / "deep" / "big")})
    run_task([copy], Ear(), Machine(lambda: Path("ffmpeg")), threading.Event())
    assert (stage / "new" / "deep" / "big").read_bytes() == (stage / "big").read_bytes()
    with pytest.raises(CommandFailed, match="path already exists"):
        run_task([copy], Ear(), Machine(lambda: Path("ffmpeg")), threading.Event())


def test_cancel_ends_the_whole_process_group(tmp_path: Path) -> None:
    """A child that outlives its parent must go too."""
    marker = tmp_path / "pid"
    script = f"sleep 300 & echo $! > {marker}; echo ready; wait"
    cancel, ear = threading.Event(), Ear()

    class Watch(Ear):
        def log(self, text: str) -> None:
            if text.endswith("ready"):
                cancel.set()

    with pytest.raises(Cancelled):
        run_task(
            [Spec("exec", {"exe": "/bin/sh", "args": ["-c", script]})], Watch(), Machine(lambda: Path("f")), cancel
        )
    del ear
    child = int(marker.read_text())
    status = Path(f"/proc/{child}/stat")
    assert not status.exists() or status.read_text().split()[2] == "Z"


def test_a_flood_without_line_breaks_arrives_whole_in_bounded_pieces() -> None:
    program = shutil.which("head")
    ear = Ear()
    run_task(
        [Spec("exec", {"exe": str(program), "args": ["-c", "3000000", "/dev/zero"]})],
        ear,
        Machine(lambda: Path("f")),
        threading.Event(),
    )
    lines = "\n".join(ear.logs).split("\n")
    pieces = [line.split(" > ", 1)[1] for line in lines if line.startswith("pid=")]
    assert sum(map(len, pieces)) == 3_000_000
    assert max(map(len, pieces)) <= 40 * 1024


def test_a_refused_program_never_starts(tmp_path: Path) -> None:
    machine = Machine(lambda: Path("f"), allowed=lambda argv: f"{argv[0]} is not an allowed program")
    with pytest.raises(CommandFailed, match="not an allowed program"):
        run_task(
            [Spec("exec", {"exe": "/bin/touch", "args": [str(tmp_path / "x")]})], Ear(), machine, threading.Event()
        )
    assert not (tmp_path / "x").exists()


def test_a_program_that_is_named_is_the_machines_own_and_never_one_of_the_tasks_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own, folder = tmp_path / "bin", tmp_path / "scratch"
    for place, says in ((own, "the machine's"), (folder, "the task's")):
        place.mkdir()
        (place / "render").write_text(f'#!/bin/sh\necho "{says} $1"\n')
        (place / "render").chmod(0o755)
    (folder / "other").symlink_to(own / "render")
    ear, judge = Ear(), allowed_programs(["render"], everything=False)

    def run(exe: str, path: str) -> None:
        machine = Machine(lambda: Path("f"), judge, environment={"PATH": path}, folder=folder)
        run_task([Spec("exec", {"exe": exe, "args": ["a"]})], ear, machine, threading.Event())

    run("render", f".::{own}:/bin")
    assert whole(ear.logs).endswith("pid=N > the machine's a")
    for exe in ("./render", "other", str(folder / "other"), str(own / "render"), "../bin/render", "RENDER", "render "):
        with pytest.raises(CommandFailed, match="is not among the programs that tasks may run"):
            run(exe, str(own))
    monkeypatch.chdir(folder)
    with pytest.raises(CommandFailed, match='exec: "render": cannot run executable found relative to current'):
        run("render", f".:{own}")


@pytest.mark.parametrize(
    ("name", "parameters", "key"),
    [
        ("exec", {"exe": "/bin/true", "args": ["a\0b"]}, "args"),
        ("exec", {"exe": "tr\0ue"}, "exe"),
        ("blender-render", {"exe": "blender", "blendfile": "a\0"}, "blendfile"),
        ("make-directory", {"path": "/tmp/\0"}, "path"),
        ("copy-file", {"src": "/bin/true", "dest": "/tmp/\0"}, "dest"),
        ("move-directory", {"src": "/tmp/\0", "dest": "/tmp/a"}, "src"),
        ("make-directory", {"path": "/tmp/\ud800"}, "path"),
        ("exec", {"exe": "/bin/true", "args": ["\ud800"]}, "args"),
    ],
)
def test_a_text_that_no_system_call_takes_is_refused_by_name(name: str, parameters: dict[str, Any], key: str) -> None:
    with pytest.raises(CommandFailed, match=f'parameter "{key}" has invalid value .*: invalid argument'):
        run_task([Spec(name, parameters)], Ear(), Machine(lambda: Path("f")), threading.Event())


def test_a_try_out_goes_nowhere_by_a_path_that_is_none(tmp_path: Path) -> None:
    (scratch := tmp_path / "scratch").mkdir()
    (scratch / "circle").symlink_to(scratch / "circle")
    files = TaskFiles(tmp_path / "1.log", 1 << 20, scratch)
    for path in ("a\0b", "circle/a", "../a"):
        command = {"name": "make-directory", "parameters": {"path": path}}
        machine = Machine(lambda: Path("f"), folder=scratch)
        with pytest.raises(CommandFailed, match="is not in its scratch folder"):
            carry_out([command], files, machine, threading.Event(), lambda steps, picture: None)


def test_what_the_disk_refuses_fails_the_task_softly_with_the_systems_words(stage: Path) -> None:
    far = stage / ("a" * 300)
    with pytest.raises(CommandFailed, match=f"^move-directory {far}: file name too long$"):
        run_task(
            [Spec("move-directory", {"src": str(stage / "src"), "dest": str(far)})],
            Ear(),
            Machine(lambda: Path("f")),
            threading.Event(),
        )
    assert (stage / "src").is_dir()


def test_a_sleep_longer_than_any_clock_can_be_cancelled() -> None:
    cancel = threading.Event()
    cancel.set()
    with pytest.raises(Cancelled):
        run_task([Spec("sleep", {"duration_in_seconds": 1e300})], Ear(), Machine(lambda: Path("f")), cancel)


def test_values_are_written_as_the_worker_writes_them() -> None:
    assert plain({"b": [1, 2.5, None, True], "a": "x"}) == "map[a:x b:[1 2.5 <nil> true]]"
    assert [number(v) for v in (1e21, 1e20, 1e-5, 0.0001, 24.0, -0.5, 1.5e300)] == [
        "1e+21", "100000000000000000000", "1e-05", "0.0001", "24", "-0.5", "1.5e+300",
    ]  # fmt: skip
    assert quoted('a"\n\x01é\u2028') == '"a\\"\\n\\x01é\\u2028"'


def test_words_are_split_without_a_shell() -> None:
    assert split_words("-b 'a b' \"c \\\" d\" e\\ f #no\n g h#i ''") == ["-b", "a b", 'c " d', "e f", "g", "h#i", ""]
    with pytest.raises(ValueError, match="EOF found when expecting closing quote"):
        split_words("'a")
