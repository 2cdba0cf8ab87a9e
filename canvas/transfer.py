"""A React Flow document from anywhere, as Easel keeps it: `toObject()` of v10 to v12, and what real products wrap
around it. Nothing is changed but what cannot be kept, and each such thing is named in a warning."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import msgspec

from canvas.errors import Invalid
from canvas.graph import Graph, Record
from canvas.ops import MAX_IMPORTED_EDGE_ID_CHARACTERS, Add, Change, Op, check_sizes, clean_edge, clean_node
from canvas.values import MAX_DEPTH, is_viewport

_WRAPPERS = (("data",), ("flow",), ("dsl", "graph"), ("graph",))
_NAMES = ("id", "source", "target", "parentId", "parentNode")  # what others call a record by is never a picture
_DATA_URL = re.compile(r"data:image/[^\"]{0,80}?;base64,[A-Za-z0-9+/=]{100,}")


class Imported(msgspec.Struct):
    """A document ready to be stored: `graph` is what the effective `ops` make of an empty one."""

    graph: Graph
    ops: list[Op]
    viewport: Any
    warnings: list[str]


def unwrap(document: dict[str, Any]) -> dict[str, Any]:
    """The object that holds `nodes` and `edges`, however deep the product put it."""
    if "nodes" in document or "edges" in document:
        return document
    for path in _WRAPPERS:
        inner: Any = document
        for key in path:
            inner = inner.get(key) if isinstance(inner, dict) else None
        if isinstance(inner, dict) and ("nodes" in inner or "edges" in inner):
            return inner
    return document


def pictures_in(value: Any) -> list[str]:
    """Every picture that a document carries as a base64 data URL, each once."""
    found: dict[str, None] = {}

    def look(text: str) -> str:
        found.update(dict.fromkeys(_DATA_URL.findall(text)))
        return text

    _each_text(value, look, str)
    return list(found)


def read_document(document: dict[str, Any], pictures: dict[str, str]) -> Imported:
    """`pictures`: the URL that stands for each data URL now; an empty one leaves the picture out.

    Raises Invalid for what is no document, or breaks a limit.
    """
    warnings: list[str] = []
    nodes = _records(document, "nodes")
    edges = _records(document, "edges")
    nodes = [_clean(_without_empty_parent(node), f"node “{node.get('id')}”", pictures, warnings) for node in nodes]
    edges = [_clean(_with_id(edge, warnings), f"edge “{edge.get('id')}”", pictures, warnings) for edge in edges]
    nodes = _unique([_named("node", node, clean_node) for node in nodes], "node", warnings)
    edges = [_named("edge", edge, _clean_edge) for edge in edges]
    graph = Graph()
    change = Change(graph, 1, {}, is_clean=True)
    for node in _parents_first(nodes, warnings):
        change.apply(Add("node", node))
    for edge in _unique(_with_both_ends(edges, graph, warnings), "edge", warnings):
        change.apply(Add("edge", edge))
    check_sizes(graph, 0)
    graph.settle()
    if not (nodes or edges) and document.keys() - {"name", "nodes", "edges", "viewport"}:
        warnings.append("Nothing was imported: there is no “nodes” in the document, nor in “data”, “flow” or “graph”.")
    return Imported(graph, change.effective, _viewport_of(document, warnings), warnings)


def _with_both_ends(edges: list[Record], graph: Graph, warnings: list[str]) -> list[Record]:
    kept = []
    for edge in edges:
        if edge["source"] in graph and edge["target"] in graph:
            kept.append(edge)
        else:
            warnings.append(f"The edge “{edge['id']}” was left out: it leads to a node that is not there.")
    return kept


def _viewport_of(document: dict[str, Any], warnings: list[str]) -> Any:
    viewport = document.get("viewport")
    if viewport is None or is_viewport(viewport):
        return viewport
    warnings.append("The viewport was left out: it is not {“x”, “y”, “zoom”} with numbers.")
    return None


def _records(document: dict[str, Any], key: str) -> list[Record]:
    records = document.get(key)
    if records is None:
        return []
    if not isinstance(records, list) or not all(isinstance(record, dict) for record in records):
        raise Invalid(f"“{key}” must be a list of objects.")
    return records


def _named(kind: str, record: Record, clean: Callable[[Record], Record]) -> Record:
    try:
        return clean(record)
    except Invalid as error:
        detail = f"The {kind} “{record.get('id')}”: {error.detail}"
        raise type(error)(detail, code=error.code, **error.facts) from error


def _clean_edge(edge: Record) -> Record:
    return clean_edge(edge, max_id=MAX_IMPORTED_EDGE_ID_CHARACTERS)


def _with_id(edge: Record, warnings: list[str]) -> Record:
    """Edges of hand-made documents have no id at times; React Flow's own default is the one users expect."""
    if edge.get("id") is not None:
        return edge
    ends = (edge.get(key) or "" for key in ("source", "sourceHandle", "target", "targetHandle"))
    id_ = "xy-edge__{}{}-{}{}".format(*ends)
    warnings.append(f"An edge without an id was named “{id_}”.")
    return {**edge, "id": id_}


