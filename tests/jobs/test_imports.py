"""Pictures kept from addresses that end soon: each once, so many at a time, whoever dies on the way."""

from __future__ import annotations

import asyncio
import random
from contextlib import suppress
from typing import Any

import pytest

from canvas.errors import Conflict, EaselError, Forbidden, Invalid, LimitReached, NotFound
from jobs.batch import Batch
from jobs.downloads import Downloads
from jobs.errors import DownloadBlocked, DownloadFailed, JobError
from jobs.importing import Importer, keep_importing
from jobs.imports import ImportItem, Imports, StartImport
from jobs.run import PictureUrl
from jobs.store import imports as rows
from jobs.store.imports import ImportStore, retire_imports
from jobs.store.renders import retire_renders
from tests.jobs.test_batches import anything, batches_of
from tests.jobs.world import Killed, World

pytestmark = pytest.mark.anyio

SEED = 20261126
FOX = "https://pictures.example/fox.png"


class Slow:
    """Downloads that wait until so many are under way, or none is left to begin."""

    def __init__(self, total: int, places: int) -> None:
        self._total, self._places = total, places
        self._begun = self._ended = 0
        self._moved = asyncio.Condition()
        self.peak = 0

    async def fetch(self, url: str, *, hosts: frozenset[str] | None, own_origin: str | None = None) -> bytes:
        assert (hosts, own_origin) == (None, None)
        async with self._moved:
            self._begun += 1
            self.peak = max(self.peak, self._begun - self._ended)
            self._moved.notify_all()
            await self._moved.wait_for(lambda: self._begun >= min(self._total, self._ended + self._places))
            self._ended += 1
        return b"picture at " + url.encode()

    async def begun(self) -> None:
        async with self._moved:
            await self._moved.wait_for(lambda: self._begun)


def store_of(world: World) -> ImportStore:
    return ImportStore(world.database, world.relay, PictureUrl())


def importer(world: World, lease_s: float = 15.0) -> Importer:
    return Importer(store_of(world), world.keeper, lease_s)


async def start(world: World, *items: ImportItem, account_id: str = "ada", concurrency: int = 3) -> str:
    wanted = StartImport(list(items), concurrency)
    return (await Imports(store_of(world)).start(wanted, account_id, anything)).batch_id


async def carry_all(world: World) -> None:
    """One after the other, until nothing can be claimed."""
    one = importer(world)
    while (item := await one.claim()) is not None:
        await one.carry(item)


async def seen(world: World, batch_id: str, account_id: str = "ada") -> Batch:
    return await batches_of(world).get(batch_id, account_id)


async def test_an_import_becomes_a_render_and_is_shown_on_its_node(world: World) -> None:
    """BA8, BA9"""
    batch_id = await start(world, ImportItem(FOX, 7, "n1", "wf"), ImportItem(FOX + "?2"))
    assert (await seen(world, batch_id)).status == "running"

    await carry_all(world)

    batch = await seen(world, batch_id)
    assert (batch.status, batch.kind, batch.counts["completed"]) == ("completed", "import", 2)
    assert batch.finished_at is not None
    first, second = batch.results
    render = await world.renders.get(str(first.render_id), "ada")
    assert (render.job_id, render.workflow_id, render.node_id) == (None, "wf", "n1")
    assert (render.origin.provider, render.image_url) == ("import", first.image_url)
    assert [variant.kind for variant in render.variants] == ["thumbnail", "icon", "display"]
    assert (await world.renders.get(str(second.render_id), "ada")).workflow_id is None
    node = await world.node("n1")
    assert (node["imageUrl"], node["thumbnailUrl"]) == (render.image_url, render.variants[0].url)
    assert (node["status"], node["prompt"]) == ("completed", "a fox")
    assert len(world.files()) == await world.count("objects") == 8


