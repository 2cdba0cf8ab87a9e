"""Stability's v2beta as its document was transcribed: multipart in, a picture out."""

from __future__ import annotations

from typing import Any

from tests.jobs.providers.sim.documents import document
from tests.jobs.providers.sim.pictures import picture
from tests.jobs.providers.sim.server import Asked, Server, Told, told

STABILITY = document("transcribed/stability-v2beta.transcribed.openapi.json")
GENERATE = "/v2beta/stable-image/generate/"
NAMES = {
    400: "bad_request",
    401: "unauthorized",
    403: "content_moderation",
    404: "not_found",
    413: "payload_too_large",
    429: "rate_limit_exceeded",
    500: "internal_error",
}


class Stability:
    """`async with stability.server`."""

    def __init__(self, key: str) -> None:
        self.server = Server(self.respond)
        self._key = key

    @property
    def base_url(self) -> str:
        return self.server.url

    async def respond(self, asked: Asked) -> Told:
        if asked.headers.get("authorization") != f"Bearer {self._key}":
            return error(401, f"authorization: invalid key {self._key}")
        if asked.path not in (GENERATE + "core", GENERATE + "ultra", GENERATE + "sd3"):
            return error(404, "no such route")
        assert asked.headers["accept"] in ("image/*", "application/json")
        escaped = asked.path.replace("/", "~1")
        STABILITY.check(f"/paths/{escaped}/post/requestBody/content/multipart~1form-data/schema", _fields(asked))
        has_image = any(part.name == "image" for part in asked.parts())
        assert has_image == ("strength" in asked.fields()), "strength and image go together"
        self.server.accepted.append(asked)
        return drawn(asked.fields().get("seed", "343940597"))


def drawn(seed: str, reason: str = "SUCCESS") -> Told:
    headers = {"finish-reason": reason, "seed": seed, "x-request-id": "req-1"}
    return Told(picture(9), content_type="image/png", headers=headers)


def error(status: int, message: str, *, name: str | None = None) -> Told:
    body = {"id": "ab43", "name": name or NAMES.get(status, "error"), "errors": [message]}
    STABILITY.check("Error", body)
    return told(body, status, headers={"x-request-id": "req-1"})


def _fields(asked: Asked) -> dict[str, Any]:
    """A multipart's numbers are text; the document means what they say."""
    fields: dict[str, Any] = {part.name: "" for part in asked.parts()} | asked.fields()
    for name in {"seed", "strength", "cfg_scale"} & fields.keys():
        fields[name] = float(fields[name])
    return fields
