"""Where secrets live: the system's keyring, a systemd credential, the environment, else a file only the owner reads.

A secret is named after its setting (``site.api_key``, ``cloud.api_key``, ``slack.token``). Every value that passes
through here is known to the redaction filter from then on.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Mapping
from pathlib import Path

from app.settings import paths
from app.settings.redact import know

_SERVICE = "signalbox"
#: Folder beside a service's settings file in which its secrets are, one file each, for its account alone.
CREDENTIALS = "credentials"
#: What `signalbox connect` asks for.
_CONNECTED = frozenset({"site.api_key", "slack.token"})
#: Where systemd puts what a unit loads.
_CREDENTIALS_VARIABLE = "CREDENTIALS_DIRECTORY"
#: What a process may be given.
_GIVEN = ("site.api_key", "cloud.api_key", "slack.token")
#: Names under which other ftrack and Slack tools expect the same secret.
_ENVIRONMENT = {"site.api_key": "FTRACK_API_KEY", "slack.token": "SLACK_BOT_TOKEN"}


class SecretsExposed(PermissionError):
    """The file of secrets can be read by others; it is not used until its mode is 0600."""


def environment_name(name: str) -> str:
    """The variable that may carry a secret: ``slack.token`` is ``SIGNALBOX_SLACK_TOKEN``."""
    return "SIGNALBOX_" + name.upper().replace(".", "_").replace("-", "_")


def secrets_file() -> Path:
    """The fallback where there is no keyring."""
    return paths.state_folder() / "secrets.json"


def secret(name: str, *, kept: bool = True, settings: Path | None = None) -> str | None:
    """A secret's value, or None when nobody has one.

    Args:
        name: The setting it belongs to.
        kept: Whether what was kept on this machine (keyring, file) counts, or only what this process was given
            (systemd credential, environment).
        settings: The settings file in use: a service's own secrets are beside it.

    Raises:
        SecretsExposed: the fallback file is readable by others than its owner.
    """

    def beside(name: str) -> str | None:
        return _from_folder(settings.parent / CREDENTIALS, name) if settings is not None else None

    given = (_from_credential, _from_environment)
    for source in (_from_keyring, *given, beside, _from_file) if kept else given:
        value = source(name)
        if value:
            know(value)
            return value
    return None


def know_given() -> None:
    """Have the secrets this process was given masked from now on, also those it has no use for itself.

    What it starts may inherit them.
    """
    for name in _GIVEN:
        know(_from_credential(name))
        for variable in _variables(name):
            know(os.environ.get(variable, "").strip())


def without_given(environment: Mapping[str, str]) -> dict[str, str]:
    """An environment for programs that are not ours: without our secrets, and without the way to the credentials."""
    ours = {_CREDENTIALS_VARIABLE, *(variable for name in _GIVEN for variable in _variables(name))}
    return {name: value for name, value in environment.items() if name not in ours}


def _variables(name: str) -> tuple[str, ...]:
    """The variables that may carry a secret; ours goes first."""
    other = _ENVIRONMENT.get(name)
    return (environment_name(name), other) if other else (environment_name(name),)


def secret_of_environment(variable: str) -> str | None:
    """The value of one variable, known to the redaction filter from then on."""
    value = os.environ.get(variable, "").strip() or None
    know(value)
    return value


def of_a_service(name: str, settings: Path) -> str:
    """What a person must know who enters a secret beside an event server of another account, and where its own is.

    Args:
        name: The setting it belongs to.
        settings: The server's settings file.
    """
    folder = settings.parent / CREDENTIALS
    if not folder.is_dir():
        own = f"its environment ({environment_name(name)}) or the secrets.json of its account"
    elif name in _CONNECTED:
        own = f"{folder / name}: sudo signalbox connect --settings {settings}, then restart it"
    else:
        own = f"{folder / name}: write it as root, run install-service again (it gives it to the account), restart it"
    return (
        "What you type here is kept for you alone. The event server runs under another account and does not read it; "
        f"its own is in {own}."
    )


def keep(name: str, value: str) -> str:
    """Keep a secret (an empty value forgets it); returns where: "keyring" or "file"."""
    know(value)
    if _to_keyring(name, value):
        _to_file(name, "")
        return "keyring"
    _to_file(name, value)
    return "file"


def keep_for_service(settings: Path, name: str, value: str) -> Path | None:
    """Keep a secret of a service, beside its settings file, where only its account reads it.

    Returns:
        The file; None where there is no such folder, or this person may not write there.
    """
    folder = settings.parent / CREDENTIALS
    know(value)
    try:
        owner = folder.stat()
        _write_alone(folder / name, value, owner)
    except OSError:
        return None
    return folder / name


def _keyring_wanted() -> bool:
    # Below SIGNALBOX_HOME everything is in one folder, secrets too: two installations must not share a keyring entry.
    return paths.home() is None and os.environ.get("SIGNALBOX_KEYRING", "on").lower() not in {"off", "0", "no"}


def _from_keyring(name: str) -> str | None:
    if not _keyring_wanted():
        return None
    import keyring
    import keyring.errors

    try:
        value = keyring.get_password(_SERVICE, name)
    except (keyring.errors.KeyringError, RuntimeError, OSError):
        return None  # no keyring on this machine, or it is locked: the next source is asked
    return value or None


def _to_keyring(name: str, value: str) -> bool:
    if not _keyring_wanted():
        return False
    import keyring
    import keyring.errors

    try:
        if value:
            keyring.set_password(_SERVICE, name, value)
        elif keyring.get_password(_SERVICE, name) is not None:
            keyring.delete_password(_SERVICE, name)
    except (keyring.errors.KeyringError, RuntimeError, OSError):
        return False
    return True


def _from_credential(name: str) -> str | None:
    folder = os.environ.get(_CREDENTIALS_VARIABLE)
    return _from_folder(Path(folder), name) if folder else None


def _from_folder(folder: Path, name: str) -> str | None:
    for file_name in (f"{_SERVICE}.{name}", name):
        try:
            return (folder / file_name).read_text("utf-8").strip() or None
        except (FileNotFoundError, NotADirectoryError, PermissionError):
            continue  # a service's own is for its account alone; who looks on has another source, or none
    return None


def _from_environment(name: str) -> str | None:
    for variable in _variables(name):
        if value := os.environ.get(variable, "").strip():
            return value
    return None


def _read_file() -> dict[str, str]:
    path = secrets_file()
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return {}
    if os.name == "posix" and mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise SecretsExposed(f"{path} can be read by others than its owner: run 'chmod 600 {path}' and start again")
    kept = json.loads(path.read_text("utf-8"))
    return {str(key): str(value) for key, value in kept.items()}


def _from_file(name: str) -> str | None:
    return _read_file().get(name)


def _to_file(name: str, value: str) -> None:
    path = secrets_file()
    kept = _read_file()
    if kept.get(name, "") == value:
        return
    if value:
        kept[name] = value
    else:
        kept.pop(name, None)
    path.parent.mkdir(parents=True, exist_ok=True)
    _write_alone(path, json.dumps(kept, indent=2, sort_keys=True))


def _write_alone(path: Path, text: str, owner: os.stat_result | None = None) -> None:
    """Write a file whole, for its owner alone: us, or whoever owns this folder (which only root can give to)."""
    fresh = path.with_name(f"{path.name}.{os.getpid()}.new")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        if owner is not None and os.name == "posix" and owner.st_uid != os.geteuid():
            os.fchown(stream.fileno(), owner.st_uid, owner.st_gid)
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    fresh.replace(path)
