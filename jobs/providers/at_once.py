"""What the adapters share whose vendor answers an order with the pictures, and cannot be asked about it later."""

from __future__ import annotations

import base64

from jobs.errors import ProviderFailed
from jobs.providers.http import Vendor
from jobs.providers.port import Answer, Order, Ticket


class AtOnce:
    """The half of `Provider` that is about tickets, for those that give none."""

    def __init__(self, vendor: Vendor) -> None:
        self._vendor = vendor

    async def follow(self, ticket: Ticket, order: Order) -> Answer:  # noqa: ARG002 - the Protocol's names
        raise ProviderFailed(
            f"{self._vendor.name} keeps no orders that can be asked for. Run it again.",
            code="PROVIDER_JOB_LOST",
            charged="unknown",
        )

    async def find(self, order: Order) -> Ticket | None:  # noqa: ARG002
        raise self._vendor.outcome_unknown("Easel was interrupted")

    async def cancel(self, ticket: Ticket) -> None:
        """Hanging up is all that can be done, and cancelling `submit` does that."""


def decoded(text: object) -> bytes | None:
    """The bytes of a base64 field, with or without a data URL's head. None: it holds no picture."""
    if not isinstance(text, str):
        return None
    try:
        return base64.b64decode(text.partition(",")[2] if text.startswith("data:") else text, validate=True) or None
    except ValueError:  # binascii.Error is one, and so is what a letter beyond ASCII raises
        return None
