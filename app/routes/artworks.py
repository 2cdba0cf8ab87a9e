"""/api/artworks: bring a picture along, say what it is, find it again."""

from datetime import UTC, datetime
from typing import Annotated

import msgspec
import structlog
from litestar import Controller, Response, delete, get, patch, post
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter

from app.compose import Services
from app.routes.access import CallerRequest, TheHub, TheServices
from canvas.errors import EaselError, Forbidden, NotFound
from canvas.hub import Hub
from canvas.ops import Update
from canvas.protocol import Author
from canvas.push import Push
from jobs import artwork
from jobs.artwork import Artwork, ChangeArtwork, NewArtwork, read_change, read_new
from jobs.artworks import NewUpload, UploadUrl
from jobs.pages import DEFAULT_LIMIT, Page, Place, checked_limit, page_of, place_of
from jobs.store.artworks import ArtworkFilter

log = structlog.get_logger(__name__)

_LIVE = {"pending", "running"}


class OneArtwork(msgspec.Struct):
    data: Artwork


class ArtworksController(Controller):
    path = "/api/artworks"
    tags = ("artworks",)

    @post("/upload-url", operation_id="createUploadUrl", status_code=200)
    async def upload_url(
        self, services: TheServices, request: CallerRequest, data: JSONBody[NewUpload]
    ) -> Response[UploadUrl]:
        """Where to put a file. Send its bytes there with `method` and `headers`, then `key` to POST /api/artworks.

        PNG, JPEG, WebP, GIF and AVIF are taken. The bytes decide, so `application/octet-stream` is fine.
        """
        if request.user.is_guest and not await services.workflows.may_write_anywhere(request.user.account_id):
            raise Forbidden("A guest brings pictures along only where they may edit.")
        url = await services.artworks.upload_url(data, request.user.account_id, origin_of(services, request))
        return Response(url, headers={"Cache-Control": "no-store"})

    @post(operation_id="createArtwork", status_code=201)
    async def create(
        self, services: TheServices, hub: TheHub, request: CallerRequest, data: JSONBody[NewArtwork]
    ) -> Response[OneArtwork]:
        """Make an artwork of what was uploaded: looked at, in three sizes, and shown on a node if you name one."""
        caller = request.user
        key, words, place = read_new(data)
        if place is not None:
            await _check_place(services, hub, place, caller.account_id)
        elif caller.is_guest:
            raise Forbidden("A guest's pictures belong on a canvas: name its workflowId.")
        made = await services.artworks.create(
            key, words, place, caller.account_id, caller.name, is_limited=caller.via != "admin"
        )
        if place is not None and place.node_id is not None:
            await _show(hub, place.workflow_id, place.node_id, made)
        return Response(OneArtwork(made), status_code=201, headers={"Location": f"/api/artworks/{made.id}"})

    @get(operation_id="listArtworks")
    async def list_artworks(
        self,
        services: TheServices,
        request: CallerRequest,
        q: FromQuery[str | None] = None,
        category: FromQuery[str | None] = None,
        tags: Annotated[str | None, QueryParameter(description="With commas between them; it has all of them.")] = None,
        trash: FromQuery[bool] = False,
        limit: FromQuery[int] = DEFAULT_LIMIT,
        cursor: FromQuery[str | None] = None,
    ) -> Page[Artwork]:
        """Your artworks, newest first. `q` is looked for in title, description, materials and tags."""
        names = tuple(tag.strip() for tag in (tags or "").split(",") if tag.strip())
        found = await services.artworks.store.of_account(
            request.user.account_id,
            ArtworkFilter(q=q, category=category, tags=names, in_trash=trash),
            before=place_of(cursor),
            limit=checked_limit(limit),
        )
        last = Place(found[-1].created_at, found[-1].id) if found else None
        return page_of(found, limit, last)

    @get("/{artwork_id:str}", operation_id="getArtwork")
    async def read(self, services: TheServices, request: CallerRequest, artwork_id: FromPath[str]) -> OneArtwork:
        """One of your artworks, by its id or its slug."""
        return OneArtwork(await services.artworks.store.get(artwork_id, request.user.account_id))

    @patch("/{artwork_id:str}", operation_id="changeArtwork")
    async def change(
        self, services: TheServices, request: CallerRequest, artwork_id: FromPath[str], data: JSONBody[ChangeArtwork]
    ) -> OneArtwork:
        """A JSON merge patch (RFC 7396). The slug stays as it is, whatever the title becomes."""
        columns = read_change(data)
        return OneArtwork(await services.artworks.store.change(artwork_id, request.user.account_id, columns))

    @delete("/{artwork_id:str}", operation_id="deleteArtwork", status_code=204)
    async def remove(self, services: TheServices, request: CallerRequest, artwork_id: FromPath[str]) -> None:
        """Move an artwork to the trash. It can be restored for EASEL_RETENTION_DAYS; then its files go as well."""
        await services.artworks.store.move_to_trash(artwork_id, request.user.account_id)

    @post("/{artwork_id:str}/restore", operation_id="restoreArtwork", status_code=200)
    async def restore(self, services: TheServices, request: CallerRequest, artwork_id: FromPath[str]) -> OneArtwork:
        """Take an artwork out of the trash. Its slug gets a number if another one has it by now."""
        caller = request.user
        is_limited = caller.via != "admin"
        restored = await services.artworks.store.take_from_trash(artwork_id, caller.account_id, is_limited=is_limited)
        return OneArtwork(restored)


def origin_of(services: Services, request: CallerRequest) -> str:
    """Of this Easel as the caller reaches it: EASEL_PUBLIC_URL, else what it is called in the request."""
    return (services.settings.public_url or str(request.base_url)).rstrip("/")


async def _check_place(services: Services, hub: Hub, place: artwork.Place, account_id: str) -> None:
    """Before anything is made. Raises NotFound, Forbidden."""
    await services.workflows.membership(place.workflow_id, account_id, "write")
    if place.node_id is not None and place.node_id not in (await hub.read(place.workflow_id)).graph.table("node"):
        raise NotFound("There is no such node.")


async def _show(hub: Hub, workflow_id: str, node_id: str, made: Artwork) -> None:
    """AW7: an op like any other. A node that is gone by now stays gone, and the artwork stays."""
    try:
        node = (await hub.read(workflow_id)).graph.table("node").get(node_id)
        if node is None:
            return
        values = {
            "/data/imageUrl": made.display_url,
            "/data/thumbnailUrl": made.thumbnail_url,
            "/data/updatedAt": msgspec.to_builtins(datetime.now(UTC)),
        }
        has_run = node.record.get("data", {}).get("status") in _LIVE  # its status is the run's to set
        if not has_run:
            values["/data/status"] = "completed"
        op = Update("node", node_id, values, () if has_run else ("/data/error",))
        result = await hub.push(workflow_id, Push(Author(made.user_id, "rest"), [op], b""))
        if result.error is not None:
            log.warning("artwork.not_shown", artwork=made.id, node=node_id, code=result.error.code)
    except EaselError as error:
        log.warning("artwork.not_shown", artwork=made.id, node=node_id, reason=error.detail)
