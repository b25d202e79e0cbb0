"""Scripts a TD can start from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType

_FOLDER = Path(__file__).resolve().parents[2] / "resources" / "job_types"


@dataclass(frozen=True, slots=True)
class Template:
    """A script to start from. ``file_name`` is a proposal."""

    name: str
    title: str
    description: str
    file_name: str
    text: str


_EMPTY = """\
const JOB_TYPE = {
  label: "My Job",
  description: "What this job does, in one line.",
  settings: [
    { key: "message", type: "string", required: true, description: "What to say." },
  ],
};

function compileJob(job) {
  const settings = job.settings;
  const task = author.Task("say it", "misc");
  task.addCommand(author.Command("echo", { message: settings.message }));
  job.addTask(task);
}
"""

_CHUNKS = """\
const JOB_TYPE = {
  label: "Chunks of Frames",
  description: "One task for every chunk of frames, and one when all are done.",
  settings: [
    { key: "frames", type: "string", required: true, default: "1-100", description: "e.g. 1-10, 20..30" },
    { key: "chunk_size", type: "int32", default: 10, propargs: { min: 1 }, description: "Frames a task." },
  ],
};

function compileJob(job) {
  const settings = job.settings;
  const done = author.Task("done", "misc");
  done.addCommand(author.Command("echo", { message: "all frames are done" }));

  for (const chunk of frameChunker(settings.frames, settings.chunk_size)) {
    const task = author.Task(`frames ${chunk}`, "misc");
    task.addCommand(author.Command("exec", { exe: "/bin/echo", args: ["working on", chunk] }));
    job.addTask(task);
    done.addDependency(task);
  }
  job.addTask(done);
}
"""


def _file(name: str) -> str:
    return (_FOLDER / name).read_text("utf-8")


@cache
def _all() -> Mapping[str, Template]:
    found = [
        Template("empty", "Empty job", "One setting, one task.", "my_job.js", _EMPTY),
        Template("chunks", "Chunks of frames", "A task a chunk, then one more.", "my_chunks.js", _CHUNKS),
        Template(
            "log_and_sleep", "Log and Sleep", "Write a message, wait.", "log_and_sleep.js", _file("log_and_sleep.js")
        ),
        Template(
            "dailies_transcode",
            "Dailies transcode",
            "FFmpeg: chunks, joined; slate and thumbnail.",
            "dailies_transcode.js",
            _file("dailies_transcode.js"),
        ),
        Template(
            "blender_frames",
            "Blender frames",
            "Render in chunks, preview video.",
            "blender_frames.js",
            _file("blender_frames.js"),
        ),
        Template(
            "publish_copy", "Publish copy", "Copy files, never overwrite.", "publish_copy.js", _file("publish_copy.js")
        ),
    ]
    return MappingProxyType({template.name: template for template in found})


class _Templates(Mapping[str, Template]):
    """Read when first looked at: the panel's start does not wait for files."""

    def __getitem__(self, name: str) -> Template:
        return _all()[name]

    def __iter__(self):  # type: ignore[no-untyped-def]
        return iter(_all())

    def __len__(self) -> int:
        return len(_all())


TEMPLATES: Mapping[str, Template] = _Templates()
