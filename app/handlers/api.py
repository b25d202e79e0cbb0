"""Everything a studio's own handler needs, in one place: ``from app.handlers.api import Handler, Plan, setting``.

These names stay where they are. What a plug-in imports from elsewhere in this program may move from one version to the
next.
"""

from __future__ import annotations

from app.effects.base import Result
from app.effects.disk import CopyFile, MakeFolder
from app.effects.ftrack import CreateEntity, DeleteEntity, SetMetadata, UpdateEntity
from app.effects.job import SubmitJob
from app.effects.job_setting import JobSetting, WithJobs, jobs_setting
from app.effects.slack import SendSlack
from app.effects.upload import UploadComponent
from app.engine.protocol import (
    Change,
    Context,
    Effect,
    Expect,
    Handler,
    HandlerSettings,
    Later,
    Note,
    Parent,
    Plan,
    PlanError,
    natural_id,
    skip,
)
from app.handlers.common import (
    PLACE_FIELDS,
    Place,
    added_since,
    anchor,
    folded,
    id_list,
    metadata_of,
    missed_change,
    moment_of,
    occasion,
    place_of,
    quoted,
    reached_status,
    status_changes_since,
    studio,
)
from app.rules.names import folder_name, slugify
from app.settings.models import setting
from app.slack import escape

__all__ = [
    "PLACE_FIELDS",
    "Change",
    "Context",
    "CopyFile",
    "CreateEntity",
    "DeleteEntity",
    "Effect",
    "Expect",
    "Handler",
    "HandlerSettings",
    "JobSetting",
    "Later",
    "MakeFolder",
    "Note",
    "Parent",
    "Place",
    "Plan",
    "PlanError",
    "Result",
    "SendSlack",
    "SetMetadata",
    "SubmitJob",
    "UpdateEntity",
    "UploadComponent",
    "WithJobs",
    "added_since",
    "anchor",
    "escape",
    "folded",
    "folder_name",
    "id_list",
    "jobs_setting",
    "metadata_of",
    "missed_change",
    "moment_of",
    "natural_id",
    "occasion",
    "place_of",
    "quoted",
    "reached_status",
    "setting",
    "skip",
    "slugify",
    "status_changes_since",
    "studio",
]
