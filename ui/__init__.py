"""The window."""

import builtins

import PySide6.QtCore  # noqa: F401 - brings the hook that is taken out below

# WORKAROUND https://bugreports.qt.io/browse/PYSIDE-2029: Qt's hook reads the source of every module that is imported
# after it, to see whether the module uses PySide's "features"; nothing here does. It asks modules for an attribute that
# they do not have, of which pydantic makes another import, and its guard against its own recursion is shared by all
# threads: two that import at once could end the start with "cannot import name ... from partially initialized module".
builtins.__import__ = getattr(builtins, "__orig_import__", builtins.__import__)
