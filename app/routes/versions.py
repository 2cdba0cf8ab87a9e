"""/api/workflows/{id}/versions: keep, name, list, preview, compare, and go back."""

from datetime import datetime
from typing import Any

import msgspec
from litestar import Controller, Response, delete, get, patch, post
from litestar.params import FromPath, FromQuery, JSONBody

from app.routes.access import CallerRequest, TheHub, TheServices
from app.routes.graph import EASEL_SEQ
from canvas.errors import BadRequest, Conflict, Invalid
from canvas.hub import Hub
from canvas.protocol import Author
from canvas.push import Push
from canvas.store.versions import Version, VersionAuthor, VersionKind, Versions
from canvas.versions import Comparison, Contents, checked_name, compare, contents_of, difference
from jobs.pages import DEFAULT_LIMIT, Page, checked_limit

MAX_RESTORE_TRIES = 5  # each time that somebody else's edit came between and was in its way
CURRENT = "current"
WRONG_CURSOR = "This cursor is not one of ours. Start the list again without it."


class MakeVersion(msgspec.Struct, forbid_unknown_fields=True):
    name: str | None = None


class NameVersion(msgspec.Struct, forbid_unknown_fields=True):
    name: str


class VersionDocument(msgspec.Struct, frozen=True, rename="camel"):
    version: int
    name: str | None
    kind: VersionKind
    seq: int
    author: VersionAuthor | None
    created_at: datetime
    node_count: int
    edge_count: int
    nodes: list[dict[str, Any]]
    edges: list[dict[str, Any]]
    viewport: Any


class Restored(msgspec.Struct, frozen=True, rename="camel"):
    version: int
    """What the document is now."""
    seq: int
    """The transaction that made it so; the head when there was nothing to change."""
    before: int | None
    """The version of what it was: restore that one to undo. None when nothing changed."""


class VersionsController(Controller):
    path = "/api/workflows/{workflow_id:str}/versions"
    tags = ("versions",)

    @post(operation_id="createVersion", status_code=201)
    async def create(
        self,
        services: TheServices,
        request: CallerRequest,
        workflow_id: FromPath[str],
        data: JSONBody[MakeVersion | None] = None,
    ) -> Response[Version]:
        """Keep the document as it is now, for ever. Easel keeps versions of its own besides, for a month."""
        await services.workflows.membership(workflow_id, request.user.account_id, "write")
        name = checked_name(data.name) if data is not None and data.name is not None else None
        version = await services.versions.make(workflow_id, request.user.account_id, name)
        place = f"/api/workflows/{workflow_id}/versions/{version.version}"
        return Response(version, status_code=201, headers={"Location": place})

    @get(operation_id="listVersions")
    async def list_versions(
        self,
        services: TheServices,
        request: CallerRequest,
        workflow_id: FromPath[str],
        limit: FromQuery[int] = DEFAULT_LIMIT,
        cursor: FromQuery[str | None] = None,
    ) -> Page[Version]:
        """Newest first, without their documents."""
        await services.workflows.membership(workflow_id, request.user.account_id, "read")
        before = _number_of(cursor, WRONG_CURSOR) if cursor is not None else None
        found = await services.versions.page(workflow_id, limit=checked_limit(limit), before=before)
        return Page(found, str(found[-1].version) if len(found) == limit else None)

    @get("/{version:int}", operation_id="getVersion")
    async def read(
        self, services: TheServices, request: CallerRequest, workflow_id: FromPath[str], version: FromPath[int]
    ) -> VersionDocument:
        """One version with its document, to look at before going back to it."""
        await services.workflows.membership(workflow_id, request.user.account_id, "read")
        found, contents = await services.versions.read(workflow_id, version)
        return VersionDocument(**msgspec.structs.asdict(found), **msgspec.structs.asdict(contents))

    @patch("/{version:int}", operation_id="nameVersion")
    async def rename(
        self,
        services: TheServices,
        request: CallerRequest,
        workflow_id: FromPath[str],
        version: FromPath[int],
        data: JSONBody[NameVersion],
    ) -> Version:
        """Name a version, or give it another name. One with a name is kept for ever."""
        await services.workflows.membership(workflow_id, request.user.account_id, "write")
        return await services.versions.rename(workflow_id, version, checked_name(data.name))

    @delete("/{version:int}", operation_id="deleteVersion", status_code=204)
    async def remove(
        self, services: TheServices, request: CallerRequest, workflow_id: FromPath[str], version: FromPath[int]
    ) -> None:
        """Delete a version that somebody made or named. Those that Easel makes go by themselves."""
        await services.workflows.membership(workflow_id, request.user.account_id, "write")
        await services.versions.remove(workflow_id, version)

    @get("/{version:int}/diff", operation_id="compareVersion")
    async def diff(
        self,
        services: TheServices,
        hub: TheHub,
        request: CallerRequest,
        workflow_id: FromPath[str],
        version: FromPath[int],
        to: FromQuery[str] = CURRENT,
    ) -> Comparison:
        """What happened between a version and another one (its number), or `current`: the document as it is now."""
        await services.workflows.membership(workflow_id, request.user.account_id, "read")
        _, one = await services.versions.read(workflow_id, version)
        return compare(one, await _contents_at(services.versions, hub, workflow_id, to))

    @post("/{version:int}/restore", operation_id="restoreVersion", status_code=200)
    async def restore(
        self,
        services: TheServices,
        hub: TheHub,
        request: CallerRequest,
        workflow_id: FromPath[str],
        version: FromPath[int],
    ) -> Response[Restored]:
        """Go back to a version, for everybody at once. What it replaces is kept as a version; live runs go on."""
        await services.workflows.membership(workflow_id, request.user.account_id, "write")
        _, then = await services.versions.read(workflow_id, version)
        before, seq = await put_back(services.versions, hub, workflow_id, request.user.account_id, then)
        answer = Restored(version, seq, before.version if before else None)
        return Response(answer, headers={EASEL_SEQ: str(seq)})


async def put_back(
    versions: Versions, hub: Hub, workflow_id: str, account_id: str, then: Contents
) -> tuple[Version | None, int]:
    """The version of what it replaced, and its seq. Others' edits that come in while it is under way stay."""
    for _ in range(MAX_RESTORE_TRIES):
        room = await hub.read(workflow_id)
        ops, seq = difference(room.graph, then), room.seq
        if not ops:
            return None, seq
        before = await versions.make_before_restore(workflow_id, account_id)
        result = await hub.push(workflow_id, Push(Author(account_id, "restore"), ops, b""))
        if result.error is None:
            return before, result.seq
        if result.seq == seq:  # nobody came between: it would be refused again
            raise Invalid(result.error.detail, code=result.error.code)
    raise Conflict("Others are changing this workflow so fast that it could not be put back. Try again in a moment.")


async def _contents_at(versions: Versions, hub: Hub, workflow_id: str, to: str) -> Contents:
    if to == CURRENT:
        return contents_of((await hub.read(workflow_id)).graph)
    _, contents = await versions.read(workflow_id, _number_of(to, f"to is “{CURRENT}” or the number of a version."))
    return contents


def _number_of(text: str, otherwise: str) -> int:
    """Raises BadRequest with the sentence `otherwise` for what is no version's number."""
    if not (text.isascii() and text.isdecimal() and len(text) <= 9):
        raise BadRequest(otherwise)
    return int(text)
