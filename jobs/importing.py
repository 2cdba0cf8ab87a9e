"""What a worker does with imports: fetch, check, keep, show. Whoever dies, another goes on, and each is kept once."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import structlog

from canvas.errors import Unavailable
from jobs.errors import JobError, LeaseLost, StorageFailed
from jobs.keeper import Keeper
from jobs.lease import Guard
from jobs.patience import patiently
from jobs.renders import KeptPicture
from jobs.run import Failure
from jobs.store.imports import ImportStore, Item

log = structlog.get_logger(__name__)

AT_ONCE = 4  # of one worker, over all batches: each is held in memory
LOOK_EVERY_S = 0.5
MAX_TAKEOVERS = 5
END_PAUSES_S = (0.2, 0.5, 1.0)  # together well within a lease


class Importer:
    def __init__(self, store: ImportStore, keeper: Keeper, lease_s: float) -> None:
        self._store = store
        self._keeper = keeper
        self._lease_s = lease_s

    async def claim(self) -> Item | None:
        """One whose turn it is, for `carry`; None: nothing waits. Raises Unavailable."""
        return await self._store.claim(self._lease_s)

    async def carry(self, item: Item) -> None:
        """To its end. Raises CancelledError alone, the lease then given back."""
        with structlog.contextvars.bound_contextvars(item=item.id, batch=item.batch_id):
            try:
                await self._carry(item)
            except asyncio.CancelledError:
                with suppress(Unavailable):
                    await self._store.release(item)
                raise
            except LeaseLost:
                log.info("import.lease_lost")
            except Unavailable as error:  # the lease runs out, and whoever reaches the database first goes on
                log.warning("import.left", reason=error.detail)

    async def _carry(self, item: Item) -> None:
        try:
            if item.takeovers > MAX_TAKEOVERS:
                await self._store.fail(item, _DEADLY)
                return
            if await self._store.skip(item):
                log.info("import.skipped")
                return
            async with Guard() as guard:
                guard.beside(self._hold_lease(item))
                picture, note = await self._keep(item)
            unneeded = await patiently(
                lambda: self._store.complete(item, picture, note),
                lambda error: isinstance(error, Unavailable),
                END_PAUSES_S,
            )
        except JobError as error:
            await self._store.fail(item, Failure.of(error))
            log.info("import.failed", code=error.code, detail=error.detail)
        except (LeaseLost, Unavailable):
            raise
        except Exception:  # one of the loops that must not die: the item ends, the trace is kept
            log.exception("import.crashed")
            await self._store.fail(item, _INTERNAL)
        else:
            await self._discard(unneeded)
            log.info("import.skipped" if unneeded else "import.completed")

    async def _keep(self, item: Item) -> tuple[KeptPicture, Failure | None]:
        made = await self._keeper.keep_from(item, item.url)
        picture, error = await self._keeper.finish_or_bare(item, made, item.account_name, generated=False)
        return picture, Failure.of(error) if error is not None else None

    async def _hold_lease(self, item: Item) -> None:
        """The longest that nobody hears of us is a lease: then somebody else may have the item."""
        clock = asyncio.get_running_loop().time
        held_until = clock() + self._lease_s
        while True:
            await asyncio.sleep(self._lease_s / 3)
            try:
                sent_at = clock()
                await self._store.heartbeat(item, self._lease_s)
                held_until = sent_at + self._lease_s
            except Unavailable:
                if clock() >= held_until:
                    raise LeaseLost from None

    async def _discard(self, keys: list[str]) -> None:
        for key in keys:
            try:
                await self._keeper.discard(key)
            except StorageFailed as error:
                log.warning("object.not_deleted", key=key, reason=error.detail)


async def keep_importing(importer: Importer) -> None:
    """Until cancelled: carry what waits, at most AT_ONCE at a time; what is under way then goes to other workers."""
    going: set[asyncio.Task[None]] = set()
    try:
        while True:
            item = await _next(importer) if len(going) < AT_ONCE else None
            if item is not None:
                task = asyncio.create_task(importer.carry(item), name=f"import {item.id}")
                going.add(task)
                task.add_done_callback(going.discard)
            elif going:
                await asyncio.wait(set(going), timeout=LOOK_EVERY_S, return_when=asyncio.FIRST_COMPLETED)
            else:
                await asyncio.sleep(LOOK_EVERY_S)
    finally:
        left = list(going)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)


async def _next(importer: Importer) -> Item | None:
    try:
        return await importer.claim()
    except Unavailable as error:
        log.warning("imports.unreachable", reason=error.detail)
        await asyncio.sleep(LOOK_EVERY_S)
        return None


_DEADLY = Failure(
    code="PROCESSING_FAILED",
    detail="This picture stopped several workers. Export it smaller, or as PNG.",
    retryable=False,
    charged="no",
)
_INTERNAL = Failure(
    code="INTERNAL",
    detail="Something went wrong inside Easel. Import it again; the details are in the worker's log.",
    retryable=False,
    charged="no",
)
