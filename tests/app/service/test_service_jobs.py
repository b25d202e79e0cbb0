"""Local jobs at work: what a TD sees when tasks run, fail, flood, hang, are paused, cancelled and done again."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from disk import Disk
from job_room import Jobs, python, script_of

from app.effects.job import SubmitJob
from app.jobs.local import shown_commands
from app.journal.rows import JobFilter
from app.process.leftover import remember_program
from app.settings.models import FlamencoSettings

ECHO = "[['echo', {message: 'hello'}]]"


@pytest.fixture
def jobs(tmp_path: Path) -> Iterator[Jobs]:
    room = Jobs(tmp_path)
    yield room
    room.close()


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_tasks_run_one_after_the_other_and_their_output_is_kept(jobs: Jobs) -> None:
    job = jobs.submit(script_of(ECHO, python("print('Grüße'); print('two')")), name="first job")
    row = jobs.ended(job)
    assert (row.status, row.completed, row.name, row.who) == ("completed", 2, "first job", "td")
    assert jobs.log(job, 1) == 'echo: "hello"\n'
    lines = jobs.log(job, 2).splitlines()
    assert lines[0] == "going to run:"
    assert [line.split(" > ")[1] for line in lines if " > " in line] == ["Grüße", "two"]
    tasks = jobs.journal.job_tasks(job)
    assert tasks[1].dependencies == (1,)
    assert tasks[1].started is not None
    assert tasks[0].finished is not None
    assert tasks[1].started >= tasks[0].finished
    assert tasks[0].worker
    runs = jobs.journal.runs(states=["done"])
    assert [run.kind for run in runs] == ["task", "task"], "a task is a run"


def test_a_program_is_given_no_key_of_ours_and_one_it_came_by_is_masked_in_the_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = {
        "FTRACK_API_KEY": "a-key-that-nobody-reads",
        "SIGNALBOX_SITE_API_KEY": "a-key-that-nobody-finds",
        "SIGNALBOX_CLOUD_API_KEY": "a-key-that-nobody-sees",
        "SIGNALBOX_SLACK_TOKEN": "a-token-that-nobody-reads",
        "SLACK_BOT_TOKEN": "a-token-that-nobody-finds",
    }
    folder = str(tmp_path / "credentials")
    for name, value in {**keys, "CREDENTIALS_DIRECTORY": folder, "STUDIO_SHOW": "nightjar"}.items():
        monkeypatch.setenv(name, value)
    room = Jobs(tmp_path)
    try:
        told = "".join(f", ['echo', {{message: '{value}'}}]" for value in keys.values())
        job = room.submit(script_of(f"[['exec', {{exe: '/usr/bin/env', args: []}}]{told}]"))
        assert room.ended(job).status == "completed"
        log = room.log(job, 1)
    finally:
        room.close()
    assert "STUDIO_SHOW=nightjar\n" in log
    assert log.count('echo: "•••"\n') == len(keys)
    for name, value in {**keys, "CREDENTIALS_DIRECTORY": folder}.items():
        assert f"{name}=" not in log
        assert value not in log


def test_what_variables_stand_for_is_asked_when_a_task_is_handed_out(tmp_path: Path) -> None:
    room = Jobs(tmp_path, variables={"show": "/old"})
    try:
        job = room.submit(script_of("[['echo', {message: '{show}/a {jobs} {unknown}'}]]"), paused=True)
        for place in ("/new", "/newest"):
            room.stop()
            room.room.store.set("flamenco", "variables", {"show": place})
            room.start()
            words = f"{place}/a {room.journal.folder / 'tasks'} {{unknown}}"
            (shown,) = shown_commands(room.journal, job, room.room.settings("flamenco"))
            assert shown.text == f"echo '{words}'"
            room.order("job_resume" if place == "/new" else "job_requeue", job=job)
            assert room.ended(job).status == "completed"
            assert f'echo: "{words}"\n' in room.log(job)
    finally:
        room.close()


def test_a_new_script_waits_until_a_person_has_seen_its_command_lines(tmp_path: Path) -> None:
    room = Jobs(tmp_path, confirmed=False, allow_any_program=False, allowed_programs=["ffmpeg"])
    try:
        script = script_of("[['exec', {exe: '/bin/echo', args: ['a b']}], ['copy-file', {src: '/a', dest: '/b'}]]")
        job = room.submit(script)
        assert room.journal.job(job).status == "needs-confirmation"
        shown = shown_commands(room.journal, job, FlamencoSettings())
        assert [(each.argv, each.text) for each in shown] == [
            (("/bin/echo", "a b"), "/bin/echo 'a b'"),
            ((), "copy-file /a /b"),
        ]
        assert shown[0].refused.startswith("/bin/echo is not among the programs")
        second = room.submit(script, name="the same script")
        room.order("job_confirm", job=job)
        assert room.ended(job).status == "failed"
        assert "flamenco.allowed_programs" in room.journal.job_tasks(job)[0].reason
        assert room.journal.job_tasks(job)[0].attempts == 0, "what is refused is not tried again"
        assert room.ended(second).status == "failed"
        third = room.submit(script)
        assert room.ended(third).status == "failed", "a script is confirmed once"
        other = room.submit(script + "\n// changed")
        assert room.journal.job(other).status == "needs-confirmation"
    finally:
        room.close()


def test_a_command_line_that_reads_as_another_is_shown_as_it_is(tmp_path: Path) -> None:
    room = Jobs(tmp_path, confirmed=False)
    try:
        hidden = "[['exec', {exe: '/bin/rm', args: ['-rf', '/shows', '\\u202egnp.a', '\\x1b[2K', 'two\\nlines']}]]"
        job = room.submit(script_of(hidden))
        (shown,) = shown_commands(room.journal, job, FlamencoSettings())
        assert shown.text == "/bin/rm -rf /shows '\\u202egnp.a' '\\x1b[2K' 'two\nlines'"
        assert shown.argv[3] == "\u202egnp.a", "what is run stays what it is"
    finally:
        room.close()


def test_the_programs_own_job_types_need_no_confirmation(tmp_path: Path) -> None:
    room = Jobs(tmp_path, confirmed=False)
    try:
        (tmp_path / "a.txt").write_text("a")
        job = room.submit(
            job_type="publish-copy", settings={"files": str(tmp_path / "a.txt"), "destination": str(tmp_path / "out")}
        )
        assert room.ended(job).status == "completed"
        assert (tmp_path / "out" / "a.txt").read_text() == "a"
    finally:
        room.close()


def test_a_job_type_nobody_knows_and_a_script_that_throws_are_told(jobs: Jobs) -> None:
    assert "no job type 'nothing'" in str(jobs.order("submit_job", job_type="nothing")["refused"])
    thrown = jobs.order(
        "submit_job",
        job_type="x",
        script="const JOB_TYPE={label:'x',settings:[]};\nfunction compileJob(job){\n throw new Error('no frames') }",
    )
    assert "no frames" in str(thrown["refused"])
    assert "line 3" in str(thrown["refused"])
    assert jobs.journal.jobs() == []


def test_a_task_that_fails_softly_is_tried_again_and_then_fails_for_good(
    jobs: Jobs, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    once = f"f=open({str(tmp_path / 'n')!r},'a+'); f.write('x'); f.seek(0)"
    count = f"import sys; {once}; sys.exit(0 if len(f.read())>2 else 3)"
    job = jobs.submit(script_of(python(count)))
    assert jobs.ended(job).status == "completed"
    assert jobs.journal.job_tasks(job)[0].attempts == 2
    assert "--- attempt 3 ---" in jobs.log(job)
    bad = jobs.submit(script_of(python("raise SystemExit(4)"), ECHO), name="bad")
    row = jobs.ended(bad)
    assert (row.status, row.activity) == ("failed", "1 of 2 tasks failed")
    assert jobs.journal.job_tasks(bad)[0].reason == "command exited abnormally with code 4"
    assert jobs.states(bad) == ["failed", "queued"]
    told = [line.message for line in caplog.records if line.name == "signalbox.run" and "code 4" in line.message]
    words = "failed, again in 0 s: command exited abnormally with code 4"
    assert told == [
        f"bad: task 1: attempt 1 {words}",
        f"bad: task 1: attempt 2 {words}",
        "bad: task 1 failed: command exited abnormally with code 4",
    ]


def test_a_missing_program_is_named(jobs: Jobs) -> None:
    job = jobs.submit(script_of("[['exec', {exe: 'surely-not-here'}]]"))
    jobs.ended(job)
    assert jobs.journal.job_tasks(job)[0].reason == 'exec: "surely-not-here": executable file not found in $PATH'


def test_cancel_ends_the_task_at_work_with_all_its_children(jobs: Jobs, tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    code = (
        "import subprocess,sys,time,os; c=subprocess.Popen([sys.executable,'-c','import time; time.sleep(600)']);"
        f"open({str(pids)!r},'w').write(f'{{os.getpid()}} {{c.pid}}'); time.sleep(600)"
    )
    job = jobs.submit(script_of(python(code), ECHO))
    jobs.wait(lambda: pids.exists() and len(pids.read_text().split()) == 2)
    assert jobs.order("job_cancel", job=job)["tasks"] == 1
    assert jobs.ended(job).status == "canceled"
    assert jobs.states(job) == ["canceled", "canceled"]
    jobs.wait(lambda: not any(alive(int(pid)) for pid in pids.read_text().split()))
    assert "nothing to cancel" in str(jobs.order("job_cancel", job=job)["refused"])


def test_a_program_that_never_ends_and_says_nothing_is_ended_after_the_time_in_the_settings(tmp_path: Path) -> None:
    room = Jobs(tmp_path, task_silence=1.0, task_attempts=1)
    try:
        pid = tmp_path / "pid"
        # A shell, since it says its first word at once on a busy machine too.
        talks = "[['exec', {exe: '/bin/sh', args: ['-c', 'for n in 1 2 3 4 5 6; do echo $n; sleep 0.25; done']}]]"
        hangs = f"[['exec', {{exe: '/bin/sh', args: ['-c', 'sleep 600 & echo $! > {pid}; wait']}}]]"
        job = room.submit(script_of(talks, hangs))
        assert room.ended(job).status == "failed"
        assert room.states(job) == ["completed", "failed"], "who talks may take its time"
        assert room.journal.job_tasks(job)[1].reason == "sh showed no progress for 1 s"
        room.wait(lambda: not alive(int(pid.read_text())))
    finally:
        room.close()


def test_children_that_outlive_their_program_are_ended(jobs: Jobs, tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    job = jobs.submit(script_of(f"[['exec', {{exe: '/bin/sh', args: ['-c', 'sleep 600 & echo $! > {pid}']}}]]"))
    assert jobs.ended(job, 30).status == "completed"
    jobs.wait(lambda: not alive(int(pid.read_text())))


def test_a_paused_job_goes_on_when_resumed_and_a_requeued_one_starts_over(jobs: Jobs, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    wait = f"import os,time\nwhile not os.path.exists({str(gate)!r}): time.sleep(0.02)"
    job = jobs.submit(script_of(python(wait), ECHO))
    jobs.wait(lambda: jobs.states(job)[0] == "active")
    jobs.order("job_pause", job=job)
    assert jobs.journal.job(job).status == "pause-requested"
    gate.touch()
    assert jobs.ended(job).status == "paused"
    assert jobs.states(job) == ["completed", "paused"]
    jobs.order("job_resume", job=job)
    jobs.wait(lambda: jobs.journal.job(job).status == "completed")
    assert jobs.order("job_requeue", job=job)["tasks"] == 2
    jobs.wait(lambda: jobs.journal.job(job).status == "completed")
    assert "--- started over ---" in jobs.log(job, 2)
    assert jobs.log(job, 2).count("hello") == 2


def test_a_single_task_is_cancelled_and_done_again(jobs: Jobs) -> None:
    job = jobs.submit(script_of(python("import time; time.sleep(600)"), ECHO))
    jobs.wait(lambda: jobs.states(job)[0] == "active")
    jobs.order("task_cancel", job=job, task=1)
    jobs.wait(lambda: jobs.states(job)[0] == "canceled")
    assert jobs.ended(job).status == "canceled"
    assert "refused" in jobs.order("task_requeue", job=job, task=9)
    jobs.order("task_requeue", job=job, task=1)
    jobs.wait(lambda: jobs.states(job)[0] == "active")
    assert jobs.journal.job(job).status == "active"
    jobs.order("job_cancel", job=job)


def test_a_run_cancelled_or_retried_in_the_runs_dock_is_the_task(jobs: Jobs) -> None:
    engine = jobs.room.start()
    job = jobs.submit(script_of(python("import time; time.sleep(600)")))
    jobs.wait(lambda: jobs.states(job) == ["active"])
    run = jobs.journal.job_tasks(job)[0].run_id
    jobs.journal.order("cancel", {"run": run}, "td")
    engine.poke()
    assert jobs.ended(job).status == "canceled"


def test_no_way_round_leads_past_the_confirmation_of_a_script(tmp_path: Path) -> None:
    room = Jobs(tmp_path, confirmed=False)
    try:
        room.room.start(executors={"task": room.jobs.executor})  # type: ignore[union-attr]
        job = room.submit(script_of(ECHO, ECHO))
        run = room.journal.job_tasks(job)[0].run_id
        room.room.order("retry", run=run)
        room.wait(lambda: "confirm the job's command lines" in room.journal.job_tasks(job)[0].reason)
        room.order("job_cancel", job=job)
        assert room.journal.job(job).status == "canceled"
        assert "nobody has confirmed" in str(room.order("task_requeue", job=job, task=1)["refused"])
        assert room.order("job_requeue", job=job)["status"] == "needs-confirmation"
        assert (room.journal.job(job).status, room.log(job)) == ("needs-confirmation", "")
        room.order("job_confirm", job=job)
        room.wait(lambda: room.states(job) == ["completed", "completed"])
    finally:
        room.close()


FAILS_ONCE = """
import os, sys, time
here, gate = sys.argv[1:]
tries = len(os.listdir(here))
open(f'{here}/{tries}', 'w')
while not os.path.exists(gate): time.sleep(0.02)
sys.exit(not tries)
"""


def test_a_task_of_a_paused_job_that_fails_softly_is_not_tried_again_before_the_job_goes_on(
    jobs: Jobs, tmp_path: Path
) -> None:
    tries, gate = tmp_path / "tries", tmp_path / "gate"
    tries.mkdir()
    job = jobs.submit(script_of(python(FAILS_ONCE, str(tries), str(gate))))
    jobs.wait(lambda: len(list(tries.iterdir())) == 1)
    jobs.order("job_pause", job=job)
    gate.touch()
    assert jobs.ended(job).status == "paused"
    assert (jobs.states(job), len(list(tries.iterdir()))) == (["paused"], 1)
    jobs.order("job_resume", job=job)
    jobs.wait(lambda: jobs.journal.job(job).status == "completed")
    assert len(list(tries.iterdir())) == 2


@pytest.mark.skipif(sys.platform != "linux", reason="programs left by a crash are recognised through /proc")
def test_a_job_paused_or_cancelled_before_a_crash_stays_so_after_it(jobs: Jobs, tmp_path: Path) -> None:
    for order, ends in (("job_pause", "paused"), ("job_cancel", "canceled")):
        tries = tmp_path / order
        tries.mkdir()
        job = jobs.submit(script_of(python(FAILS_ONCE, str(tries), "/nowhere"), ECHO))
        jobs.wait(lambda tries=tries: len(list(tries.iterdir())) == 1)  # type: ignore[misc]
        run = jobs.journal.job_tasks(job)[0].run_id
        jobs.order(order, job=job)
        mark = jobs.jobs.local.files(job, 1).mark  # type: ignore[union-attr]
        jobs.stop()
        # As a crash leaves it: at work, its program too, and the order given.
        left = os.posix_spawn("/bin/sleep", ["sleep", "600"], os.environ, setsid=True)
        remember_program(mark, left)
        with jobs.journal.write() as db:
            db.execute("UPDATE runs SET state = 'running', lane = 'task' WHERE id = ?", (run,))
        jobs.start()
        jobs.wait(lambda job=job, ends=ends: jobs.states(job) == [ends, ends])  # type: ignore[misc]
        assert jobs.journal.job(job).status == ends
        assert len(list(tries.iterdir())) == 1, "its program did not start again"
        assert os.WIFSIGNALED(os.waitpid(left, 0)[1]), "nor did the one from before the crash go on"


def test_a_job_requeued_while_it_is_being_cancelled_starts_over(jobs: Jobs, tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    # It takes its time to end: the cancel is not through when the requeue comes.
    code = (
        "import os,signal,sys,time\nsignal.signal(15, lambda *_: (time.sleep(0.5), os._exit(1)))\n"
        f"again = os.path.exists({str(ready)!r}); open({str(ready)!r}, 'w')\nwhile not again: time.sleep(0.02)"
    )
    job = jobs.submit(script_of(python(code), ECHO))
    jobs.wait(ready.exists)
    jobs.order("job_cancel", job=job)
    assert jobs.journal.job(job).status == "cancel-requested"
    assert "nothing to pause" in str(jobs.order("job_pause", job=job)["refused"])
    assert "refused" not in jobs.order("job_requeue", job=job)
    jobs.wait(lambda: jobs.journal.job(job).status == "completed")
    assert jobs.states(job) == ["completed", "completed"]


def test_a_task_type_this_machine_does_not_take_waits(tmp_path: Path) -> None:
    room = Jobs(tmp_path, task_types=["ffmpeg"])
    try:
        job = room.submit(script_of(ECHO))
        encode = room.submit(script_of(ECHO).replace("'misc'", "'ffmpeg'"))
        assert room.ended(encode).status == "completed"
        assert room.states(job) == ["queued"]
        room.wait(lambda: "takes no such tasks" in room.journal.job_tasks(job)[0].reason)
        room.room.store.set("flamenco", "task_types", [])
        assert room.ended(job).status == "completed"
    finally:
        room.close()


def test_a_flood_of_any_kind_costs_a_bounded_log(tmp_path: Path) -> None:
    room = Jobs(tmp_path, task_log_limit=1.0)
    try:
        binary = "import os,sys\nfor _ in range(200): sys.stdout.buffer.write(os.urandom(65536))"
        endless = "import sys\nfor _ in range(200): sys.stdout.write('x'*1000000)"
        job = room.submit(
            script_of(python(binary), python(endless), python("print(b'\\xff\\xfe ok'.decode('latin1'))"))
        )
        assert room.ended(job).status == "completed"
        for task in (1, 2):
            path = room.journal.task_log_path(job, task)
            # The end may be of characters that take three bytes each.
            assert path.stat().st_size < (1 << 20) + 50_000
            assert path.read_bytes().count(b"what the task writes from here on is not kept") == 1
    finally:
        room.close()


def test_a_task_that_fails_behind_a_flood_says_why_and_its_next_attempt_has_room(tmp_path: Path) -> None:
    room = Jobs(tmp_path, task_log_limit=0.25, task_attempts=2)
    try:
        code = (
            "for n in range(40000): print(n, 'all is well')\nraise SystemExit('the disc of the ' + 'camera is missing')"
        )
        job = room.submit(script_of(python(code)))
        assert room.ended(job).status == "failed"
        log = room.log(job)
    finally:
        room.close()
    assert len(log) < (1 << 18) + 20_000
    first, *rest = log.splitlines()
    assert first == "--- attempt 2: the log of what was before has made room ---"
    assert rest[-1] == "--- failed: command exited abnormally with code 1 ---"
    assert rest[-2].endswith(" > the disc of the camera is missing")
    assert rest[-3].endswith(" > 39999 all is well")
    numbers = [int(line.split()[2]) for line in log.splitlines() if line.endswith("all is well")]
    assert numbers == sorted(set(numbers)), "no line twice"


def test_a_full_disk_costs_the_log_and_not_the_task(jobs: Jobs, tmp_path: Path) -> None:
    job = jobs.submit(script_of(python("print('x'*100000)")), paused=True)
    assert jobs.journal.job(job).status == "paused"
    path = jobs.journal.task_log_path(job, 1)
    path.parent.mkdir(parents=True)
    path.symlink_to("/dev/full")
    jobs.order("job_resume", job=job)
    jobs.wait(lambda: jobs.journal.job(job).status == "completed")
    assert "the disk is full" in jobs.journal.job_tasks(job)[0].reason


@pytest.fixture
def disk() -> Iterator[Disk]:
    found = Disk()
    yield found
    found.make_room()


def test_a_task_that_ends_while_the_journals_disk_is_full_has_ended_once_there_is_room(
    jobs: Jobs, disk: Disk, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    gate = tmp_path / "gate"
    wait = f"import os,time\nwhile not os.path.exists({str(gate)!r}): time.sleep(0.02)\nprint('once')"
    job = jobs.submit(script_of(python(wait), ECHO))
    jobs.wait(lambda: jobs.states(job)[0] == "active")
    disk.fill()
    gate.touch()
    jobs.wait(lambda: any("make room on its disk" in record.getMessage() for record in caplog.records))
    disk.make_room()
    assert jobs.ended(job).status == "completed"
    assert jobs.log(job).count("> once") == 1, "it was not run again"


def test_a_try_out_works_in_its_scratch_folder(jobs: Jobs, tmp_path: Path) -> None:
    where = python("import os,tempfile; print(os.getcwd(), tempfile.gettempdir())")
    inside = "[['make-directory', {path: 'shots/a'}], ['move-directory', {src: 'shots', dest: 'done'}]]"
    job = jobs.submit(script_of(where, inside, "[['make-directory', {path: '/somewhere/else'}]]"), try_out=True)
    assert jobs.ended(job).status == "failed"
    scratch = jobs.journal.folder / "scratch" / str(job)
    assert f"{scratch} {scratch}" in jobs.log(job)
    assert [path.relative_to(scratch).as_posix() for path in scratch.rglob("*")] == ["done", "done/a"]
    assert "is not in its scratch folder" in jobs.journal.job_tasks(job)[2].reason
    jobs.order("job_delete", job=job)
    assert not scratch.exists()
    assert jobs.journal.jobs() == []


def test_what_was_at_work_when_the_program_stopped_starts_over(jobs: Jobs, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    wait = f"import os,time\nprint('begun')\nwhile not os.path.exists({str(gate)!r}): time.sleep(0.02)"
    job = jobs.submit(script_of(python(wait), ECHO))
    jobs.wait(lambda: jobs.states(job)[0] == "active" and "> begun" in jobs.log(job))
    jobs.stop()
    assert jobs.states(job) == ["queued", "queued"]
    assert jobs.journal.job(job).status == "active"
    gate.touch()
    jobs.start()
    assert jobs.ended(job).status == "completed"
    assert jobs.log(job).count("> begun") == 2


def test_an_effect_submits_a_job_once_and_shows_how_it_ended(jobs: Jobs, tmp_path: Path) -> None:
    """The handler's side is tested with the status handler; here, the door that its effect calls."""
    (tmp_path / "a.txt").write_text("a")
    effect = SubmitJob(
        job_type="publish-copy",
        name="shot 10",
        settings={"files": str(tmp_path / "a.txt"), "destination": str(tmp_path / "out")},
        dedupe="shot-10/ready-for-comp",
        slot="job",
        reason="becomes Ready for Comp",
    )
    doors = jobs.room.doors
    assert effect.find(doors, 0.0) is None
    first = effect.send(doors, ())
    assert effect.send(doors, ())["job"] == first["job"]
    assert jobs.ended(int(first["job"])).status == "completed"
    found = effect.find(doors, 0.0)
    assert found is not None
    assert found["status"] == "completed"
    assert len(jobs.journal.jobs()) == 1


