"""Which glibc a library asks for is read from its tables, and Python is made to ask for one that RHEL 9 has."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(scope="module")
def glibc() -> ModuleType:
    file = Path(__file__).resolve().parents[2] / "packaging" / "glibc.py"
    spec = importlib.util.spec_from_file_location("packaging_glibc", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_pythons_library_asks_for_a_glibc_that_every_studio_has_and_still_works(
    glibc: ModuleType, tmp_path: Path
) -> None:
    library = Path(sysconfig.get_config_var("LIBDIR") or "") / str(sysconfig.get_config_var("INSTSONAME") or "none")
    if sys.platform != "linux" or not library.name.startswith("libpython") or not library.is_file():
        pytest.skip("this Python has no library of its own")
    shutil.copy(library, tmp_path / library.name)
    (before,) = glibc.needed_glibc(tmp_path)
    changed = glibc.ask_for_less(tmp_path, (2, 34))
    (after,) = glibc.needed_glibc(tmp_path)
    assert after <= (2, 34)
    assert bool(changed) == (before > (2, 34))
    assert glibc.ask_for_less(tmp_path, (2, 34)) == [], "once is enough"
    done = subprocess.run(
        [Path(sys.base_prefix) / "bin" / "python3", "-c", "print(abs(3 + 4j), abs(1e-320 + 0j) > 0)"],
        env={**os.environ, "LD_LIBRARY_PATH": str(tmp_path)},
        check=True,
        capture_output=True,
        text=True,
    )
    assert done.stdout.split() == ["5.0", "True"]


def test_a_text_that_names_a_version_is_no_need(glibc: ModuleType, tmp_path: Path) -> None:
    script = tmp_path / "program"
    script.write_text("#!/bin/sh\necho GLIBC_2.99\n")
    script.chmod(0o755)
    assert glibc.needed_glibc(tmp_path) == {}
