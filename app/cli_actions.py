"""Commands of production and artists: ``batch-create``, ``upload`` and ``agent``."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from app.entry import has_display
from app.terminal import LONGEST_SECONDS, REFUSED, JournalOption, JsonOption, SettingsOption, path_option, told

USAGE = 2
CONFLICTS = 5
FAILED = 1


def register(app: typer.Typer) -> None:
    """Hook the commands into the program."""
    app.command("batch-create")(batch_create)
    app.command("upload")(upload)
    app.command("agent")(agent)


def _display_or_end() -> None:
    if not has_display():
        words = "start this on a desktop, or choose Upload Media on ftrack's page"
        typer.echo(f"signalbox: there is no display to open the dialog on: {words}", err=True)
        raise typer.Exit(REFUSED)


def _sheet_text(sheet: Path) -> str:
    """What a sheet says; a file that cannot be read is told in one line."""
    from app.rules.batch import decoded

    try:
        return decoded(sys.stdin.buffer.read() if str(sheet) == "-" else sheet.read_bytes())
    except OSError as problem:
        typer.echo(f"signalbox: {sheet} cannot be read: {problem.strerror}", err=True)
        raise typer.Exit(USAGE) from problem


def upload(
    files: Annotated[list[str] | None, typer.Argument(help="Movies, images, folders, plate.####.exr patterns.")] = None,
    task: Annotated[str, typer.Option("--task", help="Id of the task that is chosen at first.")] = "",
    settings: SettingsOption = None,
    journal: JournalOption = None,
) -> None:
    """Publish clips for review: opens the dialog."""
    _artist(settings, journal, task, files or [], agent=False)


def agent(settings: SettingsOption = None, journal: JournalOption = None) -> None:
    """Live in the tray and open the upload dialog when Upload Media is chosen on ftrack's page."""
    _artist(settings, journal, "", [], agent=True)


def _artist(settings: Path | None, journal: Path | None, task: str, files: Sequence[str], *, agent: bool) -> None:
    _display_or_end()
    with told():
        from app.service.doors import Installation
        from ui.upload_app import artist_journal, run_upload

        # From the folder this was started in: the program that takes over may stand elsewhere.
        given = [one if "://" in one else str(Path(one).expanduser().absolute()) for one in files]
        installation = Installation.load(settings, journal or artist_journal())
        raise typer.Exit(run_upload(installation, task, given, agent=agent))


def batch_create(
    parent: Annotated[str, typer.Argument(help="Project, or project/sequence, or an entity's id.")],
    sequence: Annotated[str, typer.Option("--sequence", help="Sequence the shots are made in.")] = "",
    expression: Annotated[str, typer.Option("--expression", help="Shot expression, e.g. ####.")] = "####",
    numbers: Annotated[str, typer.Option("--range", help="Range, e.g. 10-200:10.")] = "",
    prefix: Annotated[bool, typer.Option("--prefix/--no-prefix", help="Put the sequence's name before.")] = True,
    task: Annotated[
        list[str] | None, typer.Option("--task", help="Task type and bid, e.g. 'Animation 8h'; repeat for more.")
    ] = None,
    sheet: Annotated[Path | None, path_option("--csv", "A CSV or tab-separated file; - is stdin.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be made.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Also more rows than the settings allow (500).")] = False,
    settings: SettingsOption = None,
    journal: JournalOption = None,
    wait: Annotated[
        float, typer.Option("--wait", min=0.0, max=LONGEST_SECONDS, help="Seconds to wait for the outcome.")
    ] = 600.0,
    as_json: JsonOption = False,
) -> None:
    """Make sequences, shots and tasks in one go, from an expression or a sheet; what exists is reused.

    Exit codes: 0 done, 2 wrong input, 3 refused, 5 rows in conflict (nothing was made), 1 failed on the site.
    """
    with told():
        from app.service.batch import BatchWanted, make_batch

        text = None if sheet is None else _sheet_text(sheet)
        wanted = BatchWanted(parent, sequence, expression, numbers, prefix, tuple(task or ()), text)
        outcome = make_batch(settings, journal, wanted, dry=dry_run, sure=yes, wait=wait)
        if as_json:
            typer.echo(json.dumps(outcome.facts(), ensure_ascii=False))
        else:
            for line in outcome.lines():
                typer.echo(line)
            if outcome.problem:
                typer.echo(f"signalbox: {outcome.problem}", err=True)
        code: Any = outcome.code
        if code:
            raise typer.Exit(code)
