from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from contextlib import suppress

import pytest

from jobs import lease
from jobs.lease import Guard

pytestmark = pytest.mark.anyio


class Reason(Exception):
    pass


async def fail() -> None:
    raise Reason


async def wait_for_ever() -> None:
    await asyncio.Event().wait()


async def guarded(body: Awaitable[None]) -> None:
    async with Guard() as guard:
        guard.beside(fail())
        await body


def cancellations() -> int:
    current = asyncio.current_task()
    assert current is not None
    return current.cancelling()


async def test_a_watcher_that_fails_stops_the_body_and_its_error_comes_out() -> None:
    """JB5"""
    with pytest.raises(Reason):
        await guarded(wait_for_ever())

    assert cancellations() == 0


async def test_watchers_end_with_the_body() -> None:
    ended = asyncio.Event()

    async def watch() -> None:
        try:
            await wait_for_ever()
        finally:
            ended.set()

    async with Guard() as guard:
        guard.beside(watch())
        await asyncio.sleep(0)

    assert ended.is_set()


async def test_a_watcher_that_swallows_its_cancellation_is_cancelled_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease, "CANCEL_AGAIN_S", 0.01)
    started = asyncio.Event()

    async def lose_a_connection_when_cancelled() -> None:
        started.set()
        with suppress(asyncio.CancelledError):
            await wait_for_ever()
        await wait_for_ever()

    async with Guard() as guard:
        guard.beside(lose_a_connection_when_cancelled())
        await started.wait()


async def test_the_bodys_own_error_goes_before_a_watchers() -> None:
    async def clean_up_badly() -> None:
        try:
            await wait_for_ever()
        finally:
            raise ValueError("mine")

    with pytest.raises(ValueError, match="mine"):
        await guarded(clean_up_badly())

    assert cancellations() == 0


async def test_a_cancellation_from_outside_stays_one() -> None:
    """JB15"""
    entered = asyncio.Event()

    async def wait_guarded() -> None:
        async with Guard() as guard:
            guard.beside(wait_for_ever())
            entered.set()
            await wait_for_ever()

    task = asyncio.create_task(wait_guarded())
    await entered.wait()
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task
