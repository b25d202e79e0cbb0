"""External programs: floods, children left behind, programs that outlived us."""

from __future__ import annotations

import errno
import os
import resource
import sys
import threading
import time
from pathlib import Path

import pytest

from app.process import Cancelled, NoProgress, ProgramFailed, run_program
from app.process.leftover import FAMILY, begin_program, end_leftover, forget_program, remember_program

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")


def resident_mb() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / (1 << 20)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def gone(pid: int, seconds: float = 10.0) -> bool:
    until, pause = time.monotonic() + seconds, threading.Event()
    while alive(pid) and time.monotonic() < until:
        pause.wait(0.02)
    return not alive(pid)


def test_a_flood_without_line_ends_waits_for_a_slow_reader_in_bounded_memory() -> None:
    first, most, pieces = resident_mb(), [0.0], [0]
    pause = threading.Event()

    def slow(text: str) -> None:
        size = len(text.replace("\n", ""))
        pieces[0] += size
        if pieces[0] % (1 << 22) < size:
            pause.wait(0.01)
            most[0] = max(most[0], resident_mb() - first)

    run_program(["/usr/bin/head", "-c", str(256 << 20), "/dev/zero"], on_text=slow, silence_seconds=None)
    assert pieces[0] == 256 << 20
    assert most[0] < 100


def test_every_one_of_two_hundred_thousand_lines_arrives_once_and_in_order() -> None:
    lines: list[str] = []
    run_program(["/usr/bin/seq", "1", "200000"], on_text=lambda text: lines.extend(text.split("\n")))
    assert lines == [str(number) for number in range(1, 200_001)]


def test_the_end_of_a_program_is_noticed_at_once() -> None:
    took = []
    for _ in range(20):
        started = time.monotonic()
        run_program(["/bin/true"])
        took.append(time.monotonic() - started)
    # The best of them: on a busy machine others wait for their turn, but none could be so quick if it were looked for
    # only every tenth of a second.
    assert min(took) < 0.09


