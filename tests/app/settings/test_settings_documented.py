"""The settings' page is what the declarations say."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]


def test_the_settings_page_is_what_the_declarations_say() -> None:
    ended = subprocess.run([sys.executable, ROOT / "packaging" / "settings_page.py", "--check"], check=False)
    assert ended.returncode == 0, "docs/settings.md is out of date: run python packaging/settings_page.py"
