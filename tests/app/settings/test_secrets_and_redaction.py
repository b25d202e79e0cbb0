"""Secrets come from where the machine keeps them and never leave in a log."""

from __future__ import annotations

import io
import logging
import os
import stat
from pathlib import Path

import pytest

from app.settings import secrets
from app.settings.redact import RedactionFilter, know, redact


@pytest.fixture(autouse=True)
def _own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIGNALBOX_HOME", str(tmp_path))
    for name in ("FTRACK_API_KEY", "SLACK_BOT_TOKEN", "CREDENTIALS_DIRECTORY"):
        monkeypatch.delenv(name, raising=False)


def test_a_kept_secret_is_in_a_file_only_its_owner_reads() -> None:
    assert secrets.keep("cloud.api_key", "cloud-key-value") == "file"
    assert stat.S_IMODE(secrets.secrets_file().stat().st_mode) == 0o600
    assert secrets.secret("cloud.api_key") == "cloud-key-value"
    secrets.keep("cloud.api_key", "")
    assert secrets.secret("cloud.api_key") is None


def test_a_file_that_others_can_read_is_refused_with_advice() -> None:
    secrets.keep("cloud.api_key", "cloud-key-value")
    secrets.secrets_file().chmod(0o644)
    with pytest.raises(secrets.SecretsExposed, match="chmod 600"):
        secrets.secret("cloud.api_key")


def test_a_systemd_credential_wins_over_environment_and_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secrets.keep("site.api_key", "from-the-file")
    assert secrets.secret("site.api_key") == "from-the-file"
    monkeypatch.setenv("FTRACK_API_KEY", "from-the-environment")
    assert secrets.secret("site.api_key") == "from-the-environment"
    monkeypatch.setenv("SIGNALBOX_SITE_API_KEY", "from-our-own-variable")
    assert secrets.secret("site.api_key") == "from-our-own-variable"
    folder = tmp_path / "credentials"
    folder.mkdir()
    (folder / "signalbox.site.api_key").write_text("from-systemd\n")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(folder))
    assert secrets.secret("site.api_key") == "from-systemd"


def test_who_enters_a_secret_beside_a_service_is_told_where_the_services_own_is(tmp_path: Path) -> None:
    settings = tmp_path / "settings.toml"
    under_supervisord = secrets.of_a_service("slack.token", settings)
    assert "SIGNALBOX_SLACK_TOKEN" in under_supervisord
    assert "kept for you alone" in under_supervisord
    folder = tmp_path / "credentials"
    folder.mkdir()
    for name in ("site.api_key", "slack.token"):
        assert f"{folder / name}: sudo signalbox connect --settings {settings}" in secrets.of_a_service(name, settings)
    assert f"{folder / 'cloud.api_key'}: write it as root" in secrets.of_a_service("cloud.api_key", settings)


def test_a_services_secret_is_beside_its_settings_for_its_account_alone(tmp_path: Path) -> None:
    settings, folder = tmp_path / "settings.toml", tmp_path / "credentials"
    assert secrets.keep_for_service(settings, "slack.token", "xoxb-of-the-service") is None, "nobody's service"
    folder.mkdir(0o700)
    if os.geteuid() == 0:
        os.chown(folder, 4711, 4711)
    file = secrets.keep_for_service(settings, "slack.token", "xoxb-of-the-service")
    assert file == folder / "slack.token"
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.stat().st_uid == folder.stat().st_uid, "root writes it, the service reads it"
    assert secrets.secret("slack.token", settings=settings) == "xoxb-of-the-service"
    assert secrets.secret("slack.token", settings=settings, kept=False) is None
    assert secrets.secret("slack.token") is None


def test_every_secret_that_was_read_is_masked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FTRACK_API_KEY", "s3cret-of-no-other-test")
    assert "s3cret-of-no-other-test" in redact("key s3cret-of-no-other-test")
    secrets.secret("site.api_key")
    assert redact("key s3cret-of-no-other-test!") == "key •••!"


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ("GET http://x/component/get?id=1&username=me&apiKey=abcdef123 404", "abcdef123"),
        ("{'ftrack-user': 'me', 'ftrack-api-key': 'zzzz-yyyy'}", "zzzz-yyyy"),
        ("Authorization: Bearer qwertzuiop", "qwertzuiop"),
        ("token xoxb-12345-67890-abc is wrong", "xoxb-12345-67890-abc"),
        ("https://me:passphrase@studio.example/", "passphrase"),
    ],
)
def test_what_has_the_shape_of_a_secret_is_masked(text: str, hidden: str) -> None:
    assert hidden not in redact(text)
    assert "•••" in redact(text)


def test_a_log_line_and_its_traceback_leave_without_secrets() -> None:
    know("hunter2-hunter2")
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.addFilter(RedactionFilter())
    logger = logging.Logger("signalbox.test")
    logger.addHandler(handler)
    try:
        raise ConnectionError("refused for key hunter2-hunter2")
    except ConnectionError:
        logger.exception("while signing in with %s", "hunter2-hunter2")
    logger.warning("broken %d arguments", "apiKey=abcdefg")
    assert "hunter2" not in stream.getvalue()
    assert "abcdefg" not in stream.getvalue()
    assert "refused for key •••" in stream.getvalue()
