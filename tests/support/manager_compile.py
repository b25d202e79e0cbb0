"""The stand-in of the Manager compiles with the program's own compiler: what it stores and answers is computed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from manager_stand_in import Compiled, ManagerStandIn

from app.jobs import loader
from app.jobs.compiler import CompilerPool
from app.jobs.model import CompileRequest, CompileResult, Limits, Variable

STORAGE = Variable(
    {"linux": "/media/shared/flamenco", "windows": "F:\\flamenco", "darwin": "/Volumes/shared/flamenco"},
    is_two_way=True,
)


class StandInCompiler:
    """The two callables that `ManagerStandIn` takes, over one compiler pool."""

    def __init__(self) -> None:
        self.pool = CompilerPool()

    def stand_in(self) -> ManagerStandIn:
        """A stand-in that compiles here."""
        return ManagerStandIn(self.compile, self.types)

    def close(self) -> None:
        self.pool.close()

    def _result(self, scripts: Mapping[str, str], job: Mapping[str, Any]) -> CompileResult:
        request = CompileRequest(
            scripts=scripts,
            job=job,
            manager_version="3.9",
            variables={"my_storage": STORAGE},
            limits=Limits(seconds=30),
            lint=False,
        )
        return self.pool.submit(request, channel="").result(timeout=60)

    def compile(self, scripts: Mapping[str, str], body: Mapping[str, Any]) -> Compiled:
        """What the Manager makes of a submitted job."""
        result = self._result(scripts, {"priority": 50, **body})
        if not result.ok or result.job is None:
            assert result.http is not None, result
            message = result.http.message
            return Compiled(result.http.status, message, code=message != "Internal Server Error")
        tasks: list[dict[str, Any]] = []
        while page := self.pool.pages(result.result_id, len(tasks), 500):
            tasks += page
        job = result.job
        return Compiled(
            200,
            settings=job["settings"],
            metadata=job["metadata"],
            name=job["name"],
            priority=job["priority"],
            tasks=tasks,
        )

    def types(self, scripts: Mapping[str, str]) -> dict[str, Any]:
        """Job type name to what the Manager tells of it; scripts that it cannot read are not known to it."""
        found: dict[str, Any] = {}
        for name in loader.load(scripts).types:
            result = self._result(scripts, {"name": "x", "type": name, "submitter_platform": "linux", "settings": {}})
            error = result.error
            if result.job_type is not None:
                found[name] = {"job_type": result.job_type}
            elif error is None or error.kind not in ("syntax", "unknown_type", "incomplete"):
                found[name] = {"panic": error is not None and error.kind == "panic"}
        return found
