"""A review between two sites, the event server that syncs them, and the power cuts in between."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import ftrack_api
from listening import until
from program import Program
from sandbox_process import SandboxProcess
from web_client import Form, Message, WebClient, selected

from app.journal.journal import Journal

_ENDED = ("done", "skipped")


class TwoSites:
    """Both sites, a browser, somebody at the cloud site, and the event server, which can be killed.

    Attributes:
        home: The server's home.
        page: The browser at the studio's site.
        cloud: A session at the clients' site.
        away: The clients' site itself.
    """

    def __init__(self, base: Path, site: SandboxProcess, away: SandboxProcess) -> None:
        self.home = base / "home"
        self.home.mkdir()
        (self.home / "settings.toml").write_text(
            f'[cloud]\nserver = "{away.url}"\napi_user = "{away.user}"\n[slack]\nenabled = false\n'
        )
        self.extra = {"FTRACK_SERVER": site.url, "FTRACK_API_USER": site.user, "FTRACK_API_KEY": site.key}
        self.extra["SIGNALBOX_CLOUD_API_KEY"] = away.key
        self.away = away
        self.page = WebClient(site.url, site.key, site.user, base / "cache")
        (base / "cloud-cache").mkdir()
        self.cloud = ftrack_api.Session(
            server_url=away.url, api_key=away.key, api_user=away.user,
            schema_cache_path=str(base / "cloud-cache"), auto_connect_event_hub=False,
        )  # fmt: skip
        self.start()

    def start(self, **extra: str) -> None:
        """The event server, up and connected."""
        self.server = Program("serve", "--json", home=self.home, extra={**self.extra, **extra})
        self.journal = Journal.open(Path(self.server.wait_line()["journal"]), "read")
        wanted = {"site", "workers"}
        assert until(lambda: {lamp.name for lamp in self.journal.health() if lamp.state == "ok"} >= wanted)

    def kill(self) -> None:
        """A power cut: the worker and the host that would start it again."""
        host = self.server.process.pid
        children = Path(f"/proc/{host}/task/{host}/children").read_text().split()
        for pid in (host, *map(int, children)):
            os.kill(pid, signal.SIGKILL)
        self.gone()

    def gone(self) -> int:
        """Wait for the server's end; its exit code."""
        self.journal.close()
        with self.server as server:
            return server.ends()

    def close(self) -> None:
        self.cloud.close()
        self.page.close()
        self.journal.close()
        with self.server as server:
            assert server.stop() == 0
        assert "Traceback" not in server.errors
        assert self.away.key not in server.errors

    def local(self, query: str) -> list[Any]:
        self.page.session.reset()
        return list(self.page.session.query(query))

    def remote(self, query: str) -> list[Any]:
        self.cloud.reset()
        return list(self.cloud.query(query))

    def launch(self, action: str, session: Any) -> int:
        """Launch from the page; the run's id."""
        known = {run.id for run in self.journal.runs(handler=action)}
        form = self.page.launch(f"signalbox.{action}", selected(session))
        assert isinstance(form, Form)
        answer = self.page.submit(form)
        assert isinstance(answer, Message)
        assert answer.success
        assert until(lambda: {run.id for run in self.journal.runs(handler=action)} - known)
        return max({run.id for run in self.journal.runs(handler=action)} - known)

    def ended(self, run: int) -> Any:
        assert until(lambda: self.journal.run_row(run).finished is not None, 90), self.journal.run_row(run)
        row = self.journal.run_row(run)
        assert row.state in _ENDED, row.reason
        return row

    def sync(self, action: str, session: Any = None) -> Any:
        """Launch and wait for the run's end."""
        return self.ended(self.launch(action, session or self.local("select id, name from ReviewSession")[0]))

    def sync_killed(self, action: str, session: Any, after: int) -> Any:
        """The same with a power cut once so many effects are done, and a new start."""
        run = self.launch(action, session)

        def done() -> int:
            return sum(effect.state == "applied" for effect in self.journal.run(run).effects)

        assert until(lambda: done() >= after, 30)
        assert self.journal.run_row(run).finished is None, "it is killed in the middle"
        self.kill()
        self.start()
        return self.ended(run)


@contextmanager
def two_sites(base: Path) -> Iterator[TwoSites]:
    """Two sites of a test's own and the server between them."""
    with (
        SandboxProcess(base / "site", "studio", "--heartbeat", "1") as site,
        SandboxProcess(base / "cloud", "cloud", "--heartbeat", "1") as cloud,
    ):
        made = TwoSites(base, site, cloud)
        yield made
        made.close()


def new_session(studio: TwoSites, name: str) -> tuple[Any, list[Any]]:
    """Another session of the same project; two of its three objects show versions that the first one shows too."""
    page = studio.page.session
    first = studio.local('select id, project_id from ReviewSession where name is "Nightjar client review 1"')[0]
    versions = studio.local(
        f'select version_id from ReviewSessionObject where review_session_id is "{first["id"]}" '
        "order by sort_order limit 3"
    )
    session = page.create("ReviewSession", {"name": name, "description": "", "project_id": first["project_id"]})
    for place, one in enumerate(versions):
        # Two objects of one name: versions of two tasks of a shot are often called alike.
        values = {"name": "010 <b>take</b>", "version": f"Version {place}", "description": "", "sort_order": place}
        page.create("ReviewSessionObject", {**values, "version_id": one["version_id"], "review_session": session})
    page.commit()
    objects = studio.local(
        "select id, name, version_id, asset_version.task_id from ReviewSessionObject "
        f'where review_session_id is "{session["id"]}" order by sort_order'
    )
    return session, objects


def mirrored_once(studio: TwoSites, session: Any, objects: list[Any]) -> dict[str, Any]:
    """Each thing of the session is on the cloud site exactly once; its objects by the studio's version."""
    (mirror,) = studio.remote(f'select id, name from ReviewSession where name is "{session["name"]}"')
    rows = studio.remote(
        "select id, asset_version.id, asset_version.metadata, asset_version.asset.versions.id, "
        "asset_version.asset.parent.name, asset_version.asset.parent.assets.id, "
        "asset_version.components.name, asset_version.components.component_locations.id "
        f'from ReviewSessionObject where review_session_id is "{mirror["id"]}"'
    )
    by_source = {row["asset_version"]["metadata"]["source_asset_id"]: row for row in rows}
    assert sorted(by_source) == sorted(one["version_id"] for one in objects)
    assert len(rows) == len(objects)
    for row in rows:
        (part,) = row["asset_version"]["components"]
        assert (part["name"], len(part["component_locations"])) == ("ftrackreview-mp4", 1)
        assert len(row["asset_version"]["asset"]["versions"]) == 1
        assert len(row["asset_version"]["asset"]["parent"]["assets"]) == 1
    (folder,) = studio.remote(f'select id from Folder where name is "{session["name"]}"')
    assert len(studio.remote(f'select id from Shot where parent_id is "{folder["id"]}"')) == len(objects)
    return by_source
