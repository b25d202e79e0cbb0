"""The event handlers: one file each. A studio's own are found by `app.handlers.plugins`."""

from __future__ import annotations

from app.engine.protocol import Handler

__all__ = ["all_handlers"]


def all_handlers() -> list[Handler]:
    """One instance of every handler that comes with Signalbox, in the order of the panel."""
    from app.handlers.add_version_to_list import AddVersionToList
    from app.handlers.assign_task_status import AssignTaskStatus
    from app.handlers.create_project_folder import CreateProjectFolder
    from app.handlers.create_task_folder import CreateTaskFolder
    from app.handlers.set_task_thumbnail import SetTaskThumbnail
    from app.handlers.status_handler import StatusHandler

    return [
        CreateProjectFolder(),
        CreateTaskFolder(),
        AddVersionToList(),
        AssignTaskStatus(),
        StatusHandler(),
        SetTaskThumbnail(),
    ]
