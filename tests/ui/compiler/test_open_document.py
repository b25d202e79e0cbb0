"""The script on the table, without a window: what is known of the file below it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from ui.compiler.document import Document
from ui.compiler.doors import Doors

LATIN = "const JOB_TYPE = { label: 'Schl\xfcssel', settings: [] };\nfunction compileJob(job) {}\n".encode("latin-1")


@pytest.fixture
def document(doors: Doors, scripts_dir: Path, qtbot: QtBot) -> Iterator[Document]:
    made = Document(doors.library, scripts_dir, lambda: "// mine")
    yield made
    made.close()


def test_a_deployed_file_that_is_not_utf8_is_known_by_its_bytes_however_often_it_is_read(
    document: Document, scripts_dir: Path, qtbot: QtBot
) -> None:
    (scripts_dir / "old_one.js").write_bytes(LATIN)
    with qtbot.waitSignal(document.opened):
        document.open("old_one.js")
    assert document.opened_target_sha256 == hashlib.sha256(LATIN).hexdigest()
    again: list[str] = []
    document.refresh_deployed(lambda: again.append(document.opened_target_sha256))
    qtbot.waitUntil(lambda: again == [hashlib.sha256(LATIN).hexdigest()])
