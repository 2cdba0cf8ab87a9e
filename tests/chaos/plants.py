"""Bugs of the kinds that a job machine has, to be planted in a worker: whatever watches must see each of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import app.worker
from jobs.calls import Errand
from jobs.store import calls, claims
from jobs.store.calls import CallStore


def put(owner: object, **named: object) -> None:
    """In place of what the owner has by these names."""
    for name, value in named.items():
        assert hasattr(owner, name), name
        setattr(owner, name, value)


def fence_is_not_checked() -> None:
    """A worker that was away goes on writing."""
    for name in ("_HEARTBEAT", "HELD", "_PROGRESS", "_PUT_OFF", "_END", "_RELEASE"):
        put(claims, **{name: without_fence(getattr(claims, name))})
    put(calls, HELD=claims.HELD, _STILL_HELD=without_fence(calls._STILL_HELD))


def without_fence(query: str) -> str:
    assert "fence = $2" in query
    return query.replace("fence = $2", "fence >= $2 - 100")


def lease_never_ends() -> None:
    """A run whose worker has died is nobody's."""
    put(claims, _LAPSED=claims._LAPSED.replace("lease_until < now()", "lease_until < now() - interval '1 day'"))


def order_leaves_before_it_is_written() -> None:
    """The row is deleted again: as if it were stored only with the answer."""
    find = CallStore.of_run

    async def of_run(self: CallStore, run: Any) -> Any:
        return {number: call for number, call in (await find(self, run)).items() if call.state != "sending"}

    put(CallStore, of_run=of_run)


def nobody_is_asked_before_an_order_is_sent_again() -> None:
    async def find(self: Errand, call: Any) -> None:
        return None

    put(Errand, _find=find)


def nobody_looks_for_lost_bells() -> None:
    async def rest(_: Any) -> None:
        await asyncio.Event().wait()

    put(app.worker, keep_reconciling=rest)


def who_came_first_is_first() -> None:
    """No turns: a person with many runs holds all others up."""
    turns = "ORDER BY heads.rank, heads.served_at NULLS FIRST, heads.run_after"
    put(claims, _FAIREST=claims._FAIREST.replace(turns, "ORDER BY heads.run_after"))


PLANTS: dict[str, Callable[[], None]] = {
    plant.__name__: plant
    for plant in (
        fence_is_not_checked,
        lease_never_ends,
        order_leaves_before_it_is_written,
        nobody_is_asked_before_an_order_is_sent_again,
        nobody_looks_for_lost_bells,
        who_came_first_is_first,
    )
}
