"""Which version a reachable Manager has, asked once and quickly."""

from __future__ import annotations

import http.client
import json
import urllib.error
import urllib.request

from app.jobs.model import DEFAULT_MANAGER_VERSION

_MAX_ANSWER = 4 * 1024 * 1024


class ManagerUnclear(ConnectionError):
    """The Manager cannot be reached or answers nonsense; the text says which."""


def get_json(url: str, timeout: float = 5.0) -> object:
    """The JSON a Manager answers to a GET. Raises ManagerUnclear."""
    if not url.startswith(("http://", "https://")):
        raise ManagerUnclear(f"{url} is not the address of a Manager; an address looks like http://host:8080")
    try:
        with urllib.request.urlopen(url, timeout=timeout) as answer:  # noqa: S310
            body = answer.read(_MAX_ANSWER + 1)
    except urllib.error.HTTPError as error:
        raise ManagerUnclear(f"the Manager answers {error.code} to {url}") from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise ManagerUnclear(f"no answer from {url}: {error}") from error
    if len(body) > _MAX_ANSWER:
        raise ManagerUnclear(f"the answer of {url} is far too large for a Manager's")
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise ManagerUnclear(f"{url} answers with something that is not JSON; is it a Flamenco Manager?") from error


def ask_version(manager_url: str, timeout: float = 2.0) -> str:
    """Version text of the Manager. Raises ManagerUnclear."""
    answer = get_json(manager_url.rstrip("/") + "/api/v3/version", timeout)
    version = answer.get("version") if isinstance(answer, dict) else None
    if not isinstance(version, str) or not version[:1].isdigit():
        raise ManagerUnclear(f"{manager_url} answers, but not as a Flamenco Manager does")
    return version


def version_or_default(manager_url: str | None) -> str:
    """The Manager's version where it answers, else the default."""
    if not manager_url:
        return DEFAULT_MANAGER_VERSION
    try:
        return ask_version(manager_url)
    except ManagerUnclear:
        return DEFAULT_MANAGER_VERSION
