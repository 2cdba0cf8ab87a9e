"""Tells providers to stop what nobody waits for any more: orders of runs that were cancelled, replaced or given up."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import structlog

from canvas.errors import Unavailable
from jobs.call import CallState, parts_of
from jobs.errors import JobError, OutcomeUnknown
from jobs.providers.port import Order, Progress
from jobs.providers.registry import Registry
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
            is_free = await self._stop(left)
            state = "cancelled"
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

    async def _stop(self, left: OpenCall) -> bool:
        """Whether it has surely cost nothing. Raises JobError."""
        provider = self._registry.get(left.run.request.provider)
        ticket = left.call.ticket or await provider.find(_order(left, self._registry))
        if ticket is not None:
            await provider.cancel(ticket)
        return ticket is None or not provider.is_paid


def _order(left: OpenCall, registry: Registry) -> Order:
    """As it was sent, to be looked for."""
    run, call = left.run, left.call
    model = registry.model(run.request.provider, run.model)
    part = parts_of(run, model)[call.number]
    return Order(call.id, model, part.prompt, _say_nothing, _wait_for_nothing, job_id=call.job_id)


async def _say_nothing(_: Progress) -> None:
    """Nobody looks at an ended run's progress."""


async def _wait_for_nothing(_: float) -> bool:
    return False
