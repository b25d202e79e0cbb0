"""Putting a script into a Manager's scripts folder: check, diff, write atomically, keep the old one, verify."""

from __future__ import annotations

import difflib
import json
import logging
import os
import time
import urllib.parse
from collections.abc import Sequence
from pathlib import Path

import platformdirs

from app.jobs import files, loader
from app.jobs.compiler import CompilerPool
from app.jobs.files import crash_point
from app.jobs.model import (
    DEFAULT_MANAGER_VERSION,
    CompileRequest,
    CompileResult,
    DeployCheck,
    DeployPlan,
    DeployReport,
    HistoryEntry,
    OutcomeKind,
    SampleJob,
    Severity,
)
from app.jobs.settings_form import submitted_defaults
from app.jobs.versions import BUILT_IN_TYPES, manager_version
from app.jobs.versions_ask import ManagerUnclear, get_json
from app.rules.words import many

log = logging.getLogger("signalbox.jobs.deploy")

_KEPT = 50


class DeployRefused(RuntimeError):
    """A check failed or the script there changed meanwhile; nothing was written."""


class Deployer:
    """Deploys to one scripts folder.

    Args:
        target_dir: The Manager's ``scripts/`` folder, local or mounted.
        pool: Compiles the sample jobs and lints.
        history_dir: Where earlier versions are kept; the user's data folder by default.
        samples: Sample jobs every deployment must compile.
        manager_url: Address of the Manager, for the verification; None: no verification.
        manager_version: Decides which checks apply.
    """

    def __init__(
        self,
        target_dir: Path,
        pool: CompilerPool,
        *,
        history_dir: Path | None = None,
        samples: Sequence[SampleJob] = (),
        manager_url: str | None = None,
        manager_version: str = DEFAULT_MANAGER_VERSION,
    ) -> None:
        self.target_dir = target_dir
        self.pool = pool
        self.history_dir = history_dir or Path(platformdirs.user_data_dir("signalbox")) / "deployments"
        self.samples = list(samples)
        self.manager_url = manager_url
        self.version = manager_version

    # ---------------------------------------------------------------- plan

    def plan(self, script: str, text: str, *, opened_sha256: str | None = None) -> DeployPlan:
        """Read the target, run all checks, make the diff; touches nothing.

        ``opened_sha256`` is the hash of the target when the script was opened ("" = there was none).
        Raises ValueError for a name that is no script's, OSError when the folder cannot be read.
        """
        if "/" in script or "\\" in script or not script.endswith(".js") or script.startswith("."):
            raise ValueError(f"{script!r} cannot be the name of a script; the Manager reads files like my_job.js")
        target = self.target_dir / script
        old = self._read(target)
        old_text = None if old is None else loader.decode(old)
        checks = [
            self._opened_check(old, opened_sha256),
            *self._name_checks(script),
            *self._compile_checks(script, text),
        ]
        diff = difflib.unified_diff(
            (old_text or "").splitlines(),
            text.splitlines(),
            "deployed" if old is not None else "nothing there",
            "new",
            lineterm="",
        )
        return DeployPlan(
            script=script,
            target=target,
            text=text,
            old_text=old_text,
            old_sha256="" if old is None else files.sha256(old),
            diff=tuple(diff),
            checks=tuple(check for check in checks if check is not None),
            restart=self._restart(script),
        )

    def _read(self, target: Path) -> bytes | None:
        try:
            return target.read_bytes()
        except FileNotFoundError:
            return None

    def _opened_check(self, old: bytes | None, opened: str | None) -> DeployCheck | None:
        if opened is None:
            return None
        now = "" if old is None else files.sha256(old)
        if now == opened:
            return DeployCheck(
                "unchanged there", ok=True, blocking=True, detail="nobody else changed it since it was opened"
            )
        detail = (
            "somebody changed the deployed script since it was opened; look at the difference, then force or reopen"
        )
        return DeployCheck("unchanged there", ok=False, blocking=True, detail=detail)

    def _name_checks(self, script: str) -> list[DeployCheck]:
        job_type = loader.job_type_name(script)
        checks = []
        siblings = [
            path.name
            for path in self.target_dir.glob("*.js")
            if path.name != script and loader.job_type_name(path.name) == job_type
        ]
        if siblings:
            winner = max([script, *siblings], key=lambda name: name.encode())
            detail = f"{', '.join(siblings)} and {script} are both {job_type!r}; the Manager takes {winner}"
            checks.append(DeployCheck("job type is its own", ok=False, blocking=winner != script, detail=detail))
        if job_type in BUILT_IN_TYPES:
            detail = (
                f"it hides the Manager's built-in {job_type!r}; with a syntax error the built-in would silently run"
            )
            checks.append(DeployCheck("hides no built-in", ok=False, blocking=False, detail=detail))
        if (self.target_dir / script).is_symlink():
            detail = "the Manager ignores symbolic links; the link is replaced by a file"
            checks.append(DeployCheck("is a regular file", ok=False, blocking=False, detail=detail))
        return checks

    def _request(self, script: str, text: str, sample: SampleJob | None) -> CompileRequest:
        scripts: dict[str, str | bytes] = {
            name: source for name, source in loader.read_folder(self.target_dir).items() if "/" in name
        }
        scripts[script] = text
        job = dict(sample.job) if sample else {}
        job.setdefault("name", "deploy check")
        job["type"] = loader.job_type_name(script)
        job.setdefault("submitter_platform", "linux")
        return CompileRequest(
            scripts=scripts,
            script=script,
            job=job,
            created=(sample.created or None) if sample else None,
            timezone=sample.timezone if sample else "UTC",
            platform=sample.platform if sample else "linux",
            manager_version=self.version,
        )

    def _compile_checks(self, script: str, text: str) -> list[DeployCheck]:
        """The script must load, every sample must compile; lint errors are shown."""
        first = self.pool.compile(self._request(script, text, None))
        checks = []
        loads = first.job_type is not None
        detail = f"job type {first.job_type['name']}, etag {first.job_type['etag']}" if first.job_type else ""
        if not loads and first.error is not None:
            place = f" ({first.error.file}:{first.error.line}:{first.error.column})" if first.error.line else ""
            why = f". {first.error.hint}" if first.error.kind == "unknown_type" else ""
            detail = first.error.message + place + why
        checks.append(DeployCheck("the Manager can load it", ok=loads, blocking=True, detail=detail))
        if first.outcome is OutcomeKind.MANAGER_HANGS and first.error is not None:
            checks.append(DeployCheck("does not hang the Manager", ok=False, blocking=True, detail=first.error.message))
        tried = [(sample, self.pool.compile(self._request(script, text, sample))) for sample in self.samples]
        if not tried and first.job_type is not None:
            settings = submitted_defaults(first.job_type)
            defaults = SampleJob("the defaults", script, {"name": "defaults", "settings": settings})
            tried = [(defaults, self.pool.compile(self._request(script, text, defaults)))]
        checks += [self._sample_check(sample, result, blocking=bool(self.samples)) for sample, result in tried]
        # The first compile had no settings at all: what it did with them is nobody's job.
        checks.append(self._lint_check([result for _sample, result in tried] or [first]))
        return checks

    @staticmethod
    def _lint_check(results: Sequence[CompileResult]) -> DeployCheck:
        findings = list(dict.fromkeys(finding for result in results for finding in result.lint))
        errors = [finding for finding in findings if finding.severity is Severity.ERROR]
        warnings = [finding for finding in findings if finding.severity is Severity.WARNING]
        told = "; ".join(f"{one.line}:{one.column} {one.message}" for one in (errors or warnings)[:5])
        detail = told if errors else many(len(warnings), "warning") + (f": {told}" if told else "")
        return DeployCheck("lint", ok=not errors, blocking=False, detail=detail)

    @staticmethod
    def _sample_check(sample: SampleJob, result: CompileResult, *, blocking: bool) -> DeployCheck:
        detail = many(result.summary.tasks, "task") if result.ok else ""
        if result.error is not None:
            detail = f"{result.outcome}: {result.error.message}"
        return DeployCheck(f"sample job {sample.name!r} compiles", ok=result.ok, blocking=blocking, detail=detail)

    def _restart(self, script: str) -> str:
        if not manager_version(self.version).hot_reload:
            return f"A Manager of version {self.version} reads scripts at its start only: restart it."
        others = [path for path in self.target_dir.iterdir() if path.suffix == ".js" and path.name != script]
        if not others and not (self.target_dir / script).exists():
            return "If this folder was made after the Manager started, restart the Manager once: it looks only then."
        return ""

    # ---------------------------------------------------------------- apply

    def apply(self, plan: DeployPlan, *, force: bool = False) -> DeployReport:
        """Write. Raises DeployRefused (a blocking check, or the target changed since the plan, unless ``force``)
        and OSError; in both cases the target is as it was."""
        if plan.blocked and not force:
            failed = "; ".join(f"{c.name}: {c.detail}" for c in plan.checks if not c.ok and c.blocking)
            raise DeployRefused(failed)
        crash_point("deploy.start")
        old = self._read(plan.target)
        now = "" if old is None else files.sha256(old)
        if now != plan.old_sha256 and not force:
            raise DeployRefused(f"{plan.target} changed while you looked at the difference; look again")
        backup = None if old is None else self._keep(plan.script, old, "replaced")
        crash_point("deploy.backup")
        data = plan.text.encode("utf-8", "surrogatepass")
        # A symbolic link there is replaced by the rename itself: whatever fails before leaves it.
        files.write_atomically(plan.target, data, lambda stage: crash_point("deploy." + stage))
        crash_point("deploy.done")
        verified, verification = self._verify(plan.script, plan.text)
        return DeployReport(plan.script, plan.target, backup, files.sha256(data), verified, verification, plan.restart)

    def _verify(self, script: str, text: str) -> tuple[bool | None, str]:
        """Whether the Manager now answers with this script's etag."""
        if not self.manager_url:
            return None, "not verified: no address of a Manager was given"
        expected = self.pool.compile(self._request(script, text, None)).job_type
        name = urllib.parse.quote(loader.job_type_name(script), safe="", errors="surrogatepass")
        url = f"{self.manager_url.rstrip('/')}/api/v3/jobs/type/{name}"
        try:
            answer = get_json(url)
        except ManagerUnclear as error:
            return None, f"not verified: {error}"
        etag = answer.get("etag") if isinstance(answer, dict) else None
        if not isinstance(etag, str):
            return None, f"not verified: {url} answers, but not as a Flamenco Manager does"
        if expected is not None and etag == expected["etag"]:
            return True, f"verified: the Manager answers with etag {etag}"
        return False, f"the Manager answers with another etag ({etag}): it has not read this script"

    # ---------------------------------------------------------------- history

    def _folder(self) -> Path:
        name = files.sha256(str(self.target_dir.resolve()))[:16]
        return self.history_dir / name

    def _keep(self, script: str, data: bytes, reason: str) -> str:
        """Write a version to the history, durably, before the target is touched."""
        folder = self._folder()
        folder.mkdir(parents=True, exist_ok=True)
        digest = files.sha256(data)
        entry_id = f"{time.time_ns():020d}-{digest[:12]}"
        meta = {"script": script, "saved": time.time(), "sha256": digest, "size": len(data), "reason": reason}
        files.write_atomically(folder / f"{entry_id}.js", data)
        files.write_atomically(folder / f"{entry_id}.json", json.dumps(meta).encode())
        self._prune(script)
        return entry_id

    def _prune(self, script: str) -> None:
        for entry in self.history(script)[_KEPT:]:
            for suffix in (".js", ".json"):
                (self._folder() / (entry.entry_id + suffix)).unlink(missing_ok=True)

    def history(self, script: str) -> list[HistoryEntry]:
        """Earlier versions, newest first; damaged entries are left out."""
        entries = []
        for path in sorted(self._folder().glob("*.json"), reverse=True):
            try:
                meta = json.loads(path.read_text("utf-8"))
                entry = HistoryEntry(
                    path.stem, meta["script"], meta["saved"], meta["sha256"], meta["size"], meta["reason"]
                )
            except (OSError, ValueError, KeyError, TypeError):
                log.warning("a history entry cannot be read: %s", path.name)
                continue
            if entry.script == script:
                entries.append(entry)
        return entries

    def history_text(self, entry_id: str) -> str:
        """Text of a version; KeyError when there is none."""
        return loader.decode(self._history_bytes(entry_id))

    def _history_bytes(self, entry_id: str) -> bytes:
        if os.sep in entry_id or "/" in entry_id:
            raise KeyError(entry_id)
        try:
            return (self._folder() / f"{entry_id}.js").read_bytes()
        except FileNotFoundError as error:
            raise KeyError(entry_id) from error

    def restore(self, entry_id: str, *, force: bool = False) -> DeployReport:
        """Put a version back; the present one goes to the history first. KeyError, DeployRefused, OSError.

        ``force`` is only needed when the script was changed by others since it was deployed from here.
        """
        text = self.history_text(entry_id)
        meta = json.loads((self._folder() / f"{entry_id}.json").read_text("utf-8"))
        script = str(meta["script"])
        target = self.target_dir / script
        old = self._read(target)
        backup = None if old is None else self._keep(script, old, "before restore")
        crash_point("deploy.restore")
        if not force and old is not None and self._read(target) != old:
            raise DeployRefused(f"{target} changed meanwhile; try again")
        data = self._history_bytes(entry_id)
        files.write_atomically(target, data, lambda stage: crash_point("deploy." + stage))
        verified, verification = self._verify(script, text)
        return DeployReport(script, target, backup, files.sha256(data), verified, verification, self._restart(script))

    def remove(self, script: str) -> str | None:
        """Take a deployed script away (undo of a first deployment); it goes to the history. The entry, or None."""
        target = self.target_dir / script
        old = self._read(target)
        if old is None:
            return None
        backup = self._keep(script, old, "removed")
        target.unlink()
        return backup
