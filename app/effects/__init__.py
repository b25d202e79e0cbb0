"""The kinds of effects, one file each. `KINDS` is how the engine reads them back from the journal."""

from __future__ import annotations

from collections.abc import Mapping

from app.effects.disk import CopyFile, MakeFolder, RemoveFile, RemoveFolders
from app.effects.ftrack import CreateEntity, DeleteEntity, SetMetadata, SetShotValue, UpdateEntity
from app.effects.job import SubmitJob
from app.effects.remote import CopyBetweenSites, RemoteEntity
from app.effects.resolves import ResolveComponent
from app.effects.review_media import DropReviewMedia, MakeReviewMedia
from app.effects.slack import SendSlack
from app.effects.upload import UploadComponent
from app.engine.protocol import Effect

#: Kind to class; whoever adds a kind adds it here.
KINDS: Mapping[str, type[Effect]] = {
    each.kind: each
    for each in (
        CreateEntity,
        UpdateEntity,
        DeleteEntity,
        SetMetadata,
        SetShotValue,
        MakeFolder,
        CopyFile,
        RemoveFolders,
        RemoveFile,
        SendSlack,
        UploadComponent,
        SubmitJob,
        MakeReviewMedia,
        DropReviewMedia,
        RemoteEntity,
        CopyBetweenSites,
        ResolveComponent,
    )
}
