"""The one place where sessions of the ftrack client are made."""

from __future__ import annotations

import hashlib
import logging
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import urlsplit

import ftrack_api
import ftrack_api.exception
import requests

from app.settings.redact import know, redact
from app.site.types import Credentials, NotFtrack, SiteRefusal, SiteUnreachable, WrongKey

__all__ = ["Credentials", "check_address", "open_session", "post", "refusal"]

# Whatever it logs as an error it raises too, and what it logs is not ours to word.
logging.getLogger("ftrack_api.session.Session").setLevel(logging.CRITICAL)

#: Names under which the server says that user and key do not fit together.
_KEY_ERRORS = frozenset({"InvalidCredentialsError", "FTAuthenticationError"})
#: One at a time for each server: the client writes its schema cache in place, and a second reader would see half of it.
_opening: dict[str, threading.Lock] = {}
_opening_guard = threading.Lock()


class Session(ftrack_api.Session):  # type: ignore[misc]
    """A session whose schemas and entity classes are those of the process's other sessions to the same site.

    They are some megabytes and a third of a second for each of the engine's threads, and they hold nothing of a
    session. The site's schema hash, which each session asks for, says whether they still fit.
    """

    #: By address and folder of the schema cache: hash, schemas, classes.
    _known: ClassVar[dict[tuple[str, str], tuple[str, list[Any], dict[str, Any]]]] = {}

    def _load_schemas(self, schema_cache_path: str) -> list[Any]:
        self._identity = (self.server_url, str(schema_cache_path))
        known = self._known.get(self._identity)
        if known is not None and known[0] == self._server_information.get("schema_hash"):
            return known[1]
        loaded: list[Any] = super()._load_schemas(schema_cache_path)
        return loaded

    def _build_entity_type_classes(self, schemas: list[Any]) -> dict[str, Any]:
        known = self._known.get(self._identity)
        if known is not None and known[1] is schemas:
            return known[2]
        classes: dict[str, Any] = super()._build_entity_type_classes(schemas)
        if found := self._server_information.get("schema_hash"):
            self._known[self._identity] = (found, schemas, classes)
        return classes

    def _raise_server_error(self, error_message: str) -> None:
        # The client's errors format their text once more when they are read, and fail on the site's own braces.
        super()._raise_server_error(error_message.replace("{", "{{").replace("}", "}}"))


def check_address(server: str) -> str:
    """The address in the form everything else uses; raises NotFtrack with advice when it is none."""
    address = server.strip().rstrip("/")
    parts = urlsplit(address)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise NotFtrack(f"{server!r} is not the address of a site: it must look like https://studio.ftrackapp.com")
    return address


def open_session(
    credentials: Credentials, cache: Path, *, timeout: float = 60.0, strict: bool = False
) -> ftrack_api.Session:
    """A new session, its schemas cached per server (the client's default is one file for all servers).

    Args:
        credentials: Who signs in where.
        cache: Folder for schema caches; made when absent.
        timeout: Seconds before a request is given up.
        strict: Ask for strict errors.

    Raises:
        WrongKey: the site does not accept user and key.
        NotFtrack: the address is no ftrack site, or one too old for the client.
        SiteUnreachable: nothing answered.
    """
    server = check_address(credentials.server)
    know(credentials.api_key)
    if not credentials.api_key or not credentials.api_user:
        raise WrongKey("InvalidCredentialsError", f"no API user or key is set for {server}")
    folder = cache / "schemas" / hashlib.sha256(server.encode()).hexdigest()[:16]
    folder.mkdir(parents=True, exist_ok=True)
    with _opening_guard:
        lock = _opening.setdefault(server, threading.Lock())
    try:
        with lock:
            session = Session(
                server_url=server,
                api_key=credentials.api_key,
                api_user=credentials.api_user,
                auto_connect_event_hub=False,
                plugin_paths=[],
                schema_cache_path=str(folder),
                timeout=timeout,
                strict_api=strict,
            )
            _settle_environment(session, server)
            return session
    except ftrack_api.exception.ServerCompatibilityError as error:
        raise NotFtrack(f"{server} speaks a version this client does not: {redact(str(error))}") from None
    except ftrack_api.exception.ServerError as error:
        raise _opening_failed(server, credentials.api_user, redact(str(error))) from None
    except requests.exceptions.RequestException as error:
        raise SiteUnreachable(f"{server} does not answer: {_network_words(error)}") from None
    except (ValueError, TypeError, KeyError, AttributeError, IndexError) as error:
        # What the client raises on an answer that is JSON but of another shape.
        raise NotFtrack(
            f"{server} answers, but not as an ftrack site: check the address ({type(error).__name__})"
        ) from None