def test_four_tasks_run_in_parallel_when_the_settings_say_so(tmp_path: Path) -> None:
    room = Jobs(tmp_path, local_workers=4)
    try:
        gate = tmp_path / "gate"
        code = (
            f"import os,time,sys\nopen({str(tmp_path)!r}+'/at-'+sys.argv[1],'w')\n"
            f"while not os.path.exists({str(gate)!r}): time.sleep(0.02)"
        )
        ids = [room.submit(script_of(python(code, str(n)))) for n in range(4)]
        room.wait(lambda: len(list(tmp_path.glob("at-*"))) == 4)
        gate.touch()
        assert {room.ended(job).status for job in ids} == {"completed"}
        assert [row.id for row in room.journal.jobs(JobFilter(statuses=frozenset({"completed"})))] == ids[::-1]
    finally:
        room.close()


@pytest.mark.skipif(sys.platform != "linux", reason="programs left by a crash are recognised through /proc")
def test_a_program_left_by_a_crash_is_ended_before_its_task_starts_over(jobs: Jobs, tmp_path: Path) -> None:
    job = jobs.submit(script_of(ECHO), paused=True)
    mark = jobs.jobs.local.files(job, 1).mark  # type: ignore[union-attr]
    mark.parent.mkdir(parents=True, exist_ok=True)
    pid = os.posix_spawn("/bin/sleep", ["sleep", "600"], os.environ, setsid=True)
    remember_program(mark, pid)
    jobs.order("job_resume", job=job)
    jobs.wait(lambda: jobs.journal.job(job).status == "completed")
    assert os.WIFSIGNALED(os.waitpid(pid, 0)[1])
    assert not mark.exists()
