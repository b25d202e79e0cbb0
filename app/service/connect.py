"""Entering the site once: tried first, then the address goes to the settings file and the key to where secrets are."""

from __future__ import annotations

import os
from pathlib import Path

from app.settings import paths
from app.settings.secrets import keep
from app.settings.store import SettingsStore
from app.site.session import check_address, open_session
from app.site.types import Credentials


def connect_site(settings: Path | None, server: str, user: str, key: str, name: str = "site") -> str:
    """Try the site and keep how to reach it; returns what was done, in words.

    Beside a settings file with a folder ``credentials`` (as a service has), the key goes into that folder, from which
    the system hands it to the service; else into the keyring or the file of secrets.

    Raises:
        SettingsError, WrongKey, SiteUnreachable.
    """
    address = check_address(server)
    open_session(Credentials(address, user, key), paths.cache_folder()).close()
    store = SettingsStore(settings or paths.settings_path())
    store.set(name, "server", address)
    store.set(name, "api_user", user)
    folder = store.path.parent / "credentials"
    if settings is not None and folder.is_dir():
        target = folder / f"{name}.api_key"
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            stream.write(key)
        where = str(target)
    else:
        kept = keep(f"{name}.api_key", key)
        where = "the system's keyring" if kept == "keyring" else str(paths.state_folder() / "secrets.json")
    return f"{address} accepts {user}. Address and user are in {store.path}, the key is in {where}."
