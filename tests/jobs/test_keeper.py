"""What becomes of the bytes: fetched, checked, kept, cut, and started from."""

from __future__ import annotations

import pytest

from canvas.errors import Invalid, NotFound
from jobs.call import parts_of
from jobs.errors import DownloadFailed, ImageInvalid
from jobs.providers.port import Picture, PromptSpec, Report
from jobs.renders import RenderFilter
from tests.jobs.test_calls import carried, said
from tests.jobs.world import STUDIO, World

pytestmark = pytest.mark.anyio


async def at_addresses(prompt: PromptSpec, report: Report) -> list[Picture]:
    return [Picture(url=f"https://cdn.example/{number}.png") for number in range(prompt.n)]


async def test_pictures_are_fetched_as_often_as_it_takes_and_never_ordered_again(world: World) -> None:
    """JB17, JB25"""
    world.provider.is_paid, world.provider.script = True, at_addresses
    world.downloads.failures = [DownloadFailed("Cut.")] * 4
    record = await world.start()

    done = await carried(world, record.job_id)

    assert (done.status, len(world.downloads.fetched), len(world.provider.orders)) == ("completed", 5, 1)
    assert len(world.slept) == 4


async def test_a_picture_that_cannot_be_fetched_was_paid_for_all_the_same(world: World) -> None:
    """JB17, JB10"""
    world.provider.is_paid, world.provider.script = True, at_addresses
    world.downloads.failures = [DownloadFailed("Cut.")] * 5
    record = await world.start()

    done = await carried(world, record.job_id, times=2)

    assert done.error is not None
    assert (done.error.code, done.error.charged, len(world.provider.orders)) == ("DOWNLOAD_FAILED", "yes", 1)


async def test_an_address_that_has_expired_is_asked_for_once_more(world: World) -> None:
    """JB17"""
    world.provider.has_tickets, world.provider.script = True, at_addresses
    world.downloads.failures = [DownloadFailed("Gone.", code="OUTPUT_EXPIRED")]
    record = await world.start()

    done = await carried(world, record.job_id)

    assert (done.status, world.slept) == ("completed", [])


async def test_one_broken_picture_of_two_is_left_out(world: World) -> None:
    """JB8, JB34"""

    async def one_broken(prompt: PromptSpec, report: Report) -> list[Picture]:
        return [Picture(b"broken"), Picture(b"whole")]

    world.provider.script = one_broken
    record = await world.start(n=2)

    done = await carried(world, record.job_id)

    assert (done.status, len(done.images)) == ("completed", 1)
    assert "1 of 2 pictures were made" in await said(world, record.job_id)


async def test_a_grid_becomes_four_pictures(world: World) -> None:
    """JB34"""

    async def grid(prompt: PromptSpec, report: Report) -> list[Picture]:
        return [Picture(b"grid", is_grid=True)]

    world.provider.script = grid
    record = await world.start()

    done = await carried(world, record.job_id)

    assert (len(set(done.images)), len(world.files())) == (4, 16)


async def test_a_picture_without_its_sizes_is_kept(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """JB34"""

    async def fail(content: bytes, watermark: str, *, generated: bool) -> list[object]:
        raise ImageInvalid("The picture takes too long to decode.")

    monkeypatch.setattr(world.pictures, "variants", fail)
    record = await world.start()

    done = await carried(world, record.job_id)

    assert done.status == "completed"
    assert world.slept == [0.5, 1.0]
    node = await world.node()
    assert node["thumbnailUrl"] == node["imageUrl"] == done.image_url


async def test_seeds_are_in_a_row_over_all_orders(world: World) -> None:
    """JB7"""
    world.sell_one_at_a_time()
    await world.start(n=3, seed=2**32 - 1)
    claim = await world.claims.claim("w1", 15)
    assert claim is not None

    parts = parts_of(claim.run, world.registry.model("local", STUDIO.id))

    assert [(part.prompt.n, part.prompt.seed) for part in parts] == [(1, 2**32 - 1), (1, 0), (1, 1)]


async def test_a_picture_may_start_from_one_of_ours_and_says_so(world: World) -> None:
    """JB33"""
    first = await carried(world, (await world.start()).job_id)
    (parent,) = await world.renders.of_account("ada", RenderFilter(), before=None, limit=9)

    record = await world.start(previous_image=f"https://easel.example{parent.variants[2].url}")
    done = await carried(world, record.job_id)

    source = world.provider.orders[-1].source
    assert source is not None
    assert (source.content, source.width_px) == (b"picture 7", 64)
    child, _ = await world.renders.of_account("ada", RenderFilter(), before=None, limit=9)
    assert (child.job_id, child.origin.parent_id) == (done.job_id, parent.id)
    assert first.image_url == parent.image_url


async def test_a_picture_of_somebody_else_is_nothing_to_start_from(world: World) -> None:
    """JB33"""
    await carried(world, (await world.start()).job_id)
    key = await world.database.fetchval("SELECT key FROM objects LIMIT 1")

    with pytest.raises(NotFound):
        await world.sources.parent_of(f"/objects/{key}", "bob")
    with pytest.raises(Invalid):
        await world.sources.parent_of("http://elsewhere.example/a.png", "ada")
    assert await world.sources.parent_of("https://elsewhere.example/a.png", "ada") is None


@pytest.mark.parametrize("seed", [2**63, -(2**70), 10**30])
async def test_a_seed_that_no_column_holds_costs_no_picture(world: World, seed: int) -> None:
    """JB8"""

    async def paint(prompt: PromptSpec, report: Report) -> list[Picture]:
        return [Picture(b"fox", seed=seed)]

    world.provider.script = paint
    record = await world.start()

    await world.runner().carry(record.job_id)

    assert (await world.runs.get(record.job_id)).status == "completed"
