"""The command line. What is heavy is imported inside the commands: help and the window must come fast."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from app.entry import has_display, main
from app.rules.words import many
from app.terminal import (
    CHECKS_FAILED,
    LARGEST_NUMBER,
    LONGEST_SECONDS,
    REFUSED,
    JournalOption,
    JsonOption,
    SettingsOption,
    fail,
    path_option,
    told,
)

app = typer.Typer(
    name="signalbox",
    help="The control panel for a studio's ftrack event server.",
    no_args_is_help=False,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback(invoke_without_command=True)
def panel(
    context: typer.Context,
    settings: SettingsOption = None,
    journal: JournalOption = None,
    version: Annotated[bool, typer.Option("--version", help="Say which version this is.")] = False,
) -> None:
    """Open the panel."""
    if version:
        from importlib.metadata import version as version_of

        typer.echo(f"signalbox {version_of('signalbox')}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        if not has_display():
            fail("there is no display to open the panel on: use 'signalbox serve' here", REFUSED)
        # The server's rooms are loaded behind the window, after its first paint; what is wrong is told in it.
        from ui.start import run_panel

        raise typer.Exit(run_panel(settings, journal))


@app.command()
def demo(
    headless: Annotated[bool, typer.Option("--headless", help="Without a window; ends with the figures.")] = False,
    seconds: Annotated[
        float | None, typer.Option("--seconds", min=0.0, max=LONGEST_SECONDS, help="How long the artists work.")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Decides what the artists do.")] = 1,
    keep: Annotated[Path | None, path_option("--keep", "Keep the site, the drive and Slack's messages.")] = None,
    rate: Annotated[float, typer.Option("--rate", min=0.1, max=1_000.0, help="Acts of the artists a second.")] = 4.0,
    as_json: JsonOption = False,
) -> None:
    """An embedded site, simulated artists, a production drive and a local Slack: everything, and nothing real."""
    # Ended by SIGTERM as by Ctrl+C: site, worker and temporary folder go too.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if not headless and not has_display():
        typer.echo("There is no display: the demo runs without a window.", err=True)
        headless = True
    if not headless:
        # The site and the server are loaded behind the window, after its first paint; what goes wrong is told in it.
        from ui.start import run_demo

        raise typer.Exit(run_demo(seed=seed, keep=keep, rate=rate, seconds=seconds))
    from app.demo import DemoFailed

    try:
        with told():
            _demo_headless(30.0 if seconds is None else seconds, seed, keep, rate, as_json=as_json)
    except DemoFailed as error:
        fail(str(error), REFUSED)


def _demo_headless(seconds: float, seed: int, keep: Path | None, rate: float, *, as_json: bool) -> None:
    from app.demo import run_headless

    def say(words: str) -> None:
        typer.echo(words, err=True)

    report = run_headless(seconds, seed=seed, keep=keep, rate=rate, say=say)
    if as_json:
        typer.echo(report.as_json())
        return
    typer.echo(
        ", ".join((many(report.events, "event"), many(report.effects, "effect"), many(report.folders, "folder")))
        + " made"
    )
    for handler, counts in report.runs.items():
        typer.echo(f"  {handler}: " + ", ".join(f"{number} {state}" for state, number in counts.items()))
    typer.echo(f"{report.slack_messages} Slack messages")
    typer.echo(f"event to end of run: median {report.latency_ms['p50']} ms, 95 % {report.latency_ms['p95']} ms")
    for error in report.errors:
        typer.echo(f"failed: {error}")


@app.command()
def serve(settings: SettingsOption = None, journal: JournalOption = None, as_json: JsonOption = False) -> None:
    """Run the event server without a window, until SIGTERM or Ctrl+C; SIGHUP reads the settings again.

    The site comes from the settings file, or from FTRACK_SERVER, FTRACK_API_USER and FTRACK_API_KEY.
    """
    from app.process.signals import ENDS, HANG_UP, SignalInbox

    # First of all, so that nobody who tells it to end, or to read its settings, comes too early.
    with SignalInbox(*ENDS, *HANG_UP) as signals, told():
        from app.service.serving import serve_until_told

        def ready(folder: Path) -> None:
            if as_json:
                typer.echo(json.dumps({"pid": os.getpid(), "journal": str(folder), "ready": True}))
                sys.stdout.flush()

        serve_until_told(settings, journal, signals, ready)


@app.command(hidden=True)
def worker(
    journal: Annotated[Path, typer.Option("--journal")],
    lock_fd: Annotated[int, typer.Option("--lock-fd", min=0, max=LARGEST_NUMBER)],
    settings: SettingsOption = None,
    log_stream: Annotated[bool, typer.Option("--log-stream")] = False,
) -> None:
    """The worker process; started by the panel and by serve."""
    with told():
        from app.service.worker import work

        raise typer.Exit(work(journal, settings, lock_fd, log_stream=log_stream))


@app.command(hidden=True, context_settings={"ignore_unknown_options": True, "allow_extra_args": True})
def child(context: typer.Context, module: str) -> None:
    """Run a module of this program, as ``python -m`` does (a frozen bundle has no interpreter)."""
    import runpy

    sys.argv = [module, *context.args]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


@app.command()
def sandbox(
    profile: Annotated[str, typer.Option("--profile", help="studio, cloud or ftrack-suite.")] = "studio",
    directory: Annotated[Path | None, path_option("--dir", "The site's folder; a temporary one without.")] = None,
    port: Annotated[
        int, typer.Option("--port", min=0, max=65_535, help="TCP port on 127.0.0.1; 0 takes a free one.")
    ] = 0,
    as_json: JsonOption = False,
    latency: Annotated[
        float, typer.Option("--latency", min=0.0, max=3_600.0, help="Seconds each answer takes at least.")
    ] = 0.0,
    component_floor: Annotated[float, typer.Option("--component-floor", min=0.0, max=3_600.0, hidden=True)] = 0.0,
    heartbeat: Annotated[
        float, typer.Option("--heartbeat", min=0.01, max=3_600.0, help="Seconds between heartbeats.")
    ] = 15.0,
    parent_pid: Annotated[int | None, typer.Option("--parent-pid", min=1, max=LARGEST_NUMBER, hidden=True)] = None,
) -> None:
    """Only the embedded ftrack-compatible site."""
    from app.sandbox.run import run_sandbox

    raise typer.Exit(
        run_sandbox(
            profile,
            directory,
            port,
            as_json=as_json,
            latency=latency,
            component_floor=component_floor,
            heartbeat_seconds=heartbeat,
            parent_pid=parent_pid,
        )
    )


@app.command()
def replay(
    event: Annotated[str, typer.Argument(help="The event: its row in the journal, or ftrack's id.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only plan; nothing is touched.")] = False,
    handler: Annotated[str, typer.Option("--handler", help="Only this handler.")] = "",
    settings: SettingsOption = None,
    journal: JournalOption = None,
    wait: Annotated[
        float, typer.Option("--wait", min=0.0, max=LONGEST_SECONDS, help="Seconds to wait for the outcome.")
    ] = 60.0,
    as_json: JsonOption = False,
) -> None:
    """Give a kept event to the handlers again."""
    with told():
        from app.service.orders import replay_event

        outcome = replay_event(settings, journal, event, dry=dry_run, handler=handler, wait=wait)
        if as_json:
            typer.echo(json.dumps(outcome, ensure_ascii=False))
        else:
            for line in _replay_words(outcome):
                typer.echo(line)
        if outcome.get("refused"):
            raise typer.Exit(REFUSED)


def _replay_words(outcome: dict[str, Any]) -> Iterator[str]:
    if outcome.get("refused"):
        yield f"refused: {outcome['refused']}"
        return
    yield from _runs_words(outcome["runs"])
    if not outcome["runs"]:
        yield "no handler wants this event"


def _runs_words(runs: list[dict[str, Any]], *, entities: bool = False) -> Iterator[str]:
    for run in runs:
        about = f" {run['entity']}" if entities and run["entity"] else ""
        yield f"{run['handler']}{about}: {run['state']}{': ' + run['reason'] if run['reason'] else ''}"
        for effect in run["effects"]:
            yield f"  [{effect['state']}] {effect['words']} ({effect['reason']})"
        for note in run["notes"]:
            yield f"  {note}"


@app.command("catch-up")
def catch_up(
    since: Annotated[str, typer.Argument(help="How far back: 2h, 3d, or a date or time like 2026-11-20T09:00.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only plan; nothing is touched.")] = False,
    handler: Annotated[str, typer.Option("--handler", help="Only this handler looks.")] = "",
    settings: SettingsOption = None,
    journal: JournalOption = None,
    wait: Annotated[
        float, typer.Option("--wait", min=0.0, max=LONGEST_SECONDS, help="Seconds to wait for the outcome.")
    ] = 300.0,
    as_json: JsonOption = False,
) -> None:
    """Look for what was missed since a moment, as after every gap of the connection, and do it.

    What an event told of already is not done again.
    """
    with told():
        from app.service.orders import catch_up as look_back
        from app.service.shadow import moment_of

        try:
            begin = moment_of(since)
        except ValueError as error:
            fail(str(error), 2)
        outcome = look_back(settings, journal, begin, dry=dry_run, handler=handler, wait=wait)
        if as_json:
            typer.echo(json.dumps(outcome, ensure_ascii=False))
        elif not outcome.get("refused"):
            for look in outcome["looked"]:
                typer.echo(f"{look['handler']}: {look['reason'] or look['state']}")
            for line in _runs_words(outcome["runs"], entities=True):
                typer.echo(line)
            if outcome["unfinished"]:
                typer.echo(f"not everything had ended after {wait:g} s: signalbox status tells what waits", err=True)
        if outcome.get("refused"):
            fail(outcome["refused"], REFUSED)


@app.command()
def lever(
    handler: Annotated[str, typer.Argument(help="The handler's id, e.g. create_task_folder.")],
    position: Annotated[str, typer.Argument(help="off, dry or on; with --project also follow.")],
    project: Annotated[str, typer.Option("--project", help="Only for this project.")] = "",
    why: Annotated[str, typer.Option("--why", help="Kept with the lever.")] = "",
    process_kept: Annotated[
        bool, typer.Option("--process-kept", help="Turning on: process the events kept while it was off.")
    ] = False,
    old_server_off: Annotated[
        bool, typer.Option("--old-server-off", help="You made sure that no other server does this handler's work.")
    ] = False,
    settings: SettingsOption = None,
    journal: JournalOption = None,
    as_json: JsonOption = False,
) -> None:
    """Move a handler's lever: off (events are kept), dry (plans only) or on.

    The lever of a project that was moved follows the handler's own again after 'follow'.
    """
    if position not in {"off", "dry", "on", "follow"}:
        fail(f"{position!r} is no position: off, dry or on, or follow for a project", 2)
    with told():
        from app.service.orders import set_lever

        outcome = set_lever(
            settings,
            journal,
            handler,
            position,
            project=project,
            why=why,
            process_kept=process_kept,
            old_server_off=old_server_off,
        )
        if as_json:
            typer.echo(json.dumps(outcome, ensure_ascii=False))
        elif not outcome.get("refused"):
            stands = "follows the handler's own lever" if position == "follow" else f"is {position}"
            typer.echo(f"{handler}{' for ' + project if project else ''} {stands}")
            if outcome["kept_events"] and position in {"dry", "on"} and not process_kept:
                typer.echo(f"events since it was off: {outcome['kept_events']}; --process-kept gives them to it")
            if not outcome["known"]:
                typer.echo(f"no event of a project {project!r} was ever seen: is its name right?", err=True)
        if outcome.get("refused"):
            hint = "; say so with --old-server-off" if "old server" in str(outcome["refused"]) else ""
            fail(f"{outcome['refused']}{hint}", REFUSED)


@app.command()
def shadow(
    since: Annotated[str, typer.Option("--since", help="Begin: 3d, 12h, or a date like 2026-11-20.")] = "",
    old_user: Annotated[str, typer.Option("--old-user", help="The old server's ftrack user: its statuses count.")] = "",
    settings: SettingsOption = None,
    journal: JournalOption = None,
    as_json: JsonOption = False,
) -> None:
    """What the plans of the dry runs would have done, compared with what the old server did."""
    with told():
        from app.service.shadow import moment_of, shadow_report

        try:
            begin = moment_of(since) if since else None
        except ValueError as error:
            fail(str(error), 2)
        report = shadow_report(settings, journal, since=begin, old_user=old_user)
        if as_json:
            typer.echo(json.dumps(report.as_dict(), ensure_ascii=False))
            return
        typer.echo(
            f"{many(report.runs, 'run')}, {many(report.agreed, 'thing')} alike, {len(report.differences)} different"
        )
        for line in report.lines():
            typer.echo(line)


@app.command()
def doctor(settings: SettingsOption = None, journal: JournalOption = None, as_json: JsonOption = False) -> None:
    """Check settings, site, Slack, drives, journal and programs, and say what to do."""
    from app.service.doctor import examine

    with told():
        findings = examine(settings, journal)
    failed = [one for one in findings if one.state == "error"]
    if as_json:
        facts = {"ok": not failed, "checks": [one.as_dict() for one in findings]}
        typer.echo(json.dumps(facts, ensure_ascii=False))
    else:
        for one in findings:
            typer.echo(f"{one.state:>8}  {one.name}: {one.words}")
            if one.advice:
                typer.echo(f"          -> {one.advice}")
    if failed:
        raise typer.Exit(CHECKS_FAILED)


@app.command()
def status(settings: SettingsOption = None, journal: JournalOption = None, as_json: JsonOption = False) -> None:
    """What a running event server is doing."""
    with told():
        from app.service.cutover import site_words
        from app.service.doors import service_out_of_reach
        from app.service.orders import status_of

        facts = status_of(settings, journal)
        if as_json:
            typer.echo(json.dumps(facts, ensure_ascii=False))
            return
        if hint := service_out_of_reach(settings, journal):
            typer.echo(f"signalbox: {hint}", err=True)
        typer.echo(f"{'running' if facts['running'] else 'not running'} on {facts['journal']}")
        if facts["site"]:
            typer.echo(f"  for {site_words(facts['site']['server'], embedded=facts['site']['embedded'])}")
        for lamp in facts["health"]:
            typer.echo(f"  {lamp['name']}: {lamp['state']}, {lamp['words']}")
        typer.echo(f"{many(facts['events'], 'event')} kept, {many(facts['queue'], 'run')} waiting")
        for one in facts["handlers"]:
            counts = ", ".join(f"{number} {state}" for state, number in one["runs"].items())
            shows = "".join(f", {position} for {project}" for project, position in one["projects"].items())
            typer.echo(f"  {one['id']} [{one['lever']}{shows}]: {counts or 'no runs'}")
            if one["paused"]:
                typer.echo(f"      paused: {one['paused']}")
            if one["error"]:
                typer.echo(f"      {one['source']} did not load: {one['error']}")


@app.command()
def connect(
    server: Annotated[str, typer.Option("--server", help="Address of the ftrack site.")] = "",
    user: Annotated[str, typer.Option("--user", help="API user.")] = "",
    key: Annotated[
        str,
        typer.Option(
            "--key",
            envvar="FTRACK_API_KEY",
            help="API key; leave it out and type it: others see it in the list of processes.",
            show_envvar=True,
        ),
    ] = "",
    drive: Annotated[str, typer.Option("--drive", help="A drive: PREFIX=FOLDER, e.g. /data/production=/mnt/p.")] = "",
    slack: Annotated[str, typer.Option("--slack", help="Test channel; the token is asked for.")] = "",
    people: Annotated[Path | None, path_option("--people", "slack_ftrack_users.json.")] = None,
    manager: Annotated[str, typer.Option("--manager", help="Address of the Flamenco Manager.")] = "",
    scripts: Annotated[Path | None, path_option("--scripts", "The Manager's scripts folder.")] = None,
    settings: SettingsOption = None,
) -> None:
    """Connect the studio step by step: site, drives, Slack, people, farm. Each is tried before it is kept.

    Without options every step is asked for; with some only those are done.
    """
    with told():
        from app.service.assistant import (
            StepRefused,
            connect_drive,
            connect_farm,
            connect_people,
            connect_slack,
            walk_through,
        )
        from app.service.connect import connect_site
        from app.settings.paths import settings_path
        from app.settings.store import SettingsStore

        def ask(question: str, default: str, hidden: bool) -> str:
            try:
                said = typer.prompt(question, default=default, hide_input=hidden, show_default=bool(default))
            except typer.Abort:
                if sys.stdin.isatty():
                    raise
                fail(f"{question}: there is no terminal to type it in; see signalbox connect --help for its option", 2)
            return str(said).strip()

        prefix, _, folder = drive.partition("=")
        if drive and not (prefix and folder):
            fail(f"--drive {drive}: write the prefix on ftrack and the folder here, as /data/production=/mnt/p", 2)
        others = bool(drive or slack or people or manager)
        if server or user or not others:
            server = server or ask("Address of the ftrack site", "", False)
            user = user or ask("API user", "", False)
            typer.echo(connect_site(settings, server, user, key or ask("API key", "", True)))
        store = SettingsStore(settings or settings_path())
        try:
            if drive:
                typer.echo(connect_drive(store, prefix, Path(folder).expanduser()))
            if slack:
                token = os.environ.get("SIGNALBOX_SLACK_TOKEN", "") or ask("Slack bot token", "", True)
                typer.echo(connect_slack(store, token, slack))
            if people:
                typer.echo(connect_people(store, people))
            if manager:
                typer.echo(connect_farm(store, manager, scripts))
        except StepRefused as error:
            fail(str(error), REFUSED)
        if not others and sys.stdin.isatty():
            walk_through(store, ask, typer.echo)


@app.command("install-service")
def install_service(
    systemd: Annotated[bool, typer.Option("--systemd", help="Write a systemd unit.")] = False,
    supervisor: Annotated[bool, typer.Option("--supervisor", help="Write a supervisord program.")] = False,
    user: Annotated[str, typer.Option("--user", help="Account it runs as; made when absent.")] = "signalbox",
    drives: Annotated[list[Path] | None, typer.Option("--drive", help="A production drive; repeat for more.")] = None,
    settings: SettingsOption = None,
    log: Annotated[Path | None, path_option("--log", "The plain log file.")] = None,
    root: Annotated[Path, path_option("--root", "Install below this folder.")] = Path("/"),
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")] = False,
) -> None:
    """Install the event server as a service; says how to start it."""
    from dataclasses import replace

    from app.service.install import InstallError, ServicePlan, own_command
    from app.service.install import install_service as install

    if systemd == supervisor:
        fail("say which: --systemd or --supervisor", 2)
    try:
        plan = ServicePlan("systemd" if systemd else "supervisor", user=user, command=own_command(), root=root)
        plan = replace(
            plan,
            dry_run=dry_run,
            settings=settings or plan.settings,
            log=log or plan.log,
            drives=tuple(drives) if drives else plan.drives,
        )
        with told():
            report = install(plan)
        typer.echo(report.words(dry_run))
        if dry_run:
            typer.echo(f"\nThe service's file:\n\n{report.text}")
    except InstallError as error:
        fail(str(error), REFUSED)


def _register_rooms() -> None:
    """Commands that other rooms bring along: imported only when one of them, or the list of all, is asked for."""
    from app import cli_actions
    from app.cli_jobs import register as register_jobs
    from app.jobs.cli import register

    register(app)
    register_jobs(app)
    cli_actions.register(app)


def commands() -> None:
    """The command line."""
    own = {command.name or command.callback.__name__ for command in app.registered_commands if command.callback}
    if len(sys.argv) > 1 and sys.argv[1] not in own:
        _register_rooms()
    app()


if __name__ == "__main__":
    main()
