"""The demo: an embedded site as a process of its own, simulated artists, a temporary production drive, a local Slack.

Everything it makes lies below one folder, which goes when the demo ends unless it is to be kept:

    site/          the site's database and files
    drive/         the production drive
    slack.jsonl    what Slack received, one message a line
    home/          settings, journal and caches of the event server
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from app.journal.journal import Journal
from app.process import python_child
from app.resources import resource
from app.rules.words import many
from app.sandbox.simulate import BAD_NAMES, Artists, Client, RequestRefused
from app.sandbox.slack_api import Member, SlackServer
from app.service.event_server import Installation, Service
from app.settings.store import SettingsStore

log = logging.getLogger("signalbox.demo")

_SITE_SECONDS = 60.0
_CONNECT_SECONDS = 30.0
_DRAIN_SECONDS = 60.0
_QUIET_SECONDS = 1.0
_PAGE = 1000
_DONE = ("done",)
_SKIPPED = ("skipped", "superseded")
_FAILED = ("failed", "stopped", "cancelled", "in_doubt")
_PRODUCTION = "/data/production"


class DemoFailed(RuntimeError):
    """The demo could not be set up; the text says why."""


@dataclass(frozen=True, slots=True)
class DemoSite:
    """The embedded site's process."""

    url: str
    api_user: str
    api_key: str
    process: subprocess.Popen[str]


@dataclass(slots=True)
class Report:
    """The last line of a headless demo.

    Attributes:
        events: Events kept in the journal.
        runs: Handler to number of runs done, skipped, failed.
        effects: Effects that were applied.
        folders: Folders made on the drive.
        slack_messages: Messages that Slack received.
        errors: What failed, in words, one text a failed run.
        latency_ms: Median and 95th percentile from the receipt of an event to the end of its run.
    """

    events: int = 0
    runs: dict[str, dict[str, int]] = field(default_factory=dict)
    effects: int = 0
    folders: int = 0
    slack_messages: int = 0
    errors: list[str] = field(default_factory=list)
    latency_ms: dict[str, float | None] = field(default_factory=lambda: {"p50": None, "p95": None})

    def as_json(self) -> str:
        """One line."""
        return json.dumps(
            {
                "events": self.events,
                "runs": self.runs,
                "effects": self.effects,
                "folders": self.folders,
                "slack_messages": self.slack_messages,
                "errors": self.errors,
                "latency_ms": self.latency_ms,
            },
            ensure_ascii=False,
        )


