"""How Slack can say no: for good, with advice, or for now."""

from __future__ import annotations

from app.rules.outcomes import Later, PlanError
from app.settings.redact import redact

__all__ = ["SlackLater", "SlackRefused", "refusal"]


class SlackRefused(PlanError):
    """Slack will not take the message until a person changes something; the text says what.

    Attributes:
        code: Slack's own error code, e.g. ``is_archived``.
    """

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


class SlackLater(Later):
    """Slack cannot take the message now: its rate limit, its trouble, or the network.

    Attributes:
        seconds: Wait at least so long (Slack's Retry-After where it gave one).
        in_doubt: The message may have arrived although no answer came; look for its dedupe key before sending again.
    """

    def __init__(self, reason: str, seconds: float = 30.0, *, in_doubt: bool = False) -> None:
        super().__init__(reason, seconds)
        self.in_doubt = in_doubt


_SIGN_IN_AGAIN = (
    "Slack does not accept the token: create a new bot token in the app's settings on api.slack.com and enter it in "
    "the Slack settings."
)
_ADVICE = {
    "channel_not_found": (
        "Slack knows no channel {channel}, or it is private and the bot is not in it: correct the name in "
        "slack_ftrack_users.json, or invite the bot there."
    ),
    "is_archived": (
        "The Slack channel {channel} is archived: bring it back in Slack, or name another in slack_ftrack_users.json."
    ),
    "not_in_channel": (
        "The bot is not in the Slack channel {channel}: type /invite with the bot's name there, then retry the message."
    ),
    "invalid_auth": _SIGN_IN_AGAIN,
    "not_authed": "No Slack token is set: enter the bot's token in the Slack settings.",
    "account_inactive": _SIGN_IN_AGAIN,
    "token_revoked": _SIGN_IN_AGAIN,
    "token_expired": _SIGN_IN_AGAIN,
    "missing_scope": (
        "The Slack app lacks a permission ({needed}): add the scope on api.slack.com and install the app again."
    ),
    "user_not_found": (
        "Slack knows no user {channel}: correct the name in slack_ftrack_users.json or the e-mail address on ftrack."
    ),
    "users_not_found": "Slack knows nobody with this e-mail address: add the person to slack_ftrack_users.json.",
    "user_disabled": "The Slack user {channel} is deactivated: remove the person from slack_ftrack_users.json.",
    "cannot_dm_bot": "{channel} is a bot, and bots cannot be written to: correct slack_ftrack_users.json.",
    "restricted_action": "The workspace does not let the bot write to {channel}: ask a Slack administrator.",
    "msg_too_long": "The message for {channel} is longer than Slack takes: shorten the template.",
    "no_text": "The message for {channel} is empty: look at the template.",
}


def refusal(code: str, channel: str, needed: str = "") -> SlackRefused:
    """The refusal for one of Slack's error codes, in words and with advice."""
    text = _ADVICE.get(code, "Slack refused the message for {channel}: {code}.")
    return SlackRefused(redact(code), redact(text.format(channel=channel, code=code, needed=needed or "unknown")))
