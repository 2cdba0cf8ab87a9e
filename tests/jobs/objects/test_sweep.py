"""What crashes leave in the store, and what is lost from it: found and taken away, and nothing else."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from app.stock import take_stock
from canvas.errors import Conflict
from canvas.ids import new_id
from canvas.store.postgres import Pool
from jobs.objects.store import Objects
from jobs.store.objects import ObjectRows
from jobs.sweep import GRACE, Stock, Sweep
from tests.jobs.world import Killed, World

pytestmark = pytest.mark.anyio

LATER = GRACE + timedelta(minutes=1)


class Shelf:
    """A store with two pictures of an account that have rows, and a look at it when a day has gone by."""

    def __init__(self, database: Pool, objects: Objects) -> None:
        self.database = database
        self.objects = objects
        self.account_id = new_id("acc")
        self.kept = [self.key("originals"), self.key("display")]
        self.after = LATER
        self.sweep = Sweep(objects, ObjectRows(database), now=lambda: datetime.now(UTC) + self.after)

    def key(self, folder: str) -> str:
        return f"{folder}/{self.account_id}/{new_id('key')}.png"

    async def fills(self) -> None:
        await self.database.execute(
            "INSERT INTO accounts (id, name, color) VALUES ($1, 'Ada', '#0f766e')", self.account_id
        )
        for key in self.kept:
            await self.puts(key)
            await self.writes_down(key)

    async def puts(self, key: str) -> str:
        await self.objects.put(key, b"a picture", "image/png")
        return key

    async def writes_down(self, key: str) -> str:
        await self.database.execute(_ROW, key, self.account_id)
        return key

    async def shows(self, key: str) -> None:
        """A render is made of it."""
        await self.database.execute(_RENDER, new_id("ren"), self.account_id, key)

    async def keys(self) -> set[str]:
        return {one.key async for page in self.objects.pages() for one in page}

    async def rows(self) -> set[str]:
        return {row["key"] for row in await self.database.fetch("SELECT key FROM objects")}


_ROW = """
    INSERT INTO objects (key, account_id, content_type, size_bytes, sha256) VALUES ($1, $2, 'image/png', 9, '\\x00')"""
_RENDER = """
    INSERT INTO renders (id, account_id, run_id, picture, workflow_id, node_id, object_key, width, height, content_type,
      prompt, provider, model) VALUES ($1, $2, $1, 0, 'wf', 'n', $3, 1, 1, 'image/png', '', 'local', 'studio-1')"""


@pytest.fixture
async def shelf(database: Pool, objects: Objects) -> Shelf:
    made = Shelf(database, objects)
    await made.fills()
    return made


def unnamed(stock: Stock) -> set[str]:
    return {one.key for one in stock.unnamed}


async def test_object_without_a_row_goes_after_a_day(shelf: Shelf) -> None:
    """OB4"""
    orphans = {await shelf.puts(shelf.key(folder)) for folder in ("originals", "thumbnails", "icons", "uploads")}
    orphans.add(await shelf.puts("doctor-0123456789abcdef"))
    shelf.after = GRACE - timedelta(minutes=1)
    assert unnamed(await shelf.sweep.look()) == set()
    shelf.after = LATER

    stock = await shelf.sweep.look()

    assert (stock.objects, stock.rows) == (7, 2)
    assert unnamed(stock) == orphans
    assert (stock.foreign, stock.missing, stock.unused) == ([], [], [])
    assert await shelf.keys() == orphans | set(shelf.kept)
    assert await shelf.sweep.delete(stock.unnamed) == 5
    assert await shelf.keys() == set(shelf.kept)
    assert await shelf.sweep.look() == Stock(2, 2, [], [], [], [])


async def test_object_that_came_back_meanwhile_stays(shelf: Shelf) -> None:
    """OB4"""
    named, gone = [await shelf.puts(shelf.key("originals")) for _ in range(2)]
    stock = await shelf.sweep.look()

    await shelf.writes_down(named)
    before = [one._replace(modified_at=one.modified_at - GRACE) for one in stock.unnamed]  # put again since

    assert await shelf.sweep.delete(before) == 0
    assert await shelf.sweep.delete(stock.unnamed) == 1
    assert await shelf.keys() == {*shelf.kept, named}
    assert gone not in await shelf.keys()


async def test_what_is_not_ours_is_left_alone(shelf: Shelf) -> None:
    """OB5: another Easel's in the same bucket, and what somebody else has put there."""
    foreign = {"originals/acc_of_another/1.png", "backups/monday.tar", "readme.txt"}
    for key in foreign:
        await shelf.puts(key)

    stock = await shelf.sweep.look()

    assert set(stock.foreign) == foreign
    assert stock.unnamed == []


