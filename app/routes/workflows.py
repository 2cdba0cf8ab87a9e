"""/api/workflows: create and import, list, read, rename, trash, duplicate, the log, members."""

import base64
import binascii
from datetime import datetime
from typing import Annotated, Any

import msgspec
from litestar import Controller, Response, delete, get, patch, post, put
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter

from app.auth.accounts import create as create_account
from app.auth.login_links import link_for
from app.compose import Services
from app.routes.access import CallerRequest, TheHub, TheServices
from app.routes.graph import EASEL_SEQ, committed
from canvas import protocol
from canvas.access import Action, Role
from canvas.errors import Invalid, changed_meanwhile
from canvas.hub import Hub
from canvas.ops import SetWorkflow, clean_name
from canvas.protocol import Author, Result, Transaction
from canvas.push import Push, decode_push
from canvas.relay.port import AccessHint, DeletedHint
from canvas.room import Room
from canvas.store.access_events import acting
from canvas.store.workflows import Member, WorkflowSummary, add_member
from canvas.transfer import pictures_in, read_document, unwrap
from canvas.values import MAX_SAFE_INTEGER, check_json
from jobs.errors import ImageInvalid
from jobs.pages import DEFAULT_LIMIT, Page, Place, checked_limit, page_of, place_of

MAX_LOG_PAGE = 1_000


class Workflow(msgspec.Struct, rename="camel", omit_defaults=True):
    id: str
    name: str
    role: Role
    epoch: str
    seq: int
    nodes: list[dict[str, Any]]
    edges: list[dict[str, Any]]
    viewport: Any
    created_at: datetime
    updated_at: datetime
    warnings: list[str] | msgspec.UnsetType = msgspec.UNSET


class ChangeWorkflow(msgspec.Struct, forbid_unknown_fields=True):
    """A merge patch: absent stays, null removes."""

    name: str | msgspec.UnsetType = msgspec.UNSET
    viewport: dict[str, Any] | msgspec.UnsetType | None = msgspec.UNSET