def _settle_environment(session: ftrack_api.Session, server: str) -> None:
    """Look up proxies and certificates of the environment once, not again with each request."""
    http = session._request
    found = http.merge_environment_settings(server, {}, None, http.verify, None)
    http.proxies, http.verify = found["proxies"], found["verify"]
    http.trust_env = False


def _opening_failed(server: str, user: str, text: str) -> Exception:
    if any(name in text for name in _KEY_ERRORS):
        return WrongKey("InvalidCredentialsError", f"{server} does not accept the API key of user {user!r}")
    if "unexpected format" in text or "for url" in text or "Expecting value" in text:
        return NotFtrack(f"{server} answers, but not as an ftrack site: check the address")
    return SiteUnreachable(f"{server}: {text[:300]}")


def refusal(answer: Mapping[str, Any], server: str) -> SiteRefusal:
    """The error object of an answer as an exception, without secrets."""
    name = str(answer.get("exception") or "ServerError")
    text = redact(str(answer.get("content") or name))
    if name in _KEY_ERRORS:
        return WrongKey(name, f"{server} no longer accepts the API key: {text}")
    return SiteRefusal(name, text)


def post(session: ftrack_api.Session, body: str) -> tuple[Any, requests.Response, float]:
    """One request over a session's connection; returns the undecoded answer, the response and when it was sent.

    Raises:
        SiteUnreachable: no answer, or the answer of a server that is in trouble.
        SiteRefusal: the error object of the site.
    """
    server = session.server_url
    sent = time.time()
    try:
        response = session._request.post(
            f"{server}/api",
            data=body.encode("utf-8"),
            headers={"content-type": "application/json", "accept": "application/json"},
            timeout=session.request_timeout,
        )
    except requests.exceptions.RequestException as error:
        raise SiteUnreachable(f"{server} does not answer: {_network_words(error)}") from None
    try:
        answer = response.json()
    except ValueError:
        raise SiteUnreachable(f"{server} answered with status {response.status_code} and no result") from None
    if response.status_code >= 500 and not _told(answer):
        raise SiteUnreachable(f"{server} is in trouble (status {response.status_code})")
    if _told(answer):
        raise refusal(answer, server)
    return answer, response, sent


def _told(answer: object) -> bool:
    return isinstance(answer, dict) and "exception" in answer


def _network_words(error: requests.exceptions.RequestException) -> str:
    """What went wrong without urllib3's object representations."""
    if isinstance(error, requests.exceptions.Timeout):
        return "it took too long"
    if isinstance(error, requests.exceptions.SSLError):
        return "its certificate is not accepted"
    text = redact(str(error))
    for sign, words in (
        ("Connection refused", "nothing listens at that address and port"),
        ("Name or service not known", "no machine of that name is known"),
        ("nodename nor servname", "no machine of that name is known"),
        ("Temporary failure in name resolution", "names cannot be resolved: is the network up?"),
        ("No route to host", "there is no route to it"),
        ("Network is unreachable", "the network is unreachable"),
        ("Connection aborted", "the connection was cut"),
        ("Connection reset", "the connection was cut"),
        ("RemoteDisconnected", "the connection was cut"),
    ):
        if sign in text:
            return words
    return text[:200]
