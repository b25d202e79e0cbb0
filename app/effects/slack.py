"""A message on Slack: sent once, or marked in doubt."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Literal, Self

from app.engine.doors import Doors
from app.engine.kinds import OutboxEffect
from app.rules.outcomes import PlanError

__all__ = ["SendSlack"]


class SendSlack(OutboxEffect):
    """Send a message to a channel or a person.

    Attributes:
        channel: A channel ("#general", an id) or a person (an id, "@name").
        text: Already escaped for Slack.
        dedupe: A key made of natural facts (the shot, the transition, the person); no key is sent twice.
        person: Whom it is for, for people.
        digest: Messages to one channel with the same non-empty digest may go out as one.
        max_age: Seconds after which it is dropped rather than sent.
        link: Address shown below the text.
    """

    kind: ClassVar[str] = "slack"
    # A message too many is better than none: somebody waits for it.
    on_doubt: ClassVar[Literal["send", "ask"]] = "send"

    channel: str
    text: str
    person: str = ""
    digest: str = ""
    max_age: float = 6 * 3600.0
    link: str = ""

    def describe(self) -> str:
        whom = f"{self.person} ({self.channel})" if self.person else self.channel
        return f"tell {whom} on Slack: {self.text}"

    def lane(self) -> str:
        return f"slack:{self.channel}"

    def digest_key(self) -> str:
        return self.digest

    def lifetime(self) -> float | None:
        return self.max_age

    def send(self, doors: Doors, carried: Sequence[Self]) -> dict[str, Any]:
        if doors.slack is None:
            raise PlanError("Slack is switched off in the settings (slack.enabled): the message was not sent")
        texts = list(dict.fromkeys(_with_link(each) for each in (self, *carried)))
        keys = [each.dedupe for each in carried]
        stamp = doors.slack.send(self.channel, "\n".join(texts), dedupe=self.dedupe, carried=keys)
        return {"ts": stamp, "channel": self.channel, "messages": len(texts)}

    def find(self, doors: Doors, since: float) -> dict[str, Any] | None:
        if doors.slack is None:
            return None
        stamp = doors.slack.find(self.channel, self.dedupe, since)
        return {"ts": stamp, "channel": self.channel} if stamp else None


def _with_link(message: SendSlack) -> str:
    return f"{message.text}\n<{message.link}>" if message.link else message.text
