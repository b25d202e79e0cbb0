"""The clips an artist handed in: looked at, published a few at a time, and remembered until they are on the site.

The work itself is done by runs of Upload Media; here is what comes before (probe, order of the queue) and what a
person sees of it. Everything is in a draft file, so that a typed note and waiting clips survive a crash.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import re
import shutil
import tempfile
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, QTimer, Signal

from app.media.model import MediaFacts, MediaRefused, Source

if TYPE_CHECKING:
    from app.journal.journal import Journal
    from app.journal.rows import RunRow
    from app.service.browser import Desk
    from ui.models.desk import SiteDesk
    from ui.models.hub import Hub

log = logging.getLogger("signalbox.ui.uploads")

ACTION = "upload_media"
TOGETHER = 2
"""Clips that are published at the same time."""
_SAVE_MS = 300
_PROBED_TOGETHER = 4
_LOST_RUNS = 60
_TRANSCODING = re.compile(r"transcoding (\d+)\s*%(?: \((.*)\))?")
_UPLOADING = re.compile(r"uploading (.+)|upload (.+) as \S+ to \S+$")

OPEN = frozenset({"queued", "running", "waiting", "retry", "paused"})
"""States of a run that has not ended."""
PHASES = ("probe", "transcode", "upload", "publish")
"""Through which a clip goes, in order."""


@dataclass(slots=True)
class Order:
    """With what a clip is published; fixed when the person presses Publish."""

    task_id: str
    task: str
    asset_name: str
    note: str
    slate: bool


@dataclass(slots=True)
class Clip:
    """One movie, still or sequence.

    Attributes:
        key: Its own id, in the draft and in the launch.
        text: What `gather` understands: a path, or a pattern with its range.
        label: Name for a person.
        state: "looking", "ready", "refused", "waiting" (in the queue), "ordered", "working", "done", "failed" or
            "cancelled".
        words: What a person should know: facts, progress, or why not.
        phase: Where a working clip is, one of `PHASES`.
        fraction: 0 to 1 of that phase.
        source: What it is, once looked at.
        facts: Technical facts, once looked at.
        thumbnail: A JPEG, once looked at.
        order: With what it is published.
        run: The run that publishes it.
    """

    key: str
    text: str
    label: str
    state: str = "looking"
    words: str = ""
    phase: str = ""
    fraction: float = 0.0
    source: Source | None = None
    facts: MediaFacts | None = None
    thumbnail: Path | None = None
    order: Order | None = None
    run: int | None = None

    @property
    def busy(self) -> bool:
        """Whether it is on its way."""
        return self.state in {"waiting", "ordered", "working"}


@dataclass(slots=True)
class Draft:
    """What is typed but not published yet."""

    note: str = ""
    asset_name: str = ""
    slate: bool = False
    task_id: str = ""
    clips: list[dict[str, Any]] = field(default_factory=list)


def progress_of(words: str, before: str = "probe") -> tuple[str, float, str]:
    """What a run's progress words stand for.

    Args:
        words: As the run tells them.
        before: The phase that was known so far; words that tell of none leave it as it is.

    Returns:
        Phase, fraction (0 to 1) of it, and the words for an artist.
    """
    if words.startswith(("looking", "make the review")):
        return "probe", 0.5, "Looking at the clip"
    if found := _TRANSCODING.match(words):
        speed = f", {found[2]}" if found[2] else ""
        return "transcode", int(found[1]) / 100, f"Making the review media, {found[1]} %{speed}"
    if found := _UPLOADING.match(words):
        return "upload", 0.5, f"Uploading {found[1] or found[2]}"
    if words.startswith("remove the temporary"):
        return "publish", 0.5, "Setting the version's status"
    return before, 0.0, words


class Uploads(QObject):
    """The queue behind the upload dialog.

    Args:
        hub: Journal of the engine that publishes.
        desk: The site.
        draft: Where the draft is kept.

    Signals:
        added: a clip came (its key).
        changed: a clip changed (its key).
        removed: a clip went (its key).
        trouble: something a person has to know.
        published: all that was published has ended well.
    """

    added = Signal(str)
    changed = Signal(str)
    removed = Signal(str)
    trouble = Signal(str)
    published = Signal(int)

    def __init__(self, hub: Hub, desk: SiteDesk, draft: Path, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.clips: dict[str, Clip] = {}
        self.draft = Draft()
        self.paused = False
        self._hub = hub
        self._desk = desk
        self._path = draft
        self._pictures = Path(tempfile.mkdtemp(prefix="signalbox-clips-"))
        self._finished = 0
        self._save_soon = QTimer(self)
        self._save_soon.setSingleShot(True)
        self._save_soon.setInterval(_SAVE_MS)
        self._save_soon.timeout.connect(self.save)
        hub.journal.moved.connect(self._look)
        hub.journal.opened.connect(self._look)
        hub.trouble.connect(self.trouble)

    # What comes in

    def add(self, inputs: Iterable[str | Path]) -> None:
        """Take paths, `file://` addresses, folders, patterns; they are grouped and looked at in the background."""
        wanted = [str(item) for item in inputs if str(item).strip()]
        if wanted:
            slot = f"gather.{uuid.uuid4().hex}"
            self._desk.ask(slot, lambda _desk: _gathered(wanted), self._take_gathered, owner=self, problem=self._say)

    def _say(self, words: str) -> None:
        self.trouble.emit(words)

    def _take_gathered(self, found: tuple[list[Source], list[tuple[str, str]]]) -> None:
        sources, refused = found
        known = {clip.text for clip in self.clips.values() if clip.state not in {"done", "cancelled", "refused"}}
        fresh: list[Clip] = []
        for source in sources:
            text = source.written
            if text in known:
                self.trouble.emit(f"{source.label} is in the list already.")
                continue
            known.add(text)
            clip = Clip(uuid.uuid4().hex, text, source.label, source=source, words="looking at it…")
            fresh.append(clip)
        for text, why in refused:
            name = text.rstrip("/\\").replace("\\", "/").rpartition("/")[2] or text
            self._enter(Clip(uuid.uuid4().hex, text, name, state="refused", words=why))
        for clip in fresh:
            self._enter(clip)
        self._probe(fresh)
        self.save_soon()

    def _enter(self, clip: Clip) -> None:
        self.clips[clip.key] = clip
        self.added.emit(clip.key)

    def _probe(self, clips: Sequence[Clip]) -> None:
        for at in range(0, len(clips), _PROBED_TOGETHER):
            part = [(clip.key, clip.source) for clip in clips[at : at + _PROBED_TOGETHER] if clip.source is not None]
            folder = self._pictures
            self._desk.ask(
                f"probe.{part[0][0]}",
                partial(_probed, part, folder),
                self._take_probed,
                owner=self,
                problem=partial(self._not_probed, [key for key, _ in part]),
            )

    def _take_probed(self, found: Sequence[tuple[str, MediaFacts | str, Path]]) -> None:
        for key, answer, picture in found:
            clip = self.clips.get(key)
            if clip is None:
                continue
            if isinstance(answer, str):
                clip.state, clip.words = "refused", answer
            else:
                clip.facts = answer
                clip.thumbnail = picture if picture.exists() else None
                if clip.state == "looking":
                    clip.state = "ready"
                    clip.words = "; ".join([answer.words(), *answer.warnings])
            self.changed.emit(key)

    def _not_probed(self, keys: Sequence[str], why: str) -> None:
        for key in keys:
            if key in self.clips:
                self.clips[key].state, self.clips[key].words = "refused", why
                self.changed.emit(key)

    def remove(self, key: str) -> None:
        """Take a clip off the list. What is being published is cancelled instead."""
        clip = self.clips.get(key)
        if clip is None:
            return
        if clip.state in {"ordered", "working"}:
            self.cancel(key)
            return
        del self.clips[key]
        self.removed.emit(key)
        self.save_soon()

    # What goes out

    def ready(self) -> list[Clip]:
        """Clips that would be published."""
        return [clip for clip in self.clips.values() if clip.state == "ready"]

    def busy(self) -> list[Clip]:
        """Clips on their way."""
        return [clip for clip in self.clips.values() if clip.busy]

    def publish(self, order: Order, keys: Iterable[str] = ()) -> int:
        """Put ready clips (or only these) into the queue; returns how many."""
        wanted = set(keys)
        clips = [clip for clip in self.ready() if not wanted or clip.key in wanted]
        for clip in clips:
            clip.order = order
            clip.state, clip.words, clip.phase, clip.fraction = "waiting", "waits for its turn", "", 0.0
            self.changed.emit(clip.key)
        self.save()
        self._advance()
        return len(clips)

    def pause(self, paused: bool) -> None:
        """Begin no further clip; what is being published goes on to its end."""
        self.paused = paused
        for clip in self.clips.values():
            if clip.state == "waiting":
                clip.words = "paused" if paused else "waits for its turn"
                self.changed.emit(clip.key)
        self._advance()

    def cancel(self, key: str) -> None:
        """Stop publishing a clip."""
        clip = self.clips[key]
        if clip.state == "waiting":
            clip.state, clip.words = "ready", "not published; publish it again whenever you like"
            clip.order = None
            self.changed.emit(key)
            self.save_soon()
        elif clip.run is not None:
            clip.words = "is being stopped…"
            self.changed.emit(key)
            self._hub.order("cancel", {"run": clip.run}, f"Stopping {clip.label}", lambda _result: self._look())

    def retry(self, key: str) -> None:
        """Publish a clip again that failed or was cancelled. What is on the site already is not made twice."""
        clip = self.clips[key]
        if clip.run is None:
            clip.state, clip.words = ("waiting", "waits for its turn") if clip.order else ("ready", "")
            self.changed.emit(key)
            self._advance()
            return
        # Not followed before the engine has answered: until then the run still stands where it ended.
        clip.state, clip.words, clip.phase, clip.fraction = "ordered", "tries again…", "probe", 0.0
        self.changed.emit(key)
        self._hub.order("retry", {"run": clip.run}, f"Retry of {clip.label}", partial(self._retried, key), quiet=True)

    def _retried(self, key: str, result: Mapping[str, Any]) -> None:
        clip = self._accepted(key, result)
        if clip is not None:
            clip.state = "working"
            self.changed.emit(key)
            self._look()

    def _accepted(self, key: str, result: Mapping[str, Any]) -> Clip | None:
        """The clip of an order that the engine took; None where it refused, or the clip is gone by now."""
        if result.get("refused"):
            self._failed(key, str(result["refused"]))
            return None
        return self.clips.get(key)

    def _advance(self) -> None:
        working = sum(clip.state in {"ordered", "working"} for clip in self.clips.values())
        for clip in list(self.clips.values()):
            if self.paused or working >= TOGETHER:
                return
            if clip.state == "waiting" and clip.order is not None:
                working += 1
                self._launch(clip)

    def _launch(self, clip: Clip) -> None:
        clip.state, clip.words, clip.phase = "ordered", "is handed over…", "probe"
        self.changed.emit(clip.key)
        self.save()
        self._desk.ask(
            f"person.{clip.key}",
            lambda desk: desk.person(),
            partial(self._launch_as, clip.key),
            owner=self,
            problem=partial(self._failed, clip.key),
        )

    def _launch_as(self, key: str, person: Any) -> None:
        clip = self.clips.get(key)
        if clip is None or clip.order is None:
            return
        order = clip.order
        values = {
            "file": clip.text,
            "slate": order.slate,
            "asset_name": order.asset_name,
            "note": order.note,
            "clip": clip.key,
        }
        args = {
            "action": ACTION,
            "selection": [["Task", order.task_id]],
            "values": values,
            "user_id": person.id,
            "username": person.username,
            "dry": False,
        }
        self._hub.order("launch", args, f"Upload of {clip.label}", partial(self._launched, key), quiet=True)

    def _launched(self, key: str, result: Mapping[str, Any]) -> None:
        clip = self._accepted(key, result)
        if clip is not None:
            clip.run, clip.state = int(result["run"]), "working"
            self.changed.emit(key)
            self.save()
            self._look()

    def _failed(self, key: str, why: str) -> None:
        clip = self.clips.get(key)
        if clip is not None:
            clip.state, clip.words = "failed", why
            self.changed.emit(key)
            self.save_soon()
            self._advance()

    # What becomes of it

    def _look(self) -> None:
        runs = {clip.run: clip.key for clip in self.clips.values() if clip.run is not None and clip.state == "working"}
        lost = [clip.key for clip in self.clips.values() if clip.state == "ordered" and clip.run is None]
        if runs:
            self._hub.journal.ask(
                "uploads", lambda journal: [journal.run_row(run) for run in runs], self._take_runs, owner=self
            )
        if lost:
            self._hub.journal.ask("uploads.lost", partial(_find_lost, lost), self._take_lost, owner=self)

    def _take_runs(self, rows: Sequence[RunRow]) -> None:
        by_run = {clip.run: clip for clip in self.clips.values() if clip.run is not None}
        for row in rows:
            clip = by_run.get(row.id)
            if clip is None or clip.state != "working":
                continue
            before = (clip.state, clip.words, clip.fraction)
            self._follow(clip, row)
            if (clip.state, clip.words, clip.fraction) != before:
                self.changed.emit(clip.key)
            if clip.state != "working":
                self._ended(clip)

    def _follow(self, clip: Clip, row: RunRow) -> None:
        if row.state in OPEN:
            if row.state == "retry":
                clip.words = f"the site did not take it yet; tried again soon ({row.reason})"
            elif row.reason:
                clip.phase, clip.fraction, clip.words = progress_of(row.reason, clip.phase)
            return
        if row.state in {"done", "skipped", "superseded"}:
            clip.state, clip.phase, clip.fraction = "done", "publish", 1.0
            clip.words = f"Published on {clip.order.task}" if clip.order else "Published"
        elif row.state == "cancelled":
            clip.state, clip.words = "cancelled", "stopped; Retry goes on where it was"
        else:
            clip.state, clip.words = "failed", row.reason or f"could not be published ({row.state})"

    def _ended(self, clip: Clip) -> None:
        self._finished += clip.state == "done"
        self.save_soon()
        self._advance()
        if not self.busy() and self._finished:
            done, self._finished = self._finished, 0
            self.published.emit(done)

    def _take_lost(self, found: Mapping[str, int]) -> None:
        for key, run in found.items():
            clip = self.clips.get(key)
            if clip is not None and clip.run is None:
                clip.run, clip.state = run, "working"
        if found:
            self._look()

    # The draft

    def save_soon(self) -> None:
        """Keep the draft in a moment."""
        self._save_soon.start()

    def save(self) -> None:
        """Keep the draft now."""
        self._save_soon.stop()
        self.draft.clips = [_kept(clip) for clip in self.clips.values() if clip.state not in {"done", "refused"}]
        fresh = self._path.with_name(f"{self._path.name}.{os.getpid()}.new")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            fresh.write_text(json.dumps(asdict(self.draft), ensure_ascii=False, indent=1), encoding="utf-8")
            fresh.replace(self._path)
        except OSError as problem:
            self.trouble.emit(f"The draft could not be kept in {self._path}: {problem.strerror}.")

    def restore(self) -> None:
        """Bring back what was typed and what was on its way."""
        try:
            kept = json.loads(self._path.read_text(encoding="utf-8"))
            self.draft.note, self.draft.asset_name = str(kept["note"]), str(kept["asset_name"])
            self.draft.slate, self.draft.task_id = bool(kept["slate"]), str(kept["task_id"])
            clips = [_revived(each) for each in kept["clips"]]
        except FileNotFoundError:
            return
        except (OSError, ValueError, KeyError, TypeError) as problem:
            log.warning("the draft %s cannot be read: %s", self._path, problem)
            return
        again = []
        for clip in clips:
            self._enter(clip)
            if clip.state == "ready":
                again.append(clip.text)
        for clip in [clip for clip in clips if clip.state == "ready"]:
            self.remove(clip.key)
        self.add(again)
        for clip in clips:
            if clip.busy:
                question = partial(_pictured, clip.key, clip.text, self._pictures)
                self._desk.ask(f"again.{clip.key}", question, self._take_probed, owner=self, problem=self._say)
        self._advance()
        self._look()

    def close(self) -> None:
        """Keep the draft and remove the pictures."""
        self.save()
        shutil.rmtree(self._pictures, ignore_errors=True)


def _gathered(wanted: Sequence[str]) -> tuple[list[Source], list[tuple[str, str]]]:
    """What the texts stand for, and those that stand for nothing with the reason. Together first: frames that are
    dropped together are a sequence."""
    from app.media.sequences import gather

    good: list[str] = []
    refused: list[tuple[str, str]] = []
    for text in wanted:
        try:
            gather([text])
        except MediaRefused as why:
            refused.append((text, str(why)))
        else:
            good.append(text)
    return gather(good), refused


def _probed(part: Sequence[tuple[str, Source]], folder: Path, _desk: Desk) -> list[tuple[str, MediaFacts | str, Path]]:
    from app.media.probe import probe_many

    folder.mkdir(parents=True, exist_ok=True)
    pictures: list[Path | None] = [folder / f"{key}.jpg" for key, _ in part]
    answers = probe_many([source for _, source in part], thumbnails=pictures)
    return [
        (key, str(answer) if isinstance(answer, MediaRefused) else answer, folder / f"{key}.jpg")
        for (key, _), answer in zip(part, answers, strict=True)
    ]


def _pictured(key: str, text: str, folder: Path, desk: Desk) -> list[tuple[str, MediaFacts | str, Path]]:
    """The picture of a clip that is on its way already; without its file it simply has none."""
    from app.media.sequences import gather

    with contextlib.suppress(MediaRefused):
        return [each for each in _probed([(key, gather([text])[0])], folder, desk) if not isinstance(each[1], str)]
    return []


def _find_lost(keys: Sequence[str], journal: Journal) -> dict[str, int]:
    """Runs of clips whose order was given just before a crash."""
    found: dict[str, int] = {}
    for row in journal.runs(handler=ACTION, limit=_LOST_RUNS):
        launch = journal.queued_run(row.id).facts.get("launch") or {}
        key = (launch.get("values") or {}).get("clip")
        if key in keys:
            found.setdefault(str(key), row.id)
    return found


def _kept(clip: Clip) -> dict[str, Any]:
    return {
        "key": clip.key,
        "text": clip.text,
        "label": clip.label,
        "state": clip.state,
        "words": clip.words,
        "run": clip.run,
        "order": None if clip.order is None else asdict(clip.order),
    }


def _revived(kept: Mapping[str, Any]) -> Clip:
    state = str(kept["state"])
    order = Order(**kept["order"]) if kept.get("order") else None
    run = kept.get("run")
    return Clip(
        str(kept["key"]),
        str(kept["text"]),
        str(kept["label"]),
        state="ready" if state == "looking" else "working" if state == "ordered" and run is not None else state,
        words=str(kept.get("words") or ""),
        order=order,
        run=run,
    )
