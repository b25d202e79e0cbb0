"""Slack: the client's door, and who is who."""

from app.slack.client import SlackClient, escape
from app.slack.errors import SlackLater, SlackRefused
from app.slack.people import SlackPeople, parse_mapping

__all__ = ["SlackClient", "SlackLater", "SlackPeople", "SlackRefused", "escape", "parse_mapping"]