class Demo:
    """Everything of a demo but the window. Use it as a context.

    Args:
        seed: Decides what the artists do.
        keep: Folder that stays; None: a temporary one.
        rate: Acts of the artists a second.
        log_stream: Whether log lines go to stderr.

    Raises:
        DemoFailed: on entering, with the reason.
    """

    def __init__(self, *, seed: int = 1, keep: Path | None = None, rate: float = 4.0, log_stream: bool = False) -> None:
        self._seed = seed
        self._keep = keep
        self._rate = rate
        self._log_stream = log_stream
        self._stack = contextlib.ExitStack()
        self._stop_acting = threading.Event()
        self._trouble: list[str] = []

    def __enter__(self) -> Demo:
        try:
            self._set_up()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._stop_acting.set()
        self._stack.close()

    def _set_up(self) -> None:
        self.folder = self._folder()
        self._stack.enter_context(_environment(self.folder / "home"))
        self.site = self._stack.enter_context(_site(self.folder / "site"))
        os.environ["FTRACK_SERVER"] = self.site.url
        os.environ["FTRACK_API_USER"] = self.site.api_user
        os.environ["FTRACK_API_KEY"] = self.site.api_key
        people, projects = _who_and_what(self.site)
        self.slack = SlackServer(_members(people), record=self.folder / "slack.jsonl")
        self.slack.start()
        self._stack.callback(self.slack.stop)
        os.environ["SIGNALBOX_SLACK_TOKEN"] = self.slack.token
        prepare_drive(self.folder / "drive", projects)
        settings = _settings(self.folder, self.slack.url, people, projects)
        installation = Installation(settings, self.folder / "home" / "journal")
        self.service = Service(installation, log_stream=self._log_stream)
        self.service.start()
        self._stack.callback(self.service.stop)
        self.artists = Artists(self.site.url, self.site.api_key, self.site.api_user, self._seed)
        self._stack.callback(self.artists.close)

    def _folder(self) -> Path:
        if self._keep is None:
            name = tempfile.mkdtemp(prefix="signalbox-demo-")
            self._stack.callback(shutil.rmtree, name, ignore_errors=True)
            return Path(name)
        try:
            self._keep.mkdir(parents=True, exist_ok=True)
            taken = any(self._keep.iterdir())
        except OSError as error:
            raise DemoFailed(
                f"the demo cannot be kept in {self._keep}: {error.strerror}. Name a folder that you may write to"
            ) from error
        if taken:
            raise DemoFailed(f"{self._keep} is not empty: name a new or an empty folder to keep the demo in")
        return self._keep.absolute()

    # -- acting ------------------------------------------------------------------------------------------------------

    def wait_connected(self) -> None:
        """Wait until events are heard. Raises DemoFailed."""
        listener = self.service.listener
        if listener is None or not listener.wait_connected(_CONNECT_SECONDS):
            raise DemoFailed("the event server did not connect to the embedded site")

    def act(self, seconds: float, say: Callable[[str], None] | None = None) -> None:
        """Let the artists work for so long."""
        teller = None
        if say is not None:
            teller = threading.Thread(target=self._tell, args=(say,), name="demo-teller", daemon=True)
            teller.start()
        try:
            self.artists.run(seconds, self._rate, self._stop_acting)
            while self.artists.done["bad task created"] < len(BAD_NAMES) and not self._stop_acting.is_set():
                self.artists.step()  # a very short demo shows them too
        except (RequestRefused, OSError) as error:
            self._trouble.append(f"the artists had to stop: {error}")
            log.exception("the artists had to stop")
        self._stop_acting.set()
        if teller is not None:
            teller.join(5)

    def act_in_background(self) -> None:
        """Let the artists work until the demo ends."""
        thread = threading.Thread(target=self._act_for_ever, name="artists", daemon=True)
        thread.start()
        self._stack.callback(thread.join, 10)
        self._stack.callback(self._stop_acting.set)

    def _act_for_ever(self) -> None:
        self.act(86_400.0 * 365)

    def _tell(self, say: Callable[[str], None]) -> None:
        while not self._stop_acting.wait(2.0):
            journal = self.service.journal
            states = journal.run_states()
            ended = sum(count for one in states.values() for state, count in one.items() if state in _DONE)
            say(
                f"{many(journal.last_event_id(), 'event')}, {many(ended, 'run')} done, "
                f"{many(len(self.slack.messages), 'Slack message')}"
            )

    def drain(self, seconds: float = _DRAIN_SECONDS) -> bool:
        """Wait until nothing is left to do; whether that was reached in time."""
        journal = self.service.journal
        deadline = time.monotonic() + seconds
        quiet_since: float | None = None
        while time.monotonic() < deadline:
            if _is_quiet(journal):
                quiet_since = quiet_since or time.monotonic()
                if time.monotonic() - quiet_since >= _QUIET_SECONDS:
                    return True
            else:
                quiet_since = None
            threading.Event().wait(0.05)
        return False

    def report(self) -> Report:
        """What happened so far."""
        report = read_report(self.service.journal)
        report.slack_messages = len(self.slack.messages)
        report.errors = [*self._trouble, *report.errors]
        return report


def run_headless(
    seconds: float,
    *,
    seed: int = 1,
    keep: Path | None = None,
    rate: float = 4.0,
    say: Callable[[str], None] | None = None,
    log_stream: bool = False,
) -> Report:
    """A demo without a window, from beginning to end. Raises DemoFailed, SettingsError, JournalError."""
    with Demo(seed=seed, keep=keep, rate=rate, log_stream=log_stream) as demo:
        demo.wait_connected()
        if say is not None:
            say(f"the embedded site is at {demo.site.url}")
        demo.act(seconds, say)
        if not demo.drain():
            demo._trouble.append("some runs had not ended when the demo did")
        return demo.report()


def _is_quiet(journal: Journal) -> bool:
    if journal.cursor() < journal.last_event_id() or journal.queue_length():
        return False
    return not any(row["state"] in {"queued", "sending"} for row in journal.outbox())


def read_report(journal: Journal) -> Report:
    """A report of a journal, without Slack."""
    report = Report(events=journal.count_events())
    received = _received(journal)
    times: list[float] = []
    before: int | None = None
    while page := journal.runs(before=before, limit=_PAGE):
        before = page[-1].id
        for run in page:
            if run.kind not in {"handler", "action"}:
                continue
            counts = report.runs.setdefault(run.handler, {"done": 0, "skipped": 0, "failed": 0})
            for name, states in (("done", _DONE), ("skipped", _SKIPPED), ("failed", _FAILED)):
                counts[name] += run.state in states
            if run.state in _FAILED:
                report.errors.append(f"{run.handler}: {run.entity}: {run.reason}")
            if run.finished is not None and run.event_row in received:
                times.append(run.finished - received[run.event_row])
            if run.effects:
                for effect in journal.run(run.id).effects:
                    if effect.state in {"applied", "sent"}:
                        report.effects += 1
                        # Of two runs that wanted one folder at the same moment, one made it.
                        report.folders += len((effect.after or {}).get("made", ())) if effect.kind == "folder" else 0
    report.errors.reverse()
    report.runs = dict(sorted(report.runs.items()))
    report.latency_ms = {"p50": _percentile(times, 0.5), "p95": _percentile(times, 0.95)}
    return report


