"""Notify on note: a note that holds a marked word ("urgent") is posted to the project's Slack channel.

A studio's own handler, complete and small. Copy it into the plug-in folder (setting ``engine.plugins``), change what
you like and save: the panel shows the new version, or why it does not load.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from typing import ClassVar

from app.handlers.api import (
    Change,
    Context,
    Handler,
    HandlerSettings,
    Note,
    Parent,
    Plan,
    SendSlack,
    escape,
    id_list,
    missed_change,
    setting,
)


class NotifyOnNoteSettings(HandlerSettings):
    """What a TD can change in the panel, without touching this file."""

    words: list[str] = setting(["urgent"], "Words that make a note worth a message.", per_project=True)
    longest: int = setting(300, "Longer notes are cut after so many characters.", ge=20)


class NotifyOnNote(Handler):
    """Plans one message for each new note that holds one of the words."""

    id = "notify_on_note"
    title = "Notify on note"
    help = "A new note that holds a marked word is posted to the project's Slack channel."
    icon = "bell"
    settings_model = NotifyOnNoteSettings
    batch: ClassVar[int] = 20

    def wants(self, change: Change) -> bool:
        """From the event alone, without a query: thousands of events pass here."""
        return change.entity_type == "Note" and change.action == "add"

    def key(self, change: Change) -> str:
        """What is written: equal keys run in the order of their events."""
        return f"notes:{change.project_id or ''}"

    def plan(self, changes: Sequence[Change], ctx: Context) -> Plan:
        """Read once for all changes, then say for each what is to be done, or why nothing is."""
        rows = ctx.site.rows(
            "select id, content, author.first_name, author.last_name, project_id from Note "
            f"where id in {id_list(change.entity_id for change in changes)}"
        )
        found = {row["id"]: row for row in rows}
        names = _project_names(ctx, [row["project_id"] for row in rows if row.get("project_id")])
        effects, notes = [], []
        for change in changes:
            row = found.get(change.entity_id)
            if row is None:
                notes.append(Note(change.entity_id, "skipped", "the note no longer exists on ftrack"))
                continue
            project = names.get(row.get("project_id") or "", "")
            settings: NotifyOnNoteSettings = ctx.handler_settings(project)
            text = str(row.get("content") or "")
            word = next((one for one in settings.words if one.casefold() in text.casefold()), "")
            if not word:
                notes.append(Note(change.entity_id, "skipped", "the note holds none of the words"))
                continue
            author = row.get("author") or {}
            who = f"{author.get('first_name') or ''} {author.get('last_name') or ''}".strip() or "Somebody"
            effects.append(
                SendSlack(
                    slot=f"message-{row['id']}",
                    reason=f"the note holds the word {word}",
                    entity_id=row["id"],
                    channel=ctx.people.slack_channel(project),
                    text=f"{escape(who)} noted on {escape(project)}:\n{escape(text[: settings.longest])}",
                    # Made of natural facts, so that a retry, a replay or a second server sends nothing twice.
                    dedupe=f"note:{row['id']}",
                    digest="notes",
                )
            )
        return Plan(tuple(effects), tuple(notes))

    def catch_up(self, ctx: Context, since: dt.datetime) -> Iterable[Change]:
        """The notes written while nobody listened, as the changes their events would have carried."""
        rows = ctx.site.rows(f'select id, date, project_id from Note where date >= "{since:%Y-%m-%dT%H:%M:%S}"')
        for row in rows:
            parents = [Parent("Note", "note", row["id"], row.get("project_id"))]
            if row.get("project_id"):
                parents.append(Parent("Project", "show", row["project_id"], None))
            yield missed_change(
                ctx, f"catch-up:note:{row['id']}", "add", parents, {"id": (None, row["id"])}, row["date"]
            )


def _project_names(ctx: Context, ids: Sequence[str]) -> dict[str, str]:
    if not ids:
        return {}
    return {row["id"]: row["name"] for row in ctx.site.rows(f"select id, name from Project where id in {id_list(ids)}")}