async def test_what_is_stored_already_is_skipped_and_shown_all_the_same(world: World) -> None:
    """BA8: by its address, or by what its sender calls it"""
    await start(world, ImportItem(FOX, "d1"))
    await carry_all(world)
    (render_id,) = [row["id"] for row in await world.database.fetch("SELECT id FROM renders")]
    await world.renders.change([render_id], "ada", is_favorite=None, is_deleted=True)

    again = await start(
        world,
        ImportItem("HTTPS://Pictures.example:443/fox.png#now", "d2"),
        ImportItem(FOX + "?sig=new", "d1", "n2", "wf"),
    )
    await carry_all(world)

    batch = await seen(world, again)
    assert [(item.status, item.render_id) for item in batch.results] == [("skipped", render_id)] * 2
    assert len(world.downloads.fetched) == 1
    assert (await world.renders.get(render_id, "ada")).deleted_at is None
    assert (await world.node("n2"))["imageUrl"] == batch.results[0].image_url
    await start(world, ImportItem(FOX, "d1"), account_id="bob")
    await carry_all(world)
    assert await world.count("renders") == 2  # another account's is another picture


async def test_what_was_deleted_for_good_is_fetched_again(world: World) -> None:
    """BA8"""
    await start(world, ImportItem(FOX, "d1"))
    await carry_all(world)
    await world.database.execute("UPDATE renders SET deleted_at = now() - interval '31 days'")
    await retire_renders(world.database, world.objects, 30)

    batch_id = await start(world, ImportItem(FOX, "d1"))
    await carry_all(world)

    assert (await seen(world, batch_id)).counts["completed"] == 1


async def test_two_imports_of_the_same_pictures_at_once_store_each_once(world: World) -> None:
    """BA8: the second of each pair has fetched it as well when it learns that it is the second"""
    items = [ImportItem(f"{FOX}?{number}", number) for number in range(6)]
    world.keeper._downloads = Slow(12, 12)
    batches = [await start(world, *items, concurrency=6) for _ in range(2)]
    one = importer(world)
    claimed = [item for _ in range(12) if (item := await one.claim()) is not None]
    assert len(claimed) == 12

    async with asyncio.timeout(30):
        await asyncio.gather(*map(one.carry, claimed))

    found = [await seen(world, batch_id) for batch_id in batches]
    assert [batch.counts["completed"] + batch.counts["skipped"] for batch in found] == [6, 6]
    assert sum(batch.counts["completed"] for batch in found) == 6
    assert [item.render_id for item in found[0].results] == [item.render_id for item in found[1].results]
    assert await world.count("renders") == 6
    assert len(world.files()) == await world.count("objects") == 24


async def test_of_a_batchs_items_for_one_picture_one_is_fetched(world: World) -> None:
    """BA8"""
    batch_id = await start(world, ImportItem(FOX, 1), ImportItem(FOX), ImportItem(FOX + "?2", "1"))
    one = importer(world)

    first = await one.claim()
    assert first is not None
    assert await one.claim() is None
    await one.carry(first)
    await carry_all(world)

    assert [item.status for item in (await seen(world, batch_id)).results] == ["completed", "skipped", "skipped"]
    assert world.downloads.fetched == [FOX]


@pytest.mark.parametrize("concurrency", [1, 3])
async def test_no_more_than_so_many_are_fetched_at_a_time_and_no_place_stays_empty(
    world: World, concurrency: int
) -> None:
    """BA7: two workers, one batch"""
    world.keeper._downloads = slow = Slow(12, concurrency)
    batch_id = await start(world, *(ImportItem(f"{FOX}?{number}") for number in range(12)), concurrency=concurrency)
    workers = [asyncio.create_task(keep_importing(importer(world))) for _ in range(2)]

    async with asyncio.timeout(30):
        while (await seen(world, batch_id)).status == "running":
            pass

    for worker in workers:
        worker.cancel()
    await asyncio.gather(*workers, return_exceptions=True)
    assert slow.peak == concurrency
    assert (await seen(world, batch_id)).counts["completed"] == 12


