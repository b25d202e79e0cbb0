"""Who follows a log of the Flamenco Manager in a test."""

from __future__ import annotations

from app.jobs.manager_live import LogSink


class Ear(LogSink):
    """What was heard of a log.

    Attributes:
        heard: Its text, since it last began anew.
        restarts: How often it began anew.
    """

    def __init__(self) -> None:
        self.heard = ""
        self.restarts = 0

    def restart(self) -> None:
        self.heard, self.restarts = "", self.restarts + 1

    def text(self, text: str) -> None:
        self.heard += text
