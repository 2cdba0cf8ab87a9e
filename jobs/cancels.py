"""Tells providers to stop what nobody waits for any more: orders of runs that were cancelled, replaced or given up."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import structlog

from canvas.errors import Unavailable
from jobs.call import Call, CallState, parts_of
from jobs.errors import JobError, OutcomeUnknown
from jobs.providers.port import Order, Progress
from jobs.providers.registry import Registry
from jobs.run import Run
from jobs.store.calls import CallStore, OpenCall

log = structlog.get_logger(__name__)

BATCH = 50


class Cancels:
    def __init__(self, store: CallStore, registry: Registry, deadline_s: float) -> None:
        """`deadline_s`: as old as this, an order has ended by itself, and nobody is told any more."""
        self._store = store
        self._registry = registry
        self._deadline_s = deadline_s

    async def tell(self) -> int:
        """Each open order's provider, once; who cannot be reached is told next time. Answers how many were closed."""
        lefts = await self._store.left_open(BATCH)
        told = await asyncio.gather(*(self._tell(left) for left in lefts))  # one slow provider holds up no other
        return sum(told)

    async def _tell(self, left: OpenCall) -> bool:
        state: CallState = "unknown"
        is_free = False
        try:
            state, is_free = await self._stop(left)
        except OutcomeUnknown:
            pass
        except JobError as error:
            log.info("cancel.not_told", run=left.run.id, code=error.code, reason=error.detail)
            if left.call.age_s < self._deadline_s:
                return False
        except Exception:  # one of the loops that must not die: no order that cannot be called off stops it
            log.exception("cancel.not_told", run=left.run.id)
            if left.call.age_s < self._deadline_s:
                return False
        with suppress(Unavailable):
            await self._store.close(left.run, left.call, state, is_free=is_free)
        return True

    async def _stop(self, left: OpenCall) -> tuple[CallState, bool]:
        """What the order is now, and whether it has surely cost nothing. Raises JobError.

        Of what was paid for and nobody wished away it is still to be seen what became of it (JB35).
        """
        provider = self._registry.get(left.run.request.provider)
        is_wanted = provider.is_paid and left.run.status != "cancelled"
        ticket = left.call.ticket
        if ticket is None and is_wanted:
            return "unknown", False
        ticket = ticket or await provider.find(order_of(left.run, left.call, self._registry))
        if ticket is not None:
            await provider.cancel(ticket)
        return "unknown" if is_wanted else "cancelled", ticket is None or not provider.is_paid


def order_of(run: Run, call: Call, registry: Registry) -> Order:
    """As it was sent, to be looked for after the end of its run."""
    model = registry.model(run.request.provider, run.model)
    part = parts_of(run, model)[call.number]
    return Order(call.id, model, part.prompt, _say_nothing, _pause, job_id=call.job_id)


async def _say_nothing(_: Progress) -> None:
    """Nobody looks at an ended run's progress."""


async def _pause(seconds: float) -> bool:
    """A webhook wakes nobody here: it makes the order due (JB35)."""
    await asyncio.sleep(seconds)
    return False
