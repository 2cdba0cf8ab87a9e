"""/api/me/failure-webhook, /api/notices: who is told of failed runs, and whether they have heard."""

from typing import Annotated

import msgspec
from litestar import Controller, Response, delete, get, post, put
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter

from app.routes.access import FRESH, CallerRequest, TheServices
from canvas.errors import Invalid
from canvas.values import check_json
from jobs.errors import DownloadBlocked
from jobs.notice import FailureWebhook, NewFailureWebhook, NoticeRecord, NoticeState
from jobs.pages import DEFAULT_LIMIT, Page, checked_limit, place_of


class SetFailureWebhook(msgspec.Struct, forbid_unknown_fields=True):
    url: str


class FailureWebhookController(Controller):
    path = "/api/me/failure-webhook"
    tags = ("notices",)

    @get(operation_id="getFailureWebhook")
    async def read(self, services: TheServices, request: CallerRequest) -> FailureWebhook:
        """Where you are told of failed runs on your workflows."""
        return await services.notices.store.webhook_of(request.user.account_id)

    @put(opt=FRESH, operation_id="setFailureWebhook")
    async def change(
        self, services: TheServices, request: CallerRequest, data: JSONBody[SetFailureWebhook]
    ) -> NewFailureWebhook:
        """Be told of each failed run on your workflows, by a webhook to a public https address.

        Signed as Standard Webhooks says, with a new secret each time you set it: it is in this answer and never again.
        """
        check_json(data.url)
        try:
            return await services.notices.set_webhook(request.user.account_id, data.url)
        except DownloadBlocked as error:
            raise Invalid(error.detail) from error

    @delete(operation_id="dropFailureWebhook", status_code=204)
    async def drop(self, services: TheServices, request: CallerRequest) -> Response[None]:
        """Be told no more. What was still on its way to you goes as well."""
        await services.notices.store.drop_webhook(request.user.account_id)
        return Response(None, status_code=204)


class NoticesController(Controller):
    path = "/api/notices"
    tags = ("notices",)

    @get(operation_id="listNotices")
    async def list_notices(
        self,
        services: TheServices,
        request: CallerRequest,
        wanted: Annotated[NoticeState | None, QueryParameter(name="state")] = None,
        limit: FromQuery[int] = DEFAULT_LIMIT,
        cursor: FromQuery[str | None] = None,
    ) -> Page[NoticeRecord]:
        """What your failure webhook was told or is still to be told, newest first; `dead`: what was given up."""
        return await services.notices.store.page(
            request.user.account_id, wanted, place_of(cursor), checked_limit(limit)
        )

    @post("/{notice_id:str}/replay", operation_id="replayNotice", status_code=202)
    async def replay(self, services: TheServices, request: CallerRequest, notice_id: FromPath[str]) -> NoticeRecord:
        """Try a dead notice again, from the first attempt on."""
        return await services.notices.store.replay(notice_id, request.user.account_id)