def test_a_child_that_holds_the_output_open_is_ended_soon_after_its_parent(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    outcome = run_program(["/bin/sh", "-c", f"sleep 600 & echo $! > {pid}; echo done"], silence_seconds=None)
    assert outcome.tail == ("done",)
    assert outcome.seconds < 30
    assert gone(int(pid.read_text()))


def test_a_child_in_a_session_of_its_own_is_not_waited_for(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    code = (
        "import os,time\nif os.fork() == 0:\n os.setsid()\n"
        f" open({str(pid)!r},'w').write(str(os.getpid()))\n time.sleep(60)\n"
    )
    outcome = run_program([sys.executable, "-c", code], silence_seconds=None)
    assert outcome.seconds < 40
    os.kill(int(pid.read_text()), 9)


LEAVES = """
import os, sys, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        open(sys.argv[1], 'w').write(str(os.getpid()))
        print('ready', flush=True)
        if sys.argv[3] != '0':
            os.close(1), os.close(2)
        time.sleep(600)
    os._exit(0)
os.wait()
time.sleep(float(sys.argv[2]))
sys.exit(int(sys.argv[3]))
"""


def test_children_in_sessions_of_their_own_go_with_their_family(tmp_path: Path) -> None:
    pid, cancel = tmp_path / "pid", threading.Event()
    argv = [sys.executable, "-c", LEAVES, str(pid)]
    assert run_program([*argv, "0", "0"], silence_seconds=None, family="a task").seconds < 40
    assert gone(int(pid.read_text())), "it held the output of a program that had ended"
    with pytest.raises(Cancelled):
        run_program([*argv, "600", "0"], on_text=lambda _: cancel.set(), cancel=cancel, family="a task")
    assert gone(int(pid.read_text())), "a cancel ends all that a program started"
    with pytest.raises(ProgramFailed):
        run_program([*argv, "0.3", "1"], family="a task")
    assert gone(int(pid.read_text())), "the next attempt meets nothing of the one that failed"


def test_a_cancelled_program_goes_with_what_ignores_the_polite_signal(tmp_path: Path) -> None:
    pid, cancel = tmp_path / "pid", threading.Event()
    script = f"trap '' TERM; (trap '' TERM; sleep 600) & echo $! > {pid}; echo ready; wait"
    with pytest.raises(Cancelled):
        run_program(["/bin/sh", "-c", script], on_text=lambda _: cancel.set(), cancel=cancel)
    assert gone(int(pid.read_text()))


def test_a_program_that_closes_its_output_and_works_on_is_cancelled_and_timed_out_all_the_same() -> None:
    argv, cancel = ["/bin/sh", "-c", "echo bye; exec >&- 2>&-; sleep 600"], threading.Event()
    with pytest.raises(NoProgress):
        run_program(argv, silence_seconds=0.3)
    with pytest.raises(Cancelled):
        run_program(argv, on_text=lambda _: cancel.set(), cancel=cancel, total_seconds=30)
    assert run_program(["/bin/sh", "-c", "exec >&- 2>&-; sleep 0.3; exit 7"], check=False).code == 7


def test_a_progress_bar_without_line_ends_is_a_sign_of_life() -> None:
    bar = "for n in 1 2 3 4 5 6 7 8 9 10; do printf 'frame %s\\r' $n; sleep 0.2; done"
    texts: list[str] = []
    run_program(["/bin/sh", "-c", bar], on_text=texts.append, split_returns=False, silence_seconds=1.4)
    assert "".join(texts).split("\r")[-2] == "frame 10"


def test_a_program_whose_start_cannot_be_noted_does_not_run_on() -> None:
    started: list[int] = []

    def cannot_note(pid: int) -> None:
        started.append(pid)
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        run_program([sys.executable, "-c", "import time; time.sleep(60)"], on_start=cannot_note)
    assert gone(started[0])


def test_a_leftover_is_ended_and_a_number_that_is_somebody_elses_is_left_alone(tmp_path: Path) -> None:
    mark = tmp_path / "1.program"
    assert not end_leftover(mark)
    left = os.posix_spawn("/bin/sleep", ["sleep", "600"], os.environ, setsid=True)
    remember_program(mark, left)
    number, born = mark.read_text().split()
    mark.write_text(f"{number} {int(born) + 1}")
    assert not end_leftover(mark), "born before the one that was remembered: somebody else"
    assert alive(left)
    remember_program(mark, left)
    assert end_leftover(mark)
    os.waitpid(left, 0)
    assert not mark.exists()
    forget_program(mark)


def test_a_program_whose_number_was_not_noted_yet_is_known_by_its_family(tmp_path: Path) -> None:
    mark = tmp_path / "1.program"
    begin_program(mark)
    left, other = (
        os.posix_spawn("/bin/sleep", ["sleep", "600"], {**os.environ, FAMILY: each}, setsid=True)
        for each in ("task 1", "task 10")
    )
    try:
        assert end_leftover(mark, "task 1")
        os.waitpid(left, 0)
        assert alive(other)
        assert not mark.exists()
    finally:
        os.kill(other, 9)
        os.waitpid(other, 0)


def test_a_program_and_what_it_starts_stand_back_behind_everything_else() -> None:
    lines: list[str] = []
    script = 'until [ "$(nice)" -ge 7 ]; do :; done; sh -c nice'
    run_program(
        ["/bin/sh", "-c", script], on_text=lambda text: lines.extend(text.split("\n")), niceness=7, total_seconds=20
    )
    assert [int(line) for line in lines] == [max(7, os.getpriority(os.PRIO_PROCESS, 0))]


@pytest.mark.skipif(not Path("/proc/self/autogroup").exists(), reason="this kernel does not group by sessions")
def test_programs_stand_back_with_their_sessions_where_the_kernel_shares_out_by_sessions() -> None:
    script = 'until grep " nice 7$" /proc/self/autogroup; do :; done'
    told: list[str] = []

    def run() -> None:
        run_program(["/bin/sh", "-c", script], on_text=told.append, niceness=7, total_seconds=20)

    # Several at once: the kernel refuses more than ten such changes a second to all but root.
    runs = [threading.Thread(target=run) for _ in range(4)]
    for thread in runs:
        thread.start()
    for thread in runs:
        thread.join()
    assert [line.split(" ", 1)[1] for line in told] == ["nice 7"] * 4