async def test_upload_that_is_awaited_is_no_orphan(shelf: Shelf) -> None:
    """OB4"""
    key = await shelf.puts(shelf.key("uploads"))
    query = "INSERT INTO uploads (key, account_id, expires_at) VALUES ($1, $2, now() - interval '2 days')"
    await shelf.database.execute(query, key, shelf.account_id)

    assert (await shelf.sweep.look()).unnamed == []


async def test_row_whose_object_is_gone_is_told(shelf: Shelf) -> None:
    """OB6: and taken away only where no picture is made of it."""
    others = [await shelf.writes_down(await shelf.puts(shelf.key("display"))) for _ in range(3)]
    shown, unused = shelf.kept
    await shelf.shows(shown)
    for key in shelf.kept:
        await shelf.objects.delete(key)

    stock = await shelf.sweep.look()

    assert (stock.missing, stock.unused, stock.unnamed) == ([shown], [unused], [])
    assert await shelf.sweep.forget([*stock.unused, *stock.missing]) == 1
    assert await shelf.rows() == {shown, *others}


async def test_store_in_which_most_is_missing_is_another_one(shelf: Shelf) -> None:
    """OB5: a wrong EASEL_STORAGE_URL must cost nothing."""
    orphan = await shelf.puts(shelf.key("originals"))
    for key in shelf.kept:
        await shelf.objects.delete(key)

    stock = await shelf.sweep.look()

    assert stock.is_of_another_store
    with pytest.raises(Conflict, match="EASEL_STORAGE_URL right"):
        await take_stock(shelf.sweep, 24, delete=True)
    assert await shelf.keys() == {orphan}
    assert await shelf.rows() == set(shelf.kept)


async def test_command_says_what_it_would_do_before_it_does_it(shelf: Shelf) -> None:
    """OB4"""
    orphan = await shelf.puts(shelf.key("originals"))

    said = await take_stock(shelf.sweep, 24, delete=False)

    assert said[0].startswith(f"unnamed  {orphan}")
    assert said[1:3] == ["3 objects, 2 rows.", "1 object that no row names (0.0 MiB)."]
    assert "--delete" in said[-1]
    assert orphan in await shelf.keys()
    assert (await take_stock(shelf.sweep, 24, delete=True))[-1] == "Deleted 1 object and 0 rows."
    assert orphan not in await shelf.keys()


async def test_what_a_run_has_put_away_is_named_until_the_run_ends(world: World) -> None:
    """OB4: its rows come when it completes."""
    record = await world.start()
    with pytest.raises(Killed):
        await world.runner(killed_at="kept").carry(record.job_id)
    sweep = Sweep(world.objects, ObjectRows(world.database), now=lambda: datetime.now(UTC) + LATER)
    assert len(world.files()) == 1

    waiting = await sweep.look()
    await world.database.execute("UPDATE runs SET status = 'failed', finished_at = now() WHERE id = $1", record.job_id)

    assert waiting.unnamed == []
    assert [one.key for one in (await sweep.look()).unnamed] == world.files()
