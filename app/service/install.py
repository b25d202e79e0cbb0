"""Install the event server as a service: a supervisord program or a systemd unit, its user, its folders.

Nothing is started or enabled: the report says with which command a person does that. ``root`` stands before every path,
so that a package build or a test installs into a folder.
"""

from __future__ import annotations

import configparser
import os
import re
import shutil
import string
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from app.process import ProgramFailed, ProgramMissing, run_program
from app.resources import resource
from app.settings.paths import SERVICE_STATE
from app.settings.secrets import CREDENTIALS

#: Exit codes of ``serve`` after which a supervisor must not start it again (see app.cli).
FINAL_CODES = (64, 65, 75, 78)
_SETTINGS = Path("/etc/signalbox/settings.toml")
_LOG = Path("/tmp/ftrack_event_server.log")  # noqa: S108 - the place the studio's tools read it from


class InstallError(Exception):
    """The service cannot be installed; the text says why and what to do."""


@dataclass(frozen=True, slots=True)
class ServicePlan:
    """What to install.

    Attributes:
        kind: "supervisor" or "systemd".
        user: Account the service runs as; made when absent, never root unless named.
        group: Group that may use the journal.
        command: Absolute path of the ``signalbox`` program.
        drives: Production drives the service needs and may write to.
        settings: The settings file.
        state: Its home; the journal is below.
        log: The plain log file.
        root: Put before every path.
        dry_run: Only say what would be done.
        credentials: Where the service's secrets are, one file each.
    """

    kind: str
    user: str = "signalbox"
    group: str = "signalbox"
    command: Path = Path("/usr/bin/signalbox")
    drives: tuple[Path, ...] = (Path("/data/production"),)
    settings: Path = _SETTINGS
    state: Path = SERVICE_STATE
    log: Path = _LOG
    root: Path = Path("/")
    dry_run: bool = False

    @property
    def credentials(self) -> Path:
        return self.settings.parent / CREDENTIALS

    def on_disk(self, path: Path) -> Path:
        """Where a path of the target system lies here."""
        return self.root / path.relative_to("/") if path.is_absolute() else path


@dataclass(slots=True)
class Report:
    """What was done (or would be), what was checked, and what a person does next; ``text`` is the service's file."""

    text: str = ""
    done: list[str] = field(default_factory=list)
    checked: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    next: list[str] = field(default_factory=list)

    def words(self, dry_run: bool) -> str:
        """The report as text."""
        head = "would do" if dry_run else "done"
        parts = [(head, self.done), ("checked", self.checked), ("warning", self.warnings), ("next", self.next)]
        return "\n".join(f"{name}: {line}" for name, lines in parts for line in lines)


def own_command() -> Path:
    """The ``signalbox`` program of this installation. Raises InstallError when there is none to start."""
    if getattr(sys, "frozen", False):
        return Path(sys.executable)
    beside = Path(sys.executable).parent / "signalbox"
    found = str(beside) if beside.exists() else shutil.which("signalbox")
    if not found:
        raise InstallError("the program signalbox was not found beside this Python: install the package first")
    return Path(found).absolute()


def install_service(plan: ServicePlan) -> Report:
    """Write and check everything; see `Report`.

    Raises InstallError: no permission, no such supervisor, a file of somebody else in the way.
    """
    report = Report()
    if not plan.dry_run and plan.root == Path("/") and os.geteuid() != 0:
        raise InstallError(
            "installing a service needs root: run it with sudo, or add --dry-run to see what it would do"
        )
    target = _target(plan, report)
    text = report.text = render(plan)
    _make_account(plan, report)
    _make_folders(plan, report)
    _write(plan, target, text, 0o644, report)
    _write_settings(plan, report)
    _look_around(plan, report)
    if not plan.dry_run:
        _check(plan, target, report)
    report.next.extend(_next_steps(plan, target))
    return report


def _target(plan: ServicePlan, report: Report) -> Path:
    """The file to write, by the system's layout: Debian's conf.d, or RHEL's supervisord.d / one supervisord.conf."""
    if plan.kind == "systemd":
        return Path("/etc/systemd/system/signalbox.service")
    if plan.kind != "supervisor":
        raise InstallError(f"{plan.kind!r} is no known supervisor: use --supervisor or --systemd")
    for folder, name in (("/etc/supervisor/conf.d", "signalbox.conf"), ("/etc/supervisord.d", "signalbox.ini")):
        if plan.on_disk(Path(folder)).is_dir():
            return Path(folder) / name
    main = Path("/etc/supervisord.conf")
    if plan.on_disk(main).is_file():
        return _included_by(plan, main) or main
    missing = (
        "supervisord is not set up here: neither /etc/supervisor/conf.d, /etc/supervisord.d nor /etc/supervisord.conf "
        "exists. Install it (apt-get install supervisor, or dnf install supervisor), or use --systemd"
    )
    if not plan.dry_run:
        raise InstallError(missing)
    report.warnings.append(missing)
    return Path("/etc/supervisor/conf.d/signalbox.conf")


