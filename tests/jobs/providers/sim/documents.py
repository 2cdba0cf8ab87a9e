"""Vendors' own OpenAPI documents, to hold against them what an adapter asks and what a simulated vendor tells."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

SPECS = Path(__file__).resolve().parents[5] / "shared" / "specs"


class Document:
    """With nothing to read (`specs` are not beside this checkout) every value passes; `is_here` tells."""

    def __init__(self, path: Path) -> None:
        self.is_here = path.exists()
        contents = _closed(json.loads(path.read_text())) if self.is_here else {}
        resource: Resource[Any] = DRAFT202012.create_resource(contents)
        self._registry: Registry[Any] = Registry().with_resource("urn:spec", resource)

    def check(self, schema: str, value: Any) -> None:
        """`schema` is a name in `components/schemas`, or a JSON pointer. Raises AssertionError."""
        if not self.is_here:
            return
        pointer = schema if schema.startswith("/") else f"/components/schemas/{schema}"
        validator = Draft202012Validator({"$ref": f"urn:spec#{pointer}"}, registry=self._registry)
        wrong = [f"{error.json_path}: {error.message[:300]}" for error in validator.iter_errors(value)]
        assert not wrong, f"not a {schema}: {'; '.join(wrong)}"


@cache
def document(name: str) -> Document:
    """Such as `openai-images.openapi.json`."""
    return Document(SPECS / name)


def _closed(schema: Any) -> Any:
    """OpenAPI 3.0's `nullable` in the words of JSON Schema, and no field that the document does not know."""
    if isinstance(schema, list):
        return [_closed(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {key: _closed(value) for key, value in schema.items()}
    if closed.get("nullable") is True and isinstance(closed.get("type"), str):
        closed["type"] = [closed["type"], "null"]
    if isinstance(closed.get("enum"), list) and closed.get("nullable") is True:
        closed["enum"] = [*closed["enum"], None]
    if isinstance(closed.get("properties"), dict) and not {"allOf", "additionalProperties"} & closed.keys():
        closed["additionalProperties"] = False
    return closed
