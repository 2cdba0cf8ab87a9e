"""/api/runs: start, watch, cancel and repeat; /api/providers: with what."""

from typing import Annotated, Any

import msgspec
from litestar import Controller, MediaType, Response, get, post
from litestar.params import FromPath, FromQuery, HeaderParameter, JSONBody, QueryParameter

from app.compose import Services
from app.routes.access import UNCOUNTED, CallerRequest, TheServices, TheStopping
from app.routes.streams import Listener, after_of, event_stream
from canvas.access import Action
from canvas.errors import EaselError, Invalid, NotFound
from canvas.values import check_json
from jobs.batch import StartBatch, StartedBatch
from jobs.events import PAGE, EventBody, RunEvent
from jobs.pages import DEFAULT_LIMIT, Page, checked_limit
from jobs.providers.registry import ListedProvider
from jobs.run import ImageJobRecord, StartImageJobRequest, Status

_LastEventId = Annotated[str | None, HeaderParameter(name="Last-Event-ID")]
_FromQuery = Annotated[str | None, QueryParameter(name="lastEventId")]
_NO_RUN = "There is no such run."


MAX_REPLAYS = 100


class ReplayRuns(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    job_ids: list[str]


class Replayed(msgspec.Struct, rename="camel"):
    job_id: str
    replayed_as: str


class NotReplayed(msgspec.Struct, rename="camel"):
    job_id: str
    code: str
    detail: str


class Replays(msgspec.Struct):
    replayed: list[Replayed]
    refused: list[NotReplayed]


class RunsController(Controller):
    path = "/api/runs"
    tags = ("runs",)

    @post(operation_id="startRun", status_code=202)
    async def start(
        self, services: TheServices, request: CallerRequest, data: JSONBody[StartImageJobRequest]
    ) -> Response[ImageJobRecord]:
        """Start making a picture for a node. It is stored before this answers."""
        check_json(data.workflow_id)
        await services.workflows.membership(data.workflow_id, request.user.account_id, "run")
        record = await services.runs.start(data, request.user.account_id)
        return _accepted(record)

    @post("/batch", operation_id="startBatch", status_code=202)
    async def start_batch(
        self, services: TheServices, request: CallerRequest, data: JSONBody[StartBatch]
    ) -> Response[StartedBatch]:
        """Start up to 100 runs, each for another node, of which `concurrency` go on at a time; or, on a 422, none.

        The problem's `items` name each that cannot be started, with its `index`, its `code` and a sentence.
        """
        account_id = request.user.account_id

        async def may_run(workflow_id: str) -> None:
            await services.workflows.membership(workflow_id, account_id, "run")

        started = await services.batches.start(data, account_id, may_run)
        return Response(started, status_code=202, headers={"Location": f"/api/batches/{started.batch_id}"})

    @get(operation_id="listRuns")
    async def list_runs(
        self,
        services: TheServices,
        request: CallerRequest,
        workflow_id: Annotated[str | None, QueryParameter(name="workflowId")] = None,
        node_id: Annotated[str | None, QueryParameter(name="nodeId")] = None,
        status: FromQuery[Status | None] = None,
        provider: FromQuery[str | None] = None,
        dead: FromQuery[bool | None] = None,
        mine: FromQuery[bool | None] = None,
        limit: FromQuery[int] = DEFAULT_LIMIT,
        cursor: FromQuery[str | None] = None,
    ) -> Page[ImageJobRecord]:
        """Runs of every workflow you are a member of, newest first.

        `dead`: those that have failed although trying again might help. A retry takes them off that list.
        `mine`: only those that you started yourself.
        """
        return await services.runs.list(
            request.user.account_id,
            workflow_id=workflow_id,
            node_id=node_id,
            status=status,
            provider=provider,
            dead=dead,
            mine=mine,
            cursor=cursor,
            limit=checked_limit(limit),
        )

    @post("/replay", operation_id="replayRuns", status_code=202)
    async def replay(self, services: TheServices, request: CallerRequest, data: JSONBody[ReplayRuns]) -> Replays:
        """Start up to 100 dead runs (`?dead=true`) once more, each as a new one; each stands or falls by itself.

        One that may have been charged may be charged again.
        """
        if not 1 <= len(data.job_ids) <= MAX_REPLAYS:
            raise Invalid(f"jobIds names from 1 to {MAX_REPLAYS} runs.")
        check_json(data.job_ids)
        answer = Replays([], [])
        for job_id in dict.fromkeys(data.job_ids):
            try:
                await _visible(services, request, job_id, "run")
                record = await services.runs.replay(job_id, request.user.account_id)
                answer.replayed.append(Replayed(job_id, record.job_id))
            except EaselError as error:
                answer.refused.append(NotReplayed(job_id, error.code, error.detail))
        return answer

    @post("/{job_id:str}/dismiss", operation_id="dismissRun", status_code=200)
    async def dismiss(self, services: TheServices, request: CallerRequest, job_id: FromPath[str]) -> ImageJobRecord:
        """Take a dead run off that list without another try. The run itself stays as it is."""
        await _visible(services, request, job_id, "run")
        return await services.runs.dismiss(job_id)

    @get("/{job_id:str}", operation_id="getRun")
    async def read(self, services: TheServices, request: CallerRequest, job_id: FromPath[str]) -> ImageJobRecord:
        """One run."""
        return await _visible(services, request, job_id, "read")

    @post("/{job_id:str}/cancel", operation_id="cancelRun", status_code=202)
    async def cancel(
        self, services: TheServices, request: CallerRequest, job_id: FromPath[str]
    ) -> Response[ImageJobRecord]:
        """Stop a run. One that a worker carries ends when the worker has heard of it."""
        await _visible(services, request, job_id, "run")
        return _accepted(await services.runs.cancel(job_id))

    @post("/{job_id:str}/retry", operation_id="retryRun", status_code=202)
    async def retry(
        self, services: TheServices, request: CallerRequest, job_id: FromPath[str]
    ) -> Response[ImageJobRecord]:
        """The same request once more, as a new run."""
        await _visible(services, request, job_id, "run")
        return _accepted(await services.runs.retry(job_id, request.user.account_id))

    @get("/{job_id:str}/preview", opt=UNCOUNTED, operation_id="getPreview", media_type="image/webp")
    async def preview(self, services: TheServices, request: CallerRequest, job_id: FromPath[str]) -> Response[bytes]:
        """The newest preview of a run that is being made."""
        await _visible(services, request, job_id, "read")
        picture = await services.previews.read(job_id)
        if picture is None:
            raise NotFound("This run has no preview (any more).")
        # Every step has an address of its own (`?v=`), so a browser may keep what it saw.
        headers = {"Cache-Control": "private, max-age=60", "X-Content-Type-Options": "nosniff"}
        return Response(picture, media_type=_preview_type(picture), headers=headers)

    @get("/{job_id:str}/events", operation_id="watchRun", media_type="text/event-stream")
    async def events(
        self,
        services: TheServices,
        stopping: TheStopping,
        request: CallerRequest,
        job_id: FromPath[str],
        last_event_id: _LastEventId = None,
        from_query: _FromQuery = None,
    ) -> Response[Any]:
        """A run's events as SSE, or with `Accept: application/json` those stored so far. After the end: 204."""
        record = await _visible(services, request, job_id, "read")
        after = after_of(last_event_id, from_query)
        if _wants_json(request):
            found = await services.events.list_events(job_id, after)
            return _stored(found, str(found[-1].seq) if len(found) == PAGE else None)
        if after and await services.events.is_over(job_id, after):
            return Response(None, status_code=204)
        listener = _listener(services, request, record.workflow_id)
        events = services.events.follow(job_id, after)
        return event_stream(events, listener, in_workflow=False, stopping=stopping.event)


class WorkflowEventsController(Controller):
    path = "/api/workflows/{workflow_id:str}/events"
    tags = ("runs",)

    @get(operation_id="watchWorkflow", media_type="text/event-stream")
    async def events(
        self,
        services: TheServices,
        stopping: TheStopping,
        request: CallerRequest,
        workflow_id: FromPath[str],
        last_event_id: _LastEventId = None,
        from_query: _FromQuery = None,
    ) -> Response[Any]:
        """The events of all runs of a workflow, numbered in the workflow."""
        await services.workflows.membership(workflow_id, request.user.account_id, "read")
        after = after_of(last_event_id, from_query)
        if _wants_json(request):
            found = await services.events.list_workflow_events(workflow_id, after)
            return _stored(found, str(found[-1].workflow_seq) if len(found) == PAGE else None)
        listener = _listener(services, request, workflow_id)
        events = services.events.follow_workflow(workflow_id, after)
        return event_stream(events, listener, in_workflow=True, stopping=stopping.event)


class ProvidersController(Controller):
    path = "/api/providers"
    tags = ("runs",)

    @get(operation_id="listProviders")
    async def list_providers(self, services: TheServices) -> list[ListedProvider]:
        """Who can make pictures here, and what each model takes and costs."""
        return services.registry.listing()


async def _visible(services: Services, request: CallerRequest, job_id: str, action: Action) -> ImageJobRecord:
    """The run, for someone who may do `action` on its workflow; for a stranger it does not exist."""
    record = await services.runs.get(job_id)
    try:
        await services.workflows.membership(record.workflow_id, request.user.account_id, action)
    except NotFound as error:
        raise NotFound(_NO_RUN) from error
    return record


def _accepted(record: ImageJobRecord) -> Response[ImageJobRecord]:
    return Response(record, status_code=202, headers={"Location": f"/api/runs/{record.job_id}"})


def _listener(services: Services, request: CallerRequest, workflow_id: str) -> Listener:
    return Listener(services.workflows, services.relay, services.proofs, workflow_id, request.user)


def _stored(events: list[RunEvent], next_cursor: str | None) -> Response[Page[EventBody]]:
    """`next_cursor` is the `lastEventId` to go on with."""
    return Response(Page([event.body for event in events], next_cursor), media_type=MediaType.JSON)


def _wants_json(request: CallerRequest) -> bool:
    accept = request.headers.get("accept", "")
    return "application/json" in accept and "text/event-stream" not in accept


def _preview_type(picture: bytes) -> str:
    return "image/webp" if picture[8:12] == b"WEBP" else "image/jpeg"
