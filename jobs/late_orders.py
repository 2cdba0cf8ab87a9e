"""Orders that ended as `unknown` are looked for again: a picture that was paid for is not lost (JB35)."""

from __future__ import annotations

import asyncio
from typing import Final

import structlog

from canvas.errors import Unavailable
from jobs.call import Answered, MadePicture
from jobs.cancels import order_of
from jobs.errors import (
    ContentPolicy,
    ImageInvalid,
    JobError,
    NoImageReturned,
    OutcomeUnknown,
    ProviderFailed,
)
from jobs.keeper import Keeper
from jobs.providers.port import Answer, Provider
from jobs.providers.registry import Registry
from jobs.run import Failure
from jobs.store.late_orders import LateOrder, LateOrderStore

log = structlog.get_logger(__name__)

AT_ONCE: Final = 4
FOLLOW_S: Final = 60.0  # a job that is still under way then is due again later
LOOK_S: Final = 600.0  # pictures of a slow server, with every pause between tries
LEASE_S: Final = LOOK_S + 60
PAUSES_S: Final = (120.0, 600.0, 1800.0, 6 * 3600.0)
"""After the first look, the second …; one more look than there are pauses, and then only when a report asks for it."""

_NOTHING_COMES: Final = (ContentPolicy, ImageInvalid, NoImageReturned, ProviderFailed)


class LateOrders:
    def __init__(self, store: LateOrderStore, registry: Registry, keeper: Keeper, follow_s: float = FOLLOW_S) -> None:
        self._store = store
        self._registry = registry
        self._keeper = keeper
        self._follow_s = follow_s

    async def look(self) -> int:
        """For those that are due, each once; answers how many. Raises Unavailable."""
        lates = await self._store.take(AT_ONCE, LEASE_S)
        await asyncio.gather(*(self._look(late) for late in lates))  # one slow provider holds up no other
        return len(lates)

    async def _look(self, late: LateOrder) -> None:
        with structlog.contextvars.bound_contextvars(run=late.run.id, order=late.call.id):
            try:
                async with asyncio.timeout(LOOK_S):
                    await self._settle(late)
            except Unavailable as error:  # it is due again when the lease is over
                log.warning("order.waits", reason=error.detail)

    async def _settle(self, late: LateOrder) -> None:
        try:
            await self._take_up(late)
        except _NOTHING_COMES as error:
            await self._store.settle(late, "failed", Failure.of(error, late.run.request.provider))
            log.info("order.nothing_came", code=error.code)
        except (JobError, TimeoutError) as error:
            log.info("order.not_found_yet", reason=str(error) or type(error).__name__)
            await self._store.put_off(late, _pause_s(late))
        except Unavailable:
            raise
        except Exception:  # one of the loops that must not die
            log.exception("order.not_found_yet")
            await self._store.put_off(late, _pause_s(late))

    async def _take_up(self, late: LateOrder) -> None:
        """Raises JobError, TimeoutError."""
        provider = self._registry.get(late.run.request.provider)
        order = order_of(late.run, late.call, self._registry)
        ticket = late.call.ticket or await provider.find(order)
        if ticket is None:
            await self._store.settle(late, "failed")
            return
        if late.run.status == "cancelled":  # whoever started it wants it no more
            await provider.cancel(ticket)
            await self._store.settle(late, "cancelled", late.call.failure or _CANCELLED)
            return
        async with asyncio.timeout(self._follow_s):
            answer = await provider.follow(ticket, order)
        await self._keep(late, provider, answer)

    async def _keep(self, late: LateOrder, provider: Provider, answer: Answer) -> None:
        made: list[MadePicture] = []
        failures: list[JobError] = []
        for place, picture in enumerate(answer.pictures):
            try:
                made += await self._keeper.keep(late.run, late.call.number, place, picture, provider)
            except JobError as error:
                error.charged = "yes"
                failures.append(error)
        if not made:
            raise failures[0] if failures else OutcomeUnknown("It is done and has no picture.")
        finished = [await self._keeper.finish_or_bare(late.run, one, late.account_name) for one in made]
        stored = Answered(request_id=answer.request_id, notes=answer.notes)
        cost_usd = answer.cost_usd if provider.is_paid else 0.0
        if await self._store.keep(late, stored, made, [picture for picture, _ in finished], cost_usd):
            log.info("order.came_late", pictures=len(made), code="LATE_RESULT")


def _pause_s(late: LateOrder) -> float | None:
    return PAUSES_S[late.looks - 1] if late.looks <= len(PAUSES_S) else None


_CANCELLED = Failure("CANCELLED", "Cancelled", retryable=False, charged="unknown")
