"""The steps of connecting a studio, for the assistant's window and for `signalbox connect`: try first, then keep.

Each step stands alone, may be skipped, and may be done again. None of them writes a secret anywhere but where
`app.settings.secrets` keeps them.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import uuid
from collections.abc import Callable
from pathlib import Path

from app.jobs.manager_client import ManagerClient, ManagerError, ManagerNonsense, ManagerUnreachable, Patience
from app.rules.outcomes import PlanError
from app.rules.words import many
from app.service.connect import connect_site, keep_where_read
from app.service.cutover import ask_site, is_embedded, site_words
from app.settings import paths
from app.settings.models import SlackSettings, StudioSettings
from app.settings.secrets import secrets_file
from app.settings.store import SettingsError, SettingsStore
from app.site.session import check_address
from app.site.types import Credentials, SiteRefusal, SiteUnreachable
from app.slack.client import SlackClient
from app.slack.errors import SlackLater, SlackRefused
from app.slack.people import parse_mapping

__all__ = [
    "StepRefused",
    "connect_drive",
    "connect_farm",
    "connect_people",
    "connect_slack",
    "connect_studio_site",
    "where_secrets_go",
]


class StepRefused(Exception):
    """What was entered does not work; the text says why and what to do. Nothing was kept."""


def where_secrets_go() -> str:
    """Where this person's secrets are kept, in words."""
    return f"the system's keyring, or {secrets_file()} (only you can read it) where there is none"


def connect_studio_site(store: SettingsStore, server: str, user: str, key: str) -> str:
    """Try address, user and key, then keep them; says what is kept where, and which kind of site it is.

    Raises StepRefused.
    """
    if not (server.strip() and user.strip() and key.strip()):
        raise StepRefused(
            "Address, user and key are all needed; the key is on your ftrack page under Security settings."
        )
    address = server.strip() if "://" in server else f"https://{server.strip()}"
    try:
        words = connect_site(store.path, address, user.strip(), key.strip())
        credentials = Credentials(check_address(address), user.strip(), key.strip())
        embedded = is_embedded(credentials.server, lambda: ask_site(credentials))
    except (SiteUnreachable, SiteRefusal, SettingsError) as error:
        raise StepRefused(str(error)) from error
    store.reload_if_changed()
    after = "" if embedded else " Every handler starts at Dry run and every action at Off."
    return f"This is {site_words(credentials.server, embedded=embedded)}. {words}{after}"


def connect_drive(store: SettingsStore, prefix: str, folder: Path) -> str:
    """Try to write to a production drive, then keep where it is mounted on this operating system.

    Args:
        store: The settings.
        prefix: How ftrack's paths begin, e.g. ``/data/production`` or ``P:``.
        folder: Where that is on this machine.

    Raises StepRefused.
    """
    if not prefix.strip():
        raise StepRefused("How do ftrack's paths of this drive begin? For instance /data/production.")
    if not folder.is_absolute() or not folder.is_dir():
        raise StepRefused(f"{folder} is no folder on this machine: mount the drive, or correct the path.")
    try:
        with tempfile.TemporaryDirectory(prefix=".signalbox-write-test-", dir=folder) as inside:
            (Path(inside) / "file").write_bytes(b"signalbox")
    except OSError as error:
        raise StepRefused(
            f"{folder} cannot be written by this account: {error.strerror or error}. Ask for the right to."
        ) from error
    kept = store.section("studio", StudioSettings).disk_map
    store.set("studio", "disk_map", {**kept, prefix.strip(): str(folder)})
    marker = _mark(folder)
    return (
        f"{prefix.strip()} is {folder} on this machine ({sys.platform}); a file was written and removed there.{marker}"
    )


def _mark(folder: Path) -> str:
    """A drive that is no mount point needs its marker, or an unmounted one would be taken for empty."""
    marker = folder / ".signalbox-drive"
    if folder.is_mount() or marker.exists():
        return ""
    marker.touch()
    return f" The marker {marker.name} was put there, so that an unmounted drive is noticed."


