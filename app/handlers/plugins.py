"""A studio's own handlers: Python files in a folder, and packages with the entry point ``signalbox.handlers``.

A file is read again when it changes. When the new text does not load, the handlers it gave before stay at work and
the reason is shown beside them; a file that never loaded is shown as a handler that wants nothing.
"""

from __future__ import annotations

import importlib.metadata
import inspect
import logging
import re
import sys
import traceback
import types
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import PydanticUserError, ValidationError
from pydantic_core import PydanticSerializationError

from app.engine.protocol import Change, Context, Handler, HandlerSettings, Plan, skip

__all__ = ["ENTRY_POINTS", "Plugins"]

log = logging.getLogger("signalbox.plugins")

ENTRY_POINTS = "signalbox.handlers"
_ID = re.compile(r"[a-z][a-z0-9_]{2,62}")
_PACKAGE = "signalbox_plugins"


class PluginRefused(Exception):
    """A plug-in that loaded but cannot be used as a handler; the text says what to correct."""


class _Broken(Handler):
    """Stands in the panel for a file that never loaded, so that a TD sees its name and its error."""

    def wants(self, change: Change) -> bool:
        del change
        return False

    def key(self, change: Change) -> str:
        return f"broken:{change.entity_id}"

    def plan(self, changes: Sequence[Change], ctx: Context) -> Plan:
        del changes, ctx
        return skip("the plug-in did not load")


@dataclass(slots=True)
class _Source:
    """One file or entry point.

    Attributes:
        name: The file's path or the entry point's value, as the panel shows it.
        stamp: What tells that the file changed.
        handlers: What it gave when it last loaded.
        error: Why its newest text did not load, "" when it did.
    """

    name: str
    stamp: object = None
    handlers: list[Handler] = field(default_factory=list)
    error: str = ""


class Plugins:
    """All handlers of the installation: those that come with Signalbox, then the studio's own.

    Args:
        built_in: The handlers that come with Signalbox; their ids are taken.
        folder: The plug-in folder; None: none.
        entry_points: Whether installed packages are asked too.

    Attributes:
        folder: The plug-in folder; another one counts from the next `refresh` on.
        handlers: What is at work now.
        sources: Handler id to where it comes from (plug-ins only).
        errors: Handler id to why the newest text of its source did not load.
    """

    def __init__(self, built_in: Sequence[Handler], folder: Path | None, *, entry_points: bool = True) -> None:
        self._built_in = list(built_in)
        self.folder = folder
        self._files: dict[Path, _Source] = {}
        self._installed = _from_entry_points() if entry_points else []
        self._loads = 0
        self.handlers: list[Handler] = []
        self.sources: dict[str, str] = {}
        self.errors: dict[str, str] = {}
        for source in self._installed:
            self._check_installed(source)
        self.refresh()
        self._collect()

    def refresh(self) -> bool:
        """Look at the folder; returns whether handlers or errors are different now."""
        changed = False
        found = {path: _stamp(path) for path in _plugin_files(self.folder)}
        for path in [path for path in self._files if path not in found]:
            log.info("%s was removed, its handlers are gone", path)
            del self._files[path]
            changed = True
        for path, stamp in found.items():
            source = self._files.setdefault(path, _Source(str(path)))
            if stamp is not None and stamp != source.stamp:
                source.stamp = stamp
                self._load(path, source)
                changed = True
        if changed:
            self._collect()
        return changed

    def _load(self, path: Path, source: _Source) -> None:
        self._loads += 1
        try:
            handlers = _handlers_of(_module(path, f"{_PACKAGE}.{path.stem}_{self._loads}"))
            if not handlers:
                raise PluginRefused("it defines no class derived from Handler")
            _check_all(handlers, self._taken(source))
        except PluginRefused as refusal:
            source.error = f"{path.name}: {refusal}"
        except (Exception, SystemExit) as error:  # noqa: BLE001 - a studio's file may fail in any way, even by leaving
            source.error = f"{path.name}{_line(error, path)}: {type(error).__name__}: {error}"
            log.debug("plug-in %s: %s", path, traceback.format_exc())
        else:
            source.handlers, source.error = handlers, ""
            log.info("loaded %s from %s", ", ".join(one.id for one in handlers), path)
            return
        kept = "the version before stays at work" if source.handlers else "it is not at work"
        log.error("plug-in did not load, %s: %s", kept, source.error)

    def _check_installed(self, source: _Source) -> None:
        try:
            _check_all(source.handlers, self._taken(source))
        except PluginRefused as refusal:
            source.handlers, source.error = [], str(refusal)
            log.error("entry point %s: %s", source.name, refusal)

    def _taken(self, besides: _Source) -> set[str]:
        others = [one for source in self._sources() if source is not besides for one in source.handlers]
        return {one.id for one in (*self._built_in, *others)}

    def _sources(self) -> list[_Source]:
        return [*self._installed, *(self._files[path] for path in sorted(self._files))]

    def _collect(self) -> None:
        handlers, sources, errors = list(self._built_in), {}, {}
        for source in self._sources():
            shown = source.handlers or ([_broken(source)] if source.error else [])
            handlers += shown
            for handler in shown:
                sources[handler.id] = source.name
                if source.error:
                    errors[handler.id] = source.error
        self.handlers, self.sources, self.errors = handlers, sources, errors


