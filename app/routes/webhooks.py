"""/api/webhooks: what providers report by themselves."""

from typing import Annotated

from litestar import Controller, Response, post
from litestar.background_tasks import BackgroundTask
from litestar.exceptions import InternalServerException
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath, QueryParameter

from app.routes.access import OPEN, OpenRequest, TheServices
from canvas.errors import BadRequest
from jobs.webhooks.delivery import MAX_BODY_BYTES, Delivery
from jobs.webhooks.inbox import Kept
from jobs.webhooks.reception import Reception

_ANSWERS = {
    202: ResponseSpec(
        dict[str, str], description="Kept; no such job is known (yet). It is tried again for ten minutes."
    ),
}


class WebhooksController(Controller):
    path = "/api/webhooks"
    tags = ("webhooks",)
    opt = OPEN

    @post(
        "/{provider:str}",
        operation_id="receiveReport",
        status_code=200,
        request_max_body_size=MAX_BODY_BYTES,
        responses=_ANSWERS,
    )
    async def receive(
        self,
        services: TheServices,
        request: OpenRequest,
        provider: FromPath[str],
        order: Annotated[str | None, QueryParameter(name="order")] = None,
    ) -> Response[dict[str, str]]:
        """A provider's signed report about a job. 200: kept, once; 202: kept, but no such job is known (yet)."""
        reception = services.webhooks
        return _answer(await reception.receive(provider, await _delivery(request), order), reception)

    @post(
        "/midjourney/{token:str}",
        operation_id="receiveMidjourneyReport",
        status_code=200,
        request_max_body_size=MAX_BODY_BYTES,
        responses=_ANSWERS,
    )
    async def receive_at(
        self, services: TheServices, request: OpenRequest, token: FromPath[str]
    ) -> Response[dict[str, str]]:
        """A Midjourney gateway's report about one order, whose address nobody else knows."""
        reception = services.webhooks
        return _answer(await reception.receive_at(token, await _delivery(request)), reception)


async def _delivery(request: OpenRequest) -> Delivery:
    try:
        body = await request.body()
    except InternalServerException as error:  # as Litestar calls it when the sender hangs up in the middle
        raise BadRequest("The report ends before it is complete.") from error
    return Delivery(request.headers, body)


def _answer(kept: Kept, reception: Reception) -> Response[dict[str, str]]:
    """In milliseconds: who waits for the job is told when the sender has gone."""
    status_code = 202 if kept.outcome == "unknown" else 200
    told = None if kept.number is None else BackgroundTask(reception.sort, kept.number)
    return Response({"status": kept.outcome}, status_code=status_code, background=told)
