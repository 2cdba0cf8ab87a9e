"""The two wire shapes of Midjourney gateways: novicezk/midjourney-proxy and its many forks, PiAPI's and its clones'.

A shape turns an order into a request and an answer into one vocabulary; `midjourney.py` decides what that means.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, Literal, Protocol
from urllib.parse import urlsplit

import msgspec

from jobs.providers.hosted import data_url
from jobs.providers.port import Order

State = Literal["waiting", "running", "done", "failed", "cancelled"]
Verdict = Literal["accepted", "full", "policy", "refused", "failed", "unclear"]


class Request(msgspec.Struct, frozen=True):
    method: str
    path: str
    body: dict[str, Any] | None = None


class Taken(msgspec.Struct, frozen=True):
    """What a gateway says to an order."""

    verdict: Verdict
    task_id: str
    """Of an order that was accepted."""
    code: str
    words: str


class Task(msgspec.Struct, frozen=True):
    state: State
    percent: int
    picture: Any
    """Where the address is, or None."""
    words: str
    """Why it failed."""


class Shape(Protocol):
    def headers(self, secret: str) -> Mapping[str, str]: ...

    def imagine(self, order: Order, prompt: str) -> Request: ...

    def taken(self, told: dict[str, Any]) -> Taken: ...

    def fetch(self, task_id: str) -> Request: ...

    def task(self, told: dict[str, Any]) -> Task: ...

    def cancel(self, task_id: str) -> Request: ...

    def listing(self) -> Request | None:
        """All tasks there are, if it can be asked for."""

    def task_of(self, told: Any, order_id: str) -> str | None:
        """The task in a listing that carries our order's id."""


_VERDICTS: Final[Mapping[str, Verdict]] = {
    "1": "accepted",
    "3": "refused",
    "4": "refused",
    "9": "failed",
    "21": "accepted",  # exists already
    "22": "accepted",  # and waits in line
    "23": "full",
    "24": "policy",
}
_STATES: Final[Mapping[str, State]] = {
    "NOT_START": "waiting",
    "SUBMITTED": "waiting",
    "SUCCESS": "done",
    "FAILURE": "failed",
    "CANCEL": "cancelled",
    "pending": "waiting",
    "staged": "waiting",
    "completed": "done",
    "failed": "failed",
}


class Novicezk:
    """Always 200; `code` tells. github.com/novicezk/midjourney-proxy, docs/api.md."""

    def __init__(self, base_url: str) -> None:
        self._prefix = "" if urlsplit(base_url).path.rstrip("/").endswith("/mj") else "/mj"

    def headers(self, secret: str) -> Mapping[str, str]:
        """The project's own header, and that of those who sell its shape on."""
        return {"mj-api-secret": secret, "Authorization": f"Bearer {secret}"} if secret else {}

    def imagine(self, order: Order, prompt: str) -> Request:
        body: dict[str, Any] = {"prompt": prompt, "state": order.id}
        if order.source is not None:
            body["base64Array"] = [data_url(order.source)]
        if order.webhook_url is not None:
            body["notifyHook"] = order.webhook_url
        return Request("POST", f"{self._prefix}/submit/imagine", body)

    def taken(self, told: dict[str, Any]) -> Taken:
        code, result = told.get("code"), told.get("result")
        properties = told.get("properties")
        banned = properties.get("bannedWord") if isinstance(properties, dict) else None
        verdict = _VERDICTS.get(str(code), "unclear")
        return Taken(verdict, str(result or ""), str(code), str(banned or told.get("description") or ""))

    def fetch(self, task_id: str) -> Request:
        return Request("GET", f"{self._prefix}/task/{task_id}/fetch")

    def task(self, told: dict[str, Any]) -> Task:
        percent = str(told.get("progress") or "").rstrip("%")
        return Task(
            _STATES.get(str(told.get("status")), "running"),
            int(percent) if re.fullmatch("[0-9]{1,3}", percent) else 0,
            told.get("imageUrl"),
            str(told.get("failReason") or ""),
        )

    def cancel(self, task_id: str) -> Request:
        """The original cannot; some forks can."""
        return Request("POST", f"{self._prefix}/task/{task_id}/cancel")

    def listing(self) -> Request | None:
        return Request("GET", f"{self._prefix}/task/list")

    def task_of(self, told: Any, order_id: str) -> str | None:
        tasks = told if isinstance(told, list) else []
        found = (task.get("id") for task in tasks if isinstance(task, dict) and task.get("state") == order_id)
        return next((str(task_id) for task_id in found if task_id), None)


class PiApi:
    """piapi.ai's unified tasks. Its own Midjourney is gone; clones of it live."""

    def headers(self, secret: str) -> Mapping[str, str]:
        return {"X-API-Key": secret} if secret else {}

    def imagine(self, order: Order, prompt: str) -> Request:
        config = {"service_mode": "public"}
        hook = {"webhook_config": {"endpoint": order.webhook_url, "secret": ""}} if order.webhook_url else {}
        inputs = {"prompt": prompt, "process_mode": "fast", "skip_prompt_check": False}
        return Request(
            "POST",
            "/task",
            {"model": "midjourney", "task_type": "imagine", "input": inputs, "config": {**config, **hook}},
        )

    def taken(self, told: dict[str, Any]) -> Taken:
        code = told.get("code")
        is_refusal = isinstance(code, int) and code >= 400
        verdict: Verdict = "accepted" if code == 200 else "failed" if is_refusal else "unclear"
        return Taken(verdict, str(_inner(told).get("task_id") or ""), str(code), str(told.get("message") or ""))

    def fetch(self, task_id: str) -> Request:
        return Request("GET", f"/task/{task_id}")

    def task(self, told: dict[str, Any]) -> Task:
        data = _inner(told)
        output, error = data.get("output"), data.get("error")
        output = output if isinstance(output, dict) else {}
        words = error.get("message") if isinstance(error, dict) else error
        percent = output.get("progress")
        return Task(
            _STATES.get(str(data.get("status")).lower(), "running"),
            percent if isinstance(percent, int) else 0,
            output.get("image_url"),
            str(words or ""),
        )

    def cancel(self, task_id: str) -> Request:
        return Request("DELETE", f"/task/{task_id}")

    def listing(self) -> Request | None:
        return None

    def task_of(self, told: Any, order_id: str) -> str | None:  # noqa: ARG002 - nothing carries our id
        return None


def shape_of(base_url: str) -> Shape:
    """By the address: PiAPI's ends in `/api/v1`."""
    return PiApi() if urlsplit(base_url).path.rstrip("/").endswith("/api/v1") else Novicezk(base_url)


def _inner(told: dict[str, Any]) -> dict[str, Any]:
    data = told.get("data")
    return data if isinstance(data, dict) else {}
