"""Writes ``docs/settings.md`` from the settings' own declarations.

    python packaging/settings_page.py [--check]

``--check`` writes nothing and ends with 1 where the page is not what the declarations say.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from pydantic.fields import FieldInfo  # noqa: E402
from pydantic_core import to_jsonable_python  # noqa: E402

from app.actions import all_actions  # noqa: E402
from app.actions.base import ActionSettings  # noqa: E402
from app.settings.models import SECTIONS, Section  # noqa: E402

PAGE = ROOT / "docs" / "settings.md"
TIMES = ("s", "min", "d")
HEAD = """\
# Settings

`settings.toml` holds what differs from the defaults, with a comment beside each value. The panel has a form for it, and
the running server reads the file again when it changes (`SIGHUP` does it at once). A misspelt name or a value that is
not allowed is an error that names the file and what is meant: at the start the server ends with it (78), while it runs
the settings before it stay in force, also for a worker that has to start meanwhile (the journal's folder has a copy,
`settings.last-good.toml`), and log and lamp *Settings* say why. Sections of handlers that nobody knows are
named in the log.

| system | where it is |
|---|---|
| Linux | `~/.config/signalbox/settings.toml` |
| macOS | `~/Library/Application Support/signalbox/settings.toml` |
| Windows | `%LOCALAPPDATA%\\signalbox\\settings.toml` |
| everywhere | `$SIGNALBOX_HOME/settings.toml`, or the file given with `--settings` or in `$SIGNALBOX_SETTINGS` |

A star marks what a project may override:

```toml
[studio]
time_zone = "Europe/Berlin"

[projects."bigbuck".studio]
fps = 25.0
```

Secrets are never in the file: they are kept in the keyring, a systemd credential, the environment
(`FTRACK_API_KEY`, `SIGNALBOX_SLACK_TOKEN`), or a file that only its owner can read.

Settings of the handlers are in [handlers.md](handlers.md). This page is made by
`.venv/bin/python packaging/settings_page.py`.
"""
ACTIONS_HEAD = """\
## The actions (`actions.<id>`)

What each does: [actions.md](actions.md). Every action has these two, and those of its own below:
"""


def default_of(field: FieldInfo) -> str:
    """The default as it is written in the file."""
    value = to_jsonable_python(field.get_default(call_default_factory=True))
    if value in ("", [], {}):
        return "(empty)"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"`{value}`" if isinstance(value, str) else f"`{json.dumps(value, ensure_ascii=False)}`"


def line_of(name: str, field: FieldInfo) -> str:
    """One setting as a row of the table."""
    extra: dict[str, Any] = field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}
    words = field.description or ""
    # Where a setting is a time its own words say in what.
    if (unit := extra.get("unit")) and unit not in TIMES:
        words += f" ({unit})"
    if extra.get("secret"):
        words += " A secret."
    star = " *" if extra.get("per_project") else ""
    return f"| `{name}`{star} | {default_of(field)} | {words} |".replace("\n", " ")


def table_of(fields: Mapping[str, FieldInfo]) -> str:
    """Settings as a table."""
    rows = [line_of(key, field) for key, field in fields.items()]
    return "| setting | default | what it means |\n|---|---|---|\n" + "\n".join(rows) + "\n"


def part_of(name: str, section: type[Section]) -> str:
    """One section with its table."""
    about = (section.__doc__ or "").strip().splitlines()[0].split(" (section")[0].rstrip(".")
    return f"## {about} (`{name}`)\n\n{table_of(section.model_fields)}"


def actions_part() -> str:
    """What all actions have, then each one's own."""
    shared = ActionSettings.model_fields
    parts = [f"{ACTIONS_HEAD}\n{table_of(shared)}"]
    for action in all_actions():
        own = {key: field for key, field in action.settings_model.model_fields.items() if key not in shared}
        parts.append(f"### {action.title} (`actions.{action.id}`)\n\n{table_of(own)}")
    return "\n".join(parts)


def page() -> str:
    """The whole page."""
    parts = [part_of(name, section) for name, section in SECTIONS.items() if name != "cloud"]
    cloud = (
        "## The site for client reviews (`cloud`)\n\nThe settings of `site`, for the second site that clients see.\n"
    )
    return "\n".join([HEAD, *parts[:1], cloud, *parts[1:], actions_part()])


def main() -> int:
    """Write the page, or look whether it is true."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; 1 when the page is not true")
    if parser.parse_args().check:
        return 0 if PAGE.read_text(encoding="utf-8") == page() else 1
    PAGE.write_text(page(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
