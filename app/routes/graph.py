"""/api/workflows/{id}/nodes and …/edges: React Flow's records over REST. Every write is an op of the same log."""

from typing import Annotated, Any, ClassVar
from urllib.parse import quote

from litestar import Controller, Response, delete, get, patch, post, put
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter
from litestar.types import OperationIDCreator

from app.compose import Services
from app.routes.access import CallerRequest, TheHub, TheServices
from canvas.access import Action
from canvas.errors import BadRequest, Conflict, EaselError, Invalid, NotFound, PreconditionFailed
from canvas.graph import Kind, Record
from canvas.hub import Hub
from canvas.ids import new_id
from canvas.ops import MAX_EDGES, Add, Op, Remove, Update
from canvas.pointers import TRANSIENT
from canvas.protocol import Author, Result
from canvas.push import Push
from jobs.pages import Page

EASEL_SEQ = "Easel-Seq"


_KINDS: dict[str, type[EaselError]] = {"ID_EXISTS": Conflict, "PRECONDITION_FAILED": PreconditionFailed}


async def committed(hub: Hub, workflow_id: str, push: Push) -> Result:
    """The result of a push that was stored. Raises what a refused one was refused for."""
    result = await hub.push(workflow_id, push)
    if result.error is not None:
        kind: type[EaselError] = _KINDS.get(result.error.code, Invalid)
        raise kind(result.error.detail, code=result.error.code)
    return result


def _named(verb: str) -> OperationIDCreator:
    """`createNode`, `createEdge`: one handler serves both."""
    return lambda _handler, _method, path: verb + ("Node" if "nodes" in path else "Edge")


class _RecordsController(Controller):
    """Nodes and edges are written alike. An id may hold slashes, so it is the rest of the path."""

    tags = ("graph",)
    kind: ClassVar[Kind]

    @get(operation_id=lambda _handler, _method, path: "listNodes" if "nodes" in path else "listEdges")
    async def list_records(
        self,
        services: TheServices,
        hub: TheHub,
        request: CallerRequest,
        workflow_id: FromPath[str],
        limit: Annotated[int, QueryParameter(ge=1, le=MAX_EDGES)] = MAX_EDGES,
        cursor: FromQuery[str | None] = None,
    ) -> Page[dict[str, Any]]:
        """In drawing order, nodes parents first; all of them without `limit`."""
        await _may(services, request, workflow_id, "read")
        after = _place_of(cursor)
        found = (await hub.read(workflow_id)).graph.drawn_after(self.kind, after, limit)
        following = f"{found[-1].ord!r}~{found[-1].record['id']}" if len(found) == limit else None
        return Page([placed.record for placed in found], following)

    @post(operation_id=_named("create"), status_code=201)
    async def create(
        self,
        services: TheServices,
        hub: TheHub,
        request: CallerRequest,
        workflow_id: FromPath[str],
        data: JSONBody[dict[str, Any]],
    ) -> Response[dict[str, Any]]:
        """Add one. Without an `id` it is given one."""
        await _may(services, request, workflow_id, "write")
        record = data if "id" in data else {"id": new_id(self.kind), **data}
        result = await _commit(hub, request, workflow_id, Add(self.kind, record))
        stored = await _found(hub, workflow_id, self.kind, record["id"])
        place = f"/api/workflows/{workflow_id}/{self.kind}s/{quote(record['id'], safe='')}"
        return Response(stored, status_code=201, headers={EASEL_SEQ: str(result.seq), "Location": place})

    @get("/{record_id:path}", operation_id=_named("get"))
    async def read(
        self,
        services: TheServices,
        hub: TheHub,
        request: CallerRequest,
        workflow_id: FromPath[str],
        record_id: FromPath[str],
    ) -> dict[str, Any]:
        """One of them."""
        await _may(services, request, workflow_id, "read")
        return await _found(hub, workflow_id, self.kind, record_id[1:])

    @patch("/{record_id:path}", operation_id=_named("change"))
    async def change(
        self,
        services: TheServices,
        hub: TheHub,
        request: CallerRequest,
        workflow_id: FromPath[str],
        record_id: FromPath[str],
        data: JSONBody[dict[str, Any]],
    ) -> Response[dict[str, Any]]:
        """A JSON merge patch (RFC 7396). `parentId` without `position` keeps a node's place on screen."""
        await _may(services, request, workflow_id, "write")
        record = await _found(hub, workflow_id, self.kind, record_id[1:])
        result = await _commit(hub, request, workflow_id, merge_patch(self.kind, record, data))
        headers = {EASEL_SEQ: str(result.seq)}
        return Response(await _found(hub, workflow_id, self.kind, record_id[1:]), headers=headers)

    @put("/{record_id:path}", operation_id=_named("replace"))
    async def replace(
        self,
        services: TheServices,
        hub: TheHub,
        request: CallerRequest,
        workflow_id: FromPath[str],
        record_id: FromPath[str],
        data: JSONBody[dict[str, Any]],
    ) -> Response[dict[str, Any]]:
        """The whole record as it shall be; one that is not there is added (201)."""
        await _may(services, request, workflow_id, "write")
        id_ = record_id[1:]
        if data.get("id", id_) != id_:
            raise Invalid("The id in the body is not the one in the URL.")
        data = {**data, "id": id_}
        old = (await hub.read(workflow_id)).graph.table(self.kind).get(id_)
        op: Op = Add(self.kind, data) if old is None else whole_update(self.kind, old.record, data)
        result = await _commit(hub, request, workflow_id, op)
        found = await _found(hub, workflow_id, self.kind, id_)
        return Response(found, status_code=201 if old is None else 200, headers={EASEL_SEQ: str(result.seq)})

    @delete("/{record_id:path}", operation_id=_named("delete"), status_code=204)
    async def remove(
        self,
        services: TheServices,
        hub: TheHub,
        request: CallerRequest,
        workflow_id: FromPath[str],
        record_id: FromPath[str],
    ) -> Response[None]:
        """Remove one. A node takes its edges and children along."""
        await _may(services, request, workflow_id, "write")
        await _found(hub, workflow_id, self.kind, record_id[1:])
        result = await _commit(hub, request, workflow_id, Remove(self.kind, (record_id[1:],)))
        return Response(None, status_code=204, headers={EASEL_SEQ: str(result.seq)})


