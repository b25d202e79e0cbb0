"""Feedback Sync: what clients wrote and decided on the cloud site comes back to the studio's versions and tasks."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, NamedTuple

from pydantic import Field as Setting

from app.actions.base import ActionSettings
from app.actions.two_sites import CLOUD, Comparison, Session, SessionAction, find_mirror, metadata_of, rows_of
from app.effects.ftrack import CreateEntity, DeleteEntity, SetMetadata, UpdateEntity
from app.effects.job_setting import JobSetting, WithJobs, jobs_setting
from app.effects.remote import CopyBetweenSites
from app.engine.doors import Named, SiteDoor
from app.engine.protocol import Context, Expect, HandlerSettings, Note, natural_id

__all__ = ["FeedbackSync", "FeedbackSyncSettings", "verdict"]

_REMOTE_KEY = "remote_note_id"
_AUTHOR_KEY = "remote_author"
_FRAME_KEY = "reviewFrame"
_NOTE_FILE = "NoteComponent"
_NOTE_DRAWING = "NoteAnnotationComponent"
#: Metadata of a copied file: the component it came from.
_FILE_KEY = "remote_component_id"
#: Metadata of a version and of its task, with the review object's id behind: the clients' vote it has followed.
_VOTE_KEY = "client_vote"
_APPROVED = "approved"
_CHANGES = "require_changes"


class FeedbackSyncSettings(WithJobs, ActionSettings):
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
    attachments_mb: float = Setting(
        default=200.0, gt=0, description="Larger attachments are named, not copied.", json_schema_extra={"unit": "MB"}
    )
    jobs: list[JobSetting] = jobs_setting("for each session whose feedback came in", "session")


class FeedbackSync(SessionAction):
    """Twice the same adds nothing."""

    id: ClassVar[str] = "feedback_sync"
    title: ClassVar[str] = "Feedback Sync"
    help: ClassVar[str] = "Bring the clients' notes and approvals of this review session back from the cloud site."
    icon: ClassVar[str] = "download"
    settings_model: ClassVar[type[HandlerSettings]] = FeedbackSyncSettings
    submit: ClassVar[str] = "Bring back"
    started: ClassVar[str] = "notes and approvals come in"

    def asks(self, sessions: Sequence[Session]) -> str:
        return (
            f"Bring notes and approvals back for: {', '.join(str(one.row['name']) for one in sessions)}\n"
            "A client's notes are complete once the client has signed out of the session."
        )

    def comparison(self, ctx: Context, cloud: SiteDoor, session: Session) -> Comparison:
        return _Feedback(ctx, cloud, session)


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


class _Vote(NamedTuple):
    """A reviewer's newest vote; moments are the cloud site's, as text that sorts."""

    moment: str
    vote: str
    id: str


class _Decision(NamedTuple):
    """What the votes on one object come to, and the newest vote that it was made of."""

    vote: str
    moment: str
    id: str

    def is_new(self, followed: str) -> bool:
        """Whether it is another decision than the one that was followed, or has a vote since."""
        vote, _, rest = followed.partition(" ")
        moment, _, key = rest.rpartition(" ")
        return (self.vote, self.id) != (vote, key) and (self.vote != vote or self.moment >= moment)


def _decision(votes: Sequence[_Vote], policy: str) -> _Decision | None:
    """None while there is no decision."""
    decided = verdict([(one.moment, one.vote) for one in votes], policy)
    if not decided:
        return None
    newest = max(one for one in votes if one.vote in (_APPROVED, _CHANGES))
    return _Decision(decided, newest.moment, newest.id)


@dataclass(frozen=True, slots=True)
class _Pair:
    """A local object and the cloud object that shows it."""

    local: Mapping[str, Any]
    cloud_id: str


class _Feedback(Comparison):
    """Compares one session's feedback with what came in before."""

    def __init__(self, ctx: Context, cloud: SiteDoor, session: Session) -> None:
        super().__init__(ctx, cloud, session)
        self._tasks: dict[str, tuple[int, Named, _Decision, _Pair]] = {}
        self._author = ctx.site.own_user_id()
        self._categories = {
            str(row["name"]): str(row["id"]) for row in ctx.site.rows("select id, name from NoteCategory")
        }

    def build(self) -> None:
        there = find_mirror(self.cloud, self.site, self.session).pairs(self.session)
        pairs = [
            _Pair(one, str(there[str(one["id"])]["id"]))
            for one in self.session.objects
            if str(one["id"]) in there and one.get("asset_version")
        ]
        if not pairs:
            words = "the cloud site has no mirror of this session: run Review Sync first"
            self.notes.append(Note(self.session.id, "skipped", words))
            return
        remote = self._remote_notes([pair.cloud_id for pair in pairs])
        local = self._local_notes([str(pair.local["version_id"]) for pair in pairs])
        people = self._people([note for some in remote.values() for note in some])
        votes = self._votes([pair.cloud_id for pair in pairs])
        for pair in pairs:
            self._object_notes(pair, remote.get(pair.cloud_id, []), local, people)
            self._status(pair, votes.get(pair.cloud_id, []))
        self._drawings(pairs)
        self._set_tasks()
        self._withdrawn(local, {str(n["id"]) for some in remote.values() for n in some})

    def _people(self, notes: Sequence[Mapping[str, Any]]) -> dict[str, str]:
        """Names of those who wrote: invitees and users of the cloud site, by id."""
        wrote = [str(note["user_id"]) for note in notes if note.get("user_id")]
        names: dict[str, str] = {}
        for attribute in ("id", "resource_id"):
            fields = "id, resource_id, name, email"
            for row in rows_of(self.cloud, fields, "ReviewSessionInvitee", attribute, wrote):
                names[str(row[attribute])] = str(row.get("name") or row.get("email") or "")
        for row in rows_of(self.cloud, "id, first_name, last_name, username", "User", "id", wrote):
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
        for row in _by_date(rows_of(self.cloud, fields, "Note", "parent_id", objects)):
            found.setdefault(str(row["parent_id"]), []).append(row)
        owner = {str(note["id"]): key for key, notes in found.items() for note in notes}
        for row in _by_date(rows_of(self.cloud, fields, "Note", "in_reply_to_id", owner)):
            if str(row["id"]) not in owner:
                found[owner[str(row["in_reply_to_id"])]].append(row)
        return found

    def _local_notes(self, versions: Sequence[str]) -> dict[str, Mapping[str, Any]]:
        """Notes that came in before, by the id of the note they came from."""
        fields = (
            "id, content, parent_id, in_reply_to_id, metadata.key, metadata.value, replies.id, "
            "note_components.component_id, note_components.component.metadata.key, "
            "note_components.component.metadata.value"
        )
        rows = [
            row
            for attribute in ("parent_id", "in_reply_to.parent_id")
            for row in rows_of(self.site, fields, "Note", attribute, versions)
        ]
        return {source: row for row in rows if (source := metadata_of(row).get(_REMOTE_KEY))}

    def _local_id(self, remote_id: str) -> str:
        return natural_id(self.site.server, "note from", self.cloud.server, remote_id)

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
                answers = local.get(str(note.get("in_reply_to_id") or ""))
                self._new_note(pair, note, content, author, str(answers["id"]) if answers else "")
            elif str(known["content"]) != content:
                self._changed_note(pair, known, content)
            self._attachments(pair, note, known)

    def _content(self, note: Mapping[str, Any], author: str) -> str:
        """The text as the studio reads it: who wrote it, at which frame, of which version."""
        text = str(note.get("content") or "").strip() or "(a drawing without text)"
        frame = _frame(note)
        where = f", frame {frame}" if frame is not None else ""
        return f"{author} (client review{where}): {text}"

    def _new_note(self, pair: _Pair, note: Mapping[str, Any], content: str, author: str, answers: str) -> None:
        key = self._local_id(str(note["id"]))
        version = str(pair.local["version_id"])
        values: dict[str, Any] = {"content": content, "parent_id": version, "parent_type": "AssetVersion"}
        if note.get("in_reply_to_id"):
            values["in_reply_to_id"] = answers or self._local_id(str(note["in_reply_to_id"]))
        category = self._categories.get(self.settings.category)
        if category:
            values["category_id"] = category
        values["user_id"] = self._author
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
        """Notes deleted on the cloud site go here too, unless somebody answered them.

        One that came with another session that shows the same version is still there, and stays.
        """
        missing = [source for source in local if source not in remote]
        remote = remote | {str(row["id"]) for row in rows_of(self.cloud, "id", "Note", "id", missing)}
        gone = {source: known for source, known in local.items() if source not in remote}
        going = {str(known["id"]) for known in gone.values()}
        for known in gone.values():
            answers = {str(reply["id"]) for reply in known.get("replies") or ()}
            if not answers - going:
                self.effects.append(
                    DeleteEntity(
                        slot=f"delete {known['id']}", reason="it was deleted on the cloud site", entity_type="Note",
                        id=str(known["id"]), label="withdrawn note",
                    )
                )  # fmt: skip
            elif not str(known["content"]).startswith("(withdrawn) "):
                self.effects.append(
                    UpdateEntity(
                        slot=f"withdraw {known['id']}", reason="deleted on the cloud site, but answered here",
                        entity_type="Note", id=str(known["id"]),
                        values={"content": f"(withdrawn) {known['content']}"}, label="withdrawn note",
                    )
                )  # fmt: skip

    def _attachments(self, pair: _Pair, note: Mapping[str, Any], known: Mapping[str, Any] | None) -> None:
        """Files and drawings; each is copied once, known by the id of where it came from."""
        local_note = str(known["id"]) if known else self._local_id(str(note["id"]))
        links = (known or {}).get("note_components") or ()
        there = {metadata_of(link.get("component") or {}).get(_FILE_KEY) for link in links}
        there |= {str(link["component_id"]) for link in links}
        for link in note.get("note_components") or ():
            part = link.get("component") or {}
            key, name = str(link["component_id"]), str(part.get("name") or "attachment")
            target = self._file_id(key)
            if key in there or target in there:
                continue
            size = float(part.get("size") or 0) / 1e6
            if size > self.settings.attachments_mb:
                self.warnings.append(f"{name} ({size:.0f} MB) of a note on {pair.local['name']} is too large to copy")
                continue
            data = {"component_id": target, "note_id": local_note}
            kind = str(link.get("__entity_type__") or _NOTE_FILE)
            if kind == _NOTE_DRAWING and _knows(self.site, kind):
                strokes = rows_of(self.cloud, "component_id, data", kind, "component_id", [key])
                if strokes and strokes[0].get("data") is not None:
                    data["data"] = strokes[0]["data"]
            else:
                kind = _NOTE_FILE
            self._copy(pair, key, part, f"{name} of a note on {pair.local['name']}", {kind: data})

    def _file_id(self, remote_id: str) -> str:
        return natural_id(self.site.server, "file from", self.cloud.server, remote_id)

    def _copy(self, pair: _Pair, key: str, part: Mapping[str, Any], label: str, attach: dict[str, Any]) -> None:
        self.effects.append(
            CopyBetweenSites(
                slot=f"file {key}", reason="a client drew or attached it", entity_id=str(pair.local["id"]),
                source_site=CLOUD, source_id=key, target_site="site", component_id=self._file_id(key),
                name=str(part.get("name") or "attachment"), suffix=str(part.get("file_type") or ""), label=label,
                metadata={_FILE_KEY: key}, attach=attach,
            )
        )  # fmt: skip

    def _drawings(self, pairs: Sequence[_Pair]) -> None:
        """What clients drew on a frame without writing: strokes, and pictures, onto the studio's own objects."""
        shown = {pair.cloud_id: pair for pair in pairs}
        link = "ReviewSessionObjectAnnotation"
        if not (_knows(self.cloud, link) and _knows(self.site, link)):
            return
        fields = "id, frame_number, data, created_at, review_session_object_id"
        drawn = rows_of(self.cloud, fields, link, "review_session_object_id", shown)
        ids = {
            str(row["id"]): natural_id(self.site.server, "drawing from", self.cloud.server, row["id"]) for row in drawn
        }
        there = {str(row["id"]): row for row in rows_of(self.site, "id, data, frame_number", link, "id", ids.values())}
        for row in drawn:
            pair, key = shown[str(row["review_session_object_id"])], ids[str(row["id"])]
            label = f"drawing on {pair.local['name']}, frame {row.get('frame_number')}"
            values = {"data": row.get("data"), "frame_number": row.get("frame_number")}
            common: dict[str, Any] = {
                "slot": f"drawing {key}", "reason": "a client drew it", "entity_id": str(pair.local["id"]),
                "entity_type": link, "id": key, "label": label,
            }  # fmt: skip
            if key not in there:
                more = {"review_session_object_id": str(pair.local["id"]), "created_at": row.get("created_at")}
                self.effects.append(CreateEntity(values={**values, **more}, **common))
            elif any(there[key].get(name) != value for name, value in values.items()):
                self.effects.append(UpdateEntity(values=values, **common))
        self._pictures(shown)

    def _pictures(self, shown: Mapping[str, _Pair]) -> None:
        link = "ReviewSessionObjectAnnotationComponent"
        fields = (
            "component_id, frame_number, review_session_object_id, component.name, component.file_type, component.size"
        )
        drawn = rows_of(self.cloud, fields, link, "review_session_object_id", shown)
        ids = [self._file_id(str(row["component_id"])) for row in drawn]
        there = {str(row["component_id"]) for row in rows_of(self.site, "component_id", link, "component_id", ids)}
        for row, target in zip(drawn, ids, strict=True):
            pair = shown[str(row["review_session_object_id"])]
            if target not in there:
                own = {"component_id": target, "review_session_object_id": str(pair.local["id"])}
                attach = {link: {**own, "frame_number": row.get("frame_number")}}
                label = f"drawing on {pair.local['name']}, frame {row.get('frame_number')}"
                self._copy(pair, str(row["component_id"]), row.get("component") or {}, label, attach)

    # Votes

    def _votes(self, objects: Sequence[str]) -> dict[str, list[_Vote]]:
        """Each reviewer's newest vote, by cloud object."""
        fields = "id, status, created_at, review_session_invitee_id, resource_id, review_session_object_id"
        newest: dict[str, dict[str, _Vote]] = {}
        rows = rows_of(self.cloud, fields, "ReviewSessionObjectStatus", "review_session_object_id", objects)
        for moment, row in sorted(((_moment(row.get("created_at")), row) for row in rows), key=lambda pair: pair[0]):
            who = str(row.get("review_session_invitee_id") or row.get("resource_id") or "")
            given = newest.setdefault(str(row["review_session_object_id"]), {})
            given[who] = _Vote(moment, str(row.get("status") or ""), str(row["id"]))
        return {key: list(given.values()) for key, given in newest.items()}

    def _status(self, pair: _Pair, votes: Sequence[_Vote]) -> None:
        decision = _decision(votes, self.settings.disagreement)
        wanted = self.settings.statuses.get(decision.vote, "") if decision else ""
        if decision is None or not wanted:
            return
        status = self.site.status_named(wanted)
        if status is None:
            words = f"{pair.local['name']}: this site has no status {wanted!r}"
            self.notes.append(Note(str(pair.local["id"]), "failed", words))
            return
        version = pair.local["asset_version"]
        self._follow("AssetVersion", {**version, "id": pair.local["version_id"]}, status, decision, pair)
        if self.settings.set_task and version.get("task_id"):
            # Several versions of one task in a session: the newest version's vote is the task's.
            number = int(version.get("version") or 0)
            known = self._tasks.get(str(version["task_id"]))
            if known is None or number >= known[0]:
                self._tasks[str(version["task_id"])] = (number, status, decision, pair)

    def _set_tasks(self) -> None:
        fields = "id, name, status_id, type_id, project.project_schema_id, metadata.key, metadata.value"
        for task in rows_of(self.site, fields, "Task", "id", self._tasks):
            _, status, decision, pair = self._tasks[str(task["id"])]
            schema = str((task.get("project") or {}).get("project_schema_id") or "")
            allowed = self.site.allowed_statuses(schema, "Task", str(task.get("type_id") or "") or None)
            if task["status_id"] == status.id or status.id in {one.id for one in allowed}:
                self._follow("Task", task, status, decision, pair)
            else:
                words = f"{pair.local['name']}: the workflow does not allow {status.name!r} for the task {task['name']}"
                self.notes.append(Note(str(pair.local["id"]), "failed", words))

    def _follow(
        self, entity_type: str, row: Mapping[str, Any], status: Named, decision: _Decision, pair: _Pair
    ) -> None:
        """Set the status that the clients decided on, once: what a person sets later stays until they vote again."""
        followed = f"{_VOTE_KEY} {pair.local['id']}"
        if not decision.is_new(metadata_of(row).get(followed, "")):
            return
        key = str(row["id"])
        common: dict[str, Any] = {
            "reason": f"the clients' vote: {status.name}", "entity_id": str(pair.local["id"]),
            "entity_type": entity_type, "id": key, "label": f"{entity_type} of {pair.local['name']}",
        }  # fmt: skip
        if row.get("status_id") != status.id:
            expected = Expect(entity_type, key, "status_id", row.get("status_id"))
            given = {"values": {"status_id": status.id}, "names": {"status_id": status.name}}
            slot = f"{entity_type} status {key}"
            self.effects.append(UpdateEntity(slot=slot, expects=(expected,), **given, **common))
        # Behind the status: what is remembered has happened.
        self.effects.append(
            SetMetadata(slot=f"{entity_type} vote {key}", values={followed: " ".join(decision)}, **common)
        )


def _by_date(notes: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(notes, key=lambda note: _moment(note.get("date")))


def _knows(site: SiteDoor, entity_type: str) -> bool:
    """Whether a site has this type: drawings came to ftrack late."""
    return entity_type in site.session.types


def _moment(value: Any) -> str:
    """A moment of the wire as text that sorts."""
    return str(value.get("value") if isinstance(value, Mapping) else value)


def _frame(note: Mapping[str, Any]) -> int | None:
    """The frame a note belongs to: its own attribute, else what the review page keeps in its metadata."""
    if note.get("frame_number") is not None:
        return int(note["frame_number"])
    try:
        value = json.loads(metadata_of(note).get(_FRAME_KEY) or "null")
        return int(value["number"]) if isinstance(value, Mapping) else None
    except (ValueError, KeyError, TypeError):
        return None
