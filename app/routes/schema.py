"""/schema: the API described, for programs (OpenAPI) and for people (a page without scripts or other hosts)."""

import re
from collections.abc import Callable
from html import escape
from typing import Any

import msgspec
from litestar import Response, get
from litestar.handlers import HTTPRouteHandler

from app.routes.access import OPEN

Document = dict[str, Any]

_STYLE = """
:root{color-scheme:light dark;--ink:#1c1917;--paper:#fafaf9;--line:#e7e5e4;--soft:#78716c;--card:#fff}
@media(prefers-color-scheme:dark){:root{--ink:#f5f5f4;--paper:#171412;--line:#3a3431;--soft:#a8a29e;--card:#1f1b19}}
body{margin:0 auto;max-width:58rem;padding:2.5rem 1.25rem 6rem;background:var(--paper);color:var(--ink);
font:16px/1.55 ui-sans-serif,system-ui,sans-serif}
h1{font-size:1.9rem;margin:0}h2{font-size:1.15rem;margin:2.5rem 0 .6rem;text-transform:capitalize}
h3{font-size:.8rem;margin:1rem 0 .3rem;color:var(--soft);text-transform:uppercase;letter-spacing:.05em}
p{max-width:44rem}a{color:inherit}nav a{margin-right:1rem}
code,pre{font:.86em/1.5 ui-monospace,monospace}pre{overflow:auto;margin:0}
details{background:var(--card);border:1px solid var(--line);border-radius:.6rem;margin:.4rem 0}
summary{display:flex;gap:.8rem;align-items:baseline;padding:.55rem .9rem;cursor:pointer;flex-wrap:wrap}
summary span{color:var(--soft);font-size:.9rem}summary:focus-visible{outline:2px solid #0f766e;border-radius:.6rem}
details>div{padding:0 .9rem .9rem}b{font:600 .75rem/1.6 ui-monospace,monospace;min-width:4rem;text-align:center;
border-radius:.35rem;color:#fff;background:#57534e}b.get{background:#0f766e}b.post{background:#1d4ed8}
b.patch,b.put{background:#a16207}b.delete{background:#b91c1c}
table{border-collapse:collapse;width:100%}td{border-top:1px solid var(--line);padding:.3rem .6rem .3rem 0;
vertical-align:top;font-size:.9rem}td:first-child{white-space:nowrap;width:11rem;font-family:ui-monospace,monospace;font-size:.82rem}
"""


def schema_routes(document: Callable[[], Document]) -> list[HTTPRouteHandler]:
    @get("/schema/openapi.json", opt=OPEN, include_in_schema=False, media_type="application/json", sync_to_thread=False)
    def openapi() -> bytes:
        return msgspec.json.encode(document())

    @get("/schema", opt=OPEN, include_in_schema=False, media_type="text/html", sync_to_thread=False)
    def page() -> Response[str]:
        return Response(_page(document()), media_type="text/html")

    @get("/schema/style.css", opt=OPEN, include_in_schema=False, media_type="text/css", sync_to_thread=False)
    def style() -> str:
        return _STYLE

    return [openapi, page, style]


def _page(document: Document) -> str:
    by_tag: dict[str, list[str]] = {}
    for path, item in document["paths"].items():
        for method, operation in item.items():
            by_tag.setdefault(operation["tags"][0], []).append(_operation(document, path, method, operation))
    info = document["info"]
    links = "".join(f'<a href="#{escape(tag)}">{escape(tag)}</a>' for tag in by_tag)
    sections = "".join(f'<h2 id="{escape(tag)}">{escape(tag)}</h2>{"".join(items)}' for tag, items in by_tag.items())
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width"><title>Easel API</title>'
        '<link rel="stylesheet" href="/schema/style.css">'
        f"<h1>{escape(info['title'])} API <small>{escape(info['version'])}</small></h1>"
        f'{_paragraphs(info["description"])}<nav>{links}<a href="/schema/openapi.json">openapi.json</a></nav>'
        f"{sections}</html>"
    )


def _paragraphs(text: str) -> str:
    return "".join(f"<p>{_prose(paragraph)}</p>" for paragraph in text.split("\n\n"))


def _prose(text: str) -> str:
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))


def _operation(document: Document, path: str, method: str, operation: Document) -> str:
    parts = [
        _table("Parameters", [_parameter(parameter) for parameter in operation.get("parameters", [])]),
        _table("Body", _fields(document, operation.get("requestBody", {}))),
        _table("Answers", [_answer(document, status, one) for status, one in sorted(operation["responses"].items())]),
    ]
    open_ = "" if operation["security"] else " <span>no sign-in</span>"
    return (
        f'<details id="{escape(operation["operationId"])}"><summary><b class="{method}">{method.upper()}</b>'
        f"<code>{escape(path)}</code><span>{_prose(operation['summary'])}</span>{open_}</summary>"
        f"<div>{''.join(parts)}</div></details>"
    )


def _table(title: str, rows: list[tuple[str, str]]) -> str:
    if not rows:
        return ""
    cells = "".join(f"<tr><td>{escape(name)}<td>{_prose(what)}" for name, what in rows)
    return f"<h3>{title}</h3><table>{cells}</table>"


def _parameter(parameter: Document) -> tuple[str, str]:
    words = [parameter["in"], _type(parameter.get("schema", {})), "required" if parameter.get("required") else ""]
    return parameter["name"], ", ".join(filter(None, [*words, parameter.get("description", "")]))


def _fields(document: Document, body: Document) -> list[tuple[str, str]]:
    schema: Document = next((content["schema"] for content in body.get("content", {}).values()), {})
    schema = _resolved(document, schema)
    required = set(schema.get("required", []))
    rows = [
        (
            name,
            ", ".join(filter(None, [_type(one), "required" if name in required else "", one.get("description", "")])),
        )
        for name, one in schema.get("properties", {}).items()
    ]
    return rows or ([("", _type(schema))] if schema else [])


def _answer(document: Document, status: str, answer: Document) -> tuple[str, str]:
    answer = _resolved(document, answer)
    kinds = {_type(content.get("schema", {})) for content in answer.get("content", {}).values()} - {"Problem"}
    return status, " · ".join(filter(None, [answer.get("description", ""), *sorted(kinds)]))


def _resolved(document: Document, part: Document) -> Document:
    found: Any = part
    while isinstance(found, dict) and "$ref" in found:
        place = found["$ref"].removeprefix("#/").split("/")
        found = document
        for key in place:
            found = found[key]
    return found if isinstance(found, dict) else {}


def _type(schema: Document) -> str:
    """A schema in a few words."""
    if "$ref" in schema:
        return str(schema["$ref"].rsplit("/", 1)[-1])
    for key in ("oneOf", "anyOf"):
        if key in schema:
            return " or ".join(_type(one) for one in schema[key])
    if "enum" in schema:
        return " | ".join(str(one) for one in schema["enum"])
    kind = schema.get("type", "")
    if kind == "array":
        return f"list of {_type(schema.get('items', {})) or 'anything'}"
    return " or ".join(kind) if isinstance(kind, list) else str(kind)
