"""Copy and export of what a list shows, as CSV, JSON or text."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QMenu, QToolButton

from ui.docks.rows_view import RowsView
from ui.models.paged import Row

EXPORT_LIMIT = 1_000_000
"""Rows of one export."""
_KINDS = {"csv": "CSV table (*.csv)", "json": "JSON (*.json)", "txt": "Text (*.txt)"}


def export_menu(button: QToolButton, view: RowsView, name: str) -> None:
    """Give a button the menu that writes what `view` shows to a file called `name` by default."""
    button.setToolTip("Export what is listed")
    button.setAccessibleName("Export what is listed")
    button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
    menu = QMenu(button)
    for kind, words in _KINDS.items():
        menu.addAction(f"Export as {words.split(' (')[0]}…", partial(_ask_where, button, view, name, kind))
    menu.addSeparator()
    menu.addAction("Copy selected rows", view.copy)
    button.setMenu(menu)


def _ask_where(button: QToolButton, view: RowsView, name: str, kind: str) -> None:
    from PySide6.QtWidgets import QFileDialog

    dialog = QFileDialog(button, "Export", f"{name}.{kind}", _KINDS[kind])
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
    dialog.setDefaultSuffix(kind)
    dialog.fileSelected.connect(lambda path: export_rows(view, Path(path), kind))
    dialog.open()


def export_rows(view: RowsView, path: Path, kind: str) -> None:
    """Write the listed rows (at most `EXPORT_LIMIT`, the newest) to a file; tells of a failure in a message."""
    model = view.model
    if not model.count():
        path.write_text(render(view, [], kind), encoding="utf-8")
        return
    low, high = model.id_at(0), model.id_at(model.count() - 1)

    def write(rows: list[Row]) -> None:
        try:
            path.write_text(render(view, rows, kind), encoding="utf-8")
        except OSError as problem:
            from PySide6.QtWidgets import QMessageBox

            words = f"{path} could not be written: {problem.strerror}. Choose another folder."
            box = QMessageBox(QMessageBox.Icon.Warning, "Export", words, QMessageBox.StandardButton.Ok, view)
            box.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
            box.open()

    model.fetch(low, high, EXPORT_LIMIT, write)


def render(view: RowsView, rows: Sequence[Row], kind: str) -> str:
    """Rows as text of a kind: "csv", "json" or "txt"."""
    import csv
    import io
    import json

    titles = view.titles()
    if kind == "txt":
        return "".join(f"{view.line(row)}\n" for row in rows)
    if kind == "json":
        records = [
            {"id": row.id, **dict(zip(titles, row.cells, strict=False)), "handlers": dict(row.lamps)} for row in rows
        ]
        return json.dumps(records, ensure_ascii=False, indent=1)
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(["Id", *titles, "Handlers"])
    for row in rows:
        cells = [*row.cells, *[""] * (len(titles) - len(row.cells))]
        writer.writerow([row.id, *cells, "; ".join(f"{handler}={state}" for handler, state in row.lamps)])
    return out.getvalue()