def _without_empty_parent(node: Record) -> Record:
    """Some products write `parentId: ""` for a node that has none, which is how React Flow reads it."""
    return {key: value for key, value in node.items() if key != "parentId" or value != ""}


def _unique(records: list[Record], kind: str, warnings: list[str]) -> list[Record]:
    kept: dict[str, Record] = {}
    for record in records:
        if record["id"] in kept:
            warnings.append(f"A second {kind} with the id “{record['id']}” was left out.")
        else:
            kept[record["id"]] = record
    return list(kept.values())


def _parents_first(nodes: list[Record], warnings: list[str]) -> list[Record]:
    by_id = {node["id"]: node for node in nodes}
    ordered: list[Record] = []
    done: set[str] = set()
    for node in nodes:
        chain: list[Record] = []
        current: Record | None = node
        while current is not None and current["id"] not in done:
            if any(current is link for link in chain):
                warnings.append(f"The node “{current['id']}” was inside itself and has been detached.")
                chain[-1] = _detached(chain[-1])
                break
            chain.append(current)
            parent_id = current.get("parentId")
            if parent_id is not None and parent_id not in by_id:
                warnings.append(f"The node “{current['id']}” was detached: its parent “{parent_id}” is not there.")
                chain[-1] = _detached(current)
                break
            current = by_id[parent_id] if parent_id is not None else None
        done.update(link["id"] for link in chain)
        ordered.extend(reversed(chain))
    return ordered


def _detached(node: Record) -> Record:
    return {key: value for key, value in node.items() if key not in {"parentId", "extent", "expandParent"}}


def _clean(record: Record, name: str, pictures: dict[str, str], warnings: list[str]) -> Record:
    """U+0000 replaced and embedded pictures swapped for their URLs, each named."""

    def clean_key(key: str) -> str:
        if "\0" not in key:
            return key
        warnings.append(f"The character U+0000 in the {name} was replaced by U+FFFD.")
        return key.replace("\0", "\ufffd")

    def clean_text(text: str) -> str:
        return _DATA_URL.sub(replace_picture, clean_key(text))

    def replace_picture(found: re.Match[str]) -> str:
        url = pictures.get(found[0], "")
        what = f"was stored as {url}" if url else "is not a picture that can be stored and was left out"
        warnings.append(f"A picture inside the {name} {what}.")
        return url

    name = name.replace("\0", "\ufffd")
    names = {key: clean_key(value) for key, value in record.items() if key in _NAMES and isinstance(value, str)}
    cleaned = _each_text(record | dict.fromkeys(names), clean_text, clean_key) | names
    assert isinstance(cleaned, dict)
    return cleaned


def _each_text(value: Any, change: Callable[[str], str], change_key: Callable[[str], str], depth: int = 0) -> Any:
    """`value` with every string in it passed through `change`, and every key through `change_key`."""
    if depth > MAX_DEPTH + 2:  # the document itself and its list of records stand above a record
        raise Invalid(f"Objects and lists may be nested at most {MAX_DEPTH} deep.")
    if isinstance(value, str):
        return change(value)
    if isinstance(value, dict):
        return {change_key(key): _each_text(member, change, change_key, depth + 1) for key, member in value.items()}
    if isinstance(value, list):
        return [_each_text(member, change, change_key, depth + 1) for member in value]
    return value
