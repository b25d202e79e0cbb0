"""Which handlers this program has."""

from __future__ import annotations

import importlib
import inspect
import pkgutil

import app.handlers
from app.engine.protocol import Handler
from app.settings.store import SettingsStore


def built_in_handlers() -> list[Handler]:
    """One instance of each handler in `app.handlers`, in order of their ids."""
    found: dict[str, Handler] = {}
    for module_info in pkgutil.iter_modules(app.handlers.__path__):
        module = importlib.import_module(f"app.handlers.{module_info.name}")
        for _, kind in inspect.getmembers(module, inspect.isclass):
            if issubclass(kind, Handler) and not inspect.isabstract(kind) and kind.__module__ == module.__name__:
                found[kind.id] = kind()
    return [found[key] for key in sorted(found)]


def declare_handlers(store: SettingsStore, handlers: list[Handler]) -> None:
    """Make each handler's section of the settings known."""
    for handler in handlers:
        store.declare(f"handlers.{handler.id}", handler.settings_model)
