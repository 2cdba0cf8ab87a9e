"""The loops that every worker runs so that no run waits for ever and no order goes on for nobody."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from canvas.errors import Unavailable
from jobs.cancels import Cancels
from jobs.late_orders import LateOrders
from jobs.late_variants import LateVariants
from jobs.providers.registry import Registry
from jobs.store.bells import BATCH, BellStore
from jobs.store.line import LOOK_EVERY_S, Line
from jobs.store.runs import RunStore

log = structlog.get_logger(__name__)

RING_EVERY_S = 1.0
RECONCILE_EVERY_S = 2.0
TELL_EVERY_S = 2.0
LATE_EVERY_S = 5.0


async def keep_ringing(bells: BellStore) -> None:
    """Until cancelled: ring what the servers could not."""

    async def ring() -> None:
        while await bells.ring() == BATCH:
            pass

    await _every(RING_EVERY_S, ring)


async def keep_reconciling(bells: BellStore) -> None:
    """Until cancelled: find runs whose worker died or whose bell was lost, and ring for them."""

    async def reconcile() -> None:
        if lost := await bells.find_lost():
            log.info("runs.found_again", count=lost)
            await bells.ring()

    await _every(RECONCILE_EVERY_S, reconcile)


async def keep_filling(runs: RunStore) -> None:
    """Until cancelled: fill the places of batches that stayed empty (BA2)."""

    async def fill() -> None:
        if filled := await runs.fill_batches():
            log.info("batches.filled", count=filled)

    await _every(RECONCILE_EVERY_S, fill)


async def keep_lining_up(line: Line, registry: Registry) -> None:
    """Until cancelled: tell those that wait which place they have (JB46)."""

    async def tell() -> None:
        await line.tell(registry.places())

    await _every(LOOK_EVERY_S, tell)


async def keep_telling(cancels: Cancels) -> None:
    """Until cancelled: tell providers of the orders that nobody waits for any more (JB9)."""

    async def tell() -> None:
        if closed := await cancels.tell():
            log.info("orders.closed", count=closed)

    await _every(TELL_EVERY_S, tell)


async def keep_looking(orders: LateOrders) -> None:
    """Until cancelled: look for orders of which nobody knew what became of them (JB35)."""

    async def look() -> None:
        while await orders.look():
            pass

    await _every(LATE_EVERY_S, look)


async def keep_finishing(variants: LateVariants) -> None:
    """Until cancelled: make the small sizes that could not be made at once (JB36)."""

    async def finish() -> None:
        while await variants.finish():
            pass

    await _every(LATE_EVERY_S, finish)


async def _every(interval_s: float, act: Callable[[], Awaitable[None]]) -> None:
    while True:
        try:
            await act()
        except Unavailable as error:
            log.warning("reconciler.waits", reason=error.detail)
        await asyncio.sleep(interval_s)