def _included_by(plan: ServicePlan, main: Path) -> Path | None:
    """A folder that /etc/supervisord.conf includes, if it does."""
    parser = configparser.RawConfigParser(inline_comment_prefixes=(";",))
    parser.read(plan.on_disk(main))
    for pattern in parser.get("include", "files", fallback="").split():
        folder, suffix = (main.parent / pattern).parent, Path(pattern).suffix
        if plan.on_disk(folder).is_dir() and suffix in (".conf", ".ini"):
            return folder / f"signalbox{suffix}"
    return None


def render(plan: ServicePlan) -> str:
    """The text of the program file or unit."""
    name = "supervisor.conf.in" if plan.kind == "supervisor" else "signalbox.service.in"
    template = string.Template(resource(f"service/{name}").read_text("utf-8"))
    codes = " ".join(map(str, FINAL_CODES)) if plan.kind == "systemd" else ",".join(map(str, FINAL_CODES))
    writable = [plan.state, plan.log.parent, *plan.drives]
    text = template.substitute(
        command=_quoted(plan.command),
        settings=_quoted(plan.settings),
        journal=_quoted(plan.state / "journal"),
        state=plan.state,
        user=plan.user,
        group=plan.group,
        log=plan.log,
        final_codes=codes,
        mounts="\n".join(f"RequiresMountsFor={_quoted(drive)}" for drive in plan.drives),
        credentials=_credentials(plan),
        backoff="RestartSteps=8\nRestartMaxDelaySec=300" if _systemd_version() >= 254 else "",
        writable=" ".join(f"-{_quoted(path)}" for path in dict.fromkeys(writable)),
    )
    return re.sub(r"\n{3,}", "\n\n", text)


def _credentials(plan: ServicePlan) -> str:
    """``LoadCredential`` for each secret that is there; a missing one would block. Later ones are read in place."""
    try:
        names = sorted(one.name for one in plan.on_disk(plan.credentials).iterdir())
    except OSError:
        return ""  # none yet, or a dry run of somebody who may not look
    return "\n".join(f"LoadCredential={name}:{plan.credentials / name}" for name in names)


def _quoted(path: Path) -> str:
    text = str(path)
    if re.search(r"[\s\"'%$;\\]", text):
        raise InstallError(f"{text}: the path has a blank, quote or other character that supervisors read as syntax")
    return text


def _systemd_version() -> int:
    try:
        outcome = run_program(["systemctl", "--version"], total_seconds=10)
    except (ProgramMissing, ProgramFailed, OSError):
        return 0
    match = re.match(r"systemd (\d+)", outcome.tail[0] if outcome.tail else "")
    return int(match[1]) if match else 0


def _make_account(plan: ServicePlan, report: Report) -> None:
    """Make the system user and group when absent. A named user (also root, if a person insists) is used as it is."""
    if plan.user == "root":
        report.warnings.append("the service would run as root: every file it makes belongs to root")
    if plan.root != Path("/"):
        report.done.append(f"account {plan.user}: left to the installed system")
        return
    if not _known("group", plan.group):
        _order(plan, ["groupadd", "--system", plan.group], report)
    if not _known("passwd", plan.user):
        home = ["--home-dir", str(plan.state), "--no-create-home", "--shell", "/usr/sbin/nologin"]
        _order(plan, ["useradd", "--system", "--gid", plan.group, *home, plan.user], report)


def _known(database: str, name: str) -> bool:
    import grp
    import pwd

    try:
        _ = pwd.getpwnam(name) if database == "passwd" else grp.getgrnam(name)
    except KeyError:
        return False
    return True


def _order(plan: ServicePlan, argv: Sequence[str], report: Report) -> None:
    report.done.append("ran " + " ".join(argv))
    if not plan.dry_run:
        try:
            run_program(argv, total_seconds=60)
        except (ProgramFailed, ProgramMissing) as error:
            raise InstallError(str(error)) from error


def _make_folders(plan: ServicePlan, report: Report) -> None:
    """State and journal belong to the service's user and group (mode 2770), the settings to root, readable by it.

    The secrets are its account's alone, also those that root has written there.
    """
    for folder, mode, owner in (
        (plan.state, 0o2770, plan.user),
        (plan.state / "journal", 0o2770, plan.user),
        (plan.settings.parent, 0o750, "root"),
        (plan.credentials, 0o700, plan.user),
    ):
        report.done.append(f"folder {folder} ({mode:o}, {owner}:{plan.group})")
        if plan.dry_run:
            continue
        here = plan.on_disk(folder)
        here.mkdir(parents=True, exist_ok=True)
        _give(plan, here, owner)
        here.chmod(mode)
    if not plan.dry_run:
        for secret in plan.on_disk(plan.credentials).iterdir():
            _give(plan, secret, plan.user)
            secret.chmod(0o600)


