"""OpenAI Images as its document says: generations and edits, whole or streamed."""

from __future__ import annotations

import asyncio
import base64
import json
from typing import Any

from tests.jobs.providers.sim.documents import document
from tests.jobs.providers.sim.pictures import picture
from tests.jobs.providers.sim.server import Asked, Fault, Server, Told, Turn, told

OPENAI = document("openai-images.openapi.json")
# Younger than the document (openai 3.54.0).
YOUNGER_QUALITIES = ("xhigh", "max")
LISTED_SIZES = ("1024x1024", "1024x1536", "1536x1024")
USAGE = {
    "total_tokens": 1100,
    "input_tokens": 44,
    "output_tokens": 1056,
    "input_tokens_details": {"text_tokens": 14, "image_tokens": 30},
}


class OpenAI:
    """`async with openai.server`."""

    def __init__(self, key: str) -> None:
        self.server = Server(self.respond)
        self.streams = True
        """Whether it does as told by `stream`; look-alike servers do not."""
        self._key = key

    @property
    def base_url(self) -> str:
        return f"{self.server.url}/v1"

    async def respond(self, asked: Asked) -> Told:
        if asked.headers.get("authorization") != f"Bearer {self._key}":
            return error(401, f"Incorrect API key provided: {self._key}", code="invalid_api_key")
        match asked.path:
            case "/v1/images/generations":
                fields = asked.json()
                _check("CreateImageRequest", fields)
            case "/v1/images/edits":
                fields = _edit_fields(asked)
                _check("CreateImageEditRequest", {**fields, "image": ["" for _ in _images(asked)]})
            case _:
                return error(404, f"Invalid URL ({asked.method} {asked.path})")
        is_dall_e = fields["model"].startswith("dall-e")
        assert is_dall_e or "response_format" not in fields, "gpt-image models refuse response_format"
        assert asked.headers["x-client-request-id"].isalnum()
        self.server.accepted.append(asked)
        if fields.get("stream") and self.streams:
            kind = "image_edit" if asked.path.endswith("edits") else "image_generation"
            return streamed(fields, kind)
        return whole(fields, is_dall_e=is_dall_e)


def whole(fields: dict[str, Any], *, is_dall_e: bool = False, pictures: int | None = None) -> Told:
    drawn = [picture(number) for number in range(fields.get("n", 1) if pictures is None else pictures)]
    data: list[dict[str, Any]] = [{"b64_json": base64.b64encode(content).decode()} for content in drawn]
    if is_dall_e and fields.get("response_format") == "url":
        data = [{"url": "https://oaidalleapiprodscus.blob.core.windows.net/1.png", "revised_prompt": "a fox!"}]
    body: dict[str, Any] = {"created": 1713833628, "data": data}
    if not is_dall_e:
        body |= {"output_format": "png", "usage": USAGE}
    OPENAI.check("ImagesResponse", body)
    return told(body, headers={"x-request-id": "req_1"})


def streamed(fields: dict[str, Any], kind: str) -> Told:
    """Two drafts and the picture."""
    events = [_event(kind, fields, number) for number in range(fields["partial_images"])]
    return Told(b"".join([*events, _event(kind, fields, None)]), content_type="text/event-stream; charset=utf-8")


def draft_then(until: asyncio.Event) -> Fault:
    """The first draft, and the rest when told."""

    async def fault(turn: Turn) -> None:
        answer = await turn.answer()
        first, rest = answer.body.split(b"\n\n", 1)
        await turn.begin(answer)
        await turn.write(first + b"\n\n")
        await until.wait()
        await turn.write(rest)
        await turn.end()

    return fault


def error(status: int, message: str, *, code: str | None = None, kind: str = "invalid_request_error") -> Told:
    body = {"error": {"message": message, "type": kind, "param": None, "code": code}}
    OPENAI.check("ErrorResponse", body)
    return told(body, status, headers={"x-request-id": "req_1"})


def _event(kind: str, fields: dict[str, Any], draft: int | None) -> bytes:
    size = fields.get("size", "auto")
    body: dict[str, Any] = {
        "type": f"{kind}.{'completed' if draft is None else 'partial_image'}",
        "b64_json": base64.b64encode(picture(9 if draft is None else draft)).decode(),
        "created_at": 1,
        "size": size if size in LISTED_SIZES else "auto",
        "quality": "auto" if fields["quality"] in YOUNGER_QUALITIES else fields["quality"],
        "background": "opaque",
        "output_format": "png",
    }
    body |= {"usage": USAGE} if draft is None else {"partial_image_index": draft}
    OPENAI.check("ImageEditStreamEvent" if kind == "image_edit" else "ImageGenStreamEvent", body)
    return f"event: {body['type']}\ndata: {json.dumps(body)}\n\n".encode()


def _check(schema: str, fields: dict[str, Any]) -> None:
    listed = dict(fields)
    if listed.get("quality") in YOUNGER_QUALITIES:
        del listed["quality"]
    OPENAI.check(schema, listed)


def _edit_fields(asked: Asked) -> dict[str, Any]:
    """A multipart's numbers and booleans are text; the document means what they say."""
    fields: dict[str, Any] = dict(asked.fields())
    for name in {"n", "partial_images"} & fields.keys():
        fields[name] = int(fields[name])
    if "stream" in fields:
        fields["stream"] = {"true": True, "false": False}[fields["stream"]]
    return fields


def _images(asked: Asked) -> list[bytes]:
    images = [part for part in asked.parts() if part.name in ("image", "image[]")]
    assert images, "an edit without a picture"
    assert all(part.content_type in ("image/png", "image/jpeg", "image/webp") for part in images), (
        "not a picture's type"
    )
    return [part.content for part in images]