def _plugin_files(folder: Path | None) -> list[Path]:
    """The folder's Python files; names that begin with ``_`` or ``.`` are left alone."""
    if folder is None:
        return []
    try:
        return sorted(path for path in folder.glob("*.py") if path.name[0] not in "_.")
    except OSError as error:
        log.error("the plug-in folder %s cannot be read: %s", folder, error.strerror)
        return []


def _stamp(path: Path) -> object:
    """Changes when the file does; None while it cannot be looked at (an editor is just replacing it)."""
    try:
        state = path.stat()
    except OSError:
        return None
    return (state.st_mtime_ns, state.st_size, state.st_ino)


def _module(path: Path, name: str) -> types.ModuleType:
    """Run a file as a module. Not through the import cache: its time stamps are too coarse for a file just saved."""
    module = types.ModuleType(name)
    module.__file__ = str(path)
    code = compile(path.read_text(encoding="utf-8"), str(path), "exec")
    sys.modules[name] = module  # pydantic and dataclasses look names up there
    try:
        exec(code, module.__dict__)  # noqa: S102 - running the studio's own code is what a plug-in is
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _handlers_of(module: types.ModuleType) -> list[Handler]:
    """One instance of each handler class the module itself defines, in the order of the text."""
    classes = [
        value
        for value in vars(module).values()
        if inspect.isclass(value) and issubclass(value, Handler) and value.__module__ == module.__name__
    ]
    return [_made(one) for one in classes if not one.__name__.startswith("_")]


def _made(handler: type[Handler]) -> Handler:
    missing = sorted(getattr(handler, "__abstractmethods__", ()))
    if missing:
        raise PluginRefused(f"{handler.__name__} lacks {', '.join(missing)}")
    return handler()


def _check_all(handlers: Iterable[Handler], taken: Iterable[str]) -> None:
    """Raise PluginRefused unless the panel and the engine can work with all of them."""
    ids = set(taken)
    for handler in handlers:
        _check(handler, ids)
        ids.add(handler.id)


def _check(handler: Handler, taken: Collection[str]) -> None:
    name = type(handler).__name__
    if not isinstance(handler, Handler):
        raise PluginRefused(f"{name} is not derived from Handler")
    for attribute in ("id", "title", "help", "icon"):
        if not isinstance(getattr(handler, attribute, None), str) or not getattr(handler, attribute).strip():
            raise PluginRefused(f"{name} lacks a text {attribute}")
    if not _ID.fullmatch(handler.id):
        raise PluginRefused(f"the id {handler.id!r} of {name} must be lower case letters, digits and _")
    if handler.id in taken:
        raise PluginRefused(f"the id {handler.id!r} of {name} is taken by another handler")
    if not isinstance(handler.batch, int) or handler.batch < 1:
        raise PluginRefused(f"batch of {name} must be a whole number, at least 1")
    _check_settings(handler.settings_model, name)


def _check_settings(model: Any, name: str) -> None:
    if not (inspect.isclass(model) and issubclass(model, HandlerSettings)):
        raise PluginRefused(f"settings_model of {name} must be derived from HandlerSettings")
    bare = [key for key, declared in model.model_fields.items() if not declared.description]
    if bare:
        raise PluginRefused(f"the setting {bare[0]} of {name} has no help text")
    try:
        defaults = model()
    except ValidationError as error:
        raise PluginRefused(f"a setting of {name} has no valid default: {error.errors()[0]['loc']}") from error
    try:
        # The panel's form is made from the schema, the settings file from the values: neither knows Python's types.
        defaults.model_dump(mode="json")
        model.model_json_schema()
    except (PydanticUserError, PydanticSerializationError) as error:
        raise PluginRefused(f"the settings of {name} cannot be written down as JSON: {error}") from error


def _broken(source: _Source) -> Handler:
    stem = re.sub(r"[^a-z0-9_]+", "_", Path(source.name).stem.lower()).strip("_") or "file"
    made = type("Broken", (_Broken,), {"id": f"plugin_{stem}", "title": Path(source.name).name, "help": source.error})
    handler: Handler = made()
    return handler


def _line(error: BaseException, path: Path) -> str:
    """ ", line 7" of the plug-in's own file, where the error came from."""
    if isinstance(error, SyntaxError) and error.lineno:
        return f", line {error.lineno}"
    own = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
    return f", line {own[-1]}" if own else ""


def _from_entry_points() -> list[_Source]:
    """What installed packages offer: a Handler class, or a function that gives handlers."""
    sources = []
    for point in importlib.metadata.entry_points(group=ENTRY_POINTS):
        source = _Source(f"{point.value} ({point.dist.name if point.dist else 'installed'})")
        try:
            offered = point.load()
            is_handler = inspect.isclass(offered) and issubclass(offered, Handler)
            source.handlers = [_made(offered)] if is_handler else list(offered())
        except (Exception, SystemExit) as error:  # noqa: BLE001 - as for files
            source.error = f"{point.value}: {type(error).__name__}: {error}"
            log.error("entry point %s did not load: %s", point.value, source.error)
        sources.append(source)
    return sources
