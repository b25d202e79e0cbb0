"""The one door to Slack's Web API."""

from __future__ import annotations

import http.client
import logging
import threading
import urllib.error
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from app.settings.redact import know, redact
from app.slack.errors import SlackLater, SlackRefused, refusal

if TYPE_CHECKING:
    from slack_sdk.errors import SlackApiError

__all__ = ["EVENT_TYPE", "SlackClient", "escape"]

log = logging.getLogger("signalbox.slack")

EVENT_TYPE = "signalbox_message"
_TROUBLE_OF_SLACK = {"internal_error", "fatal_error", "service_unavailable", "request_timeout", "team_added_to_org"}
_TROUBLE_SECONDS = 30.0
_PAGE = 200


def escape(text: str) -> str:
    """Text as Slack wants it: only ``&``, ``<`` and ``>`` mean something to it."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


class SlackClient:
    """Sends and finds messages, and reads the workspace's directory. Safe to share between threads.

    Args:
        settings: Gives ``base_url`` and ``timeout`` of the Slack settings, read at each call.
        token: Gives the bot token, read at each call.
    """

    def __init__(self, settings: Callable[[], Any], token: Callable[[], str | None]) -> None:
        self._settings = settings
        self._token = token
        self._lock = threading.Lock()
        self._channels: dict[str, str] = {}

    def send(
        self,
        channel: str,
        text: str,
        *,
        dedupe: str,
        carried: Sequence[str] = (),
        blocks: Sequence[Mapping[str, Any]] | None = None,
    ) -> str:
        """Send one message; returns its timestamp.

        Args:
            channel: A channel (``#general`` or an id) or a person (an id such as ``U024BE7LH``, or ``@name``).
            text: Already escaped.
            dedupe: Travels as the message's metadata, so that `find` can tell whether it arrived.
            carried: Keys of other messages that go out with this one; `find` finds it by them too.
            blocks: Slack's layout blocks.

        Raises:
            SlackRefused: for good, with advice.
            SlackLater: rate limit, trouble or network.
        """
        payload = {"dedupe": dedupe, **({"carried": list(carried)} if carried else {})}
        arguments: dict[str, Any] = {
            "channel": channel,
            "text": text,
            "unfurl_links": False,
            "metadata": {"event_type": EVENT_TYPE, "event_payload": payload},
        }
        if blocks:
            arguments["blocks"] = list(blocks)
        answer = self._call("chat.postMessage", arguments, about=channel, writes=True)
        sent_to, ts = answer.get("channel"), str(answer.get("ts") or "")
        if isinstance(sent_to, str) and sent_to:
            with self._lock:
                self._channels[channel] = sent_to
        return ts

    def find(self, channel: str, dedupe: str, since: float) -> str | None:
        """The timestamp of the message with this dedupe key sent since ``since`` (UTC epoch seconds), or None."""
        where = self._channel_id(channel)
        if where is None:
            return None
        arguments = {"channel": where, "oldest": f"{since:.6f}", "limit": _PAGE, "include_all_metadata": True}
        for page in self._pages("conversations.history", arguments, about=channel):
            for message in page.get("messages") or ():
                payload = ((message.get("metadata") or {}).get("event_payload")) or {}
                if dedupe == payload.get("dedupe") or dedupe in (payload.get("carried") or ()):
                    return str(message.get("ts") or "")
        return None

    def check(self) -> str:
        """Prove the token; returns "bot at workspace". Raises as `send`."""
        answer = self._call("auth.test", {}, about="the workspace")
        return f"{answer.get('user', 'bot')} at {answer.get('team', 'Slack')}"

    def members(self) -> list[dict[str, Any]]:
        """All users of the workspace as Slack has them."""
        pages = self._pages("users.list", {"limit": _PAGE}, about="the directory")
        return [member for page in pages for member in page.get("members") or ()]

    def user_by_email(self, email: str) -> dict[str, Any] | None:
        """The user with this e-mail address, None when there is none."""
        answer = self._call("users.lookupByEmail", {"email": email}, about=email, absent={"users_not_found"})
        user = answer.get("user")
        return user if isinstance(user, dict) else None

    def _channel_id(self, channel: str) -> str | None:
        with self._lock:
            known = self._channels.get(channel)
        if known is not None:
            return known
        if channel.startswith(("C", "G", "D")) and channel.isalnum() and channel.isupper():
            return channel
        if channel.startswith(("U", "W")) and channel.isalnum() and channel.isupper():
            answer = self._call("conversations.open", {"users": channel}, about=channel)
            found = (answer.get("channel") or {}).get("id")
        else:
            found = self._named_channel(channel.lstrip("#"))
        if found:
            with self._lock:
                self._channels[channel] = str(found)
            return str(found)
        return None

    def _named_channel(self, name: str) -> str | None:
        try:
            return self._listed_channel(name, "public_channel,private_channel")
        except SlackRefused as error:
            if error.code != "missing_scope":  # a bot may be allowed to list public channels only
                raise
            return self._listed_channel(name, "public_channel")

    def _listed_channel(self, name: str, types: str) -> str | None:
        arguments = {"types": types, "limit": _PAGE, "exclude_archived": True}
        for page in self._pages("conversations.list", arguments, about=f"#{name}"):
            for channel in page.get("channels") or ():
                if channel.get("name") == name:
                    return str(channel.get("id"))
        return None

    def _pages(self, method: str, arguments: dict[str, Any], about: str) -> Iterator[Mapping[str, Any]]:
        cursor = ""
        while True:
            page = self._call(method, {**arguments, **({"cursor": cursor} if cursor else {})}, about=about)
            yield page
            cursor = str((page.get("response_metadata") or {}).get("next_cursor") or "")
            if not cursor:
                return

    def _call(
        self,
        method: str,
        arguments: dict[str, Any],
        *,
        about: str,
        writes: bool = False,
        absent: frozenset[str] | set[str] = frozenset(),
    ) -> Mapping[str, Any]:
        from slack_sdk import WebClient  # here: who has no Slack does not pay megabytes for it
        from slack_sdk.errors import SlackApiError, SlackClientError

        token = self._token()
        if not token:
            raise refusal("not_authed", about)
        know(token)
        settings = self._settings()
        # The outbox decides when to try again: a retry hidden in the client could send a message twice.
        client = WebClient(
            token=token, base_url=_with_slash(settings.base_url), timeout=int(settings.timeout) or 1, retry_handlers=[]
        )
        try:
            if writes or not arguments:
                answer = client.api_call(method, json=arguments)
            else:
                answer = client.api_call(method, params=arguments)
        except SlackApiError as error:
            return self._refused(error, about, absent, writes=writes)
        except (SlackClientError, urllib.error.URLError, http.client.HTTPException, OSError, ValueError) as error:
            raise _network(error, settings.base_url, writes=writes) from None
        data = answer.data
        return data if isinstance(data, dict) else {}

    def _refused(
        self, error: SlackApiError, about: str, absent: frozenset[str] | set[str], *, writes: bool
    ) -> Mapping[str, Any]:
        response: Any = error.response
        data = response.data if isinstance(getattr(response, "data", None), dict) else {}
        code = str(data.get("error") or "")
        status = int(getattr(response, "status_code", 0) or 0)
        if status == 429 or code in {"ratelimited", "rate_limited"}:
            seconds = _retry_after(getattr(response, "headers", {}))
            raise SlackLater(f"Slack asks to wait {seconds:g} s before the next message.", seconds) from None
        if code in absent:
            return {}
        if " " in code or status >= 500:  # no code of Slack's: a proxy or a broken server answered
            told = f"Slack has trouble of its own (status {status})."
            raise SlackLater(told, _TROUBLE_SECONDS, in_doubt=writes) from None
        if code in _TROUBLE_OF_SLACK:
            told = f"Slack has trouble of its own ({code})."
            raise SlackLater(told, _TROUBLE_SECONDS, in_doubt=writes) from None
        raise refusal(code or f"HTTP {status}", about, str(data.get("needed") or "")) from None


def _with_slash(url: str) -> str:
    return url if url.endswith("/") else url + "/"


def _retry_after(headers: Mapping[str, Any]) -> float:
    for name, value in headers.items():
        if str(name).lower() == "retry-after":
            first = value[0] if isinstance(value, list | tuple) else value
            try:
                return max(1.0, float(first))
            except (TypeError, ValueError):
                break
    return _TROUBLE_SECONDS


def _network(error: Exception, url: str, *, writes: bool) -> SlackLater:
    reason = getattr(error, "reason", error)
    # A refused or unresolved connection never carried the request; anything later may have.
    never_left = (
        isinstance(reason, ConnectionRefusedError) or "getaddrinfo" in repr(reason) or "gaierror" in repr(reason)
    )
    log.debug("slack is not reachable: %r", error)
    return SlackLater(
        redact(f"Slack cannot be reached at {url}: {reason}."), _TROUBLE_SECONDS, in_doubt=writes and not never_left
    )
