"""The settings file: commented TOML that holds only what differs from the defaults.

    schema = 1

    [site]
    # Address of the ftrack site, e.g. https://studio.ftrackapp.com.
    server = "https://studio.ftrackapp.com"

    [projects."bigbuck".handlers.create_task_folder]
    folder_mode = "2770"

A project's table overrides the studio's, which overrides the declared default.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterable, Mapping, MutableMapping
from contextlib import suppress
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar

import tomlkit
from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import to_jsonable_python
from tomlkit.exceptions import TOMLKitError
from tomlkit.items import Comment, Null

from app.settings.models import SECTIONS
from app.settings.secrets import keep

Model = TypeVar("Model", bound=BaseModel)
_PROJECTS = "projects"
_SCHEMA = "schema"
#: Sections named after what the catalogue holds: a studio's own are known once they are loaded.
_FAMILIES = frozenset({"handlers", "actions"})
#: A file that stays empty for longer is meant to be empty.
_EMPTIED_SECONDS = 2.0
SCHEMA = 1
"""The form of the file: raised when an older program could misread it. A file without it is of the first form."""


class SettingsError(ValueError):
    """A setting cannot be used: the text names the file, the setting and what is allowed."""


class SettingsStore:
    """Typed access to one settings file. Safe to share between threads.

    Args:
        path: The TOML file; a missing one is an installation with every default.
        last_good: A copy that could be used (see `keep_good`), for a start while the file cannot be.

    Raises:
        SettingsError: the file is not TOML or cannot be read.
    """

    def __init__(self, path: Path, last_good: Path | None = None) -> None:
        self.path = path
        self._last_good = last_good
        self.revision = 0
        #: Why the newest version of the file could not be loaded; the values before it stay in force.
        self.problem = ""
        self._lock = threading.RLock()
        self._models: dict[str, type[BaseModel]] = dict(SECTIONS)
        self._known: dict[tuple[str, type[BaseModel], str | None], BaseModel] = {}
        self._known_at = -1
        self._stamp: tuple[int, int, int] | None = None
        self._document = tomlkit.document()
        try:
            self._load()
        except SettingsError as error:
            if not self._fall_back(error):
                raise
        if last_good is not None:
            self.settle()

    def declare(self, section: str, model: type[BaseModel]) -> None:
        """Make a section known, so that ``set`` validates it."""
        with self._lock:
            self._models[section] = model

    def declared(self) -> Mapping[str, type[BaseModel]]:
        """Every known section with its model."""
        with self._lock:
            return dict(self._models)

    def section(self, section: str, model: type[Model], project: str | None = None) -> Model:
        """The settings of a section, a project's overrides first. They are shared: read them, change a copy.

        Raises:
            SettingsError: a value in the file is not allowed.
        """
        with self._lock:
            if self._known_at != self.revision:
                self._known.clear()
                self._known_at = self.revision
            known = self._known.get((section, model, project))
            if isinstance(known, model):
                return known
            self._models.setdefault(section, model)
            values = self._values(section, model, None)
            if project:
                values |= self._values(section, model, project)
            try:
                found = model.model_validate(values)
            except ValidationError as error:
                raise SettingsError(self._explain(section, error)) from error
            self._known[(section, model, project)] = found
            return found

    def verify(self) -> None:
        """Read every declared section, for the studio and for each project that overrides it.

        Raises:
            SettingsError: the first value or name that cannot be used.
        """
        with self._lock:
            self._verify_names()
            for section, model in self._models.items():
                self.section(section, model)
                for project in self.projects(section):
                    self.section(section, model, project)

    def settle(self) -> None:
        """Go on with the last good copy where the file, or a value in it, cannot be used (see ``problem``)."""
        with self._lock:
            try:
                self.verify()
            except SettingsError as error:
                # Where even the copy has it, whoever reads that section is told.
                self._fall_back(error)

    def keep_good(self, copy: Path) -> None:
        """Keep what is in force as a file that only its owner reads. Raises OSError."""
        with self._lock:
            text = tomlkit.dumps(self._document)
        fresh = copy.with_name(f"{copy.name}.new")
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as stream:
            stream.write(text)
        fresh.replace(copy)

    def _fall_back(self, error: SettingsError) -> bool:
        """Take the last good copy; whether there is one that can be used."""
        if self._last_good is None or not self._last_good.is_file():
            return False
        before = self._document
        try:
            self._document = tomlkit.parse(self._last_good.read_text("utf-8"))
            self.revision += 1
            self.verify()
        except (TOMLKitError, OSError, UnicodeDecodeError, SettingsError):
            self._document = before
            self.revision += 1
            return False
        self._stamp = self._seen()
        self.problem = str(error)
        return True

    def strangers(self) -> list[str]:
        """Sections of handlers and actions that nobody has declared: a slip, or those of a plug-in that is not here."""
        with self._lock:
            found = []
            for project in (None, *(self._document.get(_PROJECTS) or ())):
                for family in sorted(_FAMILIES):
                    known = {name.partition(".")[2] for name in self._models if name.startswith(f"{family}.")}
                    names = sorted(set(self._table(family, project) or ()) - known)
                    found += [f"{family}.{name}{_meant(name, known)}" for name in names]
            return list(dict.fromkeys(found))

    def _verify_names(self) -> None:
        known = {section.partition(".")[0] for section in self._models} | _FAMILIES
        projects: Any = self._document.get(_PROJECTS, {})
        if not isinstance(projects, Mapping):
            raise SettingsError(f'{self.path}: {_PROJECTS} must be tables, written [projects."name".section]')
        tables = [("", self._document, known | {_SCHEMA, _PROJECTS})]
        tables += [(f'projects."{name}".', table, known) for name, table in projects.items()]
        for where, table, allowed in tables:
            for name in table if isinstance(table, Mapping) else ():
                if name not in allowed:
                    raise SettingsError(f"{self.path}: there is no section [{where}{name}]{_meant(name, allowed)}")

    def changed(self, section: str, project: str | None = None) -> set[str]:
        """Names of the fields that differ from the default (or, with a project, from the studio's value)."""
        with self._lock:
            return set(self._table(section, project) or {})

    def projects(self, section: str) -> list[str]:
        """Projects that override something of a section."""
        with self._lock:
            tables = self._document.get(_PROJECTS, {})
            return sorted(str(name) for name in tables if self._table(section, str(name)))

    def set(self, section: str, field: str, value: Any, project: str | None = None) -> None:
        """Set a field for the studio or for one project and write the file. A secret goes to the keyring instead.

        Raises:
            SettingsError: no such field, a value that is not allowed, or a project cannot override this field.
        """
        with self._lock:
            self.reload_if_changed()
            info = self._field(section, field)
            extra = _extra(info)
            if project and not extra.get("per_project"):
                raise SettingsError(f"{section}.{field} is the same for every project: set it for the studio")
            if extra.get("secret"):
                keep(f"{section}.{field}", str(value))
                self.revision += 1
                return
            try:
                checked = self._check(section, field, value)
            except ValidationError as error:
                raise SettingsError(self._explain(section, error)) from error
            if project is None and checked == info.get_default(call_default_factory=True):
                self._remove(section, field, None)
            else:
                self._put(section, field, checked, info, project)
            self._write()

    def reset(self, section: str, field: str, project: str | None = None) -> None:
        """Back to the default (or, with a project, to the studio's value)."""
        with self._lock:
            self.reload_if_changed()
            info = self._field(section, field)
            if _extra(info).get("secret"):
                keep(f"{section}.{field}", "")
                self.revision += 1
                return
            if self._remove(section, field, project):
                self._write()

    def reload_if_changed(self) -> bool:
        """Read the file again if somebody wrote it. One that cannot be used keeps the old values (see ``problem``)."""
        with self._lock:
            if self._seen() == self._stamp or self._is_being_written():
                return False
            before = self._document
            try:
                self._load()
                self.verify()
            except SettingsError as error:
                self._document = before
                self._stamp = self._seen()
                self.revision += 1
                self.problem = str(error)
                return False
            return True

    # -- the file ----------------------------------------------------------------------------------------------------

    def _seen(self) -> tuple[int, int, int] | None:
        try:
            status = self.path.stat()
        except OSError:
            return None
        return status.st_mtime_ns, status.st_size, status.st_ino

    def _is_being_written(self) -> bool:
        """Whether it was emptied a moment ago, as editors do before they write: every default would be in force, and
        would stay so where what comes then has a mistake."""
        try:
            status = self.path.stat()
        except OSError:
            return False
        return not status.st_size and bool(self._document) and time.time() - status.st_mtime < _EMPTIED_SECONDS

    def _load(self) -> None:
        stamp = self._seen()
        try:
            if stamp is None and _hidden(self.path):
                raise SettingsError(f"{self.path} cannot be read by this account: ask for the right to, or use sudo")
            document = tomlkit.parse(self.path.read_text("utf-8")) if stamp else tomlkit.document()
        except TOMLKitError as error:
            raise SettingsError(
                f"{self.path} is not valid TOML: {error}. Correct that line or rename the file"
            ) from error
        except UnicodeDecodeError as error:
            raise SettingsError(f"{self.path} is not UTF-8 text: save it as UTF-8, or name another file") from error
        except OSError as error:
            why = error.strerror or error
            raise SettingsError(f"{self.path} cannot be read: {why}. Name a settings file that can") from error
        version = document.get(_SCHEMA, SCHEMA)
        if not isinstance(version, int) or version > SCHEMA:
            raise SettingsError(
                f"{self.path} was written by a newer Signalbox (form {version}, this one knows {SCHEMA}): update this "
                "program. The file is left as it is"
            )
        self._document = document
        self._stamp = stamp
        self.problem = ""
        self.revision += 1

    def _write(self) -> None:
        if self.problem:
            # What somebody else wrote, and this program cannot read, is not written over.
            raise SettingsError(self.problem)
        if _SCHEMA not in self._document:
            self._document = _marked(self._document)
        try:
            self._put_in_place(tomlkit.dumps(self._document))
        except OSError as error:
            self._load()
            raise SettingsError(
                f"{self.path} cannot be written: {error.strerror or error}. Ask whoever owns it, or for its group"
            ) from error
        self._stamp = self._seen()
        self.revision += 1

    def _put_in_place(self, text: str) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        fresh = self.path.with_name(f".{self.path.name}.{os.getpid()}.new")
        try:
            stream = fresh.open("w", encoding="utf-8")
        except PermissionError:
            # A service's file may be written by its group, the folder of it by root alone.
            with self.path.open("r+", encoding="utf-8") as own:
                own.write(text)
                own.truncate()
            return
        with stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        if self.path.exists():
            _like(self.path.stat(), fresh)
        fresh.replace(self.path)

    # -- tables ------------------------------------------------------------------------------------------------------

    def _steps(self, section: str, project: str | None) -> list[str]:
        return ([_PROJECTS, project] if project else []) + section.split(".")

    def _table(self, section: str, project: str | None) -> MutableMapping[str, Any] | None:
        table: Any = self._document
        for step in self._steps(section, project):
            table = table.get(step)
            if table is None:
                return None
            if not isinstance(table, MutableMapping):
                raise SettingsError(f"{self.path}: {section} must be a table, written [{section}]")
        found: MutableMapping[str, Any] = table
        return found

    def _values(self, section: str, model: type[BaseModel], project: str | None) -> dict[str, Any]:
        table = self._table(section, project)
        if table is None:
            return {}
        values = {str(name): _plain(value) for name, value in table.items()}
        for name, info in model.model_fields.items():
            extra = _extra(info)
            old = extra.get("renamed_from")
            if old and old in values:
                values.setdefault(name, values[old])
                del values[old]
            if name in values and extra.get("secret"):
                raise SettingsError(
                    f"{self.path}: {section}.{name} is a secret and does not belong in this file. "
                    f"Remove the line and enter it in the panel's settings, or give it as an environment variable"
                )
            if project and name in values and not extra.get("per_project"):
                raise SettingsError(f"{self.path}: {section}.{name} cannot be set for a single project ({project})")
        return values

    def _field(self, section: str, field: str) -> FieldInfo:
        model = self._models.get(section)
        if model is None:
            raise SettingsError(f"there is no section {section!r}")
        info = model.model_fields.get(field)
        if info is None:
            raise SettingsError(f"there is no setting {section}.{field}")
        return info

    def _check(self, section: str, field: str, value: Any) -> Any:
        model = self._models[section]
        table = self._table(section, None) or {}
        values = {str(name): _plain(item) for name, item in table.items() if name in model.model_fields}
        return getattr(model.model_validate(values | {field: value}), field)

    def _put(self, section: str, field: str, value: Any, info: FieldInfo, project: str | None) -> None:
        table: Any = self._document
        for step in self._steps(section, project):
            if step not in table:
                table[step] = tomlkit.table()
            table = table[step]
        stored = _storable(value, info)
        if field not in table and info.description:
            table.add(tomlkit.comment(info.description))
        table[field] = stored
        old = _extra(info).get("renamed_from")
        if old and old in table:
            del table[old]

    def _remove(self, section: str, field: str, project: str | None) -> bool:
        table = self._table(section, project)
        if table is None or field not in table:
            return False
        del table[field]
        self._drop_comment(table, self._field(section, field).description)
        return True

    @staticmethod
    def _drop_comment(table: MutableMapping[str, Any], text: str | None) -> None:
        """Take away the comment that came with the field, so that it does not stand above the next one."""
        body = getattr(getattr(table, "value", table), "body", None)
        if not text or body is None:
            return
        for index, (key, item) in enumerate(body):
            if key is None and isinstance(item, Comment) and item.trivia.comment == f"# {text}":
                body[index] = (None, Null())  # its place is kept: the container indexes its body by position
                return

    def _explain(self, section: str, error: ValidationError) -> str:
        first = error.errors()[0]
        where = ".".join([section, *(str(step) for step in first["loc"])])
        if first["type"] == "extra_forbidden":
            name = str(first["loc"][-1])
            return f"{self.path}: there is no setting {where}{_meant(name, self._models[section].model_fields)}"
        words = str(first["msg"]).removeprefix("Value error, ")
        return f"{self.path}: {where}: {words} (got {first['input']!r})"


def _hidden(path: Path) -> bool:
    """Whether a file may be there but this account may not look: it must not count as a new installation."""
    try:
        path.stat()
    except PermissionError:
        return True
    except OSError:
        return False
    return False


def _like(former: os.stat_result, fresh: Path) -> None:
    """Owner, group and mode of the file before: root who writes a service's settings must not take them from it."""
    if os.name == "posix":
        for owner, group in ((former.st_uid, former.st_gid), (-1, former.st_gid)):
            with suppress(PermissionError):
                os.chown(fresh, owner, group)
                break
    fresh.chmod(former.st_mode & 0o7777)


def _meant(name: str, allowed: Iterable[str]) -> str:
    """What to do about a name that is not known."""
    close = get_close_matches(name, list(allowed), 1)
    return f": is {close[0]} meant? Correct it or remove it" if close else ": check its spelling or remove it"


def _marked(document: tomlkit.TOMLDocument) -> tomlkit.TOMLDocument:
    """The document with its form in front of the first section, below a person's own first lines."""
    lines = tomlkit.dumps(document).splitlines(keepends=True)
    place = next((number for number, line in enumerate(lines) if line.lstrip().startswith("[")), len(lines))
    while place and lines[place - 1].lstrip().startswith("#"):
        place -= 1  # a comment right above a section belongs to it
    lines.insert(place, f"{_SCHEMA} = {SCHEMA}\n\n")
    return tomlkit.parse("".join(lines))


def _extra(info: FieldInfo) -> dict[str, Any]:
    extra = info.json_schema_extra
    return dict(extra) if isinstance(extra, dict) else {}


def _plain(value: Any) -> Any:
    return value.unwrap() if hasattr(value, "unwrap") else value


def _storable(value: Any, info: FieldInfo) -> Any:
    """What TOML can hold of a validated value; models and dates become tables and text."""
    if isinstance(value, BaseModel):
        value = value.model_dump(mode="json")
    else:
        value = TypeAdapter(Any).dump_python(to_jsonable_python(value))
    if value is None:
        raise SettingsError(f"this setting cannot be empty ({info.description})")
    if isinstance(value, Mapping):
        table = tomlkit.inline_table()
        table.update(value)
        return table
    return value
