"""Probe, transcode, slate, thumbnails, sequences. Decoders are loaded only in child processes."""

from app.media.model import (
    MediaFacts,
    MediaRefused,
    Progress,
    ReviewMedia,
    ReviewSettings,
    SlateText,
    Source,
)
from app.media.probe import probe, probe_many
from app.media.review import make_review, slate_preview
from app.media.sequences import clean_path, gather

__all__ = [
    "MediaFacts",
    "MediaRefused",
    "Progress",
    "ReviewMedia",
    "ReviewSettings",
    "SlateText",
    "Source",
    "clean_path",
    "gather",
    "make_review",
    "probe",
    "probe_many",
    "slate_preview",
]
