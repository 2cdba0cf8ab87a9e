"""The server's words as TypeScript: `python -m app.typescript` writes what `web/src/client/schema.ts` holds.

One interface for each schema of the OpenAPI document and each message of the protocol, and `Calls`: what goes into each
request and what comes out. A test says when the file is no longer what this makes.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from typing import Any

import msgspec

from app.openapi import Document
from app.server import openapi_document
from canvas.messages import SERVER_MESSAGES
from canvas.protocol import CLIENT_MESSAGES

_HEAD = """\
/** Made by `make types` from the server's OpenAPI document and protocol. Change those, not this. */

export interface Page<T> {
  items: T[];
  nextCursor: string | null;
}
"""
_OPS = ("Add", "Update", "Remove", "Restore", "SetWorkflow")
_PAGE = re.compile(r"Page_(?:.*\.)?(\w+?)_$")


def client_types(document: Document) -> str:
    schemas: dict[str, Document] = document["components"]["schemas"] | _messages()
    parts = [_HEAD]
    parts += [_declared(name, schema) for name, schema in sorted(schemas.items()) if not name.startswith("Page_")]
    parts.append(f"export type Op = {' | '.join(_OPS)};\n")
    for name, members in (("ClientMessage", CLIENT_MESSAGES), ("ServerMessage", SERVER_MESSAGES)):
        parts.append(f"export type {name} = {' | '.join(one.__name__ for one in members)};\n")
    parts.append("/** By method and path; `{…}` stands for what is put into the address. */")
    calls = "".join(f"  {json.dumps(name)}: {call};\n" for name, call in _calls(document))
    parts.append(f"export interface Calls {{\n{calls}}}\n")
    return "\n".join(parts)


def _messages() -> dict[str, Document]:
    messages = [*CLIENT_MESSAGES, *SERVER_MESSAGES]
    _, schemas = msgspec.json.schema_components(messages, ref_template="#/components/schemas/{name}")
    schemas["Push"]["properties"]["ops"] = schemas["Transaction"]["properties"]["ops"]  # decoded by hand there
    return schemas


def _calls(document: Document) -> Iterator[tuple[str, str]]:
    for path, item in document["paths"].items():
        for method, operation in item.items():
            if not path.startswith("/api/") or path.startswith("/api/webhooks/"):
                continue
            query = [one for one in operation.get("parameters", []) if one["in"] == "query"]
            fields = [f"{one['name']}{'' if one.get('required') else '?'}: {_type(one['schema'])};" for one in query]
            body = operation.get("requestBody")
            answer = next(one for status, one in operation["responses"].items() if status.startswith("2"))
            parts = {
                "query": f"{{ {' '.join(fields)} }}" if fields else "Record<never, never>",
                "body": _content(body) if body else "undefined",
                "answer": _content(answer),
            }
            yield f"{method.upper()} {path}", f"{{ {'; '.join(f'{key}: {type_}' for key, type_ in parts.items())} }}"


def _content(holder: Document) -> str:
    content = holder.get("content", {}).get("application/json")
    return "undefined" if content is None else _type(content["schema"])


def _declared(name: str, schema: Document) -> str:
    said = schema.get("description")
    head = f"/** {' '.join(said.split())} */\n" if said else ""
    if schema.get("type") != "object" or "properties" not in schema:
        return f"{head}export type {name} = {_type(schema)};\n"
    return f"{head}export interface {name} {{\n{''.join(_fields(schema, '  '))}}}\n"


def _fields(schema: Document, indent: str) -> Iterator[str]:
    required = schema.get("required", [])
    for key, value in schema["properties"].items():
        if said := value.get("description"):
            yield f"{indent}/** {' '.join(said.split())} */\n"
        yield f"{indent}{key}{'' if key in required else '?'}: {_type(value)};\n"
    if schema.get("additionalProperties") is True:
        yield f"{indent}[key: string]: unknown;\n"


def _type(schema: Document) -> str:
    if (reference := schema.get("$ref")) is not None:
        name = str(reference).rsplit("/", 1)[-1]
        page = _PAGE.match(name)
        return name if page is None else f"Page<{page[1]}>"
    if "enum" in schema:
        return " | ".join(json.dumps(value) for value in schema["enum"])
    if "const" in schema:
        return json.dumps(schema["const"])
    for key in ("oneOf", "anyOf"):
        if key in schema:
            return " | ".join(dict.fromkeys(_type(one) for one in schema[key]))
    kind = schema.get("type")
    if isinstance(kind, list):
        return " | ".join(dict.fromkeys(_type(schema | {"type": one}) for one in kind))
    return _PLAIN[kind] if kind in _PLAIN else _compound(schema)


_PLAIN = {
    "string": "string",
    "integer": "number",
    "number": "number",
    "boolean": "boolean",
    "null": "null",
    None: "unknown",
}


def _compound(schema: Document) -> str:
    if schema["type"] == "array":
        items = _type(schema.get("items", {}))
        return f"({items})[]" if " " in items else f"{items}[]"
    if "properties" in schema:
        return f"{{ {' '.join(line.strip() for line in _fields(schema, ''))} }}"
    rest: Any = schema.get("additionalProperties", {})
    return f"Record<string, {_type(rest) if isinstance(rest, dict) else 'unknown'}>"


if __name__ == "__main__":
    sys.stdout.write(client_types(openapi_document()))
