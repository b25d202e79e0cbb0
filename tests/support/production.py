"""A production on the embedded site, its drive and its Slack: real doors, real plans, real effects, no engine."""

from __future__ import annotations

import dataclasses
import datetime as dt
import itertools
import logging
import threading
import uuid
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from app.disk import ProductionDrives
from app.engine.doors import Doors
from app.engine.kinds import DiskEffect, FtrackEffect, OutboxEffect, Seen, SlowEffect, SlowTools
from app.engine.plans import with_follow_ups
from app.engine.protocol import Change, Context, Effect, Handler, Note, Parent, Plan
from app.sandbox.slack_api import Member, SlackServer
from app.settings.models import SECTIONS
from app.settings.store import SettingsStore
from app.site.cache import LookUps
from app.site.door import Site
from app.site.types import Credentials
from app.slack import SlackClient, SlackPeople

_numbers = itertools.count(1)


class StudioClock:
    """The studio's clock, which a test may set."""

    def __init__(self) -> None:
        self.fixed: dt.datetime | None = None

    def now(self) -> dt.datetime:
        return self.fixed or dt.datetime.now(dt.UTC)


@dataclasses.dataclass
class Done:
    """What became of a plan."""

    plan: Plan
    applied: list[Effect]

    @property
    def notes(self) -> list[Note]:
        return list(self.plan.notes)

    @property
    def reason(self) -> str:
        """The only note's reason."""
        (note,) = self.plan.notes
        return note.reason

    @property
    def outcomes(self) -> list[str]:
        return [note.outcome for note in self.plan.notes]

    def kinds(self) -> list[str]:
        return [effect.kind for effect in self.plan.effects]


