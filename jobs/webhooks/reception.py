"""The door for reports: believe or not, keep, count."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

import structlog

from canvas.errors import NotFound, NotSignedIn, Unavailable
from jobs.metrics import WEBHOOKS
from jobs.webhooks import midjourney
from jobs.webhooks.delivery import Clock, Delivery, NotBelieved, Sender
from jobs.webhooks.fal import FalSender, KeyRing
from jobs.webhooks.inbox import Inbox, Kept, order_id_of
from jobs.webhooks.standard import Contents, StandardSender, keys_of

log = structlog.get_logger(__name__)


class Reception:
    def __init__(self, inbox: Inbox, senders: Mapping[str, Sender]) -> None:
        self.inbox = inbox
        self._refused: Counter[tuple[str, str]] = Counter()
        self._senders = senders

    async def receive(self, provider: str, delivery: Delivery, order: str | None) -> Kept:
        """Raises NotFound, NotSignedIn, Unavailable."""
        sender = self._senders.get(provider)
        if sender is None:
            raise NotFound("No provider of this name sends reports.")
        try:
            news = await sender.read(delivery)
        except NotBelieved as error:
            raise self._refusal(provider, error) from error
        return self._counted(provider, await self.inbox.keep(provider, news, order_id_of(order)))

    async def receive_at(self, token: str, delivery: Delivery) -> Kept:
        """A Midjourney gateway's, at an order's own address. Raises NotSignedIn, Unavailable."""
        try:
            order_id = midjourney.order_of(token)
            midjourney.verify(token, await self.inbox.salt_of(order_id))
            news = midjourney.read(token, delivery)
        except NotBelieved as error:
            raise self._refusal("midjourney", error) from error
        return self._counted("midjourney", await self.inbox.keep("midjourney", news, order_id))

    async def sort(self, number: int) -> None:
        """Tell a report after it was answered; what fails here is told by the worker's loop."""
        try:
            await self.inbox.sort(number)
        except Unavailable as error:
            log.warning("webhook.waits", reason=error.detail)

    def _counted(self, provider: str, kept: Kept) -> Kept:
        WEBHOOKS.labels(provider, kept.outcome).inc()
        return kept

    def _refusal(self, provider: str, error: NotBelieved) -> NotSignedIn:
        """The same sentence for every reason: whoever tries to forge one learns nothing."""
        WEBHOOKS.labels(provider, error.reason).inc()
        self._refused[provider, error.reason] += 1
        so_far = self._refused[provider, error.reason]
        if so_far & (so_far - 1) == 0:  # the 1st, 2nd, 4th, 8th …: a flood of forgeries must not be one of log lines
            log.warning("webhook.refused", provider=provider, reason=error.reason, so_far=so_far)
        return NotSignedIn("This report is not signed as it should be.", code="WEBHOOK_SIGNATURE_INVALID")


def senders(secrets: Mapping[str, str | None], fal: KeyRing, clock: Clock = time.time) -> dict[str, Sender]:
    """`secrets`: of those in `CONTENTS`, the settings as they are written; without one no report is believed."""
    standard = {
        name: StandardSender(keys_of(secrets.get(name) or ""), contents, clock) for name, contents in CONTENTS.items()
    }
    return {**standard, "fal": FalSender(fal, clock)}


def _prediction(body: dict[str, Any]) -> tuple[object, object]:
    return body.get("id"), body.get("status")


def _thin(body: dict[str, Any]) -> tuple[object, object]:
    return _inner(body).get("id"), body.get("type")


def _generic(body: dict[str, Any]) -> tuple[object, object]:
    return _inner(body).get("job_id"), _inner(body).get("status")


def _inner(body: dict[str, Any]) -> dict[str, Any]:
    data = body.get("data")
    return data if isinstance(data, dict) else {}


CONTENTS: Final[Mapping[str, Contents]] = {
    "openai": _thin,
    "google": _thin,
    "replicate": _prediction,
    "generic": _generic,
}