class NodesController(_RecordsController):
    path = "/api/workflows/{workflow_id:str}/nodes"
    kind = "node"


class EdgesController(_RecordsController):
    path = "/api/workflows/{workflow_id:str}/edges"
    kind = "edge"


def _place_of(cursor: str | None) -> tuple[float, str] | None:
    if cursor is None:
        return None
    ord_, _, id_ = cursor.partition("~")
    try:
        return float(ord_), id_
    except ValueError as error:
        raise BadRequest("This cursor is not one of ours. Start the list again without it.") from error


async def _may(services: Services, request: CallerRequest, workflow_id: str, action: Action) -> None:
    await services.workflows.membership(workflow_id, request.user.account_id, action)


async def _commit(hub: Hub, request: CallerRequest, workflow_id: str, op: Op) -> Result:
    return await committed(hub, workflow_id, Push(Author(request.user.account_id, "rest"), [op], b""))


async def _found(hub: Hub, workflow_id: str, kind: Kind, record_id: str) -> Record:
    placed = (await hub.read(workflow_id)).graph.table(kind).get(record_id)
    if placed is None:
        raise NotFound(f"There is no such {kind} in this workflow.")
    return placed.record


def merge_patch(kind: Kind, record: Record, patch_: dict[str, Any]) -> Update:
    """A merge patch as the op it amounts to: one pointer a leaf of `data`, so that others' edits beside it stay."""
    set_: dict[str, Any] = {}
    unset: list[str] = []
    for key, value in patch_.items():
        if key in TRANSIENT:
            continue
        if value is None and key in {"id", "position", "data"}:
            raise Invalid(f"“{key}” cannot be removed.")
        if key == "id":
            if value != record["id"]:
                raise Invalid("A record keeps its id.")
        elif key == "data":
            if not isinstance(value, dict):
                raise Invalid("A record's data is an object.")
            _merge_data(record.get("data", {}), value, "/data", set_, unset)
        elif value is None:
            unset.append(_pointer("", "parentId" if key == "parentNode" else key))
        else:
            set_[_pointer("", "parentId" if key == "parentNode" else key)] = _merged(record.get(key), value)
    reparents = kind == "node" and ("/parentId" in set_ or "/parentId" in unset) and "/position" not in set_
    if not reparents:
        return Update(kind, record["id"], set_, tuple(unset))
    # The place is given as it was in the old parent: committing converts it into the new one's coordinates.
    return Update(kind, record["id"], {**set_, "/position": record["position"]}, tuple(unset), record.get("parentId"))


def whole_update(kind: Kind, old: Record, new: Record) -> Update:
    """Every key of `new` set, every other one unset."""
    new = {key: value for key, value in new.items() if key not in TRANSIENT}
    if "parentNode" in new:
        new.setdefault("parentId", new.pop("parentNode"))
    unset = tuple(_pointer("", key) for key in old if key not in new)
    return Update(kind, old["id"], {_pointer("", key): value for key, value in new.items() if key != "id"}, unset)


def _merge_data(old: Any, new: dict[str, Any], at: str, set_: dict[str, Any], unset: list[str]) -> None:
    for key, value in new.items():
        pointer = _pointer(at, key)
        before = old.get(key)
        if value is None:
            unset.append(pointer)
        elif isinstance(value, dict) and isinstance(before, dict):
            _merge_data(before, value, pointer, set_, unset)
        else:
            set_[pointer] = _merged(None, value)


def _merged(old: Any, new: Any) -> Any:
    """RFC 7396 for values that are one register: merged whole."""
    if not isinstance(new, dict):
        return new
    base = old if isinstance(old, dict) else {}
    kept = {key: value for key, value in base.items() if key not in new}
    return kept | {key: _merged(base.get(key), value) for key, value in new.items() if value is not None}


def _pointer(at: str, key: str) -> str:
    return f"{at}/{key.replace('~', '~0').replace('/', '~1')}"
