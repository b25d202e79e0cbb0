"""The scripts a TD can open: built-in ones of ours, deployed ones, and autosaved drafts that survive a crash."""

from __future__ import annotations

import json
import logging
import time
from pathlib import Path

import platformdirs

from app.jobs import files, loader
from app.jobs.model import Draft, ScriptInfo, ScriptState, ScriptText
from app.jobs.templates import TEMPLATES
from app.jobs.versions import BUILT_IN_TYPES

log = logging.getLogger("signalbox.jobs.library")

BUILT_IN_FOLDER = Path(__file__).resolve().parents[2] / "resources" / "job_types"


class ScriptLibrary:
    """Scripts by name; a draft shadows the deployed or built-in script of its name.

    Args:
        scripts_dir: A Manager's scripts folder; None when none is configured.
        drafts_dir: Where drafts live; the user's data folder by default.
        built_in_dir: Our own job types.
    """

    def __init__(
        self, scripts_dir: Path | None = None, drafts_dir: Path | None = None, built_in_dir: Path = BUILT_IN_FOLDER
    ) -> None:
        self.scripts_dir = scripts_dir
        self.drafts_dir = drafts_dir or Path(platformdirs.user_data_dir("signalbox")) / "drafts"
        self.built_in_dir = built_in_dir

    def list(self) -> list[ScriptInfo]:
        """All scripts by name. A folder that cannot be listed is left out; a script that cannot be read says so."""
        found: dict[str, ScriptInfo] = {}
        folders = [(self.built_in_dir, ScriptState.BUILT_IN)]
        if self.scripts_dir is not None:
            folders.append((self.scripts_dir, ScriptState.DEPLOYED))
        for folder, state in folders:
            for path in self._scripts_in(folder):
                known = path.name in found or loader.job_type_name(path.name) in BUILT_IN_TYPES
                hides = state is ScriptState.DEPLOYED and known
                found[path.name] = self._info(path, ScriptState.HIDES_BUILT_IN if hides else state)
        for draft in self.drafts():
            there = found.get(draft.name)
            state = ScriptState.DRAFT
            if there is not None:
                state = ScriptState.CHANGED if files.sha256(draft.text) != there.sha256 else there.state
            place = there.path if there else None
            found[draft.name] = ScriptInfo(
                draft.name, loader.job_type_name(draft.name), state, place, files.sha256(draft.text), "", draft.saved
            )
        return [found[name] for name in sorted(found)]

    def _scripts_in(self, folder: Path) -> tuple[Path, ...]:
        try:
            return tuple(sorted(path for path in folder.iterdir() if path.suffix == ".js" and not path.is_dir()))
        except OSError as error:
            log.warning("the scripts folder %s cannot be listed: %s", folder, error.strerror)
            return ()

    def _info(self, path: Path, state: ScriptState) -> ScriptInfo:
        job_type = loader.job_type_name(path.name)
        try:
            data = path.read_bytes()
            modified = path.stat().st_mtime
        except OSError as error:
            return ScriptInfo(path.name, job_type, ScriptState.UNREADABLE, path, problem=error.strerror or str(error))
        return ScriptInfo(path.name, job_type, state, path, files.sha256(data), "", modified)

    def path_of(self, name: str) -> Path | None:
        """The deployed file of that name, else the built-in one, else None."""
        for folder in (self.scripts_dir, self.built_in_dir):
            if folder is not None and (folder / name).is_file():
                return folder / name
        return None

    def open(self, name: str) -> ScriptText:
        """The newest text: an autosaved draft wins. Raises KeyError when there is no such script, OSError."""
        path = self.path_of(name)
        draft = self._draft(name)
        if path is None and draft is None:
            raise KeyError(name)
        data = path.read_bytes() if path is not None else b""
        digest = files.sha256(data) if path is not None else ""
        if draft is not None:
            recovered = files.sha256(draft.text) != digest
            return ScriptText(name, draft.text, draft.base_sha256 or digest, path, recovered=recovered)
        return ScriptText(name, loader.decode(data), digest, path)

    def changed_outside(self, opened: ScriptText) -> bool:
        """Whether the file differs from what was opened, by hash; a vanished file counts as changed."""
        if opened.path is None:
            return False
        try:
            return files.sha256(opened.path.read_bytes()) != opened.sha256
        except OSError:
            return True

    # ---------------------------------------------------------------- drafts

    def _file(self, name: str) -> Path:
        if "/" in name or "\\" in name or not name.endswith(".js"):
            raise ValueError(f"{name!r} cannot be the name of a script; a name looks like my_job.js")
        return self.drafts_dir / (name + ".draft.json")

    def autosave(self, name: str, text: str, base_sha256: str = "") -> Draft:
        """Write a draft durably: it is there even when the program dies right after. ValueError, OSError."""
        draft = Draft(name, text, base_sha256, time.time())
        target = self._file(name)
        target.parent.mkdir(parents=True, exist_ok=True)
        content = {"name": name, "text": text, "base_sha256": base_sha256, "saved": draft.saved}
        files.write_atomically(target, json.dumps(content).encode())
        return draft

    def _draft(self, name: str) -> Draft | None:
        try:
            raw = json.loads(self._file(name).read_text("utf-8"))
            return Draft(str(raw["name"]), str(raw["text"]), str(raw["base_sha256"]), float(raw["saved"]))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError):
            log.warning("the draft of %s cannot be read", name)
            return None

    def drafts(self) -> tuple[Draft, ...]:
        """All readable drafts, by name."""
        if not self.drafts_dir.is_dir():
            return ()
        names = sorted(path.name.removesuffix(".draft.json") for path in self.drafts_dir.glob("*.js.draft.json"))
        return tuple(draft for name in names if (draft := self._draft(name)) is not None)

    def discard_draft(self, name: str) -> None:
        """Forget the draft; no error when there is none."""
        self._file(name).unlink(missing_ok=True)

    def new_from_template(self, template: str, name: str) -> ScriptText:
        """A fresh draft. KeyError for the template, FileExistsError when a script of that name exists, ValueError."""
        text = TEMPLATES[template].text
        if self.path_of(name) is not None or self._draft(name) is not None:
            raise FileExistsError(f"a script named {name} exists already; choose another name")
        self.autosave(name, text)
        return ScriptText(name, text, "", None)