class Production:
    """One project of its own on a shared site, with a drive and a Slack workspace that only this test has.

    Attributes:
        site: The door to the site.
        drive: The production drive: it carries the marker.
        project: The project's id.
        name: The project's name.
        settings: The studio's settings, a real file.
    """

    def __init__(self, url: str, user: str, key: str, folder: Path, slack: SlackServer) -> None:
        self.url, self.user, self.key = url, user, key
        self.folder = folder
        self.drive = folder / "production"
        self.drive.mkdir()
        (self.drive / ".signalbox-drive").touch()
        self.slack_server = slack
        self.clock = StudioClock()
        self.settings = SettingsStore(folder / "settings.toml")
        self.settings.set("slack", "base_url", slack.url)
        self.look_ups = LookUps()
        self.site = self.open_site()
        self.disk = ProductionDrives(lambda: self.setting_section("studio"))
        self.slack = SlackClient(lambda: self.setting_section("slack"), lambda: slack.token)
        self.people = SlackPeople(lambda project=None: self.setting_section("slack", project), self.slack)
        self.sent: set[str] = set()
        self.ids: dict[str, str] = {}
        self.name = f"show_{uuid.uuid4().hex[:8]}"
        self.project = self.new_project(self.name)

    # -- doors -------------------------------------------------------------------------------------------------------

    def open_site(self) -> Site:
        """A door of another thread; the look-ups are shared, as in the service."""
        return Site(Credentials(self.url, self.user, self.key), self.look_ups, cache=self.folder / "cache")

    def setting_section(self, section: str, project: str | None = None) -> Any:
        return self.settings.section(section, SECTIONS[section], project)

    def doors(self, site: Site | None = None) -> Doors:
        return Doors(
            site=lambda name="": site or self.site,
            disk=self.disk,
            clock=self.clock,
            people=self.people,
            slack=self.slack,
            settings=self.setting_section,
            secret=lambda name: None,
            temp_root=self.folder,
        )

    def context(self, handler: Handler, site: Site | None = None) -> Context:
        def resolved(project: str | None = None) -> Any:
            return self.settings.section(f"handlers.{handler.id}", handler.settings_model, project)

        return Context(
            site=site or self.site,
            disk=self.disk,
            clock=self.clock,
            people=self.people,
            settings=resolved(self.name),
            handler_settings=resolved,
            log=logging.getLogger(f"signalbox.handler.{handler.id}"),
            run_id=next(_numbers),
            run_mark=uuid.uuid4().hex,
            doors=self.doors(site),
        )

    def set(self, handler: Handler, *, project: str | None = None, **values: Any) -> None:
        """Change settings of a handler as the panel does."""
        self.settings.declare(f"handlers.{handler.id}", handler.settings_model)
        for name, value in values.items():
            self.settings.set(f"handlers.{handler.id}", name, value, project=project)

    # -- the site ----------------------------------------------------------------------------------------------------

    def make(self, entity_type: str, **values: Any) -> str:
        """Create an entity; returns its id."""
        entity_id = str(values.setdefault("id", str(uuid.uuid4())))
        self.site.call(
            [
                {
                    "action": "create",
                    "entity_type": entity_type,
                    "entity_key": [entity_id],
                    "entity_data": {"__entity_type__": entity_type, **values},
                }
            ]
        )
        return entity_id

    def update(self, entity_type: str, entity_id: str, **values: Any) -> None:
        self.site.call([_update(entity_type, entity_id, values)])

    def delete(self, entity_type: str, *key: str) -> None:
        self.site.call([{"action": "delete", "entity_type": entity_type, "entity_key": list(key)}])

    def one(self, expression: str) -> dict[str, Any]:
        (row,) = self.site.rows(expression)
        return row

    def named(self, entity_type: str, name: str) -> str:
        """The id of a status, type, schema... by its name."""
        key = f"{entity_type}/{name}"
        if key not in self.ids:
            self.ids[key] = self.site.rows(f'select id from {entity_type} where name is "{name}"')[0]["id"]
        return self.ids[key]

    def new_project(self, name: str, **values: Any) -> str:
        disk = self.make("Disk", name=f"drive-{name}"[:50], unix=str(self.drive), windows="P:\\")
        return self.make(
            "Project",
            **{
                "name": name,
                "full_name": name,
                "project_schema_id": self.named("ProjectSchema", "VFX Scheme"),
                "disk_id": disk,
                **values,
            },
        )

    def context_of(self, entity_type: str, name: str, parent: str = "", **values: Any) -> str:
        return self.make(entity_type, name=name, parent_id=parent or self.project, project_id=self.project, **values)

    def shot(self, name: str = "001_0010", sequence: str = "001") -> str:
        found = self.site.rows(f'select id from Sequence where project_id is "{self.project}" and name is "{sequence}"')
        above = found[0]["id"] if found else self.context_of("Sequence", sequence)
        return self.context_of("Shot", name, above)

    def asset(self, name: str = "keeper", kind: str = "Character") -> str:
        return self.context_of("AssetBuild", name, type_id=self.named("Type", kind))

    def task(self, parent: str, task_type: str = "Compositing", name: str = "", **values: Any) -> str:
        return self.context_of(
            "Task", name or task_type.lower(), parent, type_id=self.named("Type", task_type), **values
        )

    def version(self, parent: str, task: str | None = None, *, asset: str = "", status: str = "", **values: Any) -> str:
        owner = asset or self.make(
            "Asset",
            name=f"asset{next(_numbers)}",
            context_id=parent,
            type_id=self.named("AssetType", "Upload"),
        )
        if status:
            values["status_id"] = self.named("Status", status)
        if task:
            values["task_id"] = task
        return self.make("AssetVersion", asset_id=owner, **values)

    def versions(self, parent: str, count: int, status: str = "In progress") -> list[str]:
        """Many versions of one asset, created in one commit."""
        asset = self.make(
            "Asset", name=f"asset{next(_numbers)}", context_id=parent, type_id=self.named("AssetType", "Upload")
        )
        ids = [str(uuid.uuid4()) for _ in range(count)]
        values = {"asset_id": asset, "status_id": self.named("Status", status)}
        self.site.call(
            [
                {
                    "action": "create",
                    "entity_type": "AssetVersion",
                    "entity_key": [one],
                    "entity_data": {"__entity_type__": "AssetVersion", "id": one, **values},
                }
                for one in ids
            ]
        )
        return ids

    def set_status(self, entity_type: str, entity_id: str, status: str, *, at: dt.datetime | None = None) -> Change:
        """Give a status; returns the change an event would have carried. ``at`` moves the StatusChange in time."""
        row = self.one(f'select id, status_id from {entity_type} where id is "{entity_id}"')
        old = row["status_id"]
        new = self.named("Status", status)
        history = f'select id from StatusChange where parent_id is "{entity_id}"'
        before = {one["id"] for one in self.site.rows(history)}
        self.update(entity_type, entity_id, status_id=new)
        if at is not None:
            (made,) = {one["id"] for one in self.site.rows(history)} - before
            moment = at.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%S")
            self.update("StatusChange", made, date={"__type__": "datetime", "value": moment})
        return self.change(entity_type, entity_id, "update", {"statusid": (old, new)})

    def metadata(self, entity_id: str) -> dict[str, str]:
        rows = self.site.rows(f'select key, value from Metadata where parent_id is "{entity_id}"')
        return {row["key"]: row["value"] for row in rows}

    def set_metadata(self, entity_type: str, entity_id: str, key: str, value: str) -> None:
        values = {"key": key, "value": value, "parent_id": entity_id, "parent_type": entity_type}
        self.site.call(
            [
                {
                    "action": "create",
                    "entity_type": "Metadata",
                    "entity_key": [entity_id, key],
                    "entity_data": {"__entity_type__": "Metadata", **values},
                }
            ]
        )

    def status_of(self, entity_type: str, entity_id: str) -> str:
        return str(self.one(f'select status.name from {entity_type} where id is "{entity_id}"')["status"]["name"])

    # -- changes -----------------------------------------------------------------------------------------------------

    def added(self, entity_type: str, entity_id: str) -> Change:
        """The change of an entity that was just added."""
        changes: dict[str, tuple[Any, Any]] = {"id": (None, entity_id)}
        if entity_type in {"Task", "AssetVersion"}:
            row = self.one(f'select status_id from {entity_type} where id is "{entity_id}"')
            changes["statusid"] = (None, row["status_id"])
        return self.change(entity_type, entity_id, "add", changes)

    def change(self, entity_type: str, entity_id: str, action: Any, changes: Mapping[str, tuple[Any, Any]]) -> Change:
        chain = self._chain(entity_type, entity_id)
        return Change(
            event_row=next(_numbers),
            event_id=uuid.uuid4().hex,
            index=0,
            action=action,
            entity_type=entity_type,
            table=chain[0].table,
            entity_id=entity_id,
            changes=changes,
            parents=chain,
            project_id=chain[-1].entity_id,
            user_id=None,
            username=None,
            received=dt.datetime.now(dt.UTC),
        )

    def _chain(self, entity_type: str, entity_id: str) -> tuple[Parent, ...]:
        if entity_type == "Project":
            return (Parent("Project", "show", entity_id, None),)
        steps: list[tuple[str, str, str]] = []
        if entity_type == "AssetVersion":
            row = self.one(f'select asset_id, asset.context_id, project_id from AssetVersion where id is "{entity_id}"')
            steps = [(entity_type, "assetversion", entity_id), ("Asset", "asset", row["asset_id"])]
            context = row["asset"]["context_id"]
        else:
            context = entity_id
        place = self.one(f'select link, project_id from TypedContext where id is "{context}"')
        for step in reversed(place["link"][1:]):
            kind = self.one(f'select object_type.name from TypedContext where id is "{step["id"]}"')
            steps.append((kind["object_type"]["name"].replace(" ", ""), "task", step["id"]))
        steps.append(("Project", "show", place["project_id"]))
        above = [entity for _, _, entity in steps[1:]] + [None]
        return tuple(Parent(*step, parent) for step, parent in zip(steps, above, strict=True))

    # -- runs --------------------------------------------------------------------------------------------------------

    def plan(self, handler: Handler, *changes: Change, site: Site | None = None) -> Plan:
        """Plan as the engine does: with a fresh session that must have nothing to commit afterwards."""
        assert all(handler.wants(change) for change in changes), "the handler does not want this change"
        assert len({handler.key(change) for change in changes}) == 1, "a plan's changes have one key"
        context = self.context(handler, site)
        context.site.fresh()
        plan = with_follow_ups(handler.plan(list(changes), context), context)
        slots = [effect.slot for effect in plan.effects]
        assert len(slots) == len(set(slots)), "slots are unique within a plan"
        accounted = {note.entity_id for note in plan.notes} | {effect.entity_id for effect in plan.effects}
        assert {change.entity_id for change in changes} <= accounted, "every entity is accounted for"
        for effect in plan.effects:
            assert effect.reason
            assert effect.describe()
        return plan

    def run(self, handler: Handler, *changes: Change) -> Done:
        """Plan and apply."""
        plan = self.plan(handler, *changes)
        return Done(plan, self.apply(plan))

    def apply(self, plan: Plan, site: Site | None = None) -> list[Effect]:
        door = site or self.site
        applied: list[Effect] = []
        for channel, effects in itertools.groupby(plan.effects, key=_channel):
            if channel is FtrackEffect:
                applied += self._apply_ftrack([one for one in effects if isinstance(one, FtrackEffect)], door)
                continue
            for effect in effects:
                if self._apply_one(effect, door):
                    applied.append(effect)
        return applied

    def _apply_one(self, effect: Effect, door: Site) -> bool:
        if isinstance(effect, DiskEffect):
            before = effect.before(self.disk)
            if before is None:
                return False
            effect.apply(self.disk, before)
        elif isinstance(effect, OutboxEffect):
            if effect.dedupe in self.sent:
                return False
            self.sent.add(effect.dedupe)
            effect.send(self.doors(door), ())
        elif isinstance(effect, SlowEffect):
            effect.apply(
                SlowTools(
                    site=door,
                    doors=self.doors(door),
                    cancel=threading.Event(),
                    progress=lambda text: None,
                    log=logging.LoggerAdapter(logging.getLogger("signalbox.test"), {}),
                    results={},
                )
            )
        else:
            raise AssertionError(f"nobody applies a {effect.kind}")
        return True

    def _apply_ftrack(self, effects: Sequence[FtrackEffect], door: Site) -> list[Effect]:
        seen = Seen()
        for effect in effects:
            for wanted in effect.wanted():
                self._see(seen, wanted.entity_type, wanted.entity_id, wanted.attributes, door)
            for expect in effect.expects:
                plain = (
                    ()
                    if expect.attribute == "exists" or expect.attribute.startswith("metadata.")
                    else (expect.attribute,)
                )
                self._see(seen, expect.entity_type, expect.entity_id, plain, door)
            for entity_id in effect.wanted_metadata():
                seen.metadata[entity_id] = {
                    row["key"]: row["value"]
                    for row in door.rows(f'select key, value from Metadata where parent_id is "{entity_id}"')
                }
            for query in effect.queries():
                seen.found[query] = tuple(row["id"] for row in door.rows(f"select id from {query}"))
        operations: list[dict[str, Any]] = []
        applied: list[Effect] = []
        for effect in effects:
            for expect in effect.expects:
                value = seen.value(expect.entity_type, expect.entity_id, expect.attribute)
                assert value == expect.value, f"{effect.describe()}: expected {expect}, found {value!r}"
            verdict = effect.verdict(seen)
            assert verdict.what != "mismatch", verdict.words
            if verdict.what == "do":
                operations += effect.operations(seen)
                applied.append(effect)
        if operations:
            door.call(operations)
        return applied

    def _see(self, seen: Seen, kind: str, entity_id: str, attributes: Iterable[str], door: Site) -> None:
        names = ", ".join(dict.fromkeys(["id", *attributes]))
        for row in door.rows(f'select {names} from {kind} where id is "{entity_id}"'):
            seen.rows[kind, entity_id] = {**seen.rows.get((kind, entity_id), {}), **row}

    # -- what there is -----------------------------------------------------------------------------------------------

    def tree(self, name: str = "") -> list[str]:
        """Everything below the project's folder, as relative paths."""
        root = self.drive / (name or self.name)
        return sorted(str(path.relative_to(root)) for path in root.rglob("*"))

    def root(self) -> Path:
        return self.drive / self.name

    def template(self, name: str, content: str = "template") -> Path:
        folder = self.root() / "template_files"
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / name
        path.write_text(content)
        return path

    def messages(self) -> list[Any]:
        return list(self.slack_server.messages)


def _channel(effect: Effect) -> Any:
    for channel in (FtrackEffect, DiskEffect, OutboxEffect, SlowEffect):
        if isinstance(effect, channel):
            return channel
    return None


def _update(entity_type: str, entity_id: str, values: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "action": "update",
        "entity_type": entity_type,
        "entity_key": [entity_id],
        "entity_data": {"__entity_type__": entity_type, **values},
    }


def workspace() -> SlackServer:
    """A Slack workspace with the people of the studio profile who have an address."""
    return SlackServer(
        [
            Member("U00000001", "hugo", "Hugo Lefèvre", "hugo.lefevre@locovfx.example"),
            Member("U00000002", "sana", "Sana Malik", "sana.malik@locovfx.example"),
            Member("U00000003", "kenji", "Kenji Morita", "kenji.morita@locovfx.example"),
            Member("U00000004", "ruth", "Ruth Abara", "ruth.abara@locovfx.example"),
        ]
    )
