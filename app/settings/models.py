"""Every setting of the studio's installation, declared once: type, default, help, secret, per project.

The settings form, the validation, the documentation page and the clean-up of renamed settings are made from these
declarations. A handler declares its own in its module (section ``handlers.<id>``). Extras of a field:
``per_project`` (a project may override it), ``secret`` (kept in the keyring, never in the file), ``renamed_from``
(an older name that is still read), ``widget`` (a hint to the form), ``unit``.
"""

from __future__ import annotations

import datetime as dt
import zoneinfo
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field


class Section(BaseModel):
    """Base of a section: unknown names are an error, so that a misspelt setting is noticed."""

    model_config = ConfigDict(extra="forbid", validate_assignment=True)


def setting(
    default: Any,
    help_: str,
    *,
    per_project: bool = False,
    secret: bool = False,
    renamed_from: str = "",
    widget: str = "",
    unit: str = "",
    **limits: Any,
) -> Any:
    """Declare a setting. ``limits`` are pydantic's (``ge``, ``le``, ``pattern``...)."""
    extra: dict[str, Any] = {}
    for name, value in (("per_project", per_project), ("secret", secret)):
        if value:
            extra[name] = True
    for name, text in (("renamed_from", renamed_from), ("widget", widget), ("unit", unit)):
        if text:
            extra[name] = text
    if isinstance(default, list | dict):
        return Field(default_factory=default.copy, description=help_, json_schema_extra=extra, **limits)
    return Field(default=default, description=help_, json_schema_extra=extra, **limits)


def _known_zone(value: str) -> str:
    if value:
        try:
            zoneinfo.ZoneInfo(value)
        except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError) as error:  # OSError: a folder of zones
            raise ValueError(f"{value!r} is not a time zone (use a name such as Europe/Berlin)") from error
    return value


def _known_mode(value: str) -> str:
    try:
        number = int(value, 8)
    except ValueError as error:
        raise ValueError(f"{value!r} is not an octal mode (use e.g. 2775)") from error
    if not 0 <= number <= 0o7777:
        raise ValueError(f"{value!r} is not a mode between 0 and 7777")
    return value


TimeZone = Annotated[str, AfterValidator(_known_zone)]
Mode = Annotated[str, AfterValidator(_known_mode)]


class SiteSettings(Section):
    """The ftrack site (section ``site``; a second one for client reviews is section ``cloud``)."""

    server: str = setting("", "Address of the ftrack site, e.g. https://studio.ftrackapp.com.")
    api_user: str = setting("", "The ftrack user whose API key is used.")
    api_key: str = setting("", "The API key; it is kept in the keyring, not in the settings file.", secret=True)
    request_timeout: float = setting(60.0, "Give up on a request after so many seconds.", unit="s", gt=0)
    strict_api: bool = setting(False, "Ask the site for strict errors.")
    subscriptions: list[str] = setting(
        ["topic=ftrack.update", "topic=ftrack.action.discover", "topic=ftrack.action.launch"],
        "Which events the site sends here: ftrack subscription expressions.",
    )
    connect_timeout: float = setting(20.0, "Give up on connecting to the event hub after so many seconds.", gt=0)
    silence: float = setting(
        45.0,
        "Reconnect when the event hub has been silent for so many seconds (its heartbeat comes every 15 to 25).",
        unit="s",
        gt=0,
    )
    reconnect_first: float = setting(0.2, "Seconds before the first attempt to reconnect.", unit="s", gt=0)
    reconnect_longest: float = setting(10.0, "Longest pause between two attempts to reconnect.", unit="s", gt=0)
    gap_tolerance: float = setting(
        0.0, "A break of the event stream up to so many seconds needs no catch-up.", unit="s", ge=0
    )
    form_patience: float = setting(
        2.0, "Answer 'preparing' when a menu or form takes longer; the form is pushed when ready.", unit="s", gt=0
    )
    responders: int = setting(2, "Threads that answer menus and forms.", ge=1, le=16)


