"""Small sizes that could not be made when the picture came."""

from __future__ import annotations

import asyncio

import pytest

from jobs.late_variants import PAUSES_S
from jobs.renders import Render, RenderFilter
from tests.jobs.world import World

pytestmark = pytest.mark.anyio


async def bare(world: World, refusals: int = 3) -> str:
    """A run that completed with a picture and nothing else."""
    world.pictures.refusals = refusals
    record = await world.start()
    await world.runner().carry(record.job_id)
    assert (await world.runs.get(record.job_id)).status == "completed"
    assert "log The picture takes longer than 30 s to decode. Export it smaller." in await world.story(record.job_id)
    return record.job_id


async def render(world: World) -> Render:
    (found,) = await world.renders.of_account("ada", RenderFilter(), before=None, limit=9)
    return found


async def test_small_sizes_appear_later_in_the_render_and_on_the_node(world: World) -> None:
    """JB36, JB34"""
    await bare(world)
    shown = await render(world)
    assert (shown.variants, (await world.node())["thumbnailUrl"]) == ((), shown.image_url)
    assert not await world.late_variants().finish()  # not due yet

    await world.let_late_be_due()
    assert await world.late_variants().finish()

    shown = await render(world)
    assert [variant.kind for variant in shown.variants] == ["thumbnail", "icon", "display"]
    assert (await world.node())["thumbnailUrl"] == shown.variants[0].url
    await world.let_late_be_due()
    assert not await world.late_variants().finish()
    assert len(world.files()) == 4


async def test_they_are_given_up_after_so_many_tries(world: World) -> None:
    """JB36"""
    await bare(world, refusals=100)
    tries = 0
    while True:
        await world.let_late_be_due()
        if not await world.late_variants().finish():
            break
        tries += 1

    assert tries == len(PAUSES_S) + 1
    assert (await render(world)).variants == ()


async def test_of_many_workers_one_makes_them(world: World) -> None:
    """JB36"""
    await bare(world)
    await world.let_late_be_due()

    had_one = await asyncio.gather(*(world.late_variants().finish() for _ in range(8)))

    assert sorted(had_one) == [False] * 7 + [True]


async def test_a_worker_that_was_too_slow_writes_nothing(world: World) -> None:
    """JB36: its lease ran out, and another has taken the render"""
    await bare(world)
    await world.let_late_be_due()
    reached, go_on = asyncio.Event(), asyncio.Event()
    make = world.pictures.variants

    async def slowly(*arguments: object, **more: object) -> object:
        reached.set()
        await go_on.wait()
        return await make(*arguments, **more)  # type: ignore[arg-type]

    world.pictures.variants = slowly  # type: ignore[assignment]
    slow = asyncio.create_task(world.late_variants().finish())
    await reached.wait()
    world.pictures.variants = make  # type: ignore[method-assign]
    await world.let_late_be_due()
    assert await world.late_variants().finish()
    before = await world.database.fetch("SELECT seq FROM workflow_ops")

    go_on.set()
    await slow

    assert await world.database.fetch("SELECT seq FROM workflow_ops") == before
    assert await world.count("render_variants") == 3


async def test_a_node_that_shows_another_picture_by_now_keeps_it(world: World) -> None:
    """JB36"""
    await bare(world)
    again = await world.start(seed=8)
    await world.runner().carry(again.job_id)
    node = await world.node()
    await world.let_late_be_due()

    assert await world.late_variants().finish()

    assert await world.node() == node
    assert await world.count("render_variants") == 6


async def test_a_deleted_render_comes_back_by_nothing(world: World) -> None:
    """JB36"""
    await bare(world)
    await world.let_late_be_due()
    await world.database.execute("DELETE FROM renders")

    assert not await world.late_variants().finish()
    assert await world.count("render_variants") == 0
