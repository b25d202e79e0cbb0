"""Copy and export of what a list shows, as CSV, JSON or text."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QMenu, QMessageBox, QToolButton

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

    def failed(why: str) -> None:
        words = f"{path} could not be written: {why}. Choose another folder."
        box = QMessageBox(QMessageBox.Icon.Warning, "Export", words, QMessageBox.StandardButton.Ok, view)
        box.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        box.open()

    model, export = view.model, _Export(path, kind, view)
    ids = model.ids(model.id_at(0), model.id_at(model.count() - 1)) if model.count() else ()
    model.walk(ids[-EXPORT_LIMIT:], export.add, export.end, lambda _none: None, failed)


class _Export:
    """A file that rows are written to as they come, as "csv", "json" or "txt". Works on the reader's thread."""

    def __init__(self, path: Path, kind: str, view: RowsView) -> None:
        self._path, self._part = path, path.with_name(f"{path.name}.part")
        self._titles = view.titles()
        self._line = view.line
        self._text = {"csv": self._table, "json": self._records, "txt": self._lines}[kind]
        self._head = {"csv": _table_rows([["Id", *self._titles, "Handlers"]]), "json": "["}.get(kind, "")
        self._foot = "\n]\n" if kind == "json" else ""
        self._comma = "\n"
        self._begun = False

    def add(self, rows: Sequence[Row]) -> None:
        """Write these rows.

        Raises:
            OSError: The file cannot be written.
        """
        self._write(self._text(rows))

    def end(self) -> None:
        """Write what comes last; only now the file has its name. Raises OSError as well."""
        self._write(self._foot)
        self._part.replace(self._path)

    def _write(self, text: str) -> None:
        try:
            with self._part.open("a" if self._begun else "w", encoding="utf-8", newline="") as out:
                out.write(text if self._begun else self._head + text)
        except OSError as problem:
            self._part.unlink(missing_ok=True)
            raise OSError(problem.strerror or str(problem)) from problem
        self._begun = True

    def _lines(self, rows: Sequence[Row]) -> str:
        return "".join(f"{self._line(row)}\n" for row in rows)

    def _table(self, rows: Sequence[Row]) -> str:
        missing = [""] * len(self._titles)
        return _table_rows(
            [
                row.id,
                *(*row.cells, *missing)[: len(self._titles)],
                "; ".join(f"{one}={state}" for one, state in row.lamps),
            ]
            for row in rows
        )

    def _records(self, rows: Sequence[Row]) -> str:
        made = []
        for row in rows:
            cells = dict(zip(self._titles, row.cells, strict=False))
            made.append(
                self._comma + json.dumps({"id": row.id, **cells, "handlers": dict(row.lamps)}, ensure_ascii=False)
            )
            self._comma = ",\n"
        return "".join(made)


def _table_rows(rows: Iterable[Sequence[object]]) -> str:
    out = io.StringIO()
    csv.writer(out).writerows(rows)
    return out.getvalue()
