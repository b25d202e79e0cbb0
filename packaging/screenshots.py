"""`make screenshots`: pictures of every dock, page and dialog into docs/screenshots."""

from __future__ import annotations

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

if __name__ == "__main__":
    from ui.pictures import main

    os.chdir(ROOT)
    raise SystemExit(main())
