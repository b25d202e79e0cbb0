"""`signalbox upload` as an artist starts it: the real program, and a second start that hands over what it was given."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from artist_room import studio_in
from listening import until
from program import Program

ROOT = Path(__file__).resolve().parents[2]
POSIX_ONLY = ("fcntl", "grp", "pwd", "resource", "termios", "tty", "pty", "syslog")


@pytest.mark.e2e
def test_files_of_a_second_start_come_into_the_first_ones_window(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with studio_in(tmp_path, monkeypatch) as studio:
        one, two = studio.clip("one.mov", 2), studio.clip("two.mov", 2)
        home = tmp_path / "home"
        extra = {"FTRACK_SERVER": studio.site.url, "FTRACK_API_USER": studio.person, "FTRACK_API_KEY": studio.site.key,
                 "QT_QPA_PLATFORM": "offscreen"}  # fmt: skip
        draft = home / "state" / "upload-draft.json"

        def listed() -> set[str]:
            if not draft.exists():
                return set()
            return {Path(clip["text"]).name for clip in json.loads(draft.read_text())["clips"]}

        with Program("upload", str(one), home=home, extra=extra) as first:
            assert until(lambda: listed() == {"one.mov"}, 60), first.errors
            with Program("upload", str(two), home=home, extra=extra) as second:
                assert second.process.wait(60) == 0
                assert "Traceback" not in second.errors
            assert until(lambda: listed() == {"one.mov", "two.mov"}, 60), first.errors
            assert first.stop() == 0
            assert "Traceback" not in first.errors
            assert studio.site.key not in first.errors


def test_the_artists_program_loads_no_module_that_windows_lacks() -> None:
    # The lock has a variant for each system; everything else must do without.
    code = (
        "import sys, importlib.abc\n"
        f"missing = {POSIX_ONLY[1:]!r}\n"
        "class Gone(importlib.abc.MetaPathFinder):\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name in missing:\n"
        "            raise ImportError(name)\n"
        "for name in missing: sys.modules.pop(name, None)\n"
        "sys.meta_path.insert(0, Gone())\n"
        "import ui.upload_app, app.service.event_server, app.service.worker, app.service.agent, app.cli_actions\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.returncode == 0, ended.stderr[-2000:]