def connect_slack(store: SettingsStore, token: str, channel: str) -> str:
    """Send a test message, then keep the token. Raises StepRefused."""
    token, channel = token.strip(), channel.strip() or "#general"
    if not token:
        raise StepRefused(
            "The bot token is on Slack's page of the app, under OAuth & Permissions: it begins with xoxb-."
        )
    client = SlackClient(lambda: store.section("slack", SlackSettings), lambda: token)
    try:
        who = client.check()
        client.send(channel, "Signalbox is connected. This is a test message.", dedupe=f"assistant:{uuid.uuid4()}")
    except (SlackRefused, SlackLater) as error:
        raise StepRefused(str(error)) from error
    store.set("slack", "default_channel", channel)
    place = keep_where_read(store, "slack.token", token)
    return f"{who}: a test message is in {channel}. The token is in {place}."


def connect_people(store: SettingsStore, file: Path) -> str:
    """Read the studio's slack_ftrack_users.json, then keep where it is. Raises StepRefused."""
    try:
        mapping = parse_mapping(file.read_text("utf-8"), str(file))
    except (OSError, UnicodeDecodeError) as error:
        raise StepRefused(f"{file} cannot be read: {getattr(error, 'strerror', None) or error}.") from error
    except PlanError as error:
        raise StepRefused(str(error)) from error
    store.set("slack", "mapping_file", str(file.absolute()))
    names = many(len(mapping), "name")
    return f"{names} of people and projects in {file}; it is read again when it changes."


def connect_farm(store: SettingsStore, manager: str, scripts: Path | None) -> str:
    """Ask the Flamenco Manager for its version and look at its scripts folder, then keep both. Raises StepRefused."""
    address = manager.strip() if "://" in manager else f"http://{manager.strip()}"
    if not manager.strip():
        raise StepRefused("The Manager's address is shown when it starts, for instance http://farm:8080.")
    try:
        version = asyncio.run(_version(address))
    except (ManagerError, ManagerUnreachable, ManagerNonsense, ValueError) as error:
        raise StepRefused(str(error)) from error
    if scripts is not None and not scripts.is_dir():
        raise StepRefused(f"{scripts} is no folder: it is the folder 'scripts' beside the Manager's program.")
    store.set("flamenco", "manager", address)
    if scripts is not None:
        store.set("flamenco", "scripts_folder", str(scripts))
    return f"{version} answers at {address}." + (f" Scripts go to {scripts}." if scripts else " Deploying stays off.")


async def _version(address: str) -> str:
    # Somebody waits for the answer: once is enough, they try again themselves.
    client = ManagerClient(address, patience=Patience(tries=1))
    try:
        told = await client.version()
    finally:
        await client.close()
    return f"{told.get('name') or 'The Manager'} {told.get('version') or ''}".strip()


Ask = Callable[[str, str, bool], str]


def walk_through(store: SettingsStore, ask: Ask, say: Callable[[str], None]) -> None:
    """Every step but the site from a terminal; an empty answer skips one.

    Args:
        store: The settings.
        ask: Asks (question, default, whether it is a secret) and gives the answer.
        say: Tells what came of a step.
    """

    def attempt(does: Callable[[], str]) -> None:
        try:
            say(does())
        except StepRefused as refused:
            say(f"not kept: {refused}")

    if folder := ask("A production drive on this machine (empty: skip)", "", False):
        prefix = ask("How ftrack's paths of this drive begin", "/data/production", False)
        attempt(lambda: connect_drive(store, prefix, Path(folder).expanduser()))
    if token := ask("Slack bot token (empty: skip)", "", True):
        channel = ask("Channel for the test message", "#general", False)
        attempt(lambda: connect_slack(store, token, channel))
    if people := ask("File slack_ftrack_users.json (empty: skip)", "", False):
        attempt(lambda: connect_people(store, Path(people).expanduser()))
    if manager := ask("Address of the Flamenco Manager (empty: skip)", "", False):
        scripts = ask("Its scripts folder (empty: none)", "", False)
        attempt(lambda: connect_farm(store, manager, Path(scripts).expanduser() if scripts else None))
    say(f"Secrets are kept in {where_secrets_go()}; settings in {store.path or paths.settings_path()}.")
