"""Who is who on Slack: the studio's mapping file first, then the e-mail address, then the project's channel."""

from __future__ import annotations

import json
import logging
import re
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Protocol

from app.rules.outcomes import PlanError
from app.slack.errors import SlackLater, SlackRefused

__all__ = ["Directory", "SlackPeople", "parse_mapping"]

log = logging.getLogger("signalbox.slack")

_REFRESH_SECONDS = 3600.0
_MISS_SECONDS = 300.0
_ID = re.compile(r"[UWCGDB][A-Z0-9]{6,}")
_COMMENT = re.compile(r"^\s*(?:#|//).*$", re.MULTILINE)
_MISSING_COMMA = re.compile(r'("\s*)\n(\s*")')
_LAST_COMMA = re.compile(r",(\s*[}\]])")


class Directory(Protocol):
    """What `SlackPeople` needs of the client."""

    def members(self) -> list[dict[str, Any]]: ...

    def user_by_email(self, email: str) -> dict[str, Any] | None: ...


def parse_mapping(text: str, source: str) -> dict[str, str]:
    """The studio's ``slack_ftrack_users.json``: ftrack user name to Slack user, ftrack project to Slack channel.

    People edit this file by hand, so comment lines (``#``), a missing and a superfluous comma are understood. Users
    and projects may stand together or apart (``{"users": {...}, "projects": {...}}``).

    Raises:
        PlanError: naming the file and the line.
    """
    cleaned = _LAST_COMMA.sub(r"\1", _MISSING_COMMA.sub(r"\1,\n\2", _COMMENT.sub("", text)))
    try:
        data = json.loads(cleaned or "{}")
    except json.JSONDecodeError as error:
        raise PlanError(
            f"{source} is not valid JSON: {error.msg} in line {error.lineno}. Correct it; it is read again at once."
        ) from error
    if not isinstance(data, dict):
        raise PlanError(f'{source} must hold one object: {{"ftrack name": "slack name"}}.')
    found: dict[str, str] = {}
    for key, value in data.items():
        for name, slack in value.items() if isinstance(value, dict) else ((key, value),):
            if slack is not None and not isinstance(slack, str):
                raise PlanError(
                    f"{source} gives {name!r} the Slack name {json.dumps(slack)}, which is not text: "
                    "write it in quotes."
                )
            if slack and slack.strip():
                found[name] = slack.strip()
    return found


class SlackPeople:
    """The People door. Safe to share between threads.

    The mapping file is read again when it changes. The directory of the workspace is read once an hour, and once more
    (at most every five minutes) for an address it does not know, since people join.

    Args:
        settings: Gives ``mapping_file`` and ``default_channel`` of the Slack settings; takes a project's name.
        directory: Slack's users; None without Slack.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        settings: Callable[..., Any],
        directory: Directory | None,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._directory = directory
        self._clock = clock
        # Two: who needs only the file does not wait while another thread asks Slack.
        self._mapping_lock, self._lock = threading.Lock(), threading.Lock()
        self._mapping: dict[str, str] = {}
        self._stamp: tuple[str, float, int] | None = None
        self._by_email: dict[str, dict[str, Any]] = {}
        self._by_name: dict[str, dict[str, Any]] = {}
        self._read_at: float | None = None
        self._missed_at: dict[str, float] = {}

    def slack_user(self, username: str, email: str | None) -> str | None:
        """Where to write to this person, or None: the mapping's entry, else the Slack user with the e-mail address.

        Raises:
            PlanError: the mapping file cannot be read.
            SlackLater: Slack is needed and cannot be asked now.
        """
        mapped = self._mapped(username)
        if mapped is not None:
            return self._as_address(mapped)
        if email and self._directory is not None:
            return self._by_address(email.strip())
        return None

    def slack_channel(self, project_name: str) -> str:
        """The project's channel, else the default channel."""
        mapped = self._mapped(project_name)
        if mapped is not None:
            return _channel(mapped)
        return str(self._settings(project_name).default_channel)

    def _mapped(self, name: str) -> str | None:
        mapping = self._current_mapping()
        if name in mapping:
            return mapping[name]
        folded = name.casefold()
        return next((slack for key, slack in mapping.items() if key.casefold() == folded), None)

    def _current_mapping(self) -> Mapping[str, str]:
        file = str(self._settings(None).mapping_file)
        with self._mapping_lock:
            if not file:
                return {}
            path = Path(file)
            try:
                state = path.stat()
                stamp = (file, state.st_mtime, state.st_size)
                if stamp != self._stamp:
                    self._mapping = parse_mapping(path.read_text(encoding="utf-8-sig"), file)
                    self._stamp = stamp
            except (OSError, UnicodeDecodeError) as error:
                raise PlanError(
                    f"The Slack mapping file {file} cannot be read: {error}. Correct slack.mapping_file."
                ) from error
            return self._mapping

    def _as_address(self, mapped: str) -> str:
        """``@name`` as the id Slack wants, as far as the directory knows it; everything else as it is."""
        if _ID.fullmatch(mapped) or mapped.startswith("#") or self._directory is None:
            return mapped
        with self._lock:
            try:
                self._read_directory()
            except (SlackLater, SlackRefused) as error:
                log.warning("the Slack directory cannot be read, %s is used as it is: %s", mapped, error)
                return mapped
            member = self._by_name.get(mapped.lstrip("@").casefold())
        return str(member["id"]) if member else mapped

    def _by_address(self, email: str) -> str | None:
        key = email.casefold()
        with self._lock:
            try:
                self._read_directory()
            except SlackRefused as error:
                if error.code != "missing_scope":
                    raise
            member = self._by_email.get(key)
            if member is None:
                if self._clock() - self._missed_at.get(key, -_MISS_SECONDS) < _MISS_SECONDS:
                    return None
                assert self._directory is not None
                member = self._directory.user_by_email(email)
                if member is None:
                    self._missed_at[key] = self._clock()
                    return None
                self._remember([member])
        return None if member.get("deleted") else str(member["id"])

    def _read_directory(self) -> None:
        now = self._clock()
        if self._directory is None or (self._read_at is not None and now - self._read_at < _REFRESH_SECONDS):
            return
        members = self._directory.members()
        self._by_email.clear()
        self._by_name.clear()
        self._remember(members)
        self._read_at = now

    def _remember(self, members: Iterable[Mapping[str, Any]]) -> None:
        for member in members:
            profile = member.get("profile") or {}
            email = str(profile.get("email") or "").casefold()
            if email:
                self._by_email[email] = dict(member)
            for name in (member.get("name"), profile.get("display_name")):
                # A deactivated user keeps the name; the living one of the same name is meant.
                if name and not (member.get("deleted") and str(name).casefold() in self._by_name):
                    self._by_name[str(name).casefold()] = dict(member)


def _channel(mapped: str) -> str:
    return mapped if mapped.startswith(("#", "@")) or _ID.fullmatch(mapped) else f"#{mapped}"
