"""`signalbox install-service`: what it writes on each system's layout, and what it leaves alone."""

from __future__ import annotations

import configparser
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

from app.process.notify import notify, watchdog_seconds
from app.service.install import InstallError, ServicePlan, install_service, render


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The root of another system."""
    folder = tmp_path / "root"
    (folder / "etc").mkdir(parents=True)
    return folder


def test_debian_has_a_program_file_of_its_own(root: Path) -> None:
    (root / "etc/supervisor/conf.d").mkdir(parents=True)
    report = install_service(ServicePlan("supervisor", root=root))
    file = root / "etc/supervisor/conf.d/signalbox.conf"
    parser = configparser.RawConfigParser(inline_comment_prefixes=(";",))
    parser.read(file)
    program = parser["program:signalbox"]
    assert program["user"] == "signalbox"
    assert program["autostart"] == "true"
    assert program["command"].startswith("/usr/bin/signalbox serve --settings /etc/signalbox/settings.toml")
    assert set(program["exitcodes"].split(",")) >= {"64", "65", "75", "78"}
    assert "[program:signalbox]" in report.words(False)
    assert "supervisorctl reread" in report.words(False)
    assert stat.S_IMODE((root / "var/lib/signalbox/journal").stat().st_mode) == 0o2770


def test_rhel_with_one_file_keeps_what_else_is_in_it_and_is_not_doubled(root: Path) -> None:
    main = root / "etc/supervisord.conf"
    main.write_text("[supervisord]\nlogfile=/var/log/supervisord.log\n\n[program:render]\ncommand=/bin/render\n")
    for _ in range(2):
        report = install_service(ServicePlan("supervisor", root=root))
    text = main.read_text()
    assert text.count("[program:signalbox]") == 1
    assert "[program:render]" in text
    assert "logfile=/var/log/supervisord.log" in text
    assert "service supervisord restart" in report.words(False)


def test_rhel_with_an_included_folder_gets_an_ini_there(root: Path) -> None:
    (root / "etc/supervisord.d").mkdir()
    (root / "etc/supervisord.conf").write_text("[supervisord]\n[include]\nfiles = supervisord.d/*.ini\n")
    install_service(ServicePlan("supervisor", root=root))
    assert (root / "etc/supervisord.d/signalbox.ini").is_file()
    assert "signalbox" not in (root / "etc/supervisord.conf").read_text()


def test_a_machine_without_supervisord_is_told_what_to_install(root: Path) -> None:
    with pytest.raises(InstallError, match="apt-get install supervisor"):
        install_service(ServicePlan("supervisor", root=root))
    dry = install_service(ServicePlan("supervisor", root=root, dry_run=True))
    assert "apt-get install supervisor" in dry.words(True)
    assert "autorestart" in dry.text


def test_a_dry_run_touches_nothing_and_says_everything(root: Path) -> None:
    (root / "etc/supervisor/conf.d").mkdir(parents=True)
    before = sorted(root.rglob("*"))
    words = install_service(ServicePlan("supervisor", root=root, dry_run=True)).words(True)
    assert sorted(root.rglob("*")) == before
    for expected in ("conf.d/signalbox.conf", "/var/lib/signalbox/journal (2770", "settings.toml"):
        assert expected in words
    assert all(line.startswith(("would do:", "next:", "warning:")) for line in words.splitlines())


def test_settings_that_are_there_are_left_alone_and_a_changed_unit_is_kept_beside(root: Path) -> None:
    settings = root / "etc/signalbox/settings.toml"
    settings.parent.mkdir()
    settings.write_text("# ours\n")
    install_service(ServicePlan("systemd", root=root))
    unit = root / "etc/systemd/system/signalbox.service"
    unit.write_text("[Service]\n# changed by a person\n")
    install_service(ServicePlan("systemd", root=root))
    assert settings.read_text() == "# ours\n"
    assert "changed by a person" in unit.with_name("signalbox.service.before-signalbox").read_text()


def test_root_is_only_used_when_named_and_warned_of(root: Path) -> None:
    assert "User=signalbox" in render(ServicePlan("systemd"))
    assert "runs as root" in install_service(ServicePlan("systemd", user="root", root=root)).words(False).replace(
        "would run", "runs"
    )


def test_a_path_that_a_supervisor_would_read_as_syntax_is_refused(root: Path) -> None:
    with pytest.raises(InstallError, match="other character"):
        render(ServicePlan("systemd", drives=(Path("/data/my projects"),)))


def test_the_unit_passes_systemds_own_look(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not on this machine")
    unit = tmp_path / "signalbox.service"
    unit.write_text(render(ServicePlan("systemd", command=Path("/bin/true"))))
    done = subprocess.run(["systemd-analyze", "verify", unit], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "signalbox.service" not in done.stderr
    text = unit.read_text()
    for line in ("Type=notify", "WatchdogSec=60", "Restart=on-failure", "RequiresMountsFor=/data/production"):
        assert line in text
    assert "/tmp" in next(line for line in text.splitlines() if line.startswith("ReadWritePaths="))


def test_secrets_beside_the_settings_are_handed_over_as_credentials(root: Path) -> None:
    folder = root / "etc/signalbox/credentials"
    folder.mkdir(parents=True)
    (folder / "site.api_key").write_text("not in the unit")
    install_service(ServicePlan("systemd", root=root))
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / "site.api_key").stat().st_mode) == 0o600
    text = (root / "etc/systemd/system/signalbox.service").read_text()
    assert "LoadCredential=site.api_key:/etc/signalbox/credentials/site.api_key" in text
    assert "not in the unit" not in text


def test_readiness_goes_to_systemds_socket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import socket

    path = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(path))
        monkeypatch.setenv("NOTIFY_SOCKET", str(path))
        monkeypatch.setenv("WATCHDOG_USEC", "60000000")
        monkeypatch.delenv("WATCHDOG_PID", raising=False)
        assert notify("READY=1")
        assert listener.recv(100) == b"READY=1"
        assert watchdog_seconds() == 30.0
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "gone"))
    assert not notify("READY=1")


def test_an_older_servers_log_and_a_drive_that_is_not_there_are_told_before_the_start(root: Path) -> None:
    (root / "tmp").mkdir()
    (root / "tmp/ftrack_event_server.log").write_text("of the older server")
    (root / "data/production").mkdir(parents=True)
    drives = (Path("/data/production"), Path("/data/away"))
    words = install_service(ServicePlan("systemd", root=root, drives=drives)).words(False)
    assert "warning: the drive /data/away is not there" in words
    assert "/data/production is not there" not in words
    assert "mv /tmp/ftrack_event_server.log /tmp/ftrack_event_server.log.old" in words
