"""The actions of ftrack's menu: one file each, with their pages."""

from __future__ import annotations

from app.actions.base import Action

__all__ = ["all_actions"]


def all_actions() -> list[Action]:
    """One instance of every action that comes with Signalbox, in the order of the menu."""
    from app.actions.batch_create import BatchCreate
    from app.actions.clear_job_queue import ClearJobQueue
    from app.actions.feedback_sync import FeedbackSync
    from app.actions.review_sync import ReviewSync
    from app.actions.update_rv_component import UpdateRvComponent
    from app.actions.upload_media import UploadMedia

    return [BatchCreate(), ClearJobQueue(), ReviewSync(), FeedbackSync(), UploadMedia(), UpdateRvComponent()]
