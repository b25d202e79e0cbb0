"""What an action is: where it is offered, which pages it shows, and the plan that a launch makes.

An action has no state: what a person has filled in so far belongs to that person's form, in the journal.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, NamedTuple

from pydantic import Field as Setting

from app.actions.forms import Form
from app.engine.doors import SiteDoor
from app.engine.protocol import Action as EngineAction
from app.engine.protocol import Context, HandlerSettings, Launch, Occasion

__all__ = ["Action", "ActionSettings", "Again", "Asked", "Go", "Launch", "Selected"]


class Selected(NamedTuple):
    """One entity a person had selected; ``entity_type`` is the schema id ("Shot", not "task")."""

    entity_type: str
    entity_id: str


@dataclass(frozen=True, slots=True)
class Asked:
    """A page that came back, or the first call (``values`` is None).

    Attributes:
        selection: The entities.
        values: What was typed, unchecked; None on the first call.
        state: What the page before kept (`Form.state`).
        user_id: ftrack's id of the person.
        username: ftrack's name of the person.
        site: Reads of the site.
        settings: The action's settings.
        studio: ``studio(section, project=None)``: other sections of the settings.
    """

    selection: tuple[Selected, ...]
    values: Mapping[str, Any] | None
    state: Mapping[str, Any]
    user_id: str
    username: str
    site: SiteDoor
    settings: Any
    studio: Any


@dataclass(frozen=True, slots=True)
class Go:
    """Everything is known: launch.

    Attributes:
        values: Facts for the plan, as JSON.
        message: What the person is told ("started: 20 shots in 001").
        then: A page to show next (the loop of "create another sequence?").
        dry: Whether the run only plans: the person asked what would change.
    """

    values: Mapping[str, Any] = field(default_factory=dict)
    message: str = "Started."
    then: Form | None = None
    dry: bool = False


@dataclass(frozen=True, slots=True)
class Again:
    """The page has problems: it is shown again with everything that was typed."""

    form: Form
    problems: Mapping[str, str]


class ActionSettings(HandlerSettings):
    """Who may see an action. Empty lists: everybody."""

    roles: list[str] = Setting(
        default_factory=list, description="Only people with one of these security roles see the action; empty: all."
    )
    groups: list[str] = Setting(
        default_factory=list, description="Only members of one of these groups see the action; empty: all."
    )


class Action(EngineAction):
    """An action of ftrack's menu, with the pages that gather its values.

    Attributes:
        offered_on: Schema ids it is offered on; empty: any entity.
        single: Whether exactly one entity must be selected.
        reports: Whether its runs show as a Job on ftrack.
        at_the_desk: Whether the person's own agent is asked first: what is chosen lies on that person's machine.
    """

    settings_model: ClassVar[type[HandlerSettings]] = ActionSettings
    offered_on: ClassVar[frozenset[str]] = frozenset()
    single: ClassVar[bool] = False
    reports: ClassVar[bool] = True
    at_the_desk: ClassVar[bool] = False

    def offered(self, selection: Sequence[Selected]) -> bool:
        """Whether the action belongs in the menu of this selection."""
        if not selection or (self.single and len(selection) != 1):
            return False
        return not self.offered_on or all(one.entity_type in self.offered_on for one in selection)

    def occasion(
        self, launch: Launch, ctx: Context, about: str, entity_id: str | None = None, **values: Any
    ) -> Occasion:
        """What a launch does, once for each launch (and entity); the values are what the setting `jobs` may name."""
        texts = {name: str(value) for name, value in values.items()}
        by = {"about": about, "by": launch.username or ""}
        return Occasion(f"{self.id}:{ctx.run_mark}:{entity_id or ''}", {**texts, **by}, entity_id)

    @abstractmethod
    def step(self, asked: Asked) -> Form | Again | Go:
        """The next page, or go. Raises PlanError with words for the person."""