class StudioSettings(Section):
    """How the studio works (section ``studio``)."""

    time_zone: TimeZone = setting("", "The studio's time zone; empty: this machine's.", per_project=True)
    workflow_schemas: list[str] = setting(
        ["VFX Scheme", "VFX Schema"], "Workflow schemas whose projects get folders, compared without case."
    )
    disk_map: dict[str, str] = setting(
        {}, "Where a drive of ftrack is mounted on this machine: prefix in ftrack = prefix here."
    )
    drive_marker: str = setting(
        ".signalbox-drive", "A file of this name proves that a drive which is no mount point is really there."
    )
    folder_mode: Mode = setting("2775", "Mode of new folders (octal).", per_project=True)
    file_mode: Mode = setting("0664", "Mode of new files (octal).", per_project=True)
    group: str = setting("", "Group of new folders and files; empty: the parent folder's.", per_project=True)
    holidays: list[dt.date] = setting([], "Days on which the studio is closed.")
    fps: float = setting(24.0, "Frame rate where neither shot nor project says one.", per_project=True, gt=0)


class SlackSettings(Section):
    """Slack (section ``slack``)."""

    enabled: bool = setting(True, "Send messages to Slack.")
    token: str = setting("", "Bot token; it is kept in the keyring, not in the settings file.", secret=True)
    base_url: str = setting("https://slack.com/api/", "Address of Slack's Web API.")
    mapping_file: str = setting(
        "", "slack_ftrack_users.json: ftrack user name to Slack user, ftrack project to Slack channel.", widget="path"
    )
    default_channel: str = setting("#general", "Channel of projects that have none.", per_project=True)
    timeout: float = setting(15.0, "Give up on a request after so many seconds.", unit="s", gt=0)
    max_age: float = setting(6 * 3600.0, "Messages older than this are dropped, and say so.", unit="s", gt=0)
    rate: float = setting(1.0, "At most so many messages a second in one channel.", gt=0)
    digest_window: float = setting(
        0.0, "Gather messages of one kind for so many seconds into one; 0 sends each at once.", unit="s", ge=0
    )
    look_back: float = setting(900.0, "How far back a message in doubt is looked for.", unit="s", gt=0)
    alarm_channel: str = setting(
        "", "Channel that is told when a handler is paused, the site is gone or runs fail; empty tells nobody."
    )
    alarm_pause: float = setting(300.0, "Alarms of so many seconds are gathered into one message.", unit="s", ge=1)


class EngineSettings(Section):
    """How handlers are run (section ``engine``)."""

    workers: int = setting(4, "Runs in parallel, each with its own ftrack session.", ge=1, le=32)
    heavy_workers: int = setting(2, "Transcodes, uploads and large copies in parallel.", ge=1, le=16)
    chunk: int = setting(500, "At most so many entities in one server transaction.", ge=1, le=5000)
    attempts: int = setting(6, "Attempts of a run that failed for a reason worth a retry.", ge=1, le=50)
    retry_first: float = setting(2.0, "Seconds before the first retry; each next pause is twice as long.", gt=0)
    retry_longest: float = setting(600.0, "Longest pause between two attempts.", unit="s", gt=0)
    replans: int = setting(3, "Plan again so often when what a plan relied on changed.", ge=0, le=20)
    breaker_failures: int = setting(
        5, "So many failures in a row pause a handler; 0 never does.", ge=0, le=1000, per_project=False
    )
    echo_seconds: float = setting(600.0, "A change made by a handler is not given back to it for so long.", unit="s")
    depth_limit: int = setting(8, "Refuse chains of changes caused by handlers that are longer than this.", ge=1)
    catch_up_overlap: float = setting(300.0, "Look so much further back than a gap began.", unit="s", ge=0)
    catch_up_hold: float = setting(
        4 * 3600.0, "A gap longer than this is caught up in dry run and released by a person.", unit="s", ge=0
    )
    first_position: Literal["auto", "off", "dry", "on"] = setting(
        "auto",
        "Lever of a handler or action that is seen for the first time; auto: On at the embedded site, at a real one "
        "Dry run for handlers and Off for actions.",
    )
    drive_wait: float = setting(30.0, "Look again for a missing drive after so many seconds.", unit="s", gt=0)
    no_progress: float = setting(
        120.0,
        "End a slow step that shows no progress for so long; a plan that does not return is warned of.",
        unit="s",
        gt=0,
    )
    poll: float = setting(0.25, "Look for work at least so often.", unit="s", gt=0)
    plugins: str = setting("", "Folder of the studio's own handlers.", widget="path")


