"""Where this installation keeps its files.

``SIGNALBOX_HOME`` moves all of them below one folder, ``SIGNALBOX_SETTINGS`` names another settings file.
"""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs

_NAME = "signalbox"
#: Home of the service on a machine that has one; its journal is below.
SERVICE_STATE = Path("/var/lib/signalbox")
_SETTINGS = "SIGNALBOX_SETTINGS"


def home() -> Path | None:
    """The folder named by ``SIGNALBOX_HOME``, or None where the system's own places are used."""
    value = os.environ.get("SIGNALBOX_HOME", "").strip()
    return Path(value).expanduser().absolute() if value else None


def use_settings(path: Path) -> None:
    """Make this the settings file of this process: the one named on its command line, or of the server it looks at."""
    if path.absolute() != settings_path():
        os.environ[_SETTINGS] = str(path.absolute())


def settings_path() -> Path:
    """The settings file; it need not exist."""
    named = os.environ.get(_SETTINGS, "").strip()
    if named:
        return Path(named).expanduser().absolute()
    base = home()
    return (base or Path(platformdirs.user_config_dir(_NAME, appauthor=False))) / "settings.toml"


def journal_folder() -> Path:
    """The folder of ``journal.db``, ``log.db`` and ``journal.lock``; it need not exist."""
    base = home()
    return (base or Path(platformdirs.user_data_dir(_NAME, appauthor=False))) / "journal"


def cache_folder() -> Path:
    """What can be made again: schema caches, thumbnails."""
    base = home()
    return base / "cache" if base else Path(platformdirs.user_cache_dir(_NAME, appauthor=False))


def state_folder() -> Path:
    """What is remembered between runs and is nobody's setting: window layout, kept secrets, output of tasks."""
    base = home()
    return base / "state" if base else Path(platformdirs.user_state_dir(_NAME, appauthor=False))
