"""/api/renders: "My Renders", the pictures that came of one's runs, and those that one has imported."""

from typing import Annotated

import msgspec
from litestar import Controller, Response, delete, get, patch, post
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter

from app.routes.access import CallerRequest, TheServices
from canvas.errors import Invalid, NotFound
from jobs.imports import StartedImport, StartImport
from jobs.pages import DEFAULT_LIMIT, Page, Place, checked_limit, page_of, place_of
from jobs.renders import Render, RenderFilter, words_of

MAX_AT_ONCE = 500
_NONE = "There is no such picture among yours."


class ChangeRender(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    is_favorite: bool


class ChangeRenders(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    ids: list[str]
    is_favorite: bool | None = None
    is_deleted: bool | None = None


class ChangedRenders(msgspec.Struct, frozen=True, rename="camel"):
    ids: list[str]
    """Those that are yours."""


class RendersController(Controller):
    path = "/api/renders"
    tags = ("renders",)

    @get(operation_id="listRenders")
    async def list_renders(
        self,
        services: TheServices,
        request: CallerRequest,
        workflow_id: Annotated[str | None, QueryParameter(name="workflowId")] = None,
        provider: FromQuery[str | None] = None,
        model: FromQuery[str | None] = None,
        parent_id: Annotated[str | None, QueryParameter(name="parentId")] = None,
        favorite: FromQuery[bool | None] = None,
        q: FromQuery[str | None] = None,
        deleted: FromQuery[bool] = False,
        limit: FromQuery[int] = DEFAULT_LIMIT,
        cursor: FromQuery[str | None] = None,
    ) -> Page[Render]:
        """Your pictures, newest first.

        Each word of `q` is looked for in their prompts; `parentId`: those that were made from that one; `deleted`:
        those in the trash.
        """
        wanted = RenderFilter(
            workflow_id=workflow_id,
            provider=provider,
            model=model,
            parent_id=parent_id,
            is_favorite=favorite,
            words=words_of(q),
            in_trash=deleted,
        )
        found = await services.renders.of_account(
            request.user.account_id, wanted, before=place_of(cursor), limit=checked_limit(limit)
        )
        last = Place(found[-1].created_at, found[-1].id) if found else None
        return page_of(found, limit, last)

    @patch(operation_id="changeRenders")
    async def change_many(
        self, services: TheServices, request: CallerRequest, data: JSONBody[ChangeRenders]
    ) -> ChangedRenders:
        """Mark many pictures, put them into the trash or take them out of it. Ids of others' are passed over."""
        if len(data.ids) > MAX_AT_ONCE:
            raise Invalid(f"ids holds at most {MAX_AT_ONCE} pictures. Send the rest in another request.")
        changed = await services.renders.change(
            data.ids, request.user.account_id, is_favorite=data.is_favorite, is_deleted=data.is_deleted
        )
        return ChangedRenders(changed)

    @post("/import", operation_id="importRenders", status_code=202)
    async def import_many(
        self, services: TheServices, request: CallerRequest, data: JSONBody[StartImport]
    ) -> Response[StartedImport]:
        """Keep pictures from addresses that end soon: up to 500, `concurrency` of them at a time.

        What you have stored already, by its address or its designId, is skipped. `GET /api/batches/{batchId}` tells.
        """
        caller = request.user

        async def may_write(workflow_id: str) -> None:
            await services.workflows.membership(workflow_id, caller.account_id, "write")

        started = await services.imports.start(data, caller.account_id, may_write, is_guest=caller.is_guest)
        return Response(started, status_code=202, headers={"Location": f"/api/batches/{started.batch_id}"})

    @get("/{render_id:str}", operation_id="getRender")
    async def read(self, services: TheServices, request: CallerRequest, render_id: FromPath[str]) -> Render:
        """One of your pictures."""
        return await services.renders.get(render_id, request.user.account_id)

    @patch("/{render_id:str}", operation_id="changeRender")
    async def change(
        self, services: TheServices, request: CallerRequest, render_id: FromPath[str], data: JSONBody[ChangeRender]
    ) -> Render:
        """Mark a picture as a favourite, or no longer."""
        account_id = request.user.account_id
        await services.renders.get(render_id, account_id)
        await services.renders.change([render_id], account_id, is_favorite=data.is_favorite, is_deleted=None)
        return await services.renders.get(render_id, account_id)

    @delete("/{render_id:str}", operation_id="deleteRender")
    async def remove(self, services: TheServices, request: CallerRequest, render_id: FromPath[str]) -> None:
        """Put a picture into the trash. For EASEL_RETENTION_DAYS it can be restored, and its address works on."""
        if not await services.renders.change([render_id], request.user.account_id, is_favorite=None, is_deleted=True):
            raise NotFound(_NONE)

    @post("/{render_id:str}/restore", operation_id="restoreRender", status_code=200)
    async def restore(
        self, services: TheServices, request: CallerRequest, render_id: FromPath[str]
    ) -> Response[Render]:
        """Take a picture out of the trash."""
        account_id = request.user.account_id
        if not await services.renders.change([render_id], account_id, is_favorite=None, is_deleted=False):
            raise NotFound(_NONE)
        return Response(await services.renders.get(render_id, account_id))