class PushOps(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    client_id: Annotated[str, msgspec.Meta(min_length=1, max_length=64, description="One per tab or program.")]
    client_seq: Annotated[int, msgspec.Meta(ge=1, le=MAX_SAFE_INTEGER, description="1, 2, 3, … per clientId.")]
    ops: list[dict[str, Any]]
    undo_of: Annotated[int, msgspec.Meta(ge=1, le=MAX_SAFE_INTEGER, description="The seq that `ops` undo.")] | None = (
        None
    )


class SetRole(msgspec.Struct, forbid_unknown_fields=True):
    role: Role


class Invite(msgspec.Struct, forbid_unknown_fields=True):
    role: Role
    name: str


class InviteLink(msgspec.Struct, rename="camel"):
    account_id: str
    url: str


class WorkflowsController(Controller):
    path = "/api/workflows"
    tags = ("workflows",)

    @post(operation_id="createWorkflow", status_code=201)
    async def create(
        self, services: TheServices, hub: TheHub, request: CallerRequest, data: JSONBody[dict[str, Any]]
    ) -> Response[Workflow]:
        """Create a workflow. A React Flow `toObject()` imports as it is; `warnings` names what could not be kept."""
        request.user.check_resident()
        document = unwrap(data)
        name = clean_name(data.get("name") or document.get("name") or "Untitled")
        pictures = await _store_pictures(services, request.user.account_id, document)
        imported = read_document(document, pictures)
        workflow_id = await services.workflows.create(request.user.account_id, name, imported)
        workflow = await _read(services, hub, workflow_id, request.user.account_id)
        workflow.warnings = imported.warnings
        return Response(workflow, status_code=201, headers={"Location": f"/api/workflows/{workflow_id}"})

    @get(operation_id="listWorkflows")
    async def list_workflows(
        self,
        services: TheServices,
        request: CallerRequest,
        limit: FromQuery[int] = DEFAULT_LIMIT,
        cursor: FromQuery[str | None] = None,
        trash: FromQuery[bool] = False,
    ) -> Page[WorkflowSummary]:
        """Your workflows, the one that changed last first. `trash=true`: those you deleted."""
        found = await services.workflows.page(
            request.user.account_id, limit=checked_limit(limit), before=place_of(cursor), in_trash=trash
        )
        last = Place(found[-1].updated_at, found[-1].id) if found else None
        return page_of(found, limit, last)

    @get("/{workflow_id:str}", operation_id="getWorkflow")
    async def read(
        self, services: TheServices, hub: TheHub, request: CallerRequest, workflow_id: FromPath[str]
    ) -> Response[Workflow | None]:
        """The whole document, parents before children. Answers 304 to an `If-None-Match` that still holds."""
        workflow = await _read(services, hub, workflow_id, request.user.account_id)
        etag = _etag(workflow.epoch, workflow.seq, workflow.role)
        headers = {"ETag": etag, "Cache-Control": "private, no-cache"}
        if etag in (request.headers.get("if-none-match") or ""):
            return Response(None, status_code=304, headers=headers)
        return Response(workflow, headers=headers)

    @patch("/{workflow_id:str}", operation_id="changeWorkflow")
    async def change(
        self,
        services: TheServices,
        hub: TheHub,
        request: CallerRequest,
        workflow_id: FromPath[str],
        data: JSONBody[ChangeWorkflow],
    ) -> Response[Workflow]:
        """Rename a workflow or set where it opens."""
        membership = await services.workflows.membership(workflow_id, request.user.account_id, "write")
        if_seq = await _wanted_seq(request, hub, workflow_id, membership.role)
        values = {f"/{key}": value for key, value in msgspec.to_builtins(data).items()}
        push = Push(Author(request.user.account_id, "rest"), [SetWorkflow(values)], b"", if_seq=if_seq)
        result = await committed(hub, workflow_id, push)
        workflow = await _read(services, hub, workflow_id, request.user.account_id)
        return Response(workflow, headers={EASEL_SEQ: str(result.seq)})

    @delete("/{workflow_id:str}", operation_id="deleteWorkflow", status_code=204)
    async def move_to_trash(
        self, services: TheServices, hub: TheHub, request: CallerRequest, workflow_id: FromPath[str]
    ) -> None:
        """Move a workflow to the trash: its sockets close, its live runs are cancelled, its pictures stay."""
        membership = await services.workflows.membership(workflow_id, request.user.account_id, "manage")
        if_seq = await _wanted_seq(request, hub, workflow_id, membership.role)
        await services.workflows.move_to_trash(workflow_id, if_seq=if_seq)
        services.relay.publish(workflow_id, DeletedHint())
        await services.runs.cancel_live(workflow_id)

    @post("/{workflow_id:str}/restore", operation_id="restoreWorkflow", status_code=200)
    async def restore(
        self, services: TheServices, hub: TheHub, request: CallerRequest, workflow_id: FromPath[str]
    ) -> Workflow:
        """Take a workflow out of the trash."""
        await services.workflows.membership(workflow_id, request.user.account_id, "manage", in_trash=True)
        await services.workflows.take_from_trash(workflow_id)
        return await _read(services, hub, workflow_id, request.user.account_id)

    @post("/{workflow_id:str}/duplicate", operation_id="duplicateWorkflow", status_code=201)
    async def duplicate(
        self, services: TheServices, hub: TheHub, request: CallerRequest, workflow_id: FromPath[str]
    ) -> Response[Workflow]:
        """A copy that is yours. Runs stay with the original; their pictures come along."""
        request.user.check_resident()
        await services.workflows.membership(workflow_id, request.user.account_id, "read")
        room = await hub.read(workflow_id)
        nodes = [_without_live_run(node) for node in room.graph.nodes_in_order()]
        document = {"nodes": nodes, "edges": room.graph.edges_in_order(), "viewport": room.graph.viewport}
        name = clean_name(f"{room.graph.name[:190]} (copy)")
        copy_id = await services.workflows.create(request.user.account_id, name, read_document(document, {}))
        copy = await _read(services, hub, copy_id, request.user.account_id)
        return Response(copy, status_code=201, headers={"Location": f"/api/workflows/{copy_id}"})

    @get("/{workflow_id:str}/ops", operation_id="listOps")
    async def log(
        self,
        services: TheServices,
        request: CallerRequest,
        workflow_id: FromPath[str],
        since: Annotated[int, QueryParameter(ge=0, le=MAX_SAFE_INTEGER)] = 0,
        limit: Annotated[int, QueryParameter(ge=1, le=MAX_LOG_PAGE)] = MAX_LOG_PAGE,
    ) -> Page[Transaction]:
        """The log after `since`; `nextCursor` is the `since` of the next page."""
        await services.workflows.membership(workflow_id, request.user.account_id, "read")
        tail = await services.documents.tail(workflow_id, since, limit)
        found = tail.transactions if tail is not None else []
        return Page(found, str(found[-1].seq) if len(found) == limit else None)

    @post("/{workflow_id:str}/ops", operation_id="pushOps", status_code=200)
    async def push(
        self,
        services: TheServices,
        hub: TheHub,
        request: CallerRequest,
        workflow_id: FromPath[str],
        data: JSONBody[PushOps],
    ) -> Result:
        """The WebSocket's push over HTTP, with the same counter. A push that is refused is answered, too."""
        membership = await services.workflows.membership(workflow_id, request.user.account_id, "read")
        check_json(data.client_id)
        author = Author(request.user.account_id, "rest", data.client_id, data.client_seq)
        push = decode_push(author, membership.role, protocol.encode(data.ops), undo_of=data.undo_of)
        return await hub.push(workflow_id, push)

    @get("/{workflow_id:str}/members", operation_id="listMembers")
    async def members(self, services: TheServices, request: CallerRequest, workflow_id: FromPath[str]) -> Page[Member]:
        """Who has a role here."""
        await services.workflows.membership(workflow_id, request.user.account_id, "read")
        return Page(await services.workflows.members(workflow_id), None)

    @put("/{workflow_id:str}/members/{account_id:str}", operation_id="setMember", status_code=204)
    async def set_member(
        self,
        services: TheServices,
        request: CallerRequest,
        workflow_id: FromPath[str],
        account_id: FromPath[str],
        data: JSONBody[SetRole],
    ) -> None:
        """Give an account a role, or another one."""
        await services.workflows.membership(workflow_id, request.user.account_id, "manage")
        await services.workflows.set_member(workflow_id, account_id, _given(data.role), by=request.user.account_id)
        services.relay.publish(workflow_id, AccessHint())

    @delete("/{workflow_id:str}/members/{account_id:str}", operation_id="removeMember", status_code=204)
    async def remove_member(
        self, services: TheServices, request: CallerRequest, workflow_id: FromPath[str], account_id: FromPath[str]
    ) -> None:
        """Take an account's role away. Its sockets close within a second."""
        action: Action = "read" if account_id == request.user.account_id else "manage"
        await services.workflows.membership(workflow_id, request.user.account_id, action)
        await services.workflows.remove_member(workflow_id, account_id, by=request.user.account_id)
        services.relay.publish(workflow_id, AccessHint())

    @post("/{workflow_id:str}/invites", operation_id="invite", status_code=201)
    async def invite(
        self, services: TheServices, request: CallerRequest, workflow_id: FromPath[str], data: JSONBody[Invite]
    ) -> InviteLink:
        """A new account of that name, with that role, and the login link to send to its person."""
        await services.workflows.membership(workflow_id, request.user.account_id, "manage")
        role = _given(data.role)
        async with services.database.acquire() as connection, connection.transaction():
            await acting(connection, request.user.account_id)
            account = await create_account(connection, data.name)
            await add_member(connection, workflow_id, account.id, role, may_run=role != "viewer")
            url = await link_for(connection, account, services.settings.base_url)
        return InviteLink(account.id, url)


async def _read(services: Services, hub: Hub, workflow_id: str, account_id: str) -> Workflow:
    summary = await services.workflows.summary(workflow_id, account_id)
    room = await hub.read(workflow_id)
    return Workflow(
        id=workflow_id,
        name=room.graph.name,
        role=summary.role,
        epoch=room.epoch,
        seq=room.seq,
        nodes=room.graph.nodes_in_order(),
        edges=room.graph.edges_in_order(),
        viewport=room.graph.viewport,
        created_at=summary.created_at,
        updated_at=summary.updated_at,
    )


def _etag(epoch: str, seq: int, role: Role) -> str:
    return f'"{epoch}.{seq}.{role}"'


async def _wanted_seq(request: CallerRequest, hub: Hub, workflow_id: str, role: Role) -> int | None:
    """The seq that `If-Match` names, to be compared again where the write happens. Raises PreconditionFailed."""
    wanted = request.headers.get("if-match")
    if wanted is None or wanted.strip() == "*":
        return None
    room: Room = await hub.read(workflow_id)
    if _etag(room.epoch, room.seq, role) not in wanted:
        raise changed_meanwhile()
    return room.seq


def _given(role: Role) -> Role:
    if role == "owner":
        raise Invalid("A workflow has one owner. Give “editor” or “viewer”.")
    return role


def _without_live_run(node: dict[str, Any]) -> dict[str, Any]:
    data = node.get("data")
    if not isinstance(data, dict) or data.get("status") not in {"pending", "running"}:
        return node
    return {**node, "data": {key: value for key, value in data.items() if key not in {"status", "jobId"}}}


async def _store_pictures(services: Services, account_id: str, document: dict[str, Any]) -> dict[str, str]:
    """The URL of every picture that the document carries as base64; "" for one that is no picture we take."""
    urls: dict[str, str] = {}
    for data_url in pictures_in([document.get("nodes"), document.get("edges")]):
        encoded = data_url.partition(";base64,")[2]
        try:
            content = base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
            facts = await services.pictures.inspect(content)
        except (binascii.Error, ImageInvalid):
            urls[data_url] = ""
            continue
        key = await services.originals.keep(account_id, content, facts)
        urls[data_url] = services.picture_url(key)
    return urls
