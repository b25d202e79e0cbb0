"""Entering the site once: tried first, then the address goes to the settings file and the key to where secrets are."""

from __future__ import annotations

from pathlib import Path

from app.settings import paths
from app.settings.secrets import keep, keep_for_service, secrets_file
from app.settings.store import SettingsStore
from app.site.session import check_address, open_session
from app.site.types import Credentials


def connect_site(settings: Path | None, server: str, user: str, key: str, name: str = "site") -> str:
    """Try the site and keep how to reach it; returns what was done, in words.

    Beside a settings file with a folder ``credentials`` (as a service has), the key goes into that folder, where the
    service reads it, if this person may write there; else into the keyring or the file of secrets.

    Raises:
        SettingsError, WrongKey, SiteUnreachable.
    """
    address = check_address(server)
    open_session(Credentials(address, user, key), paths.cache_folder()).close()
    store = SettingsStore(settings or paths.settings_path())
    store.set(name, "server", address)
    store.set(name, "api_user", user)
    where = keep_where_read(store, f"{name}.api_key", key)
    return f"{address} accepts {user}. Address and user are in {store.path}, the key is in {where}."


def keep_where_read(store: SettingsStore, name: str, value: str) -> str:
    """Keep a secret where whoever uses these settings reads it: a service's folder, else this person's own place.

    Returns:
        Where it is now, in words.
    """
    if found := keep_for_service(store.path, name, value):
        return str(found)
    return "the system's keyring" if keep(name, value) == "keyring" else str(secrets_file())