def _received(journal: Journal) -> Mapping[int | None, float]:
    times: dict[int | None, float] = {}
    after = 0
    while rows := journal.events_after(after, _PAGE):
        for row in rows:
            times[row.id] = row.received
            after = max(after, row.id)
    return times


def _percentile(values: Sequence[float], share: float) -> float | None:
    """In milliseconds; None without values."""
    if not values:
        return None
    ordered = sorted(values)
    return round(ordered[min(len(ordered) - 1, int(len(ordered) * share))] * 1000, 1)


# -- parts -----------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _environment(home: Path) -> Iterator[None]:
    """Our own home, and no proxy: everything is on this machine. What was there comes back afterwards."""
    before = dict(os.environ)
    home.mkdir(parents=True, exist_ok=True)
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        del os.environ[name]
    os.environ.pop("SIGNALBOX_SETTINGS", None)
    os.environ["SIGNALBOX_HOME"] = str(home)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


@contextlib.contextmanager
def _site(folder: Path, profile: str = "studio") -> Iterator[DemoSite]:
    """The embedded site in a process of its own."""
    argv = python_child(
        "app.sandbox.run", "--profile", profile, "--dir", str(folder), "--json", "--parent-pid", str(os.getpid())
    )
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, start_new_session=True)
    try:
        facts = json.loads(_first_line(process))
        yield DemoSite(facts["url"], facts["api_user"], facts["api_key"], process)
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout is not None:
            process.stdout.close()


def _first_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    got: list[str] = []
    reader = threading.Thread(target=lambda: got.append(process.stdout.readline()), daemon=True)  # type: ignore[union-attr]
    reader.start()
    reader.join(_SITE_SECONDS)
    if not got or not got[0].strip():
        raise DemoFailed("the embedded site did not start; its message is above")
    return got[0]


def _who_and_what(site: DemoSite) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The site's active people and projects."""
    client = Client(site.url, site.api_key)
    try:
        people = client.query(
            site.api_user,
            "select id, username, first_name, last_name, email from User where is_active is true order by username",
        )
        projects = client.query(site.api_user, "select id, name, root from Project order by name")
    finally:
        client.close()
    return people, projects


def _members(people: Sequence[Mapping[str, Any]]) -> list[Member]:
    return [
        Member(
            f"U{number:08d}",
            str(person["username"]),
            f"{person.get('first_name') or ''} {person.get('last_name') or ''}".strip(),
            str(person.get("email") or ""),
        )
        for number, person in enumerate(people, 1)
    ]


def prepare_drive(drive: Path, projects: Sequence[Mapping[str, Any]]) -> None:
    """A production drive with what its projects had before: the marker, and the studio's template files."""
    drive.mkdir(parents=True, exist_ok=True)
    (drive / ".signalbox-drive").touch()
    templates = resource("task_templates")
    for project in projects:
        target = drive / str(project["name"]) / "template_files"
        target.mkdir(parents=True, exist_ok=True)
        for file in sorted(templates.iterdir()):
            if file.is_file():
                shutil.copyfile(file, target / file.name)


def _settings(
    folder: Path, slack_url: str, people: Sequence[Mapping[str, Any]], projects: Sequence[Mapping[str, Any]]
) -> SettingsStore:
    """The demo's settings file: drive, Slack, and a mapping that knows every second person (the rest by e-mail)."""
    home = folder / "home"
    members = {member.name: member.id for member in _members(people)}
    mapping = {name: members[name] for name in sorted(members)[::2]}
    mapping |= {str(project["name"]): f"#{project['name']}" for project in projects}
    mapping_file = home / "slack_ftrack_users.json"
    mapping_file.write_text(json.dumps(mapping, indent=2, ensure_ascii=False), encoding="utf-8")
    store = SettingsStore(home / "settings.toml")
    store.set("studio", "disk_map", {_PRODUCTION: str(folder / "drive")})
    store.set("slack", "base_url", slack_url)
    store.set("slack", "mapping_file", str(mapping_file))
    store.set("slack", "rate", 50.0)
    return store