class JournalSettings(Section):
    """How long things are kept (section ``journal``)."""

    keep_days: float = setting(30.0, "Days that events and finished runs are kept.", unit="d", gt=0)
    keep_log_days: float = setting(14.0, "Days that log lines are kept.", unit="d", gt=0)
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = setting("INFO", "Least level that is kept.")
    log_file: str = setting("", "A plain log file beside the journal's own log; empty: none.", widget="path")
    group: str = setting("signalbox", "Group that may write the journal's folder, where it exists.")


class FlamencoSettings(Section):
    """The Flamenco Manager (section ``flamenco``)."""

    manager: str = setting("", "Address of the Manager, e.g. http://farm:8080; empty: no farm.")
    scripts_folder: str = setting(
        "", "Folder of the Manager's job type scripts; empty: deploying is off.", widget="path"
    )
    timeout: float = setting(20.0, "Give up on a request after so many seconds.", unit="s", gt=0)
    poll: float = setting(
        2.0, "Ask for more of a task's log so often; for everything while the live line is down.", unit="s", gt=0
    )
    compile_seconds: float = setting(5.0, "End a job compiler script that runs longer.", unit="s", gt=0)
    compile_memory: int = setting(256, "Memory a job compiler script may use.", unit="MB", ge=16)
    local_workers: int = setting(1, "Tasks that this machine runs in parallel for the local engine.", ge=0, le=64)
    task_types: list[str] = setting(
        ["blender", "ffmpeg", "file-management", "misc"], "Types of tasks that this machine takes; empty: all."
    )
    task_attempts: int = setting(3, "A task that failed so often has failed for good.", ge=1, le=50)
    task_pause: float = setting(5.0, "Seconds before a failed task is tried again.", unit="s", ge=0)
    task_silence: float = setting(0.0, "End a program that writes nothing for so long; 0: no limit.", unit="s", ge=0)
    task_niceness: int = setting(
        10, "How far tasks stand back behind the event server and the window; 0: not at all.", ge=0, le=19
    )
    task_log_limit: float = setting(64.0, "Keep so much of a task's output.", unit="MB", gt=0)
    allowed_programs: list[str] = setting(
        ["blender", "ffmpeg", "ffprobe"],
        "Programs that tasks may run on this machine: a name is looked for on PATH, a path is that program alone.",
    )
    allow_any_program: bool = setting(False, "Tasks may run every program, shells too: trust every script.")
    variables: dict[str, str] = setting(
        {"blender": "blender", "blenderArgs": "-b -y", "ffmpeg": "ffmpeg"},
        "What {name} in a command stands for on this machine.",
    )
    scratch_folder: str = setting("", "Folder for try-outs; empty: beside the journal.", widget="path")


class PanelSettings(Section):
    """The window (section ``panel``)."""

    theme: Literal["dark", "light", "system"] = setting("dark", "Colours of the window.")
    tray: bool = setting(True, "Keep running in the tray when the window is closed.")
    host: Literal["ask", "always"] = setting(
        "ask", "Where no event server runs: ask before the window runs it, or always run it."
    )
    time_format: Literal["24h", "12h"] = setting("24h", "How times are written.")
    notify_failures: bool = setting(True, "Show a notification when a run fails.")
    motion: bool = setting(True, "Let levers swing; off, and where the desktop asks for no motion, they simply stand.")


#: Sections with fixed names; the handlers' sections are added by whoever loads the handlers.
SECTIONS: dict[str, type[Section]] = {
    "site": SiteSettings,
    "cloud": SiteSettings,
    "studio": StudioSettings,
    "slack": SlackSettings,
    "engine": EngineSettings,
    "journal": JournalSettings,
    "flamenco": FlamencoSettings,
    "panel": PanelSettings,
}
