"""What people order, what the engine tells the window, and small facts that outlive a process."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from app.journal.rows import CatalogueRow, OrderRow
from app.journal.store import Store, dump


class Orders(Store):
    """Orders, catalogue, health, facts and forms."""

    def order(self, kind: str, args: Mapping[str, Any], who: str) -> int:
        """Leave an order for the engine; `order_row` tells what came of it.

        Raises:
            JournalReadOnly: This journal was opened for reading.
        """
        with self.write(durable=True) as db:
            db.execute(
                "INSERT INTO orders(kind, args, who, created) VALUES(?,?,?,?)", (kind, dump(args), who, self.now())
            )
            return db.last_insert_rowid()

    def open_orders(self) -> list[OrderRow]:
        """Orders nobody has answered yet, oldest first."""
        rows = self.read(
            "SELECT id, kind, args, who, created, state, result FROM orders WHERE state = 'open' ORDER BY id"
        )
        return [
            OrderRow(row[0], row[1], json.loads(row[2]), row[3], row[4], row[5], json.loads(row[6])) for row in rows
        ]

    def answer(self, order_id: int, result: Mapping[str, Any]) -> None:
        """Close an order; a result with "refused" refuses it."""
        state = "refused" if "refused" in result else "done"
        with self.write() as db:
            db.execute("UPDATE orders SET state = ?, result = ? WHERE id = ?", (state, dump(result), order_id))

    def write_catalogue(self, rows: Sequence[CatalogueRow]) -> None:
        """Replace the catalogue with what this engine offers."""
        with self.write() as db:
            db.execute("DELETE FROM catalogue")
            db.executemany(
                "INSERT INTO catalogue(id, kind, title, help, icon, settings_schema, form, source, error, position) "
                "VALUES(?,?,?,?,?,?,?,?,?,?)",
                [
                    (
                        row.id,
                        row.kind,
                        row.title,
                        row.help,
                        row.icon,
                        dump(row.settings_schema),
                        dump(row.form) if row.form is not None else None,
                        row.source,
                        row.error,
                        number,
                    )
                    for number, row in enumerate(rows)
                ],
            )

    def set_health(self, name: str, state: Literal["ok", "warning", "error", "off"], words: str) -> None:
        """Set a lamp of the health strip; nothing is written while it says the same."""
        row = self.one("SELECT state, words, at FROM health WHERE name = ?", (name,))
        if row is not None and (row[0], row[1]) == (state, words) and self.now() - row[2] < 60:
            return
        with self.write() as db:
            db.execute(
                "INSERT INTO health(name, state, words, at) VALUES(?,?,?,?) ON CONFLICT(name) DO UPDATE SET "
                "state=excluded.state, words=excluded.words, at=excluded.at",
                (name, state, words, self.now()),
            )

    def fact(self, name: str) -> Any:
        """A small fact kept between runs of the program, None when unknown."""
        row = self.one("SELECT value FROM facts WHERE name = ?", (name,))
        return json.loads(row[0]) if row else None

    def set_fact(self, name: str, value: Any, *, durable: bool = False) -> None:
        """Keep a small fact."""
        with self.write(durable=durable) as db:
            db.execute(
                "INSERT INTO facts(name, value) VALUES(?,?) ON CONFLICT(name) DO UPDATE SET value=excluded.value",
                (name, dump(value)),
            )

    def heard(self, at: float) -> None:
        """The listener was connected at this time: what happened later than the last such time may be missed."""
        self.set_fact("heard", at)

    def last_heard(self) -> float | None:
        """When the listener was last known to be connected; None before the first connection."""
        value = self.fact("heard")
        return float(value) if value is not None else None

    def keep_form(self, token: str, user: str, data: Mapping[str, Any]) -> None:
        """Keep a form's state under its token; only the same user may read it."""
        with self.write() as db:
            db.execute(
                "INSERT INTO forms(token, user, data, at) VALUES(?,?,?,?) ON CONFLICT(token) DO UPDATE SET "
                "data=excluded.data, at=excluded.at WHERE forms.user = excluded.user",
                (token, user, dump(data), self.now()),
            )

    def form(self, token: str, user: str) -> dict[str, Any] | None:
        """The state kept under a token by this user, or None."""
        row = self.one("SELECT data FROM forms WHERE token = ? AND user = ?", (token, user))
        return json.loads(row[0]) if row else None
