"""The dependency graph of a compiled job: the canvas under a small bar."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QCheckBox, QVBoxLayout, QWidget

from app.jobs.api import TaskColumns
from app.rules.words import many
from ui import theme
from ui.compiler.background import Background
from ui.compiler.parts import bar, label, tool_button
from ui.graph.canvas import Drawing, GraphCanvas, draw_up
from ui.graph.layout import ALONE_LIMIT, build_graph


class GraphView(QWidget):
    """The canvas under a small bar: grouping, zoom, fit.

    Signals:
        picked: places in the job of the tasks of the card that was clicked.
    """

    picked = Signal(list)

    def __init__(self, background: Background, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._background = background
        self._columns = TaskColumns((), (), ())
        self.canvas = GraphCanvas()
        self.canvas.picked.connect(self.picked)
        self.group = QCheckBox("Group like tasks")
        self.group.setTristate(False)
        self.group.setChecked(True)
        self.group.setToolTip("Tasks of one name pattern that wait for the same kinds of task share a card")
        self.group.clicked.connect(lambda _on: self._build())
        self.words = label("", "muted")
        strip = bar(
            self.group,
            None,
            self.words,
            theme.SPACE.S,
            tool_button("zoom-out", "Zoom out (-)", lambda: self.canvas.zoom(0.8)),
            tool_button("zoom-in", "Zoom in (+)", lambda: self.canvas.zoom(1.25)),
            tool_button("zoom-fit", "Show everything (0)", self.canvas.fit),
        )
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(strip)
        layout.addWidget(self.canvas, 1)

    def show_tasks(self, columns: TaskColumns) -> None:
        """Lay out and show another job's tasks."""
        self._columns = columns
        self._build()

    def clear(self) -> None:
        """No tasks."""
        self.show_tasks(TaskColumns((), (), ()))

    def select_task(self, place: int) -> None:
        """Ring the card that holds a task."""
        self.canvas.select_task(place)

    def _build(self) -> None:
        columns = self._columns
        count = len(columns.names)
        self.group.setEnabled(count <= ALONE_LIMIT)
        group: bool | None = None if self.group.isChecked() or count > ALONE_LIMIT else False

        def work(_still_wanted: object) -> Drawing:
            return draw_up(build_graph(columns.names, columns.types, columns.dependencies, group=group))

        self._background.run(work, lambda drawing: self._show(columns, drawing), slot="graph")

    def _show(self, columns: TaskColumns, drawing: Drawing) -> None:
        graph = drawing.graph
        self.canvas.show_graph(drawing, columns.names, columns.types)
        edges = sum(graph.edges.values())
        tasks = many(len(columns.names), "task")
        cards = f"{tasks} on {many(len(graph.cards), 'card')}" if graph.grouped else ""
        self.words.setText(cards or (f"{tasks}, {many(edges, 'dependency', 'dependencies')}" if columns.names else ""))
