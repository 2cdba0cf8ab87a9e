"""/api/workflows/{id}/nodes and …/edges: React Flow's records over REST. Every write is an op of the same log."""

from typing import Any, Literal

from litestar import Controller, Response, delete, get, patch, post, put

from app.compose import Services
from app.routes.access import CallerRequest
from canvas.access import Action
from canvas.errors import Conflict, EaselError, Invalid, NotFound
from canvas.graph import Kind, Record
from canvas.hub import Hub
from canvas.ids import new_id
from canvas.ops import TRANSIENT, Add, Op, Remove, Update
from canvas.protocol import Author, Result
from canvas.room import Push
from jobs.pages import Page

EASEL_SEQ = "Easel-Seq"
_KINDS: dict[str, Kind] = {"nodes": "node", "edges": "edge"}
Collection = Literal["nodes", "edges"]


async def committed(hub: Hub, workflow_id: str, push: Push) -> Result:
    """The result of a push that was stored. Raises what a refused one was refused for."""
    result = await hub.push(workflow_id, push)
    if result.error is not None:
        kind: type[EaselError] = Conflict if result.error.code == "ID_EXISTS" else Invalid
        raise kind(result.error.detail, code=result.error.code)
    return result


class GraphController(Controller):
    path = "/api/workflows/{workflow_id:str}/{collection:str}"
    tags = ("graph",)

    @get(operation_id="listRecords")
    async def list_records(
        self, services: Services, hub: Hub, request: CallerRequest, workflow_id: str, collection: Collection
    ) -> Page[dict[str, Any]]:
        """Every node (parents first) or edge."""
        await _may(services, request, workflow_id, "read")
        graph = (await hub.read(workflow_id)).graph
        return Page(graph.nodes_in_order() if collection == "nodes" else graph.edges_in_order(), None)

    @post(operation_id="createRecord", status_code=201)
    async def create(
        self,
        services: Services,
        hub: Hub,
        request: CallerRequest,
        workflow_id: str,
        collection: Collection,
        data: dict[str, Any],
    ) -> Response[dict[str, Any]]:
        """Add a node or an edge. Without an `id` it is given one."""
        await _may(services, request, workflow_id, "write")
        kind = _KINDS[collection]
        record = data if "id" in data else {"id": new_id(kind), **data}
        result = await _commit(hub, request, workflow_id, Add(kind, record))
        headers = {EASEL_SEQ: str(result.seq), "Location": f"/api/workflows/{workflow_id}/{collection}/{record['id']}"}
        return Response(await _found(hub, workflow_id, kind, record["id"]), status_code=201, headers=headers)

    @get("/{record_id:str}", operation_id="getRecord")
    async def read(
        self,
        services: Services,
        hub: Hub,
        request: CallerRequest,
        workflow_id: str,
        collection: Collection,
        record_id: str,
    ) -> dict[str, Any]:
        """One node or edge."""
        await _may(services, request, workflow_id, "read")
        return await _found(hub, workflow_id, _KINDS[collection], record_id)

    @patch("/{record_id:str}", operation_id="changeRecord")
    async def change(
        self,
        services: Services,
        hub: Hub,
        request: CallerRequest,
        workflow_id: str,
        collection: Collection,
        record_id: str,
        data: dict[str, Any],
    ) -> Response[dict[str, Any]]:
        """A JSON merge patch (RFC 7396). `parentId` without `position` keeps a node's place on screen."""
        await _may(services, request, workflow_id, "write")
        kind = _KINDS[collection]
        record = await _found(hub, workflow_id, kind, record_id)
        result = await _commit(hub, request, workflow_id, merge_patch(kind, record, data))
        headers = {EASEL_SEQ: str(result.seq)}
        return Response(await _found(hub, workflow_id, kind, record_id), headers=headers)

    @put("/{record_id:str}", operation_id="replaceRecord")
    async def replace(
        self,
        services: Services,
        hub: Hub,
        request: CallerRequest,
        workflow_id: str,
        collection: Collection,
        record_id: str,
        data: dict[str, Any],
    ) -> Response[dict[str, Any]]:
        """The whole record as it shall be; one that is not there is added."""
        await _may(services, request, workflow_id, "write")
        kind = _KINDS[collection]
        if data.get("id", record_id) != record_id:
            raise Invalid("The id in the body is not the one in the URL.")
        data = {**data, "id": record_id}
        old = (await hub.read(workflow_id)).graph.table(kind).get(record_id)
        op: Op = Add(kind, data) if old is None else whole_update(kind, old.record, data)
        result = await _commit(hub, request, workflow_id, op)
        found = await _found(hub, workflow_id, kind, record_id)
        return Response(found, status_code=201 if old is None else 200, headers={EASEL_SEQ: str(result.seq)})

    @delete("/{record_id:str}", operation_id="deleteRecord", status_code=204)
    async def remove(
        self,
        services: Services,
        hub: Hub,
        request: CallerRequest,
        workflow_id: str,
        collection: Collection,
        record_id: str,
    ) -> Response[None]:
        """Remove a node with its edges and children, or an edge."""
        await _may(services, request, workflow_id, "write")
        kind = _KINDS[collection]
        await _found(hub, workflow_id, kind, record_id)
        result = await _commit(hub, request, workflow_id, Remove(kind, (record_id,)))
        return Response(None, status_code=204, headers={EASEL_SEQ: str(result.seq)})


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
