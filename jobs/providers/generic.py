"""Anything else that makes pictures: a server that takes our order, answers with a job, and reports on it.

The wire is ours (CONTRACT §4, §7): `POST {jobId, promptSpec, model, webhookUrl}` signed by Standard Webhooks, answered
with `{job_id}`; then `GET …/{job_id}`. A server that knows our `jobId` as well can be asked after a crash.
"""

from __future__ import annotations

import time
from typing import Any, Final
from urllib.parse import quote

import httpx
import msgspec

from jobs.errors import ContentPolicy, JobError, NoImageReturned, ProviderFailed
from jobs.providers.hosted import Rising, check_cancelled, counted, data_url, is_policy, lost, pictures_in, whole
from jobs.providers.http import Reply, Vendor, credential_of, in_their_words
from jobs.providers.polling import Pace, follow
from jobs.providers.port import Answer, Limits, Model, Order, Plan, PromptSpec, Ticket
from jobs.providers.wishes import check_capabilities, words_of
from jobs.webhooks.delivery import Clock
from jobs.webhooks.standard import keys_of, sign

PACE: Final = Pace(expected_s=2.5)  # nobody knows whether its reports reach us, so the looks begin at the usual pace
SUBMIT_TIMEOUT_S: Final = 60.0

ENDED_WELL: Final = frozenset({"completed", "succeeded", "success", "done"})
ENDED_BADLY: Final = frozenset({"failed", "error"})
CANCELLED: Final = frozenset({"cancelled", "canceled", "aborted"})

_DEFAULT: Final = Model(
    id="default",
    label="The server's own choice",
    max_side_px=8192,
    max_images=10,
    seed=True,
    negative_prompt=True,
    previous_image=True,
    price_usd=None,
    as_of="2026-11-22",
    source="CONTRACT.md §4",
)


