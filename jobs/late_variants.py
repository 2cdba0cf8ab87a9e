"""Small sizes that could not be made when the picture came: tried again, and put where they are missing (JB36)."""

from __future__ import annotations

import asyncio
from typing import Final

import structlog

from canvas.errors import Unavailable
from jobs.errors import JobError
from jobs.keeper import Keeper
from jobs.store.late_variants import BareRender, LateVariantStore

log = structlog.get_logger(__name__)

TRY_S: Final = 300.0  # longer than the decoder's deadline, three times over, and the store's pauses
LEASE_S: Final = TRY_S + 60
PAUSES_S: Final = (300.0, 1800.0, 2 * 3600.0, 12 * 3600.0)
"""After the first try, the second …; one more try than there are pauses, the first of them after a minute."""


class LateVariants:
    def __init__(self, store: LateVariantStore, keeper: Keeper) -> None:
        self._store = store
        self._keeper = keeper

    async def finish(self) -> bool:
        """One that is due; whether there was one. Raises Unavailable."""
        bare = await self._store.take(LEASE_S)
        if bare is None:
            return False
        with structlog.contextvars.bound_contextvars(run=bare.run.id, render=bare.id):
            try:
                async with asyncio.timeout(TRY_S):
                    picture = await self._keeper.finish(bare.run, bare.made, bare.account_name)
                    await self._store.keep(bare, picture)
                log.info("variants.came_late", tries=bare.tries)
            except Unavailable:
                raise
            except (JobError, TimeoutError) as error:
                await self._put_off(bare, str(error) or type(error).__name__)
            except Exception:  # one of the loops that must not die
                log.exception("variants.crashed")
                await self._put_off(bare, "It crashed")
        return True

    async def _put_off(self, bare: BareRender, reason: str) -> None:
        pause_s = PAUSES_S[bare.tries - 1] if bare.tries <= len(PAUSES_S) else None
        log.warning("variants.given_up" if pause_s is None else "variants.put_off", reason=reason, tries=bare.tries)
        await self._store.put_off(bare, pause_s)
