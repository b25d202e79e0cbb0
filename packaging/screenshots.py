"""`make screenshots`: pictures of every dock and dialog into docs/screenshots."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

if __name__ == "__main__":
    from ui.screenshots import main

    raise SystemExit(main(sys.argv[1:] or [str(ROOT / "docs" / "screenshots")]))
