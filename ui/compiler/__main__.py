"""The workbench alone: `python -m ui.compiler --script X.js [--scripts-dir DIR] [--theme light]`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from PySide6.QtWidgets import QApplication

from app.settings.models import FlamencoSettings
from ui import theme
from ui.collector import Collector


def main(arguments: list[str] | None = None) -> int:
    """Show the workbench until it is closed; the exit code of the application."""
    parser = argparse.ArgumentParser(prog="python -m ui.compiler", description="The job compiler workbench alone.")
    parser.add_argument("--script", help="a script's name in the folder, or the path of a script")
    parser.add_argument("--scripts-dir", help="a Manager's scripts folder; the settings' by default")
    parser.add_argument("--manager", help="address of a running Manager")
    parser.add_argument("--theme", choices=("dark", "light", "system"), default="dark")
    given = parser.parse_args(arguments)
    # First paint first: V8, HTTP and validation are imported after the application is there.
    sys.setswitchinterval(0.001)
    app = QApplication(sys.argv[:1])
    Collector(app)
    theme.apply(app, given.theme)
    from ui.compiler.standard import standard_doors
    from ui.compiler.workbench import Workbench

    script = Path(given.script) if given.script else None
    folder = given.scripts_dir or (str(script.parent.resolve()) if script is not None and script.is_file() else "")
    settings = None
    if folder or given.manager:
        settings = FlamencoSettings(scripts_folder=folder, manager=given.manager or "")
    doors = standard_doors(settings=settings)
    window = Workbench(doors)
    window.setWindowTitle("Signalbox · Job compiler")
    window.title_changed.connect(lambda name: window.setWindowTitle(f"{name} · Signalbox · Job compiler"))
    window.resize(1440, 860)
    window.show()
    if script is not None:
        window.open_script(script.name)
    try:
        return app.exec()
    finally:
        window.shutdown()
        doors.pool.close()


if __name__ == "__main__":
    sys.exit(main())
