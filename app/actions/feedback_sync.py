"""Feedback Sync: what clients wrote and decided on the cloud site comes back to the studio's versions and tasks."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from pydantic import Field as Setting

from app.actions.base import Action, ActionSettings, Again, Asked, Go
from app.actions.forms import Field, Form
from app.actions.review_sync import CLOUD, SESSION_KEY, SOURCE_KEY, Session, cloud_site, read_session
from app.effects.ftrack import CreateEntity, DeleteEntity, SetMetadata, UpdateEntity
from app.effects.remote import CopyBetweenSites
from app.engine.doors import SiteDoor
from app.engine.protocol import Context, Effect, Expect, HandlerSettings, Launch, Note, Plan, natural_id
from app.site.query import chunks, id_list, quoted

__all__ = ["FeedbackSync", "FeedbackSyncSettings", "verdict"]

_REMOTE_KEY = "remote_note_id"
_AUTHOR_KEY = "remote_author"
_FRAME_KEY = "reviewFrame"
_APPROVED = "approved"
_CHANGES = "require_changes"


class FeedbackSyncSettings(ActionSettings):
    """How votes become statuses, and how notes look."""

    statuses: dict[str, str] = Setting(
        default_factory=lambda: {_APPROVED: "Approved", _CHANGES: "Review Changes"},
        description="A client's vote = the status of version and task; votes without an entry change nothing.",
    )
    disagreement: Literal["changes_win", "latest", "all_approved"] = Setting(
        default="changes_win",
        description="Several reviewers: any wish for changes wins, the latest vote wins, or only all together approve.",
    )
    category: str = Setting(default="Client feedback", description="Category of the notes; empty or unknown: none.")
    set_task: bool = Setting(default=True, description="Set the status of the version's task too.")
    attachments_mb: float = Setting(default=200.0, gt=0, description="Larger attachments are named, not copied.")


class FeedbackSync(Action):
    """No questions; twice the same adds nothing."""

    id: ClassVar[str] = "feedback_sync"
    title: ClassVar[str] = "Feedback Sync"
    help: ClassVar[str] = "Bring the clients' notes and approvals of this review session back from the cloud site."
    icon: ClassVar[str] = "download"
    settings_model: ClassVar[type[HandlerSettings]] = FeedbackSyncSettings
    offered_on: ClassVar[frozenset[str]] = frozenset({"ReviewSession"})

    def key(self, launch: Launch) -> str:
        return f"review:{launch.selection[0][1]}"

    def step(self, asked: Asked) -> Form | Again | Go:
        if asked.values is None:
            names = [str(read_session(asked.site, one.entity_id).row["name"]) for one in asked.selection]
            words = (
                f"Bring notes and approvals back for: {', '.join(names)}\n"
                "A client's notes are complete once the client has signed out of the session."
            )
            return Form(title=self.title, fields=(Field(kind="note", label=words),), submit="Bring back")
        return Go({}, "Started: notes and approvals come in; the Jobs list shows how far it is.")

    def plan(self, launch: Launch, ctx: Context) -> Plan:
        cloud = cloud_site(ctx)
        effects: list[Effect] = []
        notes: list[Note] = []
        warnings: list[str] = []
        for _, session_id in launch.selection:
            work = _Feedback(ctx, cloud, read_session(ctx.site, session_id))
            work.build()
            effects += work.effects
            notes += work.notes
            warnings += work.warnings
        return Plan(tuple(effects), tuple(notes), tuple(warnings))


def verdict(votes: Sequence[tuple[str, str]], policy: str) -> str:
    """The decision of several reviewers.

    Args:
        votes: (moment as sortable text, vote) of each reviewer's newest vote; "" or "seen" means no vote yet.
        policy: "changes_win", "latest" or "all_approved".

    Returns:
        "approved", "require_changes", or "" for none yet.
    """
    given = sorted((moment, vote) for moment, vote in votes if vote in (_APPROVED, _CHANGES))
    if not given:
        return ""
    kinds = {vote for _, vote in given}
    if policy == "latest":
        return given[-1][1]
    if _CHANGES in kinds:
        return _CHANGES
    if policy == "all_approved" and len(given) < len(votes):
        return ""
    return _APPROVED


@dataclass(frozen=True, slots=True)
class _Pair:
    """A local object and the cloud object that shows it."""

    local: Mapping[str, Any]
    cloud_id: str


class _Feedback:
    """Compares one session's feedback with what came in before."""

    def __init__(self, ctx: Context, cloud: SiteDoor, session: Session) -> None:
        self.effects: list[Effect] = []
        self.notes: list[Note] = []
        self.warnings: list[str] = []
        self._ctx = ctx
        self._cloud = cloud
        self._session = session
        self._settings: FeedbackSyncSettings = ctx.settings
        self._tasks: dict[str, tuple[int, str, str, _Pair, str]] = {}
        self._categories = {
            str(row["name"]): str(row["id"]) for row in ctx.site.rows("select id, name from NoteCategory")
        }

    def build(self) -> None:
        pairs = self._pairs()
        if not pairs:
            words = "the cloud site has no mirror of this session: run Review Sync first"
            self.notes.append(Note(str(self._session.row["id"]), "skipped", words))
            return
        remote = self._remote_notes([pair.cloud_id for pair in pairs])
        local = self._local_notes([str(pair.local["version_id"]) for pair in pairs])
        people = self._invitees()
        for pair in pairs:
            self._object_notes(pair, remote.get(pair.cloud_id, []), local, people)
            self._status(pair)
        for task_id, (_, status_id, wanted, pair, reason) in self._tasks.items():
            self._set_task(task_id, status_id, wanted, pair, reason)
        self._withdrawn(local, {str(n["id"]) for some in remote.values() for n in some})

    # Who is who

    def _pairs(self) -> list[_Pair]:
        """By the local version's id, which every mirrored version carries (older sessions: its asset's id)."""
        rows = self._cloud.rows(
            "select id, asset_version.metadata.key, asset_version.metadata.value from ReviewSessionObject where "
            f"asset_version.metadata any (key is {quoted(SESSION_KEY)} "
            f"and value is {quoted(str(self._session.row['id']))})"
        ) or self._cloud.rows(
            "select id, asset_version.metadata.key, asset_version.metadata.value from ReviewSessionObject where "
            f"review_session.name is {quoted(str(self._session.row['name']))} "
            f"and review_session.project.name is {quoted(str(self._session.row['project']['name']))}"
        )
        by_source: dict[str, str] = {}
        for row in rows:
            metadata = (row.get("asset_version") or {}).get("metadata") or ()
            source = next((str(one["value"]) for one in metadata if one.get("key") == SOURCE_KEY), "")
            if source:
                by_source[source] = str(row["id"])
        assets = self._assets([str(one["version_id"]) for one in self._session.objects])
        pairs = []
        for one in self._session.objects:
            version = str(one["version_id"])
            cloud_id = by_source.get(version) or by_source.get(assets.get(version, ""))
            if cloud_id and one.get("asset_version"):
                pairs.append(_Pair(one, cloud_id))
        return pairs

    def _assets(self, versions: Iterable[str]) -> dict[str, str]:
        found: dict[str, str] = {}
        for some in chunks(versions):
            rows = self._ctx.site.rows(f"select id, asset_id from AssetVersion where id in {id_list(some)}")
            found.update({str(row["id"]): str(row["asset_id"]) for row in rows})
        return found

    def _invitees(self) -> dict[str, str]:
        """Names of those who write on the cloud site: invitees and users, by id."""
        names: dict[str, str] = {}
        for row in self._cloud.rows("select id, resource_id, name, email from ReviewSessionInvitee"):
            names[str(row["id"])] = str(row.get("name") or row.get("email") or "")
            if row.get("resource_id"):
                names[str(row["resource_id"])] = names[str(row["id"])]
        for row in self._cloud.rows("select id, first_name, last_name, username from User"):
            full = f"{row.get('first_name') or ''} {row.get('last_name') or ''}".strip()
            names.setdefault(str(row["id"]), full or str(row.get("username") or ""))
        return names

    # Notes

    def _remote_notes(self, objects: Sequence[str]) -> dict[str, list[Mapping[str, Any]]]:
        """Notes by cloud object, oldest first, each followed by its replies."""
        fields = (
            "id, content, date, user_id, parent_id, in_reply_to_id, frame_number, metadata.key, metadata.value, "
            "note_components.component_id, note_components.component.name, note_components.component.file_type, "
            "note_components.component.size"
        )
        found: dict[str, list[Mapping[str, Any]]] = {}
        for some in chunks(objects):
            for row in self._cloud.rows(f"select {fields} from Note where parent_id in {id_list(some)} order by date"):
                found.setdefault(str(row["parent_id"]), []).append(row)
        owner = {str(note["id"]): key for key, notes in found.items() for note in notes}
        for some in chunks(list(owner)):
            replies = self._cloud.rows(
                f"select {fields} from Note where in_reply_to_id in {id_list(some)} order by date"
            )
            for row in replies:
                if str(row["id"]) not in owner:
                    found[owner[str(row["in_reply_to_id"])]].append(row)
        return found

    def _local_notes(self, versions: Sequence[str]) -> dict[str, Mapping[str, Any]]:
        """Notes that came in before, by the id of the note they came from."""
        known: dict[str, Mapping[str, Any]] = {}
        fields = "id, content, parent_id, in_reply_to_id, metadata.key, metadata.value, replies.id"
        for some in chunks(versions):
            for where in (f"parent_id in {id_list(some)}", f"in_reply_to.parent_id in {id_list(some)}"):
                for row in self._ctx.site.rows(f"select {fields} from Note where {where}"):
                    source = _metadata(row).get(_REMOTE_KEY)
                    if source:
                        known[source] = row
        return known

    def _local_id(self, remote_id: str) -> str:
        return natural_id(self._ctx.site.server, "note from", self._cloud.server, remote_id)

    def _object_notes(
        self,
        pair: _Pair,
        remote: Sequence[Mapping[str, Any]],
        local: Mapping[str, Mapping[str, Any]],
        people: Mapping[str, str],
    ) -> None:
        for note in remote:
            author = people.get(str(note.get("user_id") or ""), "") or "Client"
            content = self._content(note, author)
            known = local.get(str(note["id"]))
            if known is None:
                self._new_note(pair, note, content, author)
            elif str(known["content"]) != content:
                self._changed_note(pair, known, content)
            self._attachments(pair, note, str(known["id"]) if known else self._local_id(str(note["id"])))

    def _content(self, note: Mapping[str, Any], author: str) -> str:
        """The text as the studio reads it: who wrote it, at which frame, of which version."""
        text = str(note.get("content") or "").strip() or "(a drawing without text)"
        frame = _frame(note)
        where = f", frame {frame}" if frame is not None else ""
        return f"{author} (client review{where}): {text}"

    def _new_note(self, pair: _Pair, note: Mapping[str, Any], content: str, author: str) -> None:
        key = self._local_id(str(note["id"]))
        version = str(pair.local["version_id"])
        values: dict[str, Any] = {"content": content, "parent_id": version, "parent_type": "AssetVersion"}
        if note.get("in_reply_to_id"):
            values["in_reply_to_id"] = self._local_id(str(note["in_reply_to_id"]))
        category = self._categories.get(self._settings.category)
        if category:
            values["category_id"] = category
        values["user_id"] = self._ctx.site.own_user_id()
        if note.get("date"):
            values["date"] = note["date"]
        frame = _frame(note)
        if frame is not None:
            values["frame_number"] = frame
        self.effects.append(
            CreateEntity(
                slot=f"note {key}", reason=f"{author} wrote it on the cloud site", entity_id=str(pair.local["id"]),
                entity_type="Note", id=key, values=values, label=f"note of {author} on {pair.local['name']}",
            )
        )  # fmt: skip
        marks: dict[str, Any] = {_REMOTE_KEY: str(note["id"]), _AUTHOR_KEY: author}
        if frame is not None:
            marks[_FRAME_KEY] = json.dumps({"number": frame})
        self.effects.append(
            SetMetadata(
                slot=f"note link {key}", reason="a second sync knows it by this", entity_id=str(pair.local["id"]),
                entity_type="Note", id=key, values=marks, label=f"note of {author}",
            )
        )  # fmt: skip

    def _changed_note(self, pair: _Pair, known: Mapping[str, Any], content: str) -> None:
        self.effects.append(
            UpdateEntity(
                slot=f"edit {known['id']}", reason="it was edited on the cloud site", entity_id=str(pair.local["id"]),
                entity_type="Note", id=str(known["id"]), values={"content": content},
                label=f"note on {pair.local['name']}",
                expects=(Expect("Note", str(known["id"]), "content", known["content"]),),
            )
        )  # fmt: skip

    def _withdrawn(self, local: Mapping[str, Mapping[str, Any]], remote: set[str]) -> None:
        """Notes deleted on the cloud site go here too, unless somebody answered them."""
        for source, known in local.items():
            if source in remote:
                continue
            if known.get("replies"):
                if not str(known["content"]).startswith("(withdrawn) "):
                    self.effects.append(
                        UpdateEntity(
                            slot=f"withdraw {known['id']}", reason="deleted on the cloud site, but answered here",
                            entity_type="Note", id=str(known["id"]),
                            values={"content": f"(withdrawn) {known['content']}"}, label="withdrawn note",
                        )
                    )  # fmt: skip
                continue
            self.effects.append(
                DeleteEntity(
                    slot=f"delete {known['id']}", reason="it was deleted on the cloud site", entity_type="Note",
                    id=str(known["id"]), label="withdrawn note",
                )
            )  # fmt: skip

    def _attachments(self, pair: _Pair, note: Mapping[str, Any], local_note: str) -> None:
        """Files and drawings; each is copied once, known by an id made of its own."""
        links = note.get("note_components") or ()
        wanted = {str(link["component_id"]): link.get("component") or {} for link in links}
        if not wanted:
            return
        ids = {key: natural_id(self._ctx.site.server, "file from", self._cloud.server, key) for key in wanted}
        rows = self._ctx.site.rows(
            f"select component_id from NoteComponent where component_id in {id_list(ids.values())}"
        )
        there = {str(row["component_id"]) for row in rows}
        for key, part in wanted.items():
            name = str(part.get("name") or "attachment")
            if ids[key] in there:
                continue
            size = float(part.get("size") or 0) / 1e6
            if size > self._settings.attachments_mb:
                self.warnings.append(f"{name} ({size:.0f} MB) of a note on {pair.local['name']} is too large to copy")
                continue
            self.effects.append(
                CopyBetweenSites(
                    slot=f"file {ids[key]}", reason="it belongs to a client's note", entity_id=str(pair.local["id"]),
                    source_site=CLOUD, source_id=key, target_site="site", component_id=ids[key], name=name,
                    suffix=str(part.get("file_type") or ""), label=f"{name} of a note on {pair.local['name']}",
                    attach={"NoteComponent": {"component_id": ids[key], "note_id": local_note}},
                )
            )  # fmt: skip

    # Votes

    def _status(self, pair: _Pair) -> None:
        rows = self._cloud.rows(
            "select status, created_at, review_session_invitee_id, resource_id from ReviewSessionObjectStatus "
            f"where review_session_object_id is {quoted(pair.cloud_id)} order by created_at"
        )
        newest: dict[str, tuple[str, str]] = {}
        for row in rows:
            who = str(row.get("review_session_invitee_id") or row.get("resource_id") or "")
            moment = row.get("created_at")
            stamp = str(moment.get("value") if isinstance(moment, Mapping) else moment)
            newest[who] = (stamp, str(row.get("status") or ""))
        wanted = self._settings.statuses.get(verdict(list(newest.values()), self._settings.disagreement), "")
        if not wanted:
            return
        status = self._ctx.site.status_named(wanted)
        if status is None:
            words = f"{pair.local['name']}: this site has no status {wanted!r}"
            self.notes.append(Note(str(pair.local["id"]), "failed", words))
            return
        version = pair.local["asset_version"]
        reason = f"the clients' vote: {wanted}"
        if str(version.get("status_id")) != status.id:
            self._set("AssetVersion", str(pair.local["version_id"]), version.get("status_id"), status.id, pair, reason)
        if self._settings.set_task and version.get("task_id"):
            # Several versions of one task in a session: the newest version's vote is the task's.
            number = int(version.get("version") or 0)
            known = self._tasks.get(str(version["task_id"]))
            if known is None or number >= known[0]:
                self._tasks[str(version["task_id"])] = (number, status.id, wanted, pair, reason)

    def _set_task(self, task_id: str, status_id: str, wanted: str, pair: _Pair, reason: str) -> None:
        rows = self._ctx.site.rows(
            f"select id, name, status_id, type_id, project.project_schema_id from Task where id is {quoted(task_id)}"
        )
        if not rows or str(rows[0]["status_id"]) == status_id:
            return
        task = rows[0]
        schema = str((task.get("project") or {}).get("project_schema_id") or "")
        allowed = self._ctx.site.allowed_statuses(schema, "Task", str(task.get("type_id") or "") or None)
        if status_id not in {one.id for one in allowed}:
            words = f"{pair.local['name']}: the workflow does not allow {wanted!r} for the task {task['name']}"
            self.notes.append(Note(str(pair.local["id"]), "failed", words))
            return
        self._set("Task", task_id, task["status_id"], status_id, pair, reason)

    def _set(self, entity_type: str, key: str, old: Any, new: str, pair: _Pair, reason: str) -> None:
        self.effects.append(
            UpdateEntity(
                slot=f"{entity_type} status {key}", reason=reason, entity_id=str(pair.local["id"]),
                entity_type=entity_type, id=key, values={"status_id": new},
                label=f"{entity_type} of {pair.local['name']}",
                expects=(Expect(entity_type, key, "status_id", old),),
            )
        )  # fmt: skip


def _metadata(row: Mapping[str, Any]) -> dict[str, str]:
    found = row.get("metadata") or ()
    return {str(one["key"]): str(one.get("value") or "") for one in found}


def _frame(note: Mapping[str, Any]) -> int | None:
    """The frame a note belongs to: its own attribute, else what the review page keeps in its metadata."""
    if note.get("frame_number") is not None:
        return int(note["frame_number"])
    try:
        value = json.loads(_metadata(note).get(_FRAME_KEY) or "null")
        return int(value["number"]) if isinstance(value, Mapping) else None
    except (ValueError, KeyError, TypeError):
        return None
