"""Which journal and settings a command means: those of the machine's service, where nothing else was named."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.journal.journal import Journal
from app.service.doors import Installation, service_out_of_reach
from app.service.orders import set_lever, status_of
from app.settings import paths


@pytest.fixture
def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The journal of a service that has run, and a person who has no journal of their own."""
    for name in ("SIGNALBOX_HOME", "SIGNALBOX_SETTINGS"):
        monkeypatch.delenv(name, raising=False)
    for name in ("DATA", "CONFIG", "STATE", "CACHE"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(tmp_path / "own" / name.lower()))
    monkeypatch.setattr(paths, "SERVICE_STATE", tmp_path / "service")
    settings = tmp_path / "etc" / "settings.toml"
    settings.parent.mkdir()
    settings.write_text("[engine]\nworkers = 3\n")
    journal = Journal.open(tmp_path / "service" / "journal")
    journal.set_fact("settings", str(settings))
    journal.close()
    return tmp_path / "service" / "journal"


def test_a_td_who_only_types_status_is_told_of_the_service(service: Path, tmp_path: Path) -> None:
    assert status_of(None, None)["journal"] == str(service)
    found = Installation.at_work()
    assert found.store.path == tmp_path / "etc" / "settings.toml"
    assert Installation.at_work(journal=service).store.path == found.store.path, "also where the journal is named"
    named = tmp_path / "another.toml"
    assert Installation.at_work(named).store.path == named
    assert Installation.at_work(named).journal != service


def test_who_has_a_journal_of_their_own_means_the_service_while_it_runs(service: Path) -> None:
    own = Journal.open(paths.journal_folder())
    assert Installation.at_work().journal == own.folder
    running = Journal.open(service)
    assert Installation.at_work().journal == service
    running.close()
    own.close()


def test_a_lever_is_never_moved_on_a_journal_that_nobody_has_seen(service: Path) -> None:
    told = set_lever(None, None, "create_task_folder", "follow", project="nightjar", wait=0.0)
    assert "refused" in told
    assert not paths.journal_folder().exists(), "no second journal comes to be beside the service's"


def test_who_may_not_read_the_services_journal_is_told_of_its_group(
    service: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert service_out_of_reach(None, None) == ""
    # Root, as whom tests may run, may read everything.
    monkeypatch.setattr(
        "app.service.doors.os.access", lambda path, _mode: paths.SERVICE_STATE not in [path, *path.parents]
    )
    assert "add you to the group" in service_out_of_reach(None, None)
    assert service_out_of_reach(None, service) == "", "who names a journal is told what is wrong with that one"
    assert Installation.at_work().journal == paths.journal_folder()
