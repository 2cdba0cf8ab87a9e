"""Artworks where their making fails: at each step, at once, and in the middle of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from canvas.errors import Conflict, EaselError, Invalid, NotFound, TooLarge, Unavailable
from canvas.ids import new_id
from canvas.store.postgres import Pool
from jobs.artwork import Artwork, NewArtwork, read_new
from jobs.artworks import Artworks, NewUpload
from jobs.errors import ArtworkLimitReached, ImageInvalid, ProcessingFailed, StorageFailed
from jobs.images.variants import Variant
from jobs.objects.links import Links
from jobs.objects.store import Objects, open_objects
from jobs.run import PictureUrl
from jobs.store.artworks import ArtworkStore
from jobs.store.uploads import MAX_OPEN, UploadStore
from tests.jobs.world import Killed, ScriptedPictures, World

pytestmark = pytest.mark.anyio

FILE = b"a picture"


class FaultyObjects(Objects):
    """Fails at the step that is named, such as `put 3`."""

    def __init__(self, objects: Objects) -> None:
        super().__init__(objects._store)
        self.faults: dict[str, BaseException] = {}
        self.counts: dict[str, int] = {}

    def _step(self, name: str) -> None:
        self.counts[name] = self.counts.get(name, 0) + 1
        fault = self.faults.get(f"{name} {self.counts[name]}")
        if fault is not None:
            raise fault

    async def put(self, key: str, content: bytes, content_type: str) -> None:
        self._step("put")
        await super().put(key, content, content_type)

    async def size(self, key: str) -> int | None:
        self._step("size")
        return await super().size(key)

    async def open(self, key: str, start: int = 0, end: int | None = None) -> AsyncIterator[bytes] | None:
        self._step("open")
        return await super().open(key, start, end)

    async def delete(self, key: str) -> None:
        self._step("delete")
        await super().delete(key)


class FaultyPictures(ScriptedPictures):
    fault: Exception | None = None
    left_out: str | None = None

    async def variants(self, content: bytes, watermark: str, *, generated: bool) -> list[Variant]:
        if self.fault is not None:
            raise self.fault
        made = await super().variants(content, watermark, generated=generated)
        return [variant for variant in made if variant.kind != self.left_out]


class Studio:
    """An account, and all that makes artworks of its uploads."""

    def __init__(self, database: Pool, folder: Path) -> None:
        self.database = database
        self.folder = folder
        self.objects = FaultyObjects(open_objects(str(folder)))
        self.pictures = FaultyPictures()
        self.uploads = UploadStore(database)
        self.store = ArtworkStore(database, PictureUrl("https://cdn.example"), 1000)
        links = Links(self.objects, b"secret")
        self.artworks = Artworks(self.store, self.uploads, self.objects, self.pictures, links, max_bytes=1000)
        self.account_id = ""

    async def uploads_one(self, content: bytes = FILE) -> str:
        new = NewUpload("a.png", "image/png")
        key = (await self.artworks.upload_url(new, self.account_id, "http://easel.example")).key
        await self.artworks.take_in(key, 1000, _in_pieces(content))
        self.objects.counts.clear()
        return key

    async def creates(self, key: str, title: str = "A fox") -> Artwork:
        _, words, place = read_new(NewArtwork(title, key))
        return await self.artworks.create(key, words, place, self.account_id, "Ada")

    def files(self) -> list[str]:
        return sorted(path.relative_to(self.folder).as_posix() for path in self.folder.rglob("*") if path.is_file())

    async def kept(self) -> tuple[int, int, int]:
        """Artworks, objects, and what the counter says."""
        row = await self.database.fetchrow(
            """
            SELECT (SELECT count(*) FROM artworks WHERE account_id = $1) AS artworks,
              (SELECT count(*) FROM objects WHERE account_id = $1) AS objects, artwork_count
            FROM accounts WHERE id = $1""",
            self.account_id,
        )
        assert row is not None
        return row["artworks"], row["objects"], row["artwork_count"]


@pytest.fixture
async def studio(database: Pool, tmp_path: Path) -> Studio:
    made = Studio(database, tmp_path / "objects")
    made.account_id = new_id("acc")
    await database.execute("INSERT INTO accounts (id, name, color) VALUES ($1, 'Ada', '#0f766e')", made.account_id)
    return made


async def _in_pieces(content: bytes, size: int = 100) -> AsyncIterator[bytes]:
    for start in range(0, len(content), size):
        yield content[start : start + size]


STORE_AWAY = StorageFailed("Easel could not write the picture store.")


@pytest.mark.parametrize("step", ["size 1", "open 1", "put 1", "put 2", "put 3", "put 4"])
async def test_store_that_fails_at_any_step_leaves_nothing(studio: Studio, step: str) -> None:
    """AW4: and the key can be sent again."""
    key = await studio.uploads_one()
    studio.objects.faults[step] = STORE_AWAY

    with pytest.raises(StorageFailed):
        await studio.creates(key)

    assert studio.files() == [key]
    assert await studio.kept() == (0, 0, 0)
    studio.objects.faults.clear()
    await studio.creates(key)
    assert await studio.kept() == (1, 4, 1)
    assert len(studio.files()) == 4


@pytest.mark.parametrize(
    ("fault", "left_out"),
    [(ImageInvalid("No."), None), (RuntimeError("The picture process does not start."), None), (None, "icon")],
)
async def test_variant_that_fails_leaves_nothing(studio: Studio, fault: Exception | None, left_out: str | None) -> None:
    """AW4"""
    key = await studio.uploads_one()
    studio.pictures.fault, studio.pictures.left_out = fault, left_out

    with pytest.raises(ProcessingFailed) as failed:
        await studio.creates(key)

    assert (failed.value.status, failed.value.code) == (500, "PROCESSING_FAILED")
    assert studio.files() == [key]
    assert await studio.kept() == (0, 0, 0)
    studio.pictures.fault = studio.pictures.left_out = None
    await studio.creates(key)


async def test_store_that_cannot_even_delete_leaves_it_to_the_sweep(studio: Studio) -> None:
    """AW4"""
    key = await studio.uploads_one()
    studio.objects.faults |= {"put 4": STORE_AWAY, "delete 1": STORE_AWAY, "delete 3": STORE_AWAY}

    with pytest.raises(StorageFailed):
        await studio.creates(key)

    assert await studio.kept() == (0, 0, 0)
    assert len(studio.files()) <= 3


async def test_artwork_stays_when_the_upload_cannot_be_deleted(studio: Studio) -> None:
    """AW4"""
    key = await studio.uploads_one()
    studio.objects.faults["delete 1"] = STORE_AWAY

    await studio.creates(key)

    assert await studio.kept() == (1, 4, 1)
    assert len(studio.files()) == 5


async def test_limit_that_is_reached_meanwhile_leaves_nothing(studio: Studio) -> None:
    """AW6"""
    await studio.database.execute("UPDATE accounts SET artwork_limit = 1 WHERE id = $1", studio.account_id)
    keys = [await studio.uploads_one() for _ in range(3)]

    outcomes = await asyncio.gather(*(studio.creates(key) for key in keys), return_exceptions=True)

    assert [type(one) for one in outcomes if not isinstance(one, Artwork)] == [ArtworkLimitReached] * 2
    assert await studio.kept() == (1, 4, 1)
    assert len(studio.files()) == 4 + 2


async def test_killed_in_the_middle_nothing_is_half_there(studio: Studio) -> None:
    """AW3, AW4: the key is free again after its lease."""
    key = await studio.uploads_one()
    studio.objects.faults["put 3"] = Killed()

    async def dies() -> None:
        studio.uploads.release = _never  # type: ignore[method-assign,assignment]  # a dead server releases nothing
        studio.artworks._discard = _never  # type: ignore[method-assign,assignment]
        await studio.creates(key)

    with pytest.raises((Killed, BaseExceptionGroup)):
        await dies()

    assert await studio.kept() == (0, 0, 0)
    another = Studio(studio.database, studio.folder)
    another.account_id = studio.account_id
    with pytest.raises(Conflict):
        await another.creates(key)
    await studio.database.execute(
        "UPDATE uploads SET claimed_at = claimed_at - interval '5 minutes' WHERE key = $1", key
    )
    await another.creates(key)
    assert await studio.kept() == (1, 4, 1)


async def _never(*_: object) -> None: ...


async def test_who_lost_the_key_meanwhile_writes_nothing(studio: Studio) -> None:
    """AW3: one that was given up for dead and comes back late."""
    key = await studio.uploads_one()
    inspect = studio.pictures.inspect

    async def takes_long(content: bytes) -> Any:
        await studio.database.execute("UPDATE uploads SET claim = 'another' WHERE key = $1", key)
        return await inspect(content)

    studio.pictures.inspect = takes_long  # type: ignore[method-assign]

    with pytest.raises(Conflict):
        await studio.creates(key)

    assert await studio.kept() == (0, 0, 0)
    assert studio.files() == [key]


async def test_unknown_commit_keeps_the_pictures(studio: Studio) -> None:
    """AW4: an artwork that may have been committed must not lose its files."""
    key = await studio.uploads_one()
    insert = studio.store.insert

    async def breaks_off(*args: Any, **more: Any) -> Artwork:
        await insert(*args, **more)
        raise Unavailable("The database cannot be reached right now.")

    studio.store.insert = breaks_off  # type: ignore[method-assign]

    with pytest.raises(Unavailable):
        await studio.creates(key)

    assert await studio.kept() == (1, 4, 1)
    assert len([name for name in studio.files() if not name.startswith("uploads/")]) == 4


async def test_verified_bytes_are_kept_and_not_what_comes_later(studio: Studio) -> None:
    """AW4: whoever has the address may write there until it ends."""
    key = await studio.uploads_one()
    inspect = studio.pictures.inspect

    async def overwritten(content: bytes) -> Any:
        facts = await inspect(content)
        await Objects.put(studio.objects, key, b"<script>", "text/html")
        return facts

    studio.pictures.inspect = overwritten  # type: ignore[method-assign]

    made = await studio.creates(key)

    assert studio.folder.joinpath(made.original_url.removeprefix("/objects/")).read_bytes() == FILE


async def test_upload_ends_at_the_first_byte_too_many(studio: Studio) -> None:
    """AW2"""
    key = await studio.uploads_one()
    taken: list[int] = []

    async def endless() -> AsyncIterator[bytes]:
        while True:
            taken.append(400)
            yield b"x" * 400

    with pytest.raises(TooLarge) as refused:
        await studio.artworks.take_in(key, 1000, endless())

    assert (refused.value.status, refused.value.code) == (413, "IMAGE_TOO_LARGE")
    assert len(taken) == 3
    assert studio.folder.joinpath(key).read_bytes() == FILE
    await studio.artworks.take_in(key, 1000, _in_pieces(b"x" * 1000))


async def test_store_that_took_too_much_is_looked_through(studio: Studio) -> None:
    """AW4: an address of S3 binds no size."""
    key = await studio.uploads_one()
    await Objects.put(studio.objects, key, b"x" * 1001, "image/png")

    with pytest.raises(Invalid) as refused:
        await studio.creates(key)

    assert (refused.value.status, refused.value.code) == (422, "IMAGE_TOO_LARGE")


async def test_uploads_that_wait_are_bounded(studio: Studio) -> None:
    """AW1"""
    new = NewUpload("a.png", "image/png")
    for _ in range(MAX_OPEN):
        await studio.artworks.upload_url(new, studio.account_id, "http://easel.example")

    with pytest.raises(EaselError, match="100 uploads") as refused:
        await studio.artworks.upload_url(new, studio.account_id, "http://easel.example")

    assert refused.value.status == 429


async def test_upload_that_nobody_used_expires(studio: Studio) -> None:
    """AW12"""
    late, early, used = [await studio.uploads_one() for _ in range(3)]
    await studio.creates(used)
    await studio.database.execute(
        "UPDATE uploads SET expires_at = now() - $2::interval WHERE key = ANY($1::text[])",
        [late, used],
        timedelta(hours=1, seconds=1),
    )

    with pytest.raises(NotFound):
        await studio.creates(late)
    with pytest.raises(Conflict):
        await studio.creates(used)
    assert await studio.artworks.expire() == 1

    assert late not in studio.files()
    await studio.creates(early)


async def test_trash_is_emptied_when_its_time_is_over(studio: Studio) -> None:
    """AW10"""
    kept, gone = [await studio.creates(await studio.uploads_one()) for _ in range(2)]
    for one in (kept, gone):
        await studio.store.move_to_trash(one.id, studio.account_id)
    await studio.database.execute("UPDATE artworks SET deleted_at = now() - interval '31 days' WHERE id = $1", gone.id)

    assert await studio.artworks.retire(30) == 4

    assert await studio.kept() == (1, 4, 0)
    assert len(studio.files()) == 4
    assert (await studio.store.take_from_trash(kept.id, studio.account_id, is_limited=True)).slug == "a-fox"
    with pytest.raises(NotFound):
        await studio.store.get(gone.id, studio.account_id)


async def test_run_of_a_member_starts_from_the_display_size(studio: Studio, world: World) -> None:
    """AW8"""
    key = await studio.uploads_one()
    _, words, place = read_new(NewArtwork("A fox", key, workflow_id="wf", node_id="n1"))
    made = await studio.artworks.create(key, words, place, studio.account_id, "Ada")
    display = made.display_url.removeprefix("https://cdn.example/")
    original = made.original_url.removeprefix("/objects/")

    for_member, for_owner = [
        await world.renders.shown_to(display, account_id) for account_id in ("ada", studio.account_id)
    ]

    assert for_member is not None
    assert for_owner is not None
    assert (for_member.original_key, for_owner.original_key) == (display, original)
    assert await world.renders.shown_to(original, "ada") is None
