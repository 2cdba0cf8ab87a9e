"""What people do with runs: start, cancel, run again, look. Whoever calls has checked the caller's role and mayRun."""

from __future__ import annotations

import asyncio
import builtins

import msgspec
import structlog

from canvas.errors import Conflict, Unavailable
from jobs.call import paused
from jobs.gate.port import Gate
from jobs.line import InLine, LineReader
from jobs.pages import DEFAULT_LIMIT, Page, Place, checked_limit, page_of, place_of
from jobs.providers.registry import Registry, name_of
from jobs.run import Frame, ImageJobRecord, PictureUrl, Run, StartImageJobRequest, Status, check_request, new_payload
from jobs.sources import Sources
from jobs.store.bells import BellStore
from jobs.store.run_lists import Wanted
from jobs.store.runs import NewRun, RunStore
from jobs.tracing import traceparent

log = structlog.get_logger(__name__)

RING_WITHIN_S = 1.0  # the caller waits for it; later rings are the workers'


class Runs:
    def __init__(
        self,
        store: RunStore,
        bells: BellStore,
        registry: Registry,
        picture_url: PictureUrl,
        gate: Gate,
        sources: Sources,
        line: LineReader,
        webhook_hosts: frozenset[str] = frozenset(),
    ) -> None:
        """`webhook_hosts`: `host[:port]` of the public names of this Easel, in lower case."""
        self._gate = gate
        self._sources = sources
        self._line = line
        self._store = store
        self._bells = bells
        self._registry = registry
        self._picture_url = picture_url
        self._webhook_hosts = webhook_hosts

    async def start(
        self, request: StartImageJobRequest, account_id: str, *, replays: str | None = None
    ) -> ImageJobRecord:
        """Stored before it returns (JB3). Raises Invalid, JobError, NotFound, Conflict RUN_LIVE, Unavailable."""
        run = await self._store.start(await self.prepare(request, account_id, replays=replays))
        await self.ring()
        return run.record(self._picture_url)

    async def prepare(self, request: StartImageJobRequest, account_id: str, *, replays: str | None = None) -> NewRun:
        """Everything that can be checked before the workflow is looked at. Raises Invalid, JobError, NotFound."""
        provider = self._registry.get(request.provider)
        model = self._registry.model(request.provider, request.model)
        check_request(request, model, self._webhook_hosts)
        plan = provider.plan(model, request.prompt_spec)
        if (code := await self._gate.paused(provider.credential)) is not None:
            raise paused(code, name_of(provider.id))
        parent_id = await self._sources.parent_of(request.prompt_spec.previous_image, account_id)
        own = new_payload(request, model)
        payload = msgspec.structs.replace(own, parent_id=parent_id, replays=replays, trace=traceparent())
        return NewRun(request, model.id, account_id, payload, plan)

    async def cancel(self, job_id: str) -> ImageJobRecord:
        """Raises NotFound, Conflict INVALID_STATE. A running one ends when its worker has heard of it."""
        return (await self._store.cancel(job_id)).record(self._picture_url)

    async def cancel_live(self, workflow_id: str) -> int:
        """For a workflow that goes to the trash; call it after that is committed. Answers how many ended."""
        return await self._store.cancel_live(workflow_id)

    async def retry(self, job_id: str, account_id: str) -> ImageJobRecord:
        """The same request as a new run. Raises NotFound, Conflict INVALID_STATE, and whatever `start` raises."""
        run = await self._store.get(job_id)
        if run.is_live:
            raise Conflict(
                f"This run is still {run.status}. Cancel it first, or wait for its end.", code="INVALID_STATE"
            )
        # A dead one is off the list then: this is its second chance.
        replays = job_id if run.status == "failed" else None
        return await self.start(run.request, account_id, replays=replays)

    async def dead(self, limit: int = DEFAULT_LIMIT) -> builtins.list[ImageJobRecord]:
        """Of everybody: for whoever keeps this Easel running."""
        return [run.record(self._picture_url) for run in await self._store.dead(limit)]

    async def replay(self, job_id: str, account_id: str) -> ImageJobRecord:
        """A dead run once more, as a new one. Raises Conflict INVALID_STATE for any other, and as `retry`."""
        if not await self._store.is_dead(job_id):
            raise Conflict("This run is not on the list of the dead.", code="INVALID_STATE")
        return await self.retry(job_id, account_id)

    async def dismiss(self, job_id: str) -> ImageJobRecord:
        """Off the list of the dead; the run stays as it is. Raises NotFound, Conflict INVALID_STATE."""
        return (await self._store.dismiss(job_id)).record(self._picture_url)

    async def dismiss_all(self) -> int:
        """Of everybody: for whoever keeps this Easel running."""
        return await self._store.dismiss_all()

    async def account_of(self, job_id: str) -> str:
        """Who started it. Raises NotFound."""
        return (await self._store.get(job_id)).account_id

    async def get(self, job_id: str) -> ImageJobRecord:
        run = await self._store.get(job_id)
        return run.record(self._picture_url, (await self._line_of([run])).get(run.id))

    async def list(
        self,
        account_id: str,
        *,
        workflow_id: str | None = None,
        node_id: str | None = None,
        status: Status | None = None,
        provider: str | None = None,
        dead: bool | None = None,
        mine: bool | None = None,
        cursor: str | None = None,
        limit: int = DEFAULT_LIMIT,
    ) -> Page[ImageJobRecord]:
        """Newest first, of every workflow where the account is a member. `mine`: only those that it started itself."""
        started_by = account_id if mine else None
        wanted = Wanted(workflow_id, node_id, status, provider, dead, place_of(cursor), started_by)
        runs = await self._store.visible_to(account_id, wanted, checked_limit(limit))
        last = Place(runs[-1].started_at, runs[-1].id) if runs else None
        line = await self._line_of(runs)
        return page_of([run.record(self._picture_url, line.get(run.id)) for run in runs], limit, last)

    async def live(self, workflow_id: str) -> tuple[Frame, ...]:
        """For a `welcome`: what is under way, in the form of a frame's runs."""
        runs = await self._store.live(workflow_id)
        line = await self._line_of(runs)
        return tuple(run.frame(line.get(run.id)) for run in runs)

    async def _line_of(self, runs: builtins.list[Run]) -> dict[str, InLine]:
        return await self._line.places([run.id for run in runs if run.status == "pending"])

    async def ring(self) -> None:
        # The run is stored; a bell that fails now is rung by a worker within a second, so the caller need not know.
        try:
            async with asyncio.timeout(RING_WITHIN_S):
                await self._bells.ring()
        except (Unavailable, TimeoutError) as error:
            log.warning("doorbell.away", reason=type(error).__name__)
