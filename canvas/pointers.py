"""A record's registers by JSON pointer (RFC 6901): a whole top-level key, or a path inside `data`.

Nothing is changed in place: each function answers the record itself when there was nothing to change, else a copy.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

import msgspec

from canvas.errors import Invalid
from canvas.graph import Record
from canvas.values import FORBIDDEN_KEYS, check_json

TRANSIENT = frozenset({"selected", "dragging", "resizing", "measured", "internals", "positionAbsolute"})
"""Keys that React Flow keeps for one browser. They are never stored."""

_BAD_ESCAPE = re.compile("~(?![01])")
_MAX_KNOWN_CHARACTERS = 64
_REQUIRED_KEYS = frozenset({"position", "source", "target"})
_canonical = msgspec.json.Encoder(order="deterministic").encode


class Refused(Invalid):
    """An op that the document's rules do not allow; the push it belongs to has no effect at all."""


def _path(pointer: str) -> tuple[str, ...]:
    """Raises Refused."""
    return _known_path(pointer) if len(pointer) <= _MAX_KNOWN_CHARACTERS else _read_path(pointer)


def _read_path(pointer: str) -> tuple[str, ...]:
    if not pointer.startswith("/"):
        raise Refused(f"“{pointer}” is not a pointer: it starts with “/”.", code="BAD_POINTER")
    if _BAD_ESCAPE.search(pointer):
        raise Refused(f"“{pointer}” is not a pointer: “~” is followed by 0 or 1.", code="BAD_POINTER")
    path = tuple(part.replace("~1", "/").replace("~0", "~") for part in pointer[1:].split("/"))
    if path[0] == "id" or path[0] == "parentNode" or path[0] in TRANSIENT:
        raise Refused(f"“/{path[0]}” cannot be changed.", code="BAD_POINTER")
    if len(path) > 1 and path[0] != "data":
        raise Refused(f"“/{path[0]}” is one value: set it whole.", code="BAD_POINTER")
    if not FORBIDDEN_KEYS.isdisjoint(path):
        raise Refused(f"“{pointer}” is not allowed.", code="BAD_POINTER")
    return path


_known_path = lru_cache(maxsize=1024)(_read_path)  # most edits name one of a few: /position, /data/prompt


def with_value(record: Record, pointer: str, value: Any) -> Record:
    """A copy of `record` with `value` at `pointer`, or `record` itself when it is there already."""
    path = _path(pointer)
    check_json(value, depth=len(path))
    for key in path:
        check_json(key)
    if path == ("data",) and not isinstance(value, dict):
        raise Refused("A record's data is an object.", code="BAD_POINTER")
    has_place = len(path) == 1 or "data" in record
    return _set_in(record if has_place else {**record, "data": {}}, path, value, unchanged=record)


def _set_in(below: Record, path: tuple[str, ...], value: Any, *, unchanged: Record) -> Record:
    key = path[0]
    if len(path) == 1:
        return unchanged if key in below and same(below[key], value) else {**below, key: value}
    inner = _object_at(below, key)
    changed = _set_in(inner, path[1:], value, unchanged=inner)
    return unchanged if changed is inner else {**below, key: changed}


def without(record: Record, pointer: str) -> Record:
    """A copy of `record` without what is at `pointer`, or `record` itself when there is nothing."""
    path = _path(pointer)
    if path[0] in _REQUIRED_KEYS:
        raise Refused(f"“/{path[0]}” cannot be removed.", code="BAD_POINTER")
    return _unset_in(record, path)


def _unset_in(below: Record, path: tuple[str, ...]) -> Record:
    key = path[0]
    if key not in below:
        return below
    if len(path) == 1:
        return {other: value for other, value in below.items() if other != key}
    inner = _object_at(below, key)
    changed = _unset_in(inner, path[1:])
    return below if changed is inner else {**below, key: changed}


def _object_at(below: Record, key: str) -> Record:
    inner = below.get(key)
    if not isinstance(inner, dict):
        raise Refused(f"There is no object at “{key}” to go through.", code="BAD_POINTER")
    return inner


def same(one: Any, other: Any) -> bool:
    """Whether two values are one in JSON, where True is not 1, 1 is not 1.0, and the order of keys says nothing."""
    # What Python finds different is different in JSON, too: most values that come are new, and that is all it takes.
    return one is other or (one == other and _canonical(one) == _canonical(other))