async def test_whoever_dies_another_goes_on_and_each_is_kept_once(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """BA7, BA8: one in four is killed while fetching, after keeping, or after the commit"""
    print(f"seed {SEED}")
    dice = random.Random(SEED)
    batch_id = await start(world, *(ImportItem(f"{FOX}?{number}") for number in range(20)))
    store, keeper = store_of(world), world.keeper
    complete, fetch = store.complete, keeper.fetch

    async def complete_or_die(*args: Any) -> list[str]:
        fate = dice.random()
        if fate < 0.12:
            raise Killed
        unneeded = await complete(*args)
        if fate < 0.24:
            raise Killed
        return unneeded

    async def fetch_or_die(*args: Any) -> bytes:
        if dice.random() < 0.12:
            raise Killed
        return await fetch(*args)

    monkeypatch.setattr(store, "complete", complete_or_die)
    monkeypatch.setattr(keeper, "fetch", fetch_or_die)
    one = Importer(store, keeper, 15.0)

    async with asyncio.timeout(60):
        while (await seen(world, batch_id)).status == "running":
            while (item := await one.claim()) is not None:
                with suppress(Killed):
                    await one.carry(item)
            await world.database.execute("UPDATE import_items SET lease_until = now() - interval '1 s'")

    assert (await seen(world, batch_id)).counts["completed"] == 20
    assert await world.count("renders") == 20
    assert len(world.files()) == await world.count("objects")


async def test_one_who_has_lost_his_lease_writes_nothing_more(world: World) -> None:
    """BA7"""
    await start(world, ImportItem(FOX, 1, "n1", "wf"))
    one = importer(world)
    old = await one.claim()
    assert old is not None
    await world.database.execute("UPDATE import_items SET lease_until = now() - interval '1 s'")
    new = await one.claim()
    assert new is not None
    assert (new.id, new.fence, new.takeovers) == (old.id, 2, 1)

    await one.carry(old)
    assert (await world.count("renders"), (await world.node("n1")).get("imageUrl")) == (0, None)
    await one.carry(new)
    assert await world.count("renders") == 1


async def test_a_worker_that_stops_gives_its_items_back(world: World) -> None:
    """BA7"""
    world.keeper._downloads = slow = Slow(9, 9)
    await start(world, ImportItem(FOX))
    worker = asyncio.create_task(keep_importing(importer(world)))
    async with asyncio.timeout(10):
        await slow.begun()

    worker.cancel()
    await asyncio.gather(worker, return_exceptions=True)

    assert await importer(world).claim() is not None


@pytest.mark.parametrize(
    ("failures", "code"),
    [
        ([DownloadFailed("Cut.")] * 2, None),
        ([DownloadFailed("Cut.")] * 9, "DOWNLOAD_FAILED"),
        ([DownloadFailed("Gone.", code="OUTPUT_EXPIRED")], "OUTPUT_EXPIRED"),
        ([DownloadBlocked("No.")], "DOWNLOAD_BLOCKED"),
    ],
)
async def test_what_may_pass_is_tried_again(world: World, failures: list[JobError], code: str | None) -> None:
    """BA7, BA4"""
    world.downloads.failures = failures
    batch_id = await start(world, ImportItem(FOX), ImportItem(FOX + "?2"), concurrency=1)
    one = importer(world)
    item = await one.claim()
    assert item is not None
    await one.carry(item)
    world.downloads.failures = []
    await carry_all(world)

    batch = await seen(world, batch_id)

    assert batch.status == "completed"
    assert [error.code for error in batch.errors] == ([code] if code else [])
    assert all(error.detail and error.url == FOX for error in batch.errors)


async def test_private_addresses_are_not_fetched(world: World) -> None:
    """BA9: the real door"""
    world.keeper._downloads = Downloads()
    urls = ("https://127.0.0.1/x.png", "https://[::1]/x.png", "http://pictures.example/x.png", "https://10.0.0.1/")
    batch_id = await start(world, *map(ImportItem, urls))

    await carry_all(world)

    batch = await seen(world, batch_id)
    assert batch.status == "failed"
    assert [error.code for error in batch.errors] == ["DOWNLOAD_BLOCKED"] * 4


async def test_a_picture_without_small_sizes_is_kept_and_one_that_is_none_is_not(world: World) -> None:
    """BA9"""
    world.pictures.refusals = 3
    batch_id = await start(world, ImportItem(FOX, node_id="n1", workflow_id="wf"))
    await carry_all(world)
    (item,) = (await seen(world, batch_id)).results
    assert (item.status, item.code) == ("completed", "IMAGE_INVALID")
    assert (await world.node("n1"))["thumbnailUrl"] == item.image_url


async def test_node_of_somebody_who_may_not_edit_any_more_stays_as_it_is(world: World) -> None:
    """BA9"""
    await world.database.execute("INSERT INTO members VALUES ('wf', 'bob', 'editor', true)")
    batch_id = await start(world, ImportItem(FOX, node_id="n1", workflow_id="wf"), account_id="bob")
    await world.database.execute("UPDATE members SET role = 'viewer' WHERE account_id = 'bob' AND workflow_id = 'wf'")

    await carry_all(world)

    assert (await seen(world, batch_id, "bob")).counts["completed"] == 1
    assert "imageUrl" not in await world.node("n1")


async def test_status_of_a_live_run_stays_that_runs(world: World) -> None:
    """BA9"""
    await world.start()
    await start(world, ImportItem(FOX, node_id="n1", workflow_id="wf"))

    await carry_all(world)

    node = await world.node("n1")
    assert node["status"] == "pending"
    assert node["imageUrl"].startswith("/objects/")


async def test_an_import_is_checked_whole(world: World) -> None:
    """BA6"""
    bad = [
        ImportItem(FOX),
        ImportItem("file:///etc/passwd"),
        ImportItem(FOX, node_id="n1"),
        ImportItem(FOX, node_id="gone", workflow_id="wf"),
        ImportItem(FOX, design_id=""),
    ]

    with pytest.raises(Invalid) as refusal:
        await start(world, *bad)

    assert [(item["index"], item["code"]) for item in refusal.value.facts["items"]] == [
        (1, "DOWNLOAD_BLOCKED"),
        (2, "VALIDATION_FAILED"),
        (3, "NOT_FOUND"),
        (4, "VALIDATION_FAILED"),
    ]
    assert await world.count("batches") == 0
    for items in ([], [ImportItem(FOX)] * 501):
        with pytest.raises(Invalid):
            await start(world, *items)


async def test_who_may_edit_nowhere_imports_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """BA6"""

    async def refused(_: str) -> None:
        raise NotFound("There is no such workflow.")

    imports = Imports(store_of(world))
    for item, is_guest, error in (
        (ImportItem(FOX, workflow_id="other"), False, NotFound),
        (ImportItem(FOX), True, Forbidden),
    ):
        with pytest.raises(EaselError) as refusal:
            await imports.start(StartImport([item]), "ada", refused, is_guest=is_guest)
        assert isinstance(refusal.value, error)
    monkeypatch.setattr(rows, "MAX_LIVE", 1)
    await start(world, ImportItem(FOX))
    with pytest.raises(LimitReached):
        await start(world, ImportItem(FOX))


async def test_cancelling_an_import_ends_what_is_left_of_it(world: World) -> None:
    """BA5"""
    batch_id = await start(world, ImportItem(FOX), ImportItem(FOX + "?2"))
    one = importer(world)
    item = await one.claim()
    assert item is not None

    batch = await batches_of(world).cancel(batch_id, "ada")

    assert (batch.status, [error.code for error in batch.errors]) == ("failed", ["CANCELLED"] * 2)
    await one.carry(item)
    assert await world.count("renders") == 0
    with pytest.raises(Conflict):
        await batches_of(world).cancel(batch_id, "ada")
    assert await one.claim() is None
    await world.database.execute("UPDATE batches SET finished_at = now() - interval '31 days'")
    await retire_imports(world.database, 30)
    assert await world.count("import_items") == 0
