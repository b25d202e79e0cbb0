"""A believable comparison with another server: what its picture shows and what the window's tests read."""

from __future__ import annotations

import time

from app.service.shadow import Difference, Kind, Shadow

_SHOW = "/data/production/nightjar"
_FOLDER, _ENTRY, _STATUS = "create_task_folder", "add_version_to_list", "assign_task_status"
_PENDING, _TODAY, _YESTERDAY = "Pending Internal Review", "Dailies_2026-11-23", "Dailies_2026-11-22"


def sample_report() -> Shadow:
    """Three weeks beside an old server that makes each kind of mistake."""
    now = time.time()
    differences: list[tuple[Kind, str, str, str, str, int | None, str]] = [
        ("folder", "001_0040 animation", "nightjar", f"{_SHOW}/shots/001/001_0040/scene/animation", "", 812, _FOLDER),
        (
            "folder",
            "001_0050 lighting",
            "nightjar",
            f"{_SHOW}/shots/001/001_0050/scene/lighting",
            f"{_SHOW}/shots/001_0050/scene/lighting",
            815,
            _FOLDER,
        ),
        ("folder", "stray", "nightjar", "", f"{_SHOW}/stray", None, _FOLDER),
        ("list", "001_0040 ReviewAsset v012", "nightjar", _TODAY, "", 901, _ENTRY),
        ("list", "ep101_0510 ReviewAsset v003", "salt_marsh", _TODAY, _YESTERDAY, 907, _ENTRY),
        ("status", "001_0040 animation", "nightjar", _PENDING, "In progress", 913, _STATUS),
    ]
    both = "the lever stands at on", "the old server answers it as 'Batch Create'"
    return Shadow(
        now - 21 * 86_400.0,
        now,
        runs=1_284,
        agreed=1_277,
        differences=[Difference(*one) for one in differences],
        doubles=[Difference("double", "action Batch Create", "", *both, handler="batch_create")],
    )