def _give(plan: ServicePlan, path: Path, owner: str) -> None:
    if plan.root == Path("/"):
        shutil.chown(path, owner, plan.group)


def _write(plan: ServicePlan, path: Path, text: str, mode: int, report: Report) -> None:
    """Write a file of ours whole or not at all; one that a person changed is kept beside it."""
    here = plan.on_disk(path)
    existing = here.read_text("utf-8") if here.is_file() else None
    if existing == text:
        report.done.append(f"{path} is as it should be")
        return
    if path.name == "supervisord.conf":
        _append_program(plan, path, existing or "", text, report)
        return
    if existing is not None:
        report.done.append(f"kept the former {path.name} as {path.name}.before-signalbox")
    report.done.append(f"wrote {path}")
    if plan.dry_run:
        return
    if existing is not None:
        here.with_name(here.name + ".before-signalbox").write_text(existing, "utf-8")
    _replace(here, text, mode)


def _append_program(plan: ServicePlan, path: Path, existing: str, text: str, report: Report) -> None:
    """RHEL's single supervisord.conf: our section is added or exchanged, the rest stays."""
    block = re.compile(r"(?ms)^; Signalbox, the ftrack event server\..*?(?=^\[(?!program:signalbox\])|\Z)")
    changed = block.sub("", existing).rstrip("\n") + "\n\n" + text
    report.done.append(f"put the section [program:signalbox] into {path}")
    if not plan.dry_run:
        _replace(plan.on_disk(path), changed, 0o644)


def _replace(path: Path, text: str, mode: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.new")
    fresh.write_text(text, "utf-8")
    fresh.chmod(mode)
    fresh.replace(path)


def _write_settings(plan: ServicePlan, report: Report) -> None:
    """A first settings file that names the log; an existing one is never touched."""
    here = plan.on_disk(plan.settings)
    try:
        there = here.exists()
    except PermissionError:
        there = True  # a dry run of somebody who may not look
    if there:
        report.done.append(f"{plan.settings} exists and is left alone")
        return
    report.done.append(f"wrote {plan.settings} (0660, group {plan.group})")
    if plan.dry_run:
        return
    _replace(here, f'# Settings of the Signalbox service.\n\n[journal]\nlog_file = "{plan.log}"\n', 0o660)
    _give(plan, here, "root")


def _look_around(plan: ServicePlan, report: Report) -> None:
    """What would keep folders and log from coming out, found before the service is started."""
    report.warnings += [
        f"the drive {drive} is not there: mount it, or name another with --drive"
        for drive in plan.drives
        if not plan.on_disk(drive).is_dir()
    ]
    log = plan.on_disk(plan.log)
    try:
        owner = log.owner() if log.exists() else plan.user
    except KeyError:
        owner = "an account that is gone"
    if owner != plan.user:
        report.warnings.append(
            f"{plan.log} belongs to {owner}, as an older server has left it: the service ({plan.user}) cannot write "
            f"it. Move it away: mv {plan.log} {plan.log}.old"
        )


def _check(plan: ServicePlan, target: Path, report: Report) -> None:
    here = plan.on_disk(target)
    if not plan.command.exists():
        report.warnings.append(f"{plan.command} does not exist on this machine")
    if plan.kind == "supervisor":
        parser = configparser.RawConfigParser(inline_comment_prefixes=(";",), strict=False)
        parser.read(here)
        if not parser.has_section("program:signalbox"):
            raise InstallError(f"{target} was written but has no section [program:signalbox]: is the disk full?")
        report.checked.append(f"{target} is read back with its section [program:signalbox]")
        return
    if shutil.which("systemd-analyze") is None:
        report.warnings.append("systemd-analyze is not here, so the unit was not verified")
        return
    try:
        run_program(["systemd-analyze", "verify", str(here)], total_seconds=60)
    except ProgramFailed as failed:
        report.warnings.extend(line for line in failed.outcome.tail if "signalbox" in line)
        return
    except (OSError, subprocess.SubprocessError) as error:
        report.warnings.append(f"the unit could not be verified: {error}")
        return
    report.checked.append("systemd-analyze verify passed")


def _next_steps(plan: ServicePlan, target: Path) -> list[str]:
    members = f"add people who may move levers to the group: usermod -aG {plan.group} NAME"
    connect = f"connect the site, as root: signalbox connect --settings {plan.settings}"
    if plan.kind == "systemd":
        return [connect, members, "start it: systemctl daemon-reload && systemctl enable --now signalbox"]
    if target.parent.name == "conf.d":
        return [connect, members, "start it: supervisorctl reread && supervisorctl update"]
    return [connect, members, "start it: service supervisord restart (or supervisorctl reread && supervisorctl update)"]
