"""What the window may know of handlers and actions: rows, so that it needs to import neither."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal

from app.engine.protocol import Action, Handler
from app.journal.journal import Journal
from app.journal.rows import CatalogueRow, LeverPosition

__all__ = ["FIRST_LEVERS", "first_position", "write_catalogue"]

#: The journal's fact with the first position of each kind: ``{"handler": "dry", "action": "off"}``.
FIRST_LEVERS = "first_levers"


def write_catalogue(
    journal: Journal,
    handlers: Iterable[Handler],
    actions: Iterable[Action],
    position: Literal["auto", "off", "dry", "on"],
    sources: Mapping[str, str] | None = None,
    errors: Mapping[str, str] | None = None,
) -> None:
    """Write the catalogue and give new handlers and actions their levers.

    Args:
        journal: The journal.
        handlers: In the order of the panel.
        actions: In the order of the panel.
        position: Lever of what is seen for the first time.
        sources: Id to the plug-in's file; others are built in.
        errors: Id to why the newest version of a plug-in did not load.
    """
    sources, errors = sources or {}, errors or {}
    rows = [_row("handler", each, None, sources, errors) for each in handlers]
    rows += [_row("action", each, each.form_spec(), sources, errors) for each in actions]
    journal.write_catalogue(rows)
    for kind in ("handler", "action"):
        wanted = [row.id for row in rows if row.kind == kind]
        journal.ensure_levers(wanted, first_position(journal, kind, position))


def first_position(
    journal: Journal, kind: Literal["handler", "action"], wanted: Literal["auto", "off", "dry", "on"]
) -> LeverPosition:
    """Lever of a handler or action that is seen for the first time; "auto": as decided for this site."""
    if wanted != "auto":
        return wanted
    decided = journal.fact(FIRST_LEVERS) or {}
    position: LeverPosition = decided.get(kind, "on")
    return position


def _row(
    kind: Any,
    each: Handler | Action,
    form: Mapping[str, Any] | None,
    sources: Mapping[str, str],
    errors: Mapping[str, str],
) -> CatalogueRow:
    return CatalogueRow(
        id=each.id,
        kind=kind,
        title=each.title,
        help=each.help,
        icon=each.icon,
        settings_schema=each.settings_model.model_json_schema(),
        form=form,
        source=sources.get(each.id, "built-in"),
        error=errors.get(each.id, ""),
    )
