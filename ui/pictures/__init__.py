"""Pictures of every dock, page and dialog, dark and light, small and large: `make screenshots`.

They are taken of the real widgets without a display: on a journal filled with a believable day (`ui.sample_day`), on
the demo with its embedded site and its engine, and on the job compiler.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from ui.pictures.stage import Scene, take


def main(arguments: Sequence[str] | None = None) -> int:
    """Take the pictures into a folder; all of them, or those whose names begin so. Returns the exit code."""
    asked = argparse.ArgumentParser(prog="make screenshots", description=__doc__)
    asked.add_argument("--out", type=Path, default=Path("docs/screenshots"), help="folder for the pictures")
    asked.add_argument("names", nargs="*", help="only pictures whose names begin so, e.g. jobs upload-empty")
    given = asked.parse_args(arguments)
    given.out.mkdir(parents=True, exist_ok=True)
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    with tempfile.TemporaryDirectory(prefix="signalbox-pictures-") as name:
        os.environ["SIGNALBOX_HOME"] = str(Path(name) / "home")
        from ui.app import make_app

        app = make_app()
        for scene in _scenes(Path(name), tuple(given.names)):
            for path in take(scene, given.out, app):
                sys.stdout.write(f"{path}\n")
                sys.stdout.flush()
    return 0


def _scenes(folder: Path, names: tuple[str, ...]) -> Iterator[Scene]:
    """The wanted scenes of all stages."""
    from ui.pictures import demo, signals, workbench

    def wanted(name: str) -> bool:
        return not names or name.startswith(names)

    yield from (scene for scene in signals.scenes(folder) if wanted(scene.name))
    yield from (scene for scene in workbench.scenes() if wanted(scene.name))
    yield from demo.scenes(folder / "demo", wanted)
