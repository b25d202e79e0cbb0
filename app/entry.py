"""Where the program starts: straight to the panel where nothing else is asked for, else to the command line.

Making ready for commands and their options takes a third of the time to the window's first paint.
"""

from __future__ import annotations

import io
import os
import sys


def main() -> None:
    """The program."""
    _local_without_proxy()
    _any_name_can_be_written()
    if len(sys.argv) == 1 and has_display():
        from ui.start import run_panel

        sys.exit(run_panel(None, None))
    from app.cli import commands

    commands()


def has_display() -> bool:
    """Whether a window could be seen."""
    if sys.platform != "linux" or os.environ.get("QT_QPA_PLATFORM"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def _local_without_proxy() -> None:
    """This machine is never reached through a proxy: an embedded site or a local Slack would not be found there."""
    for name in ("NO_PROXY", "no_proxy"):
        exempt = [one for one in os.environ.get(name, "").split(",") if one.strip()]
        os.environ[name] = ",".join([*exempt, *(one for one in ("127.0.0.1", "localhost") if one not in exempt)])


def _any_name_can_be_written() -> None:
    """A terminal or pipe that knows no Japanese gets the numbers of such letters, as on stderr, not a traceback."""
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors == "strict":
        sys.stdout.reconfigure(errors="backslashreplace")


if __name__ == "__main__":
    main()
