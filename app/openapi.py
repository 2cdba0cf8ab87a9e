"""The OpenAPI document: what Litestar knows of the routes, and what is true of all of them, said once here."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec
from litestar import Litestar
from litestar.di import Provide
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.routes import HTTPRoute
from litestar.types import ControllerRouterHandler

from app.idempotency import MAX_KEY_CHARACTERS
from app.problems import PROBLEM_JSON
from app.version import VERSION
from jobs.renders import EXTENSIONS

Document = dict[str, Any]

_ABOUT = """The real-time backend for React Flow canvases that make pictures.

Every error is a problem document (RFC 9457) with a stable `code`. Lists take `limit` and `cursor` and answer
`{items, nextCursor}`. Every write takes an `Idempotency-Key`: the same key and body within 24 hours gives the first
answer again. Live editing is the WebSocket `/ws/workflows/{id}`."""

_PROBLEMS = {
    "400": "The request cannot be understood.",
    "401": "Nobody is signed in.",
    "403": "Your role does not allow this.",
    "404": "There is no such thing, or you may not know of it.",
    "409": "It is in the way of something else: an id that is taken, a live run, a reused Idempotency-Key.",
    "412": "It has changed since you read it (`If-Match`).",
    "413": "The body is too large.",
    "416": "There are no bytes in this range.",
    "422": "Understood, and cannot be done as it stands.",
    "429": "A limit is reached.",
    "500": "Something went wrong on our side.",
    "503": "Something Easel stands on is away. Try again.",
}
_ASK_FOR_THEMSELVES = {  # open routes, and what they may refuse with
    "receiveReport": ("401",),
    "receiveMidjourneyReport": ("401",),
    "getMetrics": ("401", "429"),
    "getObject": ("401", "403", "416"),
    "putUpload": ("401", "403", "413"),
}
_WRITES = frozenset({"post", "put", "patch", "delete"})

_POSITION = {"type": "object", "required": ["x", "y"], "properties": {"x": {"type": "number"}, "y": {"type": "number"}}}
_ID = {"type": "string", "minLength": 1, "maxLength": 256}
_RECORDS: Document = {
    "Node": {
        "type": "object",
        "description": "A React Flow node. Keys that are not listed here are kept.",
        "required": ["id", "position"],
        "properties": {
            "id": _ID,
            "type": {"type": "string", "description": "`image_generation` is the built-in one."},
            "position": _POSITION,
            "data": {"type": "object", "additionalProperties": True},
            "parentId": _ID,
            "width": {"description": "A number, to React Flow; kept as it came, as every key of a node is."},
            "height": {"description": "As `width`."},
        },
        "additionalProperties": True,
    },
    "Edge": {
        "type": "object",
        "description": "A React Flow edge. Keys that are not listed here are kept.",
        "required": ["id", "source", "target"],
        "properties": {
            "id": _ID,
            "source": _ID,
            "target": _ID,
            "sourceHandle": {"type": ["string", "null"]},
            "targetHandle": {"type": ["string", "null"]},
            "type": {"type": "string"},
            "data": {"type": "object", "additionalProperties": True},
        },
        "additionalProperties": True,
    },
    "NewWorkflow": {
        "type": "object",
        "description": (
            "A name, or a React Flow `toObject()` of v10 to v12 as it is; `{data: …}`, `{flow: …}`, `{graph: …}` and "
            "`{dsl: {graph: …}}` around one are opened."
        ),
        "properties": {
            "name": {"type": "string", "maxLength": 200, "default": "Untitled"},
            "nodes": {"type": "array", "items": {"$ref": "#/components/schemas/Node"}},
            "edges": {"type": "array", "items": {"$ref": "#/components/schemas/Edge"}},
            "viewport": {"description": "`{x, y, zoom}`; what is no viewport is left out, with a warning."},
        },
        "additionalProperties": True,
    },
    "Viewport": {
        "type": ["object", "null"],
        "required": ["x", "y", "zoom"],
        "properties": {"x": {"type": "number"}, "y": {"type": "number"}, "zoom": {"type": "number"}},
    },
    "Problem": {
        "type": "object",
        "required": ["type", "title", "status", "detail", "code", "instance", "error", "message"],
        "properties": {
            "type": {"type": "string"},
            "title": {"type": "string"},
            "status": {"type": "integer"},
            "detail": {"type": "string", "description": "A sentence for the person."},
            "code": {"type": "string", "description": "Stable, for programs."},
            "instance": {"type": "string"},
            "error": {"type": "string", "description": "The title again."},
            "message": {"type": "string", "description": "The detail again."},
        },
        "additionalProperties": True,
    },
}
for _kind in ("Node", "Edge"):  # the address says which it is
    _needed = [name for name in _RECORDS[_kind]["required"] if name != "id"]
    _RECORDS[f"Replaced{_kind}"] = _RECORDS[_kind] | {"required": _needed}
_BODIES = {
    "createNode": "Node",
    "replaceNode": "ReplacedNode",
    "createEdge": "Edge",
    "replaceEdge": "ReplacedEdge",
}
_ANSWERS = {f"{verb}{kind}": kind for verb in ("get", "create", "change", "replace") for kind in ("Node", "Edge")}
_BODIES["createWorkflow"] = "NewWorkflow"


def describe(handlers: Sequence[ControllerRouterHandler], injected: Sequence[str], types: Sequence[Any]) -> Document:
    """The document of these routes. `injected`: arguments of theirs that no request carries; `types`: theirs."""
    bare = Litestar(
        route_handlers=handlers,
        dependencies={name: Provide(_nothing_for(name), sync_to_thread=False) for name in injected},
        signature_types=types,
        openapi_config=OpenAPIConfig(
            title="Easel",
            version=VERSION,
            description=_ABOUT,
            use_handler_docstrings=True,
            render_plugins=[JsonRenderPlugin()],
        ),
        logging_config=None,
    )
    document = bare.openapi_schema.to_schema()
    open_ids = _open_operations(bare)
    for path, item in document["paths"].items():
        for method, operation in item.items():
            _complete(path, method, operation, is_open=operation["operationId"] in open_ids)
    components = document.setdefault("components", {})
    components["schemas"] = {**components.get("schemas", {}), **_RECORDS}
    _name_records(document)
    _require_what_is_always_told(document)
    components["securitySchemes"] = {
        "token": {"type": "http", "scheme": "bearer", "description": "An API token: `easel token create`."},
        "cookie": {"type": "apiKey", "in": "cookie", "name": "easel_session", "description": "From a login link."},
    }
    components["responses"] = {status: _problem_answer(detail) for status, detail in _PROBLEMS.items()}
    document["paths"] = dict(sorted(document["paths"].items()))
    return document


def _nothing_for(name: str) -> Callable[[], str]:
    return lambda: name  # Litestar wants another provider for each


def _open_operations(app: Litestar) -> set[str]:
    routes = (route for route in app.routes if isinstance(route, HTTPRoute))
    handlers = (handler for route in routes for handler, _ in route.route_handler_map.values())
    return {str(handler.operation_id) for handler in handlers if handler.opt.get("open")}


def _complete(path: str, method: str, operation: Document, *, is_open: bool) -> None:
    operation["summary"] = operation.pop("description", operation.get("summary", ""))
    operation["security"] = [] if is_open else [{"token": []}, {"cookie": []}]
    if method in _WRITES and not is_open:
        operation.setdefault("parameters", []).append(_IDEMPOTENCY_KEY)
    name = operation["operationId"]
    if name in _CONDITIONAL:
        operation.setdefault("parameters", []).append(_CONDITIONAL[name])
    if name in _BODIES:
        operation["requestBody"] = {"required": True, "content": _json_of(_BODIES[name])}
    if name in _ANSWERS:
        for status, answer in operation["responses"].items():
            if status.startswith("2"):
                answer["content"] = _json_of(_ANSWERS[name])
    if name.startswith("replace"):
        operation["responses"]["201"] = operation["responses"]["200"] | {"description": "There was none: it is made."}
    operation["responses"].get("204", {}).pop("content", None)
    if name in _PICTURES:
        operation["responses"]["200"]["content"] = {kind: {"schema": _BYTES} for kind in EXTENSIONS}
    for status in _problems_of(path, method, operation, is_open=is_open):
        operation["responses"][status] = {"$ref": f"#/components/responses/{status}"}


def _problems_of(path: str, method: str, operation: Document, *, is_open: bool) -> list[str]:
    takes_input = bool(operation.get("parameters")) or "requestBody" in operation
    states = {
        "400": takes_input,
        "401": not is_open,
        "403": method in _WRITES and not is_open,
        "404": "{" in path or "requestBody" in operation,
        "409": method in _WRITES,
        "412": any(parameter.get("name") == "If-Match" for parameter in operation.get("parameters", [])),
        "413": "requestBody" in operation,
        "422": takes_input,
        "429": method in _WRITES and not is_open,
        "500": True,
        "503": True,
    }
    found = [status for status, can_be in states.items() if can_be and status not in operation["responses"]]
    return [*found, *(["400"] if takes_input else []), *_ASK_FOR_THEMSELVES.get(operation["operationId"], ())]


_IF_MATCH = {
    "name": "If-Match",
    "in": "header",
    "required": False,
    "description": "The `ETag` you read; 412 when the workflow has changed since.",
    "schema": {"type": "string"},
}
_IF_NONE_MATCH = {
    "name": "If-None-Match",
    "in": "header",
    "required": False,
    "description": "The `ETag` you have; 304 when it still holds.",
    "schema": {"type": "string"},
}
_PICTURES = frozenset({"getObject", "getPreview"})
_BYTES = {"type": "string", "format": "binary"}
_CONDITIONAL = {
    "getWorkflow": _IF_NONE_MATCH,
    "getObject": _IF_NONE_MATCH,
    "changeWorkflow": _IF_MATCH,
    "deleteWorkflow": _IF_MATCH,
}
_IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "Sent again with the same body, it gives the first answer again.",
    "schema": {"type": "string", "minLength": 1, "maxLength": MAX_KEY_CHARACTERS},
}


def _json_of(schema: str) -> Document:
    return {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}}


def _page_of(schema: str) -> Document:
    items = {"type": "array", "items": {"$ref": f"#/components/schemas/{schema}"}}
    cursor = {"oneOf": [{"type": "string"}, {"type": "null"}]}
    return {"type": "object", "required": ["items", "nextCursor"], "properties": {"items": items, "nextCursor": cursor}}


def _name_records(document: Document) -> None:
    """Wherever a document's nodes and edges are told, it is said what they are."""
    schemas = document["components"]["schemas"]
    for key, kind in (("nodes", "Node"), ("edges", "Edge")):
        answer = document["paths"][f"/api/workflows/{{workflow_id}}/{key}"]["get"]["responses"]["200"]
        answer["content"] = {"application/json": {"schema": _page_of(kind)}}
    for name in ("Workflow", "VersionDocument"):
        for key, kind in (("nodes", "Node"), ("edges", "Edge")):
            schemas[name]["properties"][key]["items"] = {"$ref": f"#/components/schemas/{kind}"}


def _require_what_is_always_told(document: Document) -> None:
    """A field with a default may be left out of a request; of an answer only where its struct leaves defaults out."""
    schemas: Document = document["components"]["schemas"]
    asked: set[str] = set()
    waiting = [operation.get("requestBody") for item in document["paths"].values() for operation in item.values()]
    while waiting:
        found = set(_REFERENCE.findall(str(waiting.pop()))) - asked
        asked |= found
        waiting += [schemas[name] for name in found]
    structs = {struct.__name__: struct for struct in _structs(msgspec.Struct)}
    for name, schema in schemas.items():
        struct = structs.get(name)
        if struct is not None and name not in asked and not struct.__struct_config__.omit_defaults:
            schema["required"] = sorted(schema["properties"])


def _structs(base: type[msgspec.Struct]) -> Iterator[type[msgspec.Struct]]:
    for struct in base.__subclasses__():
        yield struct
        yield from _structs(struct)


_REFERENCE = re.compile(r"#/components/schemas/([^'\"]+)")


def _problem_answer(detail: str) -> Document:
    return {
        "description": detail,
        "content": {PROBLEM_JSON: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
