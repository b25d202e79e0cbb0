"""What a fresh site holds: deterministic productions with ids that never change."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from app.sandbox.contract import Batch, Identity
from app.sandbox.files import FileStore
from app.sandbox.profiles import cloud, ftrack_suite, studio
from app.sandbox.profiles.seeder import Seeder


@dataclass(frozen=True, slots=True)
class Profile:
    """A seed by name.

    Attributes:
        name: As on the command line.
        api_user: Whom the site's first line of output names.
        api_user_id: That user's id; empty: from the name.
        seed: Creates it all.
        component_floor: Seconds each answer of ``/component/*`` takes at least. ftrack's suite wants a time-out of a
            tenth of a millisecond to expire, which a local server would beat.
    """

    name: str
    api_user: str
    seed: Callable[[Seeder], None]
    api_user_id: str = ""
    component_floor: float = 0.0


PROFILES = {
    profile.name: profile
    for profile in (
        Profile("studio", studio.API_USER, studio.seed),
        Profile("ftrack-suite", ftrack_suite.API_USER, ftrack_suite.seed, ftrack_suite.API_USER_ID, 0.005),
        Profile("cloud", cloud.API_USER, cloud.seed),
    )
}


def owner(profile: Profile) -> Identity:
    """The user in whose name a profile is seeded."""
    return Identity(profile.api_user_id or Seeder.user_id(profile.name, profile.api_user), profile.api_user)


def seed(profile: Profile, batch: Batch, files: FileStore) -> None:
    """Create everything of ``profile`` in one transaction."""
    profile.seed(Seeder(batch, files, profile.name))
