"""Google as its Discovery document says (`generateContent`), and Imagen's `:predict`, for which there is none."""

from __future__ import annotations

import base64
from typing import Any

from tests.jobs.providers.sim.documents import document
from tests.jobs.providers.sim.pictures import picture
from tests.jobs.providers.sim.server import Asked, Server, Told, told

GEMINI = document("google-gemini.openapi.json")
STATUSES = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}


class Google:
    """`async with google.server`."""

    def __init__(self, key: str) -> None:
        self.server = Server(self.respond)
        self.held_back = 0
        """How many of Imagen's pictures are filtered."""
        self._key = key

    @property
    def base_url(self) -> str:
        return f"{self.server.url}/v1beta"

    async def respond(self, asked: Asked) -> Told:
        assert "key" not in asked.query, "a key in an address lands in logs"
        if asked.headers.get("x-goog-api-key") != self._key:
            return error(401, f"The key {self._key} is not valid.")
        model, _, verb = asked.path.removeprefix("/v1beta/models/").partition(":")
        if verb == "generateContent":
            body = asked.json()
            GEMINI.check("GenerateContentRequest", body)
            assert body["generationConfig"]["responseModalities"] == ["IMAGE"]
            self.server.accepted.append(asked)
            return generated(model)
        if verb == "predict" and model.startswith("imagen-"):
            wanted = asked.json()["parameters"]["sampleCount"]
            assert {"prompt"} == asked.json()["instances"][0].keys()
            self.server.accepted.append(asked)
            return predicted(wanted - self.held_back, self.held_back)
        return error(404, f"models/{model} is not found for API version v1beta.")


def generated(model: str, **candidate: Any) -> Told:
    """A picture after a word and a draft. `candidate` changes what it says."""
    data, draft = (base64.b64encode(picture(number)).decode() for number in (9, 1))
    parts = [
        {"text": "Here:"},
        {"thought": True, "inlineData": {"mimeType": "image/png", "data": draft}},
        {"inlineData": {"mimeType": "image/png", "data": data}},
    ]
    usual = {"content": {"role": "model", "parts": parts}, "finishReason": "STOP", "index": 0}
    usage = {
        "promptTokenCount": 6,
        "candidatesTokenCount": 1120,
        "totalTokenCount": 1126,
        "candidatesTokensDetails": [{"modality": "IMAGE", "tokenCount": 1120}],
    }
    return answered(
        {"candidates": [{**usual, **candidate}], "usageMetadata": usage, "modelVersion": model, "responseId": "r1"}
    )


def answered(body: dict[str, Any]) -> Told:
    GEMINI.check("GenerateContentResponse", body)
    return told(body)


def predicted(drawn: int, held_back: int = 0) -> Told:
    pictures = [base64.b64encode(picture(number)).decode() for number in range(drawn)]
    predictions: list[dict[str, str]] = [{"mimeType": "image/png", "bytesBase64Encoded": data} for data in pictures]
    reason = "Unable to show generated images. Support codes: 56562880"
    return told({"predictions": [*predictions, *({"raiFilteredReason": reason} for _ in range(held_back))]})


def error(status: int, message: str, *details: dict[str, Any], state: str | None = None) -> Told:
    body = {"code": status, "message": message, "status": state or STATUSES.get(status, "UNKNOWN")}
    return told({"error": {**body, "details": list(details)}}, status)