class GenericProvider:
    id = "generic"
    models: tuple[Model, ...] = (_DEFAULT, msgspec.structs.replace(_DEFAULT, id="*", label="Any other model"))
    is_paid = True
    limits = Limits()

    def __init__(
        self,
        url: str,
        secrets: str,
        http: httpx.AsyncClient,
        *,
        pace: Pace = PACE,
        timeout_s: float = SUBMIT_TIMEOUT_S,
        clock: Clock = time.time,
    ) -> None:
        """`secrets`: WEBHOOK_SECRET as it is written; without one the orders are not signed."""
        keys = keys_of(secrets)
        self._vendor = Vendor(
            "The image server", url, headers={}, secrets=tuple(part.strip() for part in secrets.split(",")), http=http
        )
        self._key = keys[0] if keys else None
        self._url = url.rstrip("/")
        self._pace = pace
        self._timeout_s = timeout_s
        self._clock = clock
        self.missing_setting = None if url else "GENERIC_PROVIDER_URL"
        self.credential = credential_of(f"{url} {secrets}")
        self.own_origin = self._vendor.origin
        self.result_hosts = frozenset({"*"})

    def plan(self, model: Model, prompt: PromptSpec) -> Plan:
        """Everything goes on as it is: what the server makes of it is its own affair."""
        check_capabilities(model, prompt)
        words_of(model, prompt, [])  # for their length
        return Plan()

    async def submit(self, order: Order) -> Answer | Ticket:
        spec = msgspec.to_builtins(order.prompt)
        if order.source is not None:
            spec["previousImage"] = data_url(order.source)
        body = {"jobId": order.id, "promptSpec": spec, "model": order.model.id, "webhookUrl": order.webhook_url}
        reply = await self._ask("POST", "", order.id, msgspec.json.encode(body), is_order=True)
        if not 200 <= reply.status < 300:
            raise self._refused(reply, is_order=True)
        told = _told(reply)
        job_id = told.get("job_id")
        if isinstance(job_id, str | int) and str(job_id):
            return Ticket(str(job_id)[:200])
        if told.get("status") in ENDED_WELL:
            return self._answer(told, order, reply)
        raise self._vendor.outcome_unknown("The image server named no job", said=self._vendor.said(reply))

    async def follow(self, ticket: Ticket, order: Order) -> Answer:
        rising = Rising(order)
        return await follow(lambda: self._look(ticket, order, rising), order, self._vendor.name, self._pace)

    async def find(self, order: Order) -> Ticket | None:
        """That the server knows nothing of our `jobId` may also mean that it never knows it: so it proves nothing."""
        if order.job_id is not None:
            return Ticket(order.job_id)
        reply = await self._ask("GET", order.id, order.id, b"", is_order=False)
        job_id = _told(reply).get("job_id")
        if reply.status == 200 and isinstance(job_id, str | int) and str(job_id):
            return Ticket(str(job_id)[:200])
        raise self._vendor.outcome_unknown("Easel was interrupted", said=self._vendor.said(reply))

    async def cancel(self, ticket: Ticket) -> None:
        check_cancelled(
            self._vendor,
            await self._ask("POST", f"{quote(ticket.id, safe='')}/cancel", ticket.id, b"", is_order=False),
        )

    async def _ask(self, method: str, path: str, event_id: str, body: bytes, *, is_order: bool) -> Reply:
        signature = sign(self._key, event_id, body, self._clock()) if self._key is not None else {}
        headers = signature | ({"Content-Type": "application/json"} if body else {})
        url = f"{self._url}/{path}" if path else self._url
        return await self._vendor.send(
            method, url, is_order=is_order, content=body or None, headers=headers, timeout_s=self._timeout_s
        )

    async def _look(self, ticket: Ticket, order: Order, rising: Rising) -> Answer | None:
        reply = await self._ask("GET", quote(ticket.id, safe=""), ticket.id, b"", is_order=False)
        if reply.status in (404, 410):
            raise lost(self._vendor, reply)
        told = _told(reply)
        if not 200 <= reply.status < 300 or not told:
            raise self._refused(reply, is_order=False)
        status = str(told.get("status")).lower()
        if status in ENDED_WELL:
            return self._answer(told, order, reply)
        if status in ENDED_BADLY:
            raise self._failed(told, reply)
        if status in CANCELLED:
            said = self._vendor.said(reply, code=status)
            sentence = "The image server has ended the job."
            raise ProviderFailed(sentence, code="PROVIDER_CANCELED", charged="unknown", said=said)
        await rising.report(percent_of(told.get("progress")), "Under way")
        return None

    def _answer(self, told: dict[str, Any], order: Order, reply: Reply) -> Answer:
        pictures = pictures_in(told.get("images"), whole(told.get("seed")))
        if not pictures:
            said = self._vendor.said(reply)
            raise NoImageReturned("The image server finished without a picture.", charged="unknown", said=said)
        return Answer(pictures, None, reply.request_id, counted(pictures, order))

    def _failed(self, told: dict[str, Any], reply: Reply) -> JobError:
        code, words = _error(told.get("error"))
        said = self._vendor.said(reply, code=code or None, message=words or None)
        if is_policy(code) or is_policy(words):
            sentence = "The image server's content filter refuses this. Change the prompt."
            return ContentPolicy(sentence, code="CONTENT_POLICY_OUTPUT", charged="unknown", said=said)
        why = in_their_words(said, "it does not say why.")
        return ProviderFailed(f"The image server failed: {why}", charged="unknown", said=said)

    def _refused(self, reply: Reply, *, is_order: bool) -> JobError:
        """A look that is answered without JSON was answered by somebody else, such as a proxy."""
        code, words = _error(_told(reply).get("error"))
        if 200 <= reply.status < 300:
            reply = msgspec.structs.replace(reply, status=502)
        if is_order and reply.status == 422 and (is_policy(code) or is_policy(words)):
            sentence = "The image server's content filter refuses this prompt. Change it."
            return ContentPolicy(sentence, said=self._vendor.said(reply, code=code or None, message=words or None))
        return self._vendor.refusal(reply, is_order=is_order, code=code or None, message=words or None)


def _told(reply: Reply) -> dict[str, Any]:
    told = reply.json()
    return told if isinstance(told, dict) else {}


def _error(error: object) -> tuple[str, str]:
    """`{code, message}` or only words."""
    if isinstance(error, dict):
        code, words = error.get("code"), error.get("message") or error.get("detail")
        return str(code or ""), words if isinstance(words, str) else ""
    return "", error if isinstance(error, str) else ""


def percent_of(progress: Any) -> int:
    """Of whatever a server says: JSON's 1e400 is infinite, and `int` would not take it."""
    is_number = isinstance(progress, int | float) and not isinstance(progress, bool)
    return int(max(0, min(99, progress))) if is_number else 0
