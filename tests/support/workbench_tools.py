"""What the workbench's tests share: two scripts, a mouse that counts, a keyboard."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QWidget

SEQUENCE = """const JOB_TYPE = {
    label: "Sequence",
    settings: [
        { key: "frames", type: "string", required: true, default: "1-100" },
        { key: "chunk_size", type: "int32", default: 10, description: "Frames in one task" },
    ],
};

function compileJob(job) {
    const tasks = [];
    for (const chunk of frameChunker(job.settings.frames, job.settings.chunk_size)) {
        const task = author.Task(`render-${chunk}`, "blender");
        task.addCommand(author.Command("exec", { exe: "{blender}", args: ["-f", chunk] }));
        job.addTask(task);
        tasks.push(task);
    }
    const video = author.Task("video", "ffmpeg");
    video.addCommand(author.Command("exec", { exe: "ffmpeg", args: ["-i", "in put"] }));
    for (const task of tasks) video.addDependency(task);
    job.addTask(video);
    print("tasks:", tasks.length);
}
"""
BROKEN = SEQUENCE.replace("const video = ", "const video video = ")


class Clicks:
    """Presses the mouse as a person does, and counts."""

    def __init__(self, qtbot: Any) -> None:
        self._qtbot = qtbot
        self.count = 0

    def __call__(self, widget: QWidget, place: QPoint | None = None) -> None:
        assert widget.isVisible(), f"{widget} is not seen"
        assert widget.isEnabled(), f"{widget} is off"
        self.count += 1
        where = {} if place is None else {"pos": place}
        self._qtbot.mouseClick(widget, Qt.MouseButton.LeftButton, **where)


def typed(editor: QWidget, text: str) -> None:
    """Type as a person does, Return included."""
    keyboard = editor.focusProxy()
    assert keyboard is not None
    for at, line in enumerate(text.split("\n")):
        if at:
            QTest.keyClick(keyboard, Qt.Key.Key_Return)
        QTest.keyClicks(keyboard, line)
