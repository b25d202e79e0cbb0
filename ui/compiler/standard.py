"""The workbench's doors as an installation has them: from the settings, in this machine's folders."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from app.jobs.api import (
    API_REFERENCE,
    TEMPLATES,
    CompilerPool,
    Deployer,
    SampleJob,
    SampleJobs,
    ScriptLibrary,
    Variable,
)
from app.jobs.versions_ask import ask_version, get_json
from app.settings.models import FlamencoSettings
from app.settings.paths import settings_path, state_folder
from app.settings.store import SettingsStore
from ui.compiler.doors import Deploying, Doors, ManagerFacts

PLATFORMS = ("linux", "windows", "darwin")


def standard_doors(
    state: Path | None = None, settings: FlamencoSettings | None = None, pool: CompilerPool | None = None
) -> Doors:
    """Doors to the Manager and the folders the settings name; the pool in them is the caller's to close.

    Args:
        state: Where drafts, sample jobs, kept inputs and earlier versions live; the installation's by default.
        settings: Section `flamenco`; read from the settings file by default.
        pool: A compiler that runs already; a new one by default.

    Raises:
        SettingsError: the settings file cannot be read.
    """
    if settings is None:
        settings = SettingsStore(settings_path()).section("flamenco", FlamencoSettings)
    home = (state or state_folder()) / "compiler"
    scripts_dir = Path(settings.scripts_folder).expanduser() if settings.scripts_folder else None
    url = settings.manager or None
    compiler = pool or CompilerPool()

    def deployer(samples: Sequence[SampleJob], version: str) -> Deploying:
        assert scripts_dir is not None
        return Deployer(
            scripts_dir,
            compiler,
            history_dir=home / "deployments",
            samples=samples,
            manager_url=url,
            manager_version=version,
        )

    return Doors(
        pool=compiler,
        library=ScriptLibrary(scripts_dir, home / "drafts"),
        samples=SampleJobs(home / "sample_jobs"),
        deployer=deployer if scripts_dir is not None else None,
        scripts_dir=scripts_dir,
        memory=home / "inputs",
        ask_manager=(lambda: ask_manager(url)) if url else None,
        templates=tuple(TEMPLATES.values()),
        api=tuple(API_REFERENCE),
    )


def ask_manager(url: str) -> ManagerFacts:
    """Version and variables of a running Manager. Blocks; raises ConnectionError when it does not answer as one."""
    values: dict[str, dict[str, str]] = {}
    two_way: set[str] = set()
    for platform in PLATFORMS:
        answer = get_json(f"{url.rstrip('/')}/api/v3/configuration/variables/workers/{platform}")
        for name, said in answer.items() if isinstance(answer, dict) else ():
            if isinstance(said, dict) and isinstance(said.get("value"), str):
                values.setdefault(name, {})[platform] = said["value"]
                if said.get("is_twoway"):
                    two_way.add(name)
    variables = {name: Variable(by_platform, name in two_way) for name, by_platform in values.items()}
    return ManagerFacts(ask_version(url), variables)
