"""What goes into the preview besides the script: settings, the job's own fields, and saved sample jobs."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PySide6.QtCore import QTimeZone, Signal
from PySide6.QtWidgets import (
    QComboBox,
    QFormLayout,
    QInputDialog,
    QLineEdit,
    QPlainTextEdit,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from app.jobs.api import SampleJob, SettingField
from ui import theme
from ui.compiler.parts import bar, label, spin_box, tool_button
from ui.compiler.settings_form import SettingsForm

log = logging.getLogger("signalbox.ui.compiler")

PLATFORMS = ("linux", "windows", "darwin")
NO_SAMPLE = "No sample job"


@dataclass(frozen=True, slots=True)
class JobInputs:
    """Everything a preview needs besides the scripts."""

    settings: Mapping[str, Any] = field(default_factory=dict)
    name: str = "Preview"
    priority: int = 50
    metadata: Mapping[str, str] = field(default_factory=dict)
    submitter_platform: str = "linux"
    platform: str = "linux"
    timezone: str = "UTC"
    created: str = ""
    worker_tag: str = ""

    def job(self, job_type: str) -> dict[str, Any]:
        """The body of `POST /api/v3/jobs`."""
        body: dict[str, Any] = {
            "name": self.name,
            "type": job_type,
            "priority": self.priority,
            "settings": dict(self.settings),
            "metadata": dict(self.metadata),
            "submitter_platform": self.submitter_platform,
        }
        if self.worker_tag:
            body["worker_tag"] = self.worker_tag
        return body

    @classmethod
    def of_sample(cls, sample: SampleJob) -> JobInputs:
        """What a saved sample says; fields it lacks take their defaults."""
        job = sample.job
        settings, metadata = job.get("settings"), job.get("metadata")
        priority = job.get("priority", 50)
        return cls(
            settings=dict(settings) if isinstance(settings, Mapping) else {},
            name=str(job.get("name") or "Preview"),
            priority=priority if isinstance(priority, int) else 50,
            metadata={str(k): str(v) for k, v in metadata.items()} if isinstance(metadata, Mapping) else {},
            submitter_platform=str(job.get("submitter_platform") or "linux"),
            platform=sample.platform,
            timezone=sample.timezone,
            created=sample.created,
            worker_tag=str(job.get("worker_tag") or ""),
        )


class InputMemory:
    """Inputs as they were left, one JSON file a script. Reading and writing may block: worker thread only."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder

    def load(self, script: str) -> dict[str, Any]:
        """What was saved; {} when nothing was or it cannot be read."""
        if self._folder is None:
            return {}
        try:
            kept = json.loads((self._folder / f"{script}.json").read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as problem:
            log.warning("The kept inputs of %s cannot be read (%s); they start anew.", script, problem)
            return {}
        return kept if isinstance(kept, dict) else {}

    def save(self, script: str, kept: Mapping[str, Any]) -> None:
        """Write whole or not at all. Raises OSError."""
        if self._folder is None:
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        target = self._folder / f"{script}.json"
        draft = target.with_suffix(".json.new")
        draft.write_text(json.dumps(kept, ensure_ascii=False, indent=1), encoding="utf-8")
        draft.replace(target)


def inputs_of(kept: Mapping[str, Any]) -> JobInputs:
    """Inputs as kept; anything of a wrong type takes its default."""
    plain = JobInputs()

    def text(key: str, default: str) -> str:
        value = kept.get(key, default)
        return value if isinstance(value, str) else default

    metadata, priority = kept.get("metadata"), kept.get("priority", 50)
    return JobInputs(
        settings={},
        name=text("name", plain.name),
        priority=priority if isinstance(priority, int) else 50,
        metadata={str(k): str(v) for k, v in metadata.items()} if isinstance(metadata, dict) else {},
        submitter_platform=text("submitter_platform", plain.submitter_platform),
        platform=text("platform", plain.platform),
        timezone=text("timezone", plain.timezone),
        created=text("created", plain.created),
        worker_tag=text("worker_tag", plain.worker_tag),
    )


class JobPanel(QWidget):
    """Sample jobs, settings and job fields.

    Signals:
        changed: a person changed an input.
        sample_saved: a name under which the inputs are to be saved.
        sample_deleted: the name of a sample to delete.
    """

    changed = Signal()
    sample_saved = Signal(str)
    sample_deleted = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._samples: dict[str, SampleJob] = {}
        self._loading = False
        self.samples = QComboBox()
        self.samples.setToolTip("Saved sample jobs of this script; each is compiled before a deployment")
        self.samples.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.samples.setMinimumContentsLength(6)
        self.samples.addItem(NO_SAMPLE)
        self.samples.activated.connect(self._choose)
        self.save_button = tool_button("save", "Save these values as a sample job", self._ask_name)
        self.delete_button = tool_button("trash", "Delete the chosen sample job", self._delete)
        self.delete_button.setEnabled(False)
        self.problem = label("", state="warning", wrap=True)
        self.problem.setContentsMargins(theme.SPACE.M, theme.SPACE.XS, theme.SPACE.M, theme.SPACE.XS)
        self.problem.hide()
        self.form = SettingsForm()
        self.form.changed.connect(self._on_change)
        self.form.add_below(self._make_job_fields())
        self.samples.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.samples.setAccessibleName("Sample job")
        head = bar(self.samples, self.save_button, self.delete_button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(head)
        layout.addWidget(self.problem)
        layout.addWidget(self.form, 1)

    def _make_job_fields(self) -> QWidget:
        self.name = QLineEdit("Preview")
        self.priority = spin_box()
        self.priority.setRange(-1000, 1000)
        self.priority.setValue(50)
        self.submitter = QComboBox()
        self.submitter.addItems(PLATFORMS)
        self.submitter.setToolTip("Where the artist submits: decides which values two-way variables replace")
        self.manager_platform = QComboBox()
        self.manager_platform.addItems(PLATFORMS)
        self.manager_platform.setToolTip("Where the Manager runs: process.platform in the script")
        self.timezone = QComboBox(editable=True)
        zones = sorted(bytes(zone.data()).decode() for zone in QTimeZone.availableTimeZoneIds())
        self.timezone.addItems(["UTC", *(zone for zone in zones if "/" in zone and not zone.startswith("Etc/"))])
        self.timezone.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.timezone.setMinimumContentsLength(6)
        self.created = QLineEdit(placeholderText="now")
        self.created.setToolTip("job.created, in the time zone above, e.g. 2026-11-22T10:00:00; empty: now")
        self.worker_tag = QLineEdit(placeholderText="UUID, or empty")
        self.metadata = QPlainTextEdit(placeholderText="key = value, one a line")
        self.metadata.setFixedHeight(58)
        self.metadata.setTabChangesFocus(True)
        self.name.textChanged.connect(self._on_change)
        self.priority.valueChanged.connect(self._on_change)
        for combo in (self.submitter, self.manager_platform, self.timezone):
            combo.currentTextChanged.connect(self._on_change)
        for line in (self.created, self.worker_tag, self.metadata):
            line.textChanged.connect(self._on_change)
        box = QWidget()
        form = QFormLayout(box)
        form.setContentsMargins(0, theme.SPACE.S, 0, 0)
        form.setVerticalSpacing(theme.SPACE.S)
        form.setHorizontalSpacing(theme.SPACE.M)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        form.addRow(label("Job", "heading"))
        for caption, widget in (
            ("Name", self.name),
            ("Priority", self.priority),
            ("From", self.submitter),
            ("Manager on", self.manager_platform),
            ("Time zone", self.timezone),
            ("Created", self.created),
            ("Worker tag", self.worker_tag),
            ("Metadata", self.metadata),
        ):
            form.addRow(label(caption, "muted"), widget)
        return box

    # -- values ------------------------------------------------------------------------------------------------------

    def inputs(self) -> JobInputs:
        """What the panel says now."""
        return JobInputs(
            settings=self.form.values(),
            name=self.name.text(),
            priority=self.priority.value(),
            metadata=_parse_metadata(self.metadata.toPlainText()),
            submitter_platform=self.submitter.currentText(),
            platform=self.manager_platform.currentText(),
            timezone=self.timezone.currentText().strip() or "UTC",
            created=self.created.text().strip(),
            worker_tag=self.worker_tag.text().strip(),
        )

    def show_inputs(self, inputs: JobInputs) -> None:
        """Fill the panel."""
        self._loading = True
        try:
            self.form.set_values(inputs.settings)
            self.name.setText(inputs.name)
            self.priority.setValue(inputs.priority)
            self.submitter.setCurrentText(inputs.submitter_platform)
            self.manager_platform.setCurrentText(inputs.platform)
            self.timezone.setCurrentText(inputs.timezone)
            self.created.setText(inputs.created)
            self.worker_tag.setText(inputs.worker_tag)
            self.metadata.setPlainText("\n".join(f"{key} = {value}" for key, value in inputs.metadata.items()))
        finally:
            self._loading = False

    def show_fields(self, specs: Sequence[SettingField], values: Mapping[str, Any] | None = None) -> bool:
        """See `SettingsForm.show_fields`; does not announce a change."""
        self._loading = True
        try:
            return self.form.show_fields(specs, values)
        finally:
            self._loading = False

    def kept(self) -> dict[str, Any]:
        """What is worth keeping per script."""
        inputs = self.inputs()
        return {
            "settings": self.form.touched_values(),
            "name": inputs.name,
            "priority": inputs.priority,
            "metadata": dict(inputs.metadata),
            "submitter_platform": inputs.submitter_platform,
            "platform": inputs.platform,
            "timezone": inputs.timezone,
            "created": inputs.created,
            "worker_tag": inputs.worker_tag,
        }

    def sample(self, name: str, script: str, job_type: str) -> SampleJob:
        """The values as a sample job."""
        inputs = self.inputs()
        return SampleJob(name, script, inputs.job(job_type), inputs.timezone, inputs.created, inputs.platform)

    # -- samples -----------------------------------------------------------------------------------------------------

    def show_samples(self, samples: Sequence[SampleJob], problems: Sequence[str], chosen: str = "") -> None:
        """The saved samples of a script, and what is wrong with those that cannot be read."""
        self._samples = {sample.name: sample for sample in samples}
        self.samples.clear()
        self.samples.addItem(NO_SAMPLE)
        self.samples.addItems(list(self._samples))
        self.samples.setCurrentText(chosen if chosen in self._samples else NO_SAMPLE)
        self.delete_button.setEnabled(self.samples.currentIndex() > 0)
        self.problem.setText("\n".join(problems))
        self.problem.setVisible(bool(problems))

    def _choose(self, index: int) -> None:
        self.delete_button.setEnabled(index > 0)
        sample = self._samples.get(self.samples.itemText(index))
        if sample is not None:
            self.show_inputs(JobInputs.of_sample(sample))
            self.changed.emit()

    def _ask_name(self) -> None:
        dialog = QInputDialog(self)
        dialog.setWindowTitle("Save sample job")
        dialog.setLabelText("Name of the sample job")
        current = self.samples.currentText()
        dialog.setTextValue(current if current in self._samples else f"Sample {len(self._samples) + 1}")
        dialog.textValueSelected.connect(lambda text: self.sample_saved.emit(text.strip()) if text.strip() else None)
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()

    def _delete(self) -> None:
        name = self.samples.currentText()
        if name in self._samples:
            self.sample_deleted.emit(name)

    def _on_change(self) -> None:
        if self._loading:
            return
        self.samples.setCurrentIndex(0)
        self.delete_button.setEnabled(False)
        self.changed.emit()


def _parse_metadata(text: str) -> dict[str, str]:
    pairs = (line.partition("=") for line in text.splitlines() if line.strip())
    return {key.strip(): value.strip() for key, _sign, value in pairs if key.strip()}
