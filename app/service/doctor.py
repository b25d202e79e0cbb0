"""`signalbox doctor`: looks at everything the program depends on and says what to do about what is wrong."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from app.journal.journal import Journal, is_there
from app.journal.rows import JournalError
from app.journal.store import check
from app.rules.outcomes import Later, PlanError
from app.rules.words import many
from app.service.doors import BuiltDoors, Installation, build_doors
from app.service.menu import answered_elsewhere
from app.service.orders import is_running
from app.settings.redact import redact
from app.settings.secrets import SecretsExposed
from app.settings.store import SettingsError
from app.site.types import NotFtrack, SiteRefusal, SiteUnreachable, WrongKey
from app.slack.errors import SlackLater, SlackRefused

State = Literal["ok", "warning", "error"]
_LITTLE_SPACE = 500 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        name: What: settings, site, slack, drives, journal, menus (who else answers our actions), ffmpeg...
        state: "ok", "warning" (something does not work, the rest does) or "error".
        words: What was found.
        advice: What to do; "" where there is nothing to do.
    """

    name: str
    state: State
    words: str
    advice: str = ""

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def examine(settings: Path | None = None, journal: Path | None = None) -> list[Finding]:
    """Look at everything; never raises for what is wrong with the installation."""
    try:
        installation = Installation.at_work(settings, journal)
        installation.check()
    except SettingsError as error:
        return [Finding("settings", "error", redact(str(error)), "correct the file and run doctor again")]
    findings = [Finding("settings", "ok", f"{installation.store.path}" + _or_default(installation.store.path))]
    findings += _journal(installation.journal)
    try:
        built = build_doors(installation)
    except (SecretsExposed, SettingsError) as error:
        return [*findings, Finding("secrets", "error", redact(str(error)))]
    try:
        site = _site(built)
        findings.append(site)
        if site.state == "ok":
            findings += _drives(built)
        findings.append(_slack(built))
    finally:
        built.sites.close()
    findings.append(_ffmpeg())
    return findings


def _or_default(path: Path) -> str:
    return "" if path.exists() else " (not there yet: every default)"


def _journal(folder: Path) -> Iterator[Finding]:
    try:
        is_there(folder / "journal.db")
    except JournalError as error:
        yield Finding("journal", "error", str(error))
        return
    nearest = next(one for one in (folder, *folder.parents) if one.exists())
    problem = _unwritable(nearest)
    if problem:
        yield Finding(
            "journal",
            "error",
            f"{nearest} cannot be written: {problem}",
            "give this user the right, or set another folder",
        )
    elif not (folder / "journal.db").exists():
        yield Finding("journal", "ok", f"{folder} (made at the first start)")
    else:
        try:
            check(folder / "journal.db")
            opened = Journal.open(folder, "read")
            try:
                words = (
                    f"{folder}: {many(opened.count_events(), 'event')}, {many(opened.queue_length(), 'run')} waiting"
                )
                yield Finding("journal", "ok", words + (", an event server runs" if is_running(folder) else ""))
                yield _menus(opened)
            finally:
                opened.close()
        except JournalError as error:
            yield Finding("journal", "error", str(error))
    free = shutil.disk_usage(nearest).free
    if free < _LITTLE_SPACE:
        yield Finding("space", "warning", f"only {free // 1_000_000} MB left in {nearest}", "make room")


def _menus(journal: Journal) -> Finding:
    """What the event server found when it last asked who else answers its actions."""
    state, words = answered_elsewhere(journal)
    advice = "switch the action off at the other server, or here" if state == "warning" else ""
    return Finding("menus", "warning" if state == "warning" else "ok", words, advice)


def _unwritable(folder: Path) -> str:
    """Why nothing can be written there, "" when it can. Tried, since rights alone do not tell (root, mounts)."""
    try:
        with tempfile.TemporaryFile(dir=folder):
            return ""
    except OSError as error:
        return error.strerror or str(error)


def _site(built: BuiltDoors) -> Finding:
    try:
        door = built.sites()
        door.rows("select id from Status limit 1")
        user = door.own_user_id()
    except SettingsError as error:
        return Finding("site", "error", redact(str(error)))
    except WrongKey as error:
        return Finding("site", "error", str(error), "enter the key of this user again, or make a new one on the site")
    except NotFtrack as error:
        return Finding("site", "error", str(error), "correct site.server")
    except (SiteUnreachable, SiteRefusal) as error:
        return Finding("site", "error", redact(str(error)), "is the address right, and the network up?")
    if not user:
        return Finding("site", "warning", f"{door.server} answers, but does not show us our own user")
    return Finding("site", "ok", f"{door.server} answers and accepts the key")


def _drives(built: BuiltDoors) -> Iterator[Finding]:
    try:
        projects = built.sites().rows(
            "select name, root, disk.unix, disk.windows, disk.name from Project where status is active order by name"
        )
    except (SiteUnreachable, SiteRefusal) as error:
        yield Finding("drives", "warning", redact(str(error)))
        return
    look: Callable[[dict[str, Any]], Path] = built.drives.project_root
    for project in projects:
        try:
            yield Finding("drives", "ok", f"{project['name']}: {look(project)}")
        except (Later, PlanError) as error:
            yield Finding("drives", "warning", f"{project['name']}: {error}")


def _slack(built: BuiltDoors) -> Finding:
    if built.slack is None:
        return Finding("slack", "warning", "no bot token is set: no messages are sent", "enter one in the settings")
    try:
        return Finding("slack", "ok", built.slack.check())
    except SlackLater as error:
        return Finding("slack", "warning", redact(str(error)))
    except SlackRefused as error:
        return Finding("slack", "error", redact(str(error)))


def _ffmpeg() -> Finding:
    found = shutil.which("ffmpeg")
    if found is None:
        import imageio_ffmpeg

        try:
            found = imageio_ffmpeg.get_ffmpeg_exe()
        except RuntimeError:
            return Finding("ffmpeg", "warning", "there is no ffmpeg: uploads cannot be transcoded", "install ffmpeg")
    return Finding("ffmpeg", "ok", found)
